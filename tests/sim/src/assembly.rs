//! Who takes part at the end: whoever is a member, or a replica, by all that those know who recover.

use std::collections::BTreeSet;

use mangrove_protocol::governance::{Deed, Role, Roster};
use mangrove_protocol::graph::{Cause, Status};
use mangrove_protocol::id::{DeltaId, EpochId, PeerId, Plane};
use mangrove_protocol::replica::Mode;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::view::{Deltas, Feed, Keys, Memory, Places, Table, Waiting};

use crate::founding;
use crate::node::Spot;
use crate::oracle;
use crate::verdict::Violation;
use crate::world::World;

/// What all know of a context together.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) roster: Roster,
    /// Those who recover and are members.
    pub(crate) members: Vec<Spot>,
    /// Those who recover and keep everything for the members.
    pub(crate) replicas: Vec<Spot>,
    /// Those who recover and are neither.
    pub(crate) others: Vec<Spot>,
}

impl Assembly {
    /// Whoever must have everything.
    pub(crate) fn all(&self) -> impl Iterator<Item = Spot> {
        self.members.iter().chain(&self.replicas).copied()
    }

    fn writes(&self, peer: PeerId) -> bool {
        self.roster.role(peer).is_some_and(Role::writes)
    }
}

impl World {
    /// Who takes part in a context, by what is durable with those who recover.
    pub(crate) fn assembly(&self, context: usize) -> Assembly {
        let core = self.core_spots().into_iter().filter(|spot| spot.context == context);
        let core = core.collect::<Vec<_>>();
        let known = core.iter().filter_map(|spot| self.image(*spot)).flat_map(deeds);
        let roster = Roster::of(self.cast.context(context), known);
        let replicas = roster.replicas();
        let mut assembly = Assembly { roster, members: vec![], replicas: vec![], others: vec![] };
        for spot in core {
            let peer = self.cast.peer(spot.node);
            let is_replica = oracle::mode(&self.settings, spot.node) == Mode::Replica;
            let part = match (is_replica, assembly.roster.role(peer)) {
                (false, Some(_)) => &mut assembly.members,
                (true, _) if replicas.contains(&peer) => &mut assembly.replicas,
                _ => &mut assembly.others,
            };
            part.push(spot);
        }
        assembly
    }

    /// Whether a node takes part and may write.
    pub(crate) fn may_write(&self, assembly: &Assembly, spot: Spot) -> bool {
        assembly.members.contains(&spot) && assembly.writes(self.cast.peer(spot.node))
    }

    /// A member that waits for a key which one who writes could hand to it.
    pub(crate) fn lacks_key(&self, assembly: &Assembly) -> Option<(Spot, EpochId)> {
        let writers = assembly.members.iter().filter(|spot| self.may_write(assembly, **spot));
        let held = writers.filter_map(|spot| Some(Keys::rows(self.image(*spot)?).keys().copied()));
        let held = held.flatten().collect::<BTreeSet<_>>();
        assembly.members.iter().find_map(|spot| {
            let waiting = Waiting::rows(self.image(*spot)?).keys();
            let epochs = waiting.filter_map(|(cause, _)| match cause {
                Cause::Key(epoch) => Some(*epoch),
                _ => None,
            });
            let mut due = epochs.filter(|epoch| held.contains(epoch));
            due.next().map(|epoch| (*spot, epoch))
        })
    }

    /// Everybody knows what they are themselves, and members know it of everybody.
    pub(crate) fn disagrees(&self, assembly: &Assembly) -> Result<(), String> {
        for spot in assembly.all().chain(assembly.others.iter().copied()) {
            let peer = self.cast.peer(spot.node);
            let theirs = self.roster(spot).and_then(|roster| roster.role(peer));
            if self.roster(spot).is_some() && theirs != assembly.roster.role(peer) {
                let is = assembly.roster.role(peer);
                return Err(format!("{spot:?} is {is:?} and believes to be {theirs:?}"));
            }
        }
        Ok(())
    }

    /// G8: members agree on who is what, on names, replicas and epochs.
    pub(crate) fn check_agreed(&mut self, assembly: &Assembly) {
        let said = |roster: &Roster| {
            let epochs = roster.epochs().into_keys().collect::<Vec<_>>();
            let name = roster.name().map(<[u8]>::to_vec);
            (roster.members(), roster.replicas(), name, epochs)
        };
        let expected = said(&assembly.roster);
        let differs = |spot: &Spot| self.roster(*spot).is_some_and(|it| said(it) != expected);
        if let Some(spot) = assembly.all().find(differs) {
            let what = "a member sees other members, names, replicas or epochs than all together";
            self.fail(Some(spot.node), Violation::new("G8", what));
        }
    }

    /// G9: own writes that were confirmed and count no more are listed in the feed.
    pub(crate) fn check_voided(&mut self, spot: Spot) {
        let Some(image) = self.image(spot) else { return };
        let listed = Feed::rows(image).values().filter_map(|item| match item {
            FeedItem::Rebuilt { void } => Some(void),
            _ => None,
        });
        let listed = listed.flatten().copied().collect::<BTreeSet<DeltaId>>();
        let acked = self.ledger.acked.get(&spot).into_iter().flatten().map(|(id, _)| *id);
        let void = acked.filter(|id| {
            let status = Places::rows(image).get(id).map(|place| &place.status);
            matches!(status, Some(Status::Void { why, .. })
                if *why == mangrove_protocol::graph::Void::CutOff)
        });
        let void = void.collect::<Vec<_>>();
        let untold = void.iter().find(|id| !listed.contains(id)).copied();
        self.tally.add("confirmed writes that count no more", void.len() as u64);
        if let Some(id) = untold {
            let what = format!("{id:?} was confirmed, counts no more, and nobody is told");
            self.fail(Some(spot.node), Violation::new("G9", what));
        }
    }
}

/// The governance that is settled in an image.
fn deeds(image: &Memory) -> impl Iterator<Item = Deed> {
    let governs = |(id, place): (&DeltaId, &mangrove_protocol::graph::Place)| {
        let settled = matches!(place.status, Status::Applied { .. });
        let id = (settled && place.log.plane == Plane::Governance).then_some(*id)?;
        founding::deed(Deltas::rows(image).get(&id)?)
    };
    Places::rows(image).iter().filter_map(governs)
}
