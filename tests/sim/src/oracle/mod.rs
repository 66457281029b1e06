//! The promises, as checks on what the nodes store and say.

pub(crate) mod image;
pub(crate) mod leave;
pub(crate) mod reference;
pub(crate) mod step;

use mangrove_protocol::view::{Memory, Places, Table};

use crate::node::Spot;
use crate::verdict::Violation;
use crate::world::World;
use image::{Judge, Moment};

impl World {
    /// Looks at everything that a context has stored.
    pub(crate) fn check_image(&mut self, spot: Spot, moment: Moment) -> Result<(), Violation> {
        self.with_image(spot, moment, image::check)
    }

    /// Folds the history of a context anew.
    pub(crate) fn check_fold(&mut self, spot: Spot, moment: Moment) -> Result<(), Violation> {
        self.with_image(spot, moment, image::fold_again)
    }

    fn with_image(
        &mut self,
        spot: Spot,
        moment: Moment,
        check: impl FnOnce(&Memory, &mut Judge<'_>) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let Self { nodes, cast, payloads, settings, .. } = self;
        let Some(node) = nodes.get(spot.node) else { return Ok(()) };
        let Some(memory) = node.store.written(spot.context) else { return Ok(()) };
        let held = node.keys.get(spot.context).into_iter().flatten().map(|key| key.id()).collect();
        let mut judge = Judge {
            peer: cast.peer(spot.node),
            keys: cast.epochs(spot.context),
            held,
            bounds: settings.bounds,
            payloads,
            moment,
        };
        check(memory, &mut judge)
    }

    /// Looks at one context somewhere.
    pub(crate) fn inspect(&mut self) {
        let spots = self.spots();
        if let Some(spot) = self.dice.pick(&spots).copied() {
            self.tally.hit("inspections");
            let checked = self.check_image(spot, Moment::Running);
            self.demand(spot.node, checked);
        }
        if self.phase == crate::world::Phase::Chaos {
            self.after(INSPECT_EVERY_MS, crate::world::Event::Inspect);
        }
    }
}

/// How far apart looks at a whole context are.
const INSPECT_EVERY_MS: u64 = 5_000;

/// B1, B2: what a node finds when it starts is consistent, and has all that was confirmed.
pub(crate) fn check_boot(world: &mut World, spot: Spot) -> Result<(), Violation> {
    check_acked(world, spot)?;
    world.check_image(spot, Moment::Running)
}

/// B1: what was confirmed is there.
pub(crate) fn check_acked(world: &World, spot: Spot) -> Result<(), Violation> {
    let Some(image) = world.nodes.get(spot.node).and_then(|it| it.store.written(spot.context))
    else {
        return Ok(());
    };
    let acked = world.ledger.acked.get(&spot).into_iter().flatten();
    let applied = |id| {
        let place = Places::rows(image).get(id);
        place.is_some_and(|place| place.status.is_settled())
    };
    let mut lost = acked.filter(|(id, _)| !applied(*id));
    match lost.next() {
        Some((id, seq)) => {
            Err(Violation::new("B1", format!("{id:?}, confirmed as {seq}, is gone")))
        }
        None => Ok(()),
    }
}
