//! The turn of a delta: folded into the state, or void. Then those that waited for it.

use std::collections::{BTreeMap, BTreeSet};

use super::parking::{place, waiting_for};
use super::{Replica, Step};
use crate::clock::Hlc;
use crate::delta::Delta;
use crate::fold::{self, Origin};
use crate::governance::Act;
use crate::graph::{Cause, Place, Status, Void, parents};
use crate::id::{DeltaId, Plane, Tip};
use crate::op::Payload;
use crate::planted::Bug;
use crate::replica::feed::FeedItem;
use crate::view::{Deltas, Heads, History, Logs, Places, View, Waiting};

/// How far the past of a delta is followed through void ones to find heads that it cites by them.
/// Beyond, a head may stay one that is none: it is then cited once more than needed.
const VOIDS_FOLLOWED: usize = 1_024;

/// What a delta whose turn has come makes of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is folded into the state.
    Apply(Payload),
    /// It is kept, by a node that has no key to it and needs none.
    Keep,
    /// It says who may do what.
    Govern(Box<Act>),
    /// It counts for nothing.
    Void(Void),
}

/// Stored deltas whose turn has come. Those of governance go first, since they have a say in what
/// becomes of the others.
#[derive(Debug, Default)]
struct Ready {
    governance: Vec<(Delta, Outcome)>,
    /// With the number of changes of government that was known of when they were judged.
    data: Vec<(Delta, Outcome, u64)>,
}

impl Ready {
    fn push(&mut self, (delta, outcome): (Delta, Outcome), changes: u64) {
        match delta.log().plane {
            Plane::Governance => self.governance.push((delta, outcome)),
            Plane::Data => self.data.push((delta, outcome, changes)),
        }
    }
}

impl Replica {
    /// Settles a stored delta whose turn has come, and all whose turn comes by that.
    pub(super) fn settle<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: Delta,
        outcome: Outcome,
    ) {
        let mut ready = Ready::default();
        ready.push((delta, outcome), self.government.changes);
        while let Some((delta, outcome)) = self.next_ready(step, &mut ready) {
            self.settle_one(step, &delta, outcome);
            self.resume_all(step, Cause::Parent(delta.id()), &mut ready);
        }
    }

    /// Looks again at all that waited for `cause`.
    fn resume_all<V: View>(&mut self, step: &mut Step<'_, V>, cause: Cause, ready: &mut Ready) {
        let mut after = DeltaId::ZERO;
        while !self.parking.is_empty() {
            let page = waiting_for(&step.over, cause, after);
            let Some(last) = page.last() else { return };
            after = *last;
            for id in page {
                let resumed = self.resume(step, id, cause);
                resumed.into_iter().for_each(|one| ready.push(one, self.government.changes));
            }
        }
    }

    /// The next one, judged by what is known now.
    fn next_ready<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        ready: &mut Ready,
    ) -> Option<(Delta, Outcome)> {
        loop {
            if let Some(next) = ready.governance.pop() {
                return Some(next);
            }
            let (delta, outcome, changes) = ready.data.pop()?;
            if changes == self.government.changes {
                return Some((delta, outcome));
            }
            match self.judge(step, &delta, None) {
                Ok(outcome) => return Some((delta, outcome)),
                Err(cause) => self.park(step, &delta, cause),
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
            Err(still) if still == cause => {
                // More may be known of what it cites.
                self.cite(step, &delta);
                None
            }
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

    /// The turn of one delta.
    pub(super) fn settle_one<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        outcome: Outcome,
    ) {
        let order = self.own.settled;
        self.own.settled += 1;
        step.over.put::<History>(order, delta.id());
        // Of governance, what had its turn stands while state is made anew.
        let settles = delta.log().plane == Plane::Data || self.government.turn == u64::MAX;
        if settles {
            let row = self.logs.entry(*delta.log()).or_default();
            row.applied.extend(delta.header().prev, delta.seq(), delta.id());
            step.over.put::<Logs>(*delta.log(), row.clone());
        }
        self.lean(step, delta);
        let told = step.over.get::<Places>(&delta.id()).is_some_and(|place| place.told);
        let status = match &outcome {
            Outcome::Void(why) => Status::Void { order, why: *why },
            Outcome::Apply(_) | Outcome::Keep | Outcome::Govern(_) => Status::Applied { order },
        };
        let tells = matches!(outcome, Outcome::Apply(_));
        let place = Place { told: told || tells, ..place(delta, status) };
        step.over.put::<Places>(delta.id(), place);
        if settles {
            self.government.advance(&step.over, delta);
        }
        match outcome {
            Outcome::Apply(payload) => self.fold(step, delta, &payload, (order, told)),
            Outcome::Govern(act) if !self.government.roster.knows(delta.id()) => {
                self.govern(step, delta, &act);
            }
            Outcome::Keep | Outcome::Govern(_) | Outcome::Void(_) => {}
        }
    }

    fn fold<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        payload: &Payload,
        (order, told): (u64, bool),
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
        follow(step, &mut self.heads, delta);
        if told || (applied.changes.is_empty() && applied.emitted.is_empty()) {
            return;
        }
        let (changes, emitted) = (applied.changes, applied.emitted);
        self.tell(step, FeedItem::Change { delta: delta.id(), author, local, changes, emitted });
    }
}

/// The delta becomes a head, and those in its past are heads no more. Void deltas are never heads,
/// and what a void one cites stays a head until one that counts has it in its past.
fn follow<V: View>(step: &mut Step<'_, V>, heads: &mut BTreeMap<DeltaId, Tip>, delta: &Delta) {
    let mut past = parents(delta.header()).map(|tip| tip.id).collect::<Vec<_>>();
    let (mut seen, mut followed) = (BTreeSet::new(), 0);
    while let Some(id) = past.pop() {
        if !seen.insert(id) {
            continue;
        }
        if heads.remove(&id).is_some() {
            step.over.remove::<Heads>(id);
        }
        // Who cites what is beyond a cut-off may not have it, and what is before it even less.
        let void =
            |status: &Status| matches!(status, Status::Void { why, .. } if *why != Void::CutOff);
        let is_void = step.over.get::<Places>(&id).is_some_and(|place| void(&place.status));
        if is_void && followed < VOIDS_FOLLOWED {
            followed += 1;
            let behind = step.over.get::<Deltas>(&id);
            past.extend(behind.iter().flat_map(|delta| parents(delta.header())).map(|tip| tip.id));
        }
    }
    heads.insert(delta.id(), delta.tip());
    step.over.put::<Heads>(delta.id(), delta.tip());
}
