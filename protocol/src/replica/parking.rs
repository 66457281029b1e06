//! Room for stored deltas that wait, and who has to leave when it is full.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Bounds, Replica, Step};
use crate::clock::Hlc;
use crate::delta::Delta;
use crate::effect::{Effect, Note, Refused};
use crate::graph::{Cause, Place, Status};
use crate::id::{DeltaId, PeerId};
use crate::replica::settle::Turn;
use crate::view::{Deltas, Entries, Logs, Places, View, Waiting};

/// How many clock-parked deltas are looked at to make room for one.
const EVICTIONS_TRIED: usize = 64;

/// Bytes that wait, by member and in all.
#[derive(Debug)]
pub(super) struct Parking {
    by_member: BTreeMap<PeerId, u64>,
    total: u64,
    max_by_member: u64,
    max_total: u64,
}

impl Parking {
    pub(super) const fn new(bounds: &Bounds) -> Self {
        Self {
            by_member: BTreeMap::new(),
            total: 0,
            max_by_member: bounds.parked_bytes_per_member,
            max_total: bounds.parked_bytes,
        }
    }

    pub(super) fn enter(&mut self, member: PeerId, bytes: u64) {
        *self.by_member.entry(member).or_default() += bytes;
        self.total += bytes;
    }

    fn leave(&mut self, member: PeerId, bytes: u64) {
        if let Some(of_member) = self.by_member.get_mut(&member) {
            *of_member = of_member.saturating_sub(bytes);
            if *of_member == 0 {
                self.by_member.remove(&member);
            }
        }
        self.total = self.total.saturating_sub(bytes);
    }

    fn member_is_full(&self, member: PeerId, bytes: u64) -> bool {
        let waiting = self.by_member.get(&member).copied().unwrap_or_default();
        waiting.saturating_add(bytes) > self.max_by_member
    }

    fn is_full(&self, member: PeerId, bytes: u64) -> bool {
        self.member_is_full(member, bytes) || self.total.saturating_add(bytes) > self.max_total
    }
}

/// The first clock that will be believed.
pub(super) fn first_clock(view: &impl View) -> Option<Hlc> {
    let from = (Cause::Clock(Hlc::ZERO), DeltaId::ZERO);
    let first = view.scan::<Waiting>(Bound::Included(&from), 1).into_iter().next()?;
    match first.0.0 {
        Cause::Clock(hlc) => Some(hlc),
        Cause::Parent(_) | Cause::Key(_) | Cause::Version => None,
    }
}

/// A page of those that wait for `cause`.
pub(super) fn waiting_for(view: &impl View, cause: Cause) -> Vec<DeltaId> {
    const PAGE: usize = 256;
    let page = view.scan::<Waiting>(Bound::Included(&(cause, DeltaId::ZERO)), PAGE);
    let those = page.into_iter().map(|(key, ())| key).take_while(|(waits, _)| *waits == cause);
    those.map(|(_, id)| id).collect()
}

impl Replica {
    /// Makes room for a delta that has to wait, if need be at the cost of those whose clocks are
    /// furthest ahead.
    pub(super) fn make_room<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        cause: Cause,
    ) -> Result<(), Refused> {
        let (member, bytes) = (delta.log().author, delta.bytes().len() as u64);
        let mut until = (Cause::Version, DeltaId::ZERO);
        for _ in 0..EVICTIONS_TRIED {
            if !self.parking.is_full(member, bytes) {
                return Ok(());
            }
            let last = step.over.last::<Waiting>(Bound::Excluded(&until));
            let Some(((found @ Cause::Clock(_), id), ())) = last else { break };
            if found <= cause {
                break;
            }
            until = (found, id);
            let of_member = step.over.get::<Places>(&id).is_some_and(|at| at.log.author == member);
            if of_member || !self.parking.member_is_full(member, bytes) {
                self.evict(step, id);
            }
        }
        if self.parking.is_full(member, bytes) { Err(Refused::ParkingFull) } else { Ok(()) }
    }

    /// Stores a delta that has to wait.
    pub(super) fn park<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, cause: Cause) {
        let status = Status::Parked { cause, since_ms: step.now_ms };
        step.over.put::<Places>(delta.id(), place(delta, status));
        step.over.put::<Waiting>((cause, delta.id()), ());
        self.parking.enter(delta.log().author, delta.bytes().len() as u64);
        step.note(Note::Parked { delta: delta.id(), cause });
    }

    /// Forgets a clock-parked delta and what continues it, as if they had never come.
    fn evict<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId) {
        let mut branch = vec![id];
        let mut at = 0;
        while let Some(id) = branch.get(at).copied() {
            branch.extend(continuing(&step.over, id));
            at += 1;
        }
        for id in branch.into_iter().rev() {
            self.withdraw(step, id);
        }
    }

    fn withdraw<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId) {
        let Some(place) = step.over.get::<Places>(&id) else { return };
        let Status::Parked { cause, .. } = place.status else { return };
        step.over.remove::<Deltas>(id);
        step.over.remove::<Places>(id);
        step.over.remove::<Entries>((place.log, place.seq, id));
        step.over.remove::<Waiting>((cause, id));
        self.parking.leave(place.log.author, place.bytes);
        let alone = continuing(&step.over, place.prev).is_empty();
        let prev = place.seq.prev().filter(|_| alone).map(|seq| (seq, place.prev));
        if let Some(row) = self.logs.get_mut(&place.log) {
            row.stored.withdraw(id, prev);
            step.over.put::<Logs>(place.log, row.clone());
        }
    }

    /// Looks again at those that wait for `cause`.
    pub(super) fn wake<V: View>(&mut self, step: &mut Step<'_, V>, cause: Cause) {
        loop {
            let page = waiting_for(&step.over, cause);
            let mut moved = false;
            for id in page {
                moved |= self.reconsider(step, id, cause);
            }
            // Those that still wait for the same are at the front: looking again would find them.
            if !moved {
                return;
            }
        }
    }

    /// Looks again at one that waits. Whether it waits for this cause any longer.
    fn reconsider<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId, cause: Cause) -> bool {
        let Some(delta) = step.over.get::<Deltas>(&id) else {
            step.note(Note::Damaged { delta: id });
            return false;
        };
        match self.judge(step, &delta, None) {
            Turn::Park(still) if still == cause => false,
            Turn::Park(other) => {
                self.repark(step, &delta, cause, other);
                true
            }
            turn => {
                self.unpark(step, &delta, cause);
                self.settle(step, delta, turn);
                true
            }
        }
    }

    /// Lets a delta wait for something else, since as long as before.
    pub(super) fn repark<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        before: Cause,
        cause: Cause,
    ) {
        let Some(mut place) = step.over.get::<Places>(&delta.id()) else { return };
        if let Status::Parked { since_ms, .. } = place.status {
            place.status = Status::Parked { cause, since_ms };
            step.over.put::<Places>(delta.id(), place);
        }
        step.over.remove::<Waiting>((before, delta.id()));
        step.over.put::<Waiting>((cause, delta.id()), ());
    }

    /// A delta waits no more.
    pub(super) fn unpark<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, cause: Cause) {
        step.over.remove::<Waiting>((cause, delta.id()));
        self.parking.leave(delta.log().author, delta.bytes().len() as u64);
    }

    /// Those whose key has come can go on.
    pub(super) fn wake_keys<V: View>(&mut self, step: &mut Step<'_, V>) {
        for epoch in std::mem::take(&mut self.ring.learnt) {
            self.wake(step, Cause::Key(epoch));
        }
    }

    /// Those whose clock is believed by now can go on.
    pub(super) fn wake_clocks<V: View>(&mut self, step: &mut Step<'_, V>) {
        while let Some(hlc) = first_clock(&step.over).filter(|hlc| !hlc.is_ahead(step.now_ms)) {
            self.wake(step, Cause::Clock(hlc));
        }
    }

    /// Asks for a parent that is not stored, on behalf of a delta that cites it.
    pub(super) fn want<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        from: Option<PeerId>,
    ) {
        let Some(wanted) = crate::graph::missing(&step.over, delta.header()) else { return };
        if step.over.get::<Places>(&wanted.id).is_some() {
            return;
        }
        step.now.push(Effect::Fetch { wanted, from });
        if wanted.log.author != delta.log().author && self.config.roster.covers(&wanted.log) {
            let row = self.logs.entry(wanted.log).or_default();
            if !row.cited {
                row.cited = true;
                step.over.put::<Logs>(wanted.log, row.clone());
            }
        }
    }
}

/// The stored deltas that continue this one in its log.
fn continuing(view: &impl View, id: DeltaId) -> Vec<DeltaId> {
    let Some(place) = view.get::<Places>(&id) else { return Vec::new() };
    let next = place.seq.next();
    let from = (place.log, next, DeltaId::ZERO);
    let page = view.scan::<Entries>(Bound::Included(&from), crate::log::TIPS_PER_LOG * 4);
    let there = page.into_iter().map(|(key, ())| key);
    let there = there.take_while(|(log, seq, _)| *log == place.log && *seq == next);
    let follows = |next: &DeltaId| view.get::<Places>(next).is_some_and(|next| next.prev == id);
    there.map(|(_, _, id)| id).filter(follows).collect()
}

/// Where a delta stands.
pub(super) fn place(delta: &Delta, status: Status) -> Place {
    let header = delta.header();
    Place {
        log: header.log,
        seq: header.seq,
        prev: header.prev,
        hlc: header.hlc,
        bytes: delta.bytes().len() as u64,
        status,
    }
}
