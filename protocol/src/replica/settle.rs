//! The turn of a delta: folded into the state, or void. Then those that waited for it.

use std::collections::BTreeSet;

use super::parking::{place, waiting_for};
use super::{Replica, Step};
use crate::clock::Hlc;
use crate::delta::Delta;
use crate::effect::Effect;
use crate::fold::{self, Origin};
use crate::graph::{Cause, Status, Void, parents};
use crate::id::DeltaId;
use crate::op::Payload;
use crate::planted::Bug;
use crate::replica::feed::FeedItem;
use crate::view::{Deltas, Feed, Heads, History, Logs, Places, View, Waiting};

/// How far the past of a delta is followed through void ones to find heads that it cites by them.
/// Beyond, a head may stay one that is none: it is then cited once more than needed.
const VOIDS_FOLLOWED: usize = 1_024;

/// What a delta whose turn has come makes of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is folded into the state.
    Apply(Payload),
    /// It counts for nothing.
    Void(Void),
}

impl Replica {
    /// Settles a stored delta whose turn has come, and all whose turn comes by that.
    pub(super) fn settle<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: Delta,
        outcome: Outcome,
    ) {
        let mut ready = vec![(delta, outcome)];
        while let Some((delta, outcome)) = ready.pop() {
            self.settle_one(step, &delta, outcome);
            let cause = Cause::Parent(delta.id());
            let mut after = DeltaId::ZERO;
            loop {
                let page = waiting_for(&step.over, cause, after);
                let Some(last) = page.last() else { break };
                after = *last;
                ready.extend(page.into_iter().filter_map(|id| self.resume(step, id, cause)));
            }
        }
    }

    /// Looks again at a delta that waited for `cause`. Either its turn has come, or it waits on,
    /// perhaps for something else.
    pub(super) fn resume<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        id: DeltaId,
        cause: Cause,
    ) -> Option<(Delta, Outcome)> {
        step.over.get::<Waiting>(&(cause, id))?;
        let Some(delta) = step.over.get::<Deltas>(&id) else {
            self.lose(step, id, cause);
            return None;
        };
        match self.judge(step, &delta, None) {
            Err(still) if still == cause => None,
            Err(other) => {
                self.repark(step, &delta, cause, other);
                None
            }
            Ok(outcome) => {
                self.unpark(step, &delta, cause);
                Some((delta, outcome))
            }
        }
    }

    fn settle_one<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, outcome: Outcome) {
        let order = self.own.settled;
        self.own.settled += 1;
        step.over.put::<History>(order, delta.id());
        let row = self.logs.entry(*delta.log()).or_default();
        row.applied.extend(delta.header().prev, delta.seq(), delta.id());
        step.over.put::<Logs>(*delta.log(), row.clone());
        let status = match outcome {
            Outcome::Apply(payload) => {
                self.fold(step, delta, &payload, order);
                Status::Applied { order }
            }
            Outcome::Void(why) => Status::Void { order, why },
        };
        step.over.put::<Places>(delta.id(), place(delta, status));
    }

    fn fold<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        payload: &Payload,
        order: u64,
    ) {
        let header = delta.header();
        let author = header.log.author;
        let local = author == self.peer();
        let mut origin = Origin { delta: delta.id(), author, hlc: header.hlc };
        if self.config.planted.has(Bug::TieByArrival) {
            origin.hlc = Hlc::from_bits(order);
        }
        let stale = self.config.planted.has(Bug::StaleRoot) && !local;
        let before = stale.then(|| self.root.clone());
        let applied = fold::apply(&mut step.over, &mut self.root, &origin, payload);
        if let Some(before) = before {
            self.root = before;
        }
        self.own.clock = self.own.clock.max(header.hlc);
        follow(step, delta);
        if applied.changes.is_empty() && applied.emitted.is_empty() {
            return;
        }
        let item = FeedItem::Change {
            delta: delta.id(),
            author,
            local,
            changes: applied.changes,
            emitted: applied.emitted,
        };
        let position = self.own.feed;
        self.own.feed += 1;
        step.over.put::<Feed>(position, item.clone());
        step.held.push(Effect::Notify { position, item });
    }
}

/// The delta becomes a head, and those in its past are heads no more. Void deltas are never heads,
/// and what a void one cites stays a head until one that counts has it in its past.
fn follow<V: View>(step: &mut Step<'_, V>, delta: &Delta) {
    let mut past = parents(delta.header()).map(|tip| tip.id).collect::<Vec<_>>();
    let (mut seen, mut followed) = (BTreeSet::new(), 0);
    while let Some(id) = past.pop() {
        if !seen.insert(id) {
            continue;
        }
        if step.over.get::<Heads>(&id).is_some() {
            step.over.remove::<Heads>(id);
        }
        let void = |status: &Status| matches!(status, Status::Void { .. });
        let is_void = step.over.get::<Places>(&id).is_some_and(|place| void(&place.status));
        if is_void && followed < VOIDS_FOLLOWED {
            followed += 1;
            let behind = step.over.get::<Deltas>(&id);
            past.extend(behind.iter().flat_map(|delta| parents(delta.header())).map(|tip| tip.id));
        }
    }
    step.over.put::<Heads>(delta.id(), delta.tip());
}
