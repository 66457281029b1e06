//! Room for stored deltas that wait, and who has to leave when it is full.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::crowd::Full;
use super::reach::Reach;
use super::{Bounds, Replica, Step};
use crate::clock::Hlc;
use crate::delta::Delta;
use crate::effect::{Effect, Note, Refused};
use crate::graph::{Cause, Place, Status};
use crate::id::{DeltaId, PeerId, Plane, Tip};
use crate::view::{self, Deltas, Entries, Logs, Places, View, Waiting};

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

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.total == 0
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

    /// Whether so much more may wait, and an eighth of all that may.
    pub(super) fn has_room_to_spare(&self, member: PeerId, bytes: u64) -> bool {
        let waiting = self.by_member.get(&member).copied().unwrap_or_default();
        let fits = |waiting: u64, max: u64| {
            waiting == 0 || waiting.saturating_add(bytes).saturating_add(max / 8) <= max
        };
        fits(waiting, self.max_by_member) && fits(self.total, self.max_total)
    }

    fn is_full(&self, member: PeerId, bytes: u64) -> bool {
        self.member_is_full(member, bytes) || self.total.saturating_add(bytes) > self.max_total
    }
}

/// What waits for one kind of thing, as a status shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// What for, in a word: [`Cause::name`].
    pub reason: &'static str,
    /// How many deltas.
    pub count: u64,
    /// How long the first of them has waited.
    pub oldest_age_ms: u64,
}

/// What waits in a context, by reason; what nothing waits for is left out. Takes as long as there are
/// waiting deltas, which are bounded.
pub fn parked(view: &impl View, now_ms: u64) -> Vec<Parked> {
    let mut found: BTreeMap<&'static str, Parked> = BTreeMap::new();
    for ((cause, id), ()) in view::every::<Waiting, _>(view) {
        let since_ms = match view.get::<Places>(&id).map(|place| place.status) {
            Some(Status::Parked { since_ms, .. }) => since_ms,
            _ => now_ms,
        };
        let reason = cause.name();
        let row = found.entry(reason).or_insert(Parked { reason, count: 0, oldest_age_ms: 0 });
        row.count += 1;
        row.oldest_age_ms = row.oldest_age_ms.max(now_ms.saturating_sub(since_ms));
    }
    found.into_values().collect()
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

/// Some of those that wait, after this one.
fn waiting_after(view: &impl View, after: (Cause, DeltaId)) -> Vec<(Cause, DeltaId)> {
    // Few, since most often nothing waits for what was looked for.
    const PAGE: usize = 16;
    let page = view.scan::<Waiting>(Bound::Excluded(&after), PAGE);
    page.into_iter().map(|(key, ())| key).collect()
}

/// Some of those that wait for `cause`, after this one.
pub(super) fn waiting_for(view: &impl View, cause: Cause, after: DeltaId) -> Vec<DeltaId> {
    let page = waiting_after(view, (cause, after)).into_iter();
    page.take_while(|(waits, _)| *waits == cause).map(|(_, id)| id).collect()
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
            if matches!(cause, Cause::Clock(_)) && found <= cause {
                break;
            }
            until = (found, id);
            if self.may_leave(step, id, delta) {
                self.evict(step, id);
            }
        }
        if !self.parking.is_full(member, bytes) {
            return Ok(());
        }
        let is_his = self.parking.member_is_full(member, bytes);
        let full = if is_his { Full::Member } else { Full::Context };
        self.crowd.turn_away(delta.tip(), bytes, full);
        Err(Refused::ParkingFull)
    }

    /// Whether it helps a delta if this one leaves, and does not cut the chain before it.
    fn may_leave<V: View>(&self, step: &Step<'_, V>, id: DeltaId, delta: &Delta) -> bool {
        let Some(place) = step.over.get::<Places>(&id) else { return false };
        let before = place.log == *delta.log() && place.seq < delta.seq();
        let (member, bytes) = (delta.log().author, delta.bytes().len() as u64);
        let helps = place.log.author == member || !self.parking.member_is_full(member, bytes);
        // What this node wrote and confirmed can wait again when state is made anew.
        helps && !before && place.log.author != self.peer()
    }

    /// Stores a delta that has to wait.
    pub(super) fn park<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, cause: Cause) {
        let status = Status::Parked { cause, since_ms: step.now_ms };
        let told = step.over.get::<Places>(&delta.id()).is_some_and(|place| place.told);
        step.over.put::<Places>(delta.id(), Place { told, ..place(delta, status) });
        step.over.put::<Waiting>((cause, delta.id()), ());
        self.parking.enter(delta.log().author, delta.bytes().len() as u64);
        self.government.await_cut(&step.over, &self.logs, delta.header());
        self.cite(step, delta);
        step.note(Note::Parked { delta: delta.id(), cause });
    }

    /// Forgets a parked delta and what continues it, as if they had never come.
    fn evict<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId) {
        let mut branch = vec![id];
        let mut at = 0;
        while let Some(id) = branch.get(at).copied() {
            branch.extend(continuing(&step.over, id));
            at += 1;
        }
        let log = step.over.get::<Places>(&id).map(|place| place.log);
        for id in branch.into_iter().rev() {
            self.withdraw(step, id);
        }
        if let Some(log) = log {
            let changed = self.government.shrink(&step.over, &log, self.logs.get(&log));
            self.heed(step, changed);
        }
    }

    fn withdraw<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId) {
        let Some(place) = step.over.get::<Places>(&id) else { return };
        let Status::Parked { cause, .. } = place.status else { return };
        step.over.remove::<Deltas>(id);
        step.over.remove::<Places>(id);
        step.over.remove::<Entries>((place.log, place.seq, id));
        step.over.remove::<Waiting>((cause, id));
        self.depart(place.log.author, place.bytes);
        let alone = continuing(&step.over, place.prev).is_empty();
        let prev = place.seq.prev().filter(|_| alone).map(|seq| (seq, place.prev));
        if let Some(row) = self.logs.get_mut(&place.log) {
            row.stored.withdraw(id, prev);
            if row.stored.is_empty() && !row.cited {
                self.logs.remove(&place.log);
                step.over.remove::<Logs>(place.log);
            } else {
                step.over.put::<Logs>(place.log, row.clone());
            }
        }
        if place.log.plane == Plane::Governance {
            self.government.release(place.log.author);
        }
    }

    /// What no longer reads as what was stored is forgotten, with what continues it, and asked for
    /// again.
    pub(super) fn lose<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId, cause: Cause) {
        step.over.remove::<Waiting>((cause, id));
        step.note(Note::Damaged { delta: id });
        if let Some(Place { log, seq, .. }) = step.over.get::<Places>(&id) {
            step.now.push(Effect::Fetch { wanted: Tip { log, seq, id }, from: None });
        }
        self.evict(step, id);
    }

    /// Looks again at those that wait for `cause`.
    fn wake<V: View>(&mut self, step: &mut Step<'_, V>, cause: Cause) {
        let mut after = DeltaId::ZERO;
        while !self.parking.is_empty() {
            let page = waiting_for(&step.over, cause, after);
            let Some(last) = page.last() else { return };
            after = *last;
            page.into_iter().for_each(|id| self.reconsider(step, id, cause));
        }
    }

    /// Looks again at one that waits.
    fn reconsider<V: View>(&mut self, step: &mut Step<'_, V>, id: DeltaId, cause: Cause) {
        if let Some((delta, outcome)) = self.resume(step, id, cause) {
            self.settle(step, delta, outcome);
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
        self.government.await_cut(&step.over, &self.logs, delta.header());
        self.cite(step, delta);
    }

    /// A delta waits no more.
    pub(super) fn unpark<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta, cause: Cause) {
        step.over.remove::<Waiting>((cause, delta.id()));
        self.depart(delta.log().author, delta.bytes().len() as u64);
    }

    /// Bytes of a member wait no more.
    fn depart(&mut self, member: PeerId, bytes: u64) {
        self.parking.leave(member, bytes);
        self.crowd.leave(member, &self.parking);
    }

    /// Those for which something has changed since the last step can go on.
    pub(super) fn wake_stirred<V: View>(&mut self, step: &mut Step<'_, V>) {
        for cause in std::mem::take(&mut self.stirred) {
            self.wake(step, cause);
        }
    }

    /// Looks again at all that wait, if what was learnt may concern them.
    pub(super) fn calm<V: View>(&mut self, step: &mut Step<'_, V>) {
        while std::mem::take(&mut self.government.restless) {
            let mut after = (Cause::Parent(DeltaId::ZERO), DeltaId::ZERO);
            while !self.parking.is_empty() {
                let page = waiting_after(&step.over, after);
                let Some(last) = page.last() else { break };
                after = *last;
                page.into_iter().for_each(|(cause, id)| self.reconsider(step, id, cause));
            }
        }
    }

    /// Those whose clock is believed by now can go on.
    pub(super) fn wake_clocks<V: View>(&mut self, step: &mut Step<'_, V>) {
        let mut after = (Cause::Clock(Hlc::ZERO), DeltaId::ZERO);
        let now_ms = step.now_ms;
        let due = |(cause, _): &(Cause, DeltaId)| match cause {
            Cause::Clock(hlc) => !hlc.is_ahead(now_ms),
            Cause::Parent(_) | Cause::Key(_) | Cause::Version => false,
        };
        while !self.parking.is_empty() {
            let page = waiting_after(&step.over, after).into_iter();
            let page = page.take_while(due).collect::<Vec<_>>();
            let Some(last) = page.last() else { return };
            after = *last;
            page.into_iter().for_each(|(cause, id)| self.reconsider(step, id, cause));
        }
    }

    /// Asks for a parent that is not stored, on behalf of a delta that cites it.
    pub(super) fn want<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        delta: &Delta,
        from: Option<PeerId>,
    ) {
        let missing = self.government.missing(&step.over, &self.logs, delta.header());
        let held = |tip: &Tip| step.over.get::<Places>(&tip.id).map(|place| (place.log, place.seq));
        if let Some(wanted) = missing.filter(|tip| held(tip) != Some((tip.log, tip.seq))) {
            self.government.await_log(&wanted.log);
            if held(&wanted).is_none() {
                step.now.push(Effect::Fetch { wanted, from });
            }
        }
    }

    /// The parent that a delta waits for, if it is not stored.
    pub(super) fn absent(&self, view: &impl View, delta: &Delta) -> Option<Tip> {
        let missing = self.government.missing(view, &self.logs, delta.header());
        missing.filter(|parent| view.get::<Places>(&parent.id).is_none())
    }

    /// Remembers that the log of a parent that is not stored is cited by another member, so that it
    /// is taken when it comes.
    pub(super) fn cite<V: View>(&mut self, step: &mut Step<'_, V>, delta: &Delta) {
        let Some(wanted @ Tip { log, .. }) = self.absent(&step.over, delta) else { return };
        let reach = self.government.reach(&step.over, &self.logs, &wanted);
        if log.author == delta.log().author || reach != Reach::Within {
            return;
        }
        let row = self.logs.entry(log).or_default();
        if !row.cited {
            row.cited = true;
            step.over.put::<Logs>(log, row.clone());
        }
    }
}

/// The stored deltas that continue this one in its log.
fn continuing(view: &impl View, id: DeltaId) -> Vec<DeltaId> {
    const PAGE: usize = 16;
    let Some(place) = view.get::<Places>(&id) else { return Vec::new() };
    let next = place.seq.next();
    let mut found = Vec::new();
    let mut after = (place.log, next, DeltaId::ZERO);
    loop {
        let page = view.scan::<Entries>(Bound::Excluded(&after), PAGE).into_iter();
        let there = page.map(|(key, ())| key);
        let there = there.take_while(|(log, seq, _)| *log == place.log && *seq == next);
        let there = there.collect::<Vec<_>>();
        let Some(last) = there.last() else { return found };
        after = *last;
        let follows = |next: &DeltaId| view.get::<Places>(next).is_some_and(|at| at.prev == id);
        found.extend(there.into_iter().map(|(_, _, next)| next).filter(follows));
    }
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
        told: false,
        status,
    }
}
