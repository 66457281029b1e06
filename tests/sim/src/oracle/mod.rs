//! The promises, as checks on what the nodes store and say.

pub(crate) mod image;
pub(crate) mod law;
pub(crate) mod leave;
pub(crate) mod reference;
pub(crate) mod rights;
pub(crate) mod room;
pub(crate) mod step;

use mangrove_protocol::replica::Mode;
use mangrove_protocol::view::{Memory, Places, Table};

use crate::node::Spot;
use crate::settings::Settings;
use crate::verdict::Violation;
use crate::world::World;
use image::{Judge, Moment};
use room::Room;

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
        let Self { nodes, cast, payloads, settings, epochs, .. } = self;
        let Some(node) = nodes.get(spot.node) else { return Ok(()) };
        let Some(memory) = node.store.written(spot.context) else { return Ok(()) };
        let cell = node.running().and_then(|process| process.cells.get(spot.context));
        let calm = cell.is_some_and(|cell| cell.replica.is_idle() && cell.begun);
        let mut judge = Judge {
            peer: cast.peer(spot.node),
            context: cast.context(spot.context),
            mode: mode(settings, spot.node),
            keys: epochs,
            calm: cell.filter(|_| calm).map(|cell| &cell.replica),
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

/// What a node is to the contexts.
pub(crate) fn mode(settings: &Settings, node: usize) -> Mode {
    if settings.politics.replica == Some(node) { Mode::Replica } else { Mode::Full }
}

/// How far apart looks at a whole context are.
const INSPECT_EVERY_MS: u64 = 5_000;

/// B1, B2: what a node finds when it starts is consistent, and has all that was confirmed.
pub(crate) fn check_boot(world: &mut World, spot: Spot) -> Result<(), Violation> {
    check_acked(world, spot)?;
    if let Some(memory) = world.nodes.get(spot.node).and_then(|it| it.store.written(spot.context)) {
        world.ledger.rooms.insert(spot, Room::of(memory));
    }
    world.check_image(spot, Moment::Running)
}

/// B1: what was confirmed is there.
pub(crate) fn check_acked(world: &World, spot: Spot) -> Result<(), Violation> {
    let Some(image) = world.nodes.get(spot.node).and_then(|it| it.store.written(spot.context))
    else {
        return Ok(());
    };
    let acked = world.ledger.acked.get(&spot).into_iter().flatten();
    let stored = |id| {
        let place = Places::rows(image).get(id);
        place.is_some()
    };
    let mut lost = acked.filter(|(id, _)| !stored(*id));
    match lost.next() {
        Some((id, seq)) => {
            Err(Violation::new("B1", format!("{id:?}, confirmed as {seq}, is gone")))
        }
        None => Ok(()),
    }
}
