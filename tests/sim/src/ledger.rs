//! What is known outside of the nodes: who was told what, and what has left whom.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::ReplyTo;
use mangrove_protocol::id::{DeltaId, LogId, PeerId, Seq};
use mangrove_protocol::op::{Key, Kind};
use mangrove_protocol::request::{Request, RequestId, Version};
use mangrove_protocol::view::{Memory, Places, Table};

use crate::node::Spot;
use crate::oracle::room::Room;
use crate::politics::Pending;
use crate::verdict::Violation;

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) spot: Spot,
    pub(crate) request: Request,
}

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Calls without an answer yet.
    pub(crate) open: BTreeMap<ReplyTo, Call>,
    calls: u64,
    /// Decisions without an answer yet.
    decisions: BTreeMap<ReplyTo, Pending>,
    /// What was confirmed and must be there.
    pub(crate) acked: BTreeMap<Spot, BTreeMap<DeltaId, Seq>>,
    /// The delta that holds a request with an id, by the memory that its node has of it.
    named: BTreeMap<(Spot, u64, RequestId), DeltaId>,
    /// What left its author, by its place.
    left: BTreeMap<(usize, LogId, Seq), DeltaId>,
    /// What its author has handed to the mesh.
    published: BTreeSet<(Spot, DeltaId)>,
    /// What its author wrote.
    pub(crate) authored: BTreeMap<Spot, BTreeSet<DeltaId>>,
    /// Whoever else has the keys of a node.
    pub(crate) dishonest: BTreeSet<PeerId>,
    /// What waits, as of the last commit.
    pub(crate) rooms: BTreeMap<Spot, Room>,
    /// The root that goes with what is settled.
    roots: BTreeMap<(usize, [u8; 32]), [u8; 32]>,
    /// The last versions told while one commit is let out.
    versions: BTreeMap<(Kind, Key), Version>,
}

impl Ledger {
    /// Where the answer to the next call goes.
    pub(crate) const fn next_reply(&self) -> ReplyTo {
        ReplyTo(self.calls + 1)
    }

    /// Writes down a call.
    pub(crate) fn ask(&mut self, call: Call) -> ReplyTo {
        self.calls += 1;
        let to = ReplyTo(self.calls);
        self.open.insert(to, call);
        to
    }

    /// Writes down a decision that is asked for.
    pub(crate) fn propose(&mut self, pending: Pending) -> ReplyTo {
        self.calls += 1;
        let to = ReplyTo(self.calls);
        self.decisions.insert(to, pending);
        to
    }

    /// Takes out a decision that has its answer.
    pub(crate) fn settle(&mut self, to: ReplyTo, spot: Spot) -> Option<Pending> {
        self.decisions.remove(&to).filter(|pending| pending.spot == spot)
    }

    /// Takes out the calls that nobody will answer any more.
    pub(crate) fn lose(&mut self, node: usize) -> Vec<Call> {
        self.decisions.retain(|_, pending| pending.spot.node != node);
        let lost = self.open.extract_if(.., |_, call| call.spot.node == node);
        lost.map(|(_, call)| call).collect()
    }

    /// Every call to this node has its answer.
    pub(crate) fn check_answered(&self, node: usize) -> Result<(), Violation> {
        let calls = self.open.values().map(|call| call.spot);
        let spots = calls.chain(self.decisions.values().map(|pending| pending.spot));
        let open = spots.filter(|spot| spot.node == node).count();
        if open > 0 {
            return Err(Violation::new("S14", format!("{open} calls were never answered")));
        }
        Ok(())
    }

    /// A request with an id happened once, as far as its node can remember.
    pub(crate) fn check_named(
        &mut self,
        spot: Spot,
        memory: u64,
        id: &RequestId,
        delta: DeltaId,
    ) -> Result<(), Violation> {
        let first = *self.named.entry((spot, memory, id.clone())).or_insert(delta);
        if first != delta {
            let what = format!("request {} is in {first:?} and in {delta:?}", id.name);
            return Err(Violation::new("S7", what));
        }
        Ok(())
    }

    /// A delta is somewhere else than with its author, or on its way there.
    pub(crate) fn leave(&mut self, context: usize, delta: &Delta) -> Result<(), Violation> {
        if self.dishonest.contains(&delta.log().author) {
            return Ok(());
        }
        let place = (context, *delta.log(), delta.seq());
        let first = *self.left.entry(place).or_insert_with(|| delta.id());
        if first != delta.id() {
            let (seq, log) = (delta.seq(), delta.log());
            let what = format!("{first:?} and {:?} are both {seq} of {log:?}", delta.id());
            return Err(Violation::new("S2", what));
        }
        Ok(())
    }

    /// Its author has handed it to the mesh.
    pub(crate) fn publish(&mut self, spot: Spot, delta: DeltaId) {
        self.published.insert((spot, delta));
    }

    /// Whether its author has handed it to the mesh.
    pub(crate) fn is_published(&self, spot: Spot, delta: DeltaId) -> bool {
        self.published.contains(&(spot, delta))
    }

    /// Equal settled deltas mean equal roots.
    pub(crate) fn check_root(
        &mut self,
        context: usize,
        applied: [u8; 32],
        root: [u8; 32],
    ) -> Result<(), Violation> {
        if *self.roots.entry((context, applied)).or_insert(root) != root {
            return Err(Violation::new("S5", "the same deltas have made another root"));
        }
        Ok(())
    }

    /// What a node lost by right it need not have any more.
    pub(crate) fn forgive(&mut self, spot: Spot, left: Option<&Memory>) {
        let left = |id: &DeltaId| left.is_some_and(|it| Places::rows(it).contains_key(id));
        self.acked.entry(spot).or_default().retain(|id, _| left(id));
        self.authored.entry(spot).or_default().retain(left);
    }

    /// One commit is about to be let out.
    pub(crate) fn begin_release(&mut self) {
        self.versions.clear();
    }

    /// A caller is told the version of an entity.
    pub(crate) fn tell(&mut self, kind: Kind, key: &Key, version: Version) {
        self.versions.insert((kind, key.clone()), version);
    }

    /// The last versions that were told are those that are stored.
    pub(crate) fn check_versions(&mut self, image: Option<&Memory>) -> Result<(), Violation> {
        let Some(image) = image else { return Ok(()) };
        for ((kind, key), told) in std::mem::take(&mut self.versions) {
            if Version::of(image, kind, &key) != Some(told) {
                let what = format!("the version told of {kind} {key} is not the one stored");
                return Err(Violation::new("S9", what));
            }
        }
        Ok(())
    }
}
