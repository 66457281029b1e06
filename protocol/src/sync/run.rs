//! What a peer lacks of one log, found from where that log ends there, and read out in an order in
//! which it can be stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use super::compare::{Lens, Point};
use super::message::MOST_POINTS;
use crate::id::{DeltaId, LogId, Seq};
use crate::view::{Deltas, Entries, Logs, Places, View};

/// A delta by its place in a log and its id.
pub(super) type Spot = (Seq, DeltaId);

/// Deltas of one log that are still to be sent.
#[derive(Debug)]
pub(super) enum Run {
    /// All that follow a place of a log without branches, up to another.
    Straight { log: LogId, after: Option<Seq>, until: Seq },
    /// These.
    Picked(VecDeque<DeltaId>),
}

impl Run {
    /// What is lacking of a log that ends at `ours` here, where these deltas of it are held; of a log
    /// without branches up to a place at most.
    pub(super) fn lacking(
        view: &impl View,
        log: LogId,
        ours: &[Spot],
        held: &[Spot],
        until: Option<Seq>,
    ) -> Option<Self> {
        match (straight_tip(view, &log, ours), held) {
            (Some(tip), held) => {
                let after = held.iter().map(|(seq, _)| *seq).max();
                Self::straight(log, after, tip.min(until.unwrap_or(tip)))
            }
            _ => {
                let picked = picked(view, ours, held);
                (!picked.is_empty()).then_some(Self::Picked(picked))
            }
        }
    }

    /// What follows one place of a log up to another; nothing if it has branches here.
    pub(super) fn within(
        view: &impl View,
        log: LogId,
        ours: &[Spot],
        (after, until): (Option<Seq>, Option<Seq>),
    ) -> Option<Self> {
        let tip = straight_tip(view, &log, ours)?;
        Self::straight(log, after, tip.min(until.unwrap_or(tip)))
    }

    fn straight(log: LogId, after: Option<Seq>, until: Seq) -> Option<Self> {
        (after < Some(until)).then_some(Self::Straight { log, after, until })
    }

    fn peek(&self, view: &impl View) -> Option<DeltaId> {
        match self {
            Self::Straight { log, after, until } => {
                let next = after.map_or(Seq::FIRST, Seq::next);
                let from = (*log, next, DeltaId::ZERO);
                let found = view.scan::<Entries>(Bound::Included(&from), 1).into_iter().next()?.0;
                (found.0 == *log && found.1 == next && next <= *until).then_some(found.2)
            }
            Self::Picked(ids) => ids.front().copied(),
        }
    }

    fn advance(&mut self, seq: Seq) {
        match self {
            Self::Straight { after, .. } => *after = Some(seq),
            Self::Picked(ids) => drop(ids.pop_front()),
        }
    }
}

/// Where a log ends that has no branches, not even beyond a cut-off, where they are not shown.
pub(super) fn straight_tip(view: &impl View, log: &LogId, ours: &[Spot]) -> Option<Seq> {
    let forked = view.get::<Logs>(log).is_some_and(|row| row.stored.is_forked());
    match ours {
        [(tip, _)] if !forked => Some(*tip),
        _ => None,
    }
}

/// Everything that is to be sent, in the order in which it had its turn here: whoever has what was sent
/// before can take what comes next. What waits here comes last.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// By the turn of the next delta of each, and a number.
    queue: BTreeMap<(u64, u64), Run>,
    count: u64,
}

impl Runs {
    pub(super) fn push(&mut self, view: &impl View, run: Run) {
        if let Some(id) = run.peek(view) {
            self.count += 1;
            self.queue.insert((turn(view, id), self.count), run);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next ones, as many as fit, but one at least; none at the end.
    pub(super) fn next(&mut self, view: &impl View, room: usize) -> Vec<Vec<u8>> {
        let mut batch = Batch { deltas: Vec::new(), room };
        while let Some(((_, number), mut run)) = self.queue.pop_first() {
            let until = self.queue.first_key_value().map_or(u64::MAX, |((turn, _), _)| *turn);
            let rest = batch.fill(view, &mut run, until);
            if let Rest::Later(turn) | Rest::NoRoom(turn) = rest {
                self.queue.insert((turn, number), run);
            }
            if matches!(rest, Rest::NoRoom(_)) {
                break;
            }
        }
        batch.deltas
    }
}

/// Deltas that go out together.
struct Batch {
    deltas: Vec<Vec<u8>>,
    room: usize,
}

/// What is left of a run.
enum Rest {
    Nothing,
    /// The next has its turn after one of another run.
    Later(u64),
    /// The next does not fit.
    NoRoom(u64),
}

impl Batch {
    /// Takes from a run what had its turn up to a point.
    fn fill(&mut self, view: &impl View, run: &mut Run, until: u64) -> Rest {
        while let Some(id) = run.peek(view) {
            let (Some(delta), turn) = (view.get::<Deltas>(&id), turn(view, id)) else { break };
            if turn > until {
                return Rest::Later(turn);
            }
            let left = self.room.checked_sub(delta.bytes().len());
            if left.is_none() && !self.deltas.is_empty() {
                return Rest::NoRoom(turn);
            }
            self.room = left.unwrap_or_default();
            self.deltas.push(delta.bytes().to_vec());
            run.advance(delta.seq());
        }
        Rest::Nothing
    }
}

/// When a delta had its turn.
fn turn(view: &impl View, id: DeltaId) -> u64 {
    let place = view.get::<Places>(&id);
    place.and_then(|place| place.status.order()).unwrap_or(u64::MAX)
}

/// The deltas up to `ours` that are before none of `held`, the earliest first.
fn picked(view: &impl View, ours: &[Spot], held: &[Spot]) -> VecDeque<DeltaId> {
    let mut frontier: BTreeMap<Spot, bool> = ours.iter().map(|spot| (*spot, false)).collect();
    frontier.extend(held.iter().map(|spot| (*spot, true)));
    let mut picked = VecDeque::new();
    while frontier.values().any(|is_held| !is_held) {
        let Some(((seq, id), is_held)) = frontier.pop_last() else { break };
        if !is_held {
            picked.push_front(id);
        }
        if let (Some(seq), Some(place)) = (seq.prev(), view.get::<Places>(&id)) {
            *frontier.entry((seq, place.prev)).or_default() |= is_held;
        }
    }
    picked
}

/// Which of these points of a log are held here.
pub(super) fn held(view: &impl View, lens: &Lens, log: LogId, points: &[Point]) -> Vec<Spot> {
    let at = |point: &Point| {
        let from = (log, point.seq, DeltaId::ZERO);
        let there = crate::view::range::<Entries, _>(view, from);
        let mut there =
            there.map(|(key, ())| key).take_while(|(of, seq, _)| *of == log && *seq == point.seq);
        there.find(|(_, seq, id)| lens.point(*seq, *id) == *point).map(|(_, seq, id)| (seq, id))
    };
    points.iter().filter_map(at).collect()
}

/// Points of a log from its ends back, ever further apart.
pub(super) fn locator(view: &impl View, lens: &Lens, log: LogId, ours: &[Spot]) -> Vec<Point> {
    let is_straight = straight_tip(view, &log, ours).is_some();
    let before = |(seq, id): Spot, count: u64| -> Option<Spot> {
        if is_straight {
            let seq = Seq::new(seq.get().checked_sub(count)?)?;
            let from = (log, seq, DeltaId::ZERO);
            let found = view.scan::<Entries>(Bound::Included(&from), 1).into_iter().next()?.0;
            return (found.0 == log && found.1 == seq).then_some((seq, found.2));
        }
        let mut at = (seq, id);
        for _ in 0..count {
            at = (at.0.prev()?, view.get::<Places>(&at.1)?.prev);
        }
        Some(at)
    };
    let mut points = BTreeSet::new();
    for tip in ours {
        let (mut at, mut step) = (Some(*tip), 1_u64);
        while let Some((seq, id)) = at.filter(|_| points.len() < MOST_POINTS) {
            points.insert(lens.point(seq, id));
            at = before((seq, id), step);
            step = step.saturating_mul(2);
        }
    }
    points.into_iter().rev().take(MOST_POINTS).collect()
}
