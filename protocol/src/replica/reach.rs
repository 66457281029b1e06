//! How far a log counts: where cut-offs end it, by names first and by what is held second.
//!
//! What several cut-offs leave of a log is what all of them leave. Yet whatever one of them leaves is
//! kept and passed on, since it may take the others' heads to tell where they end: so every node tells
//! the same. What none of them leaves is neither asked for nor advertised, even where it is held. Who
//! cites what does not count is not made to wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::id::{DeltaId, LogId, Plane, Seq, Tip};
use crate::log::{LogRow, Tips};
use crate::view::{Entries, Places, View};

/// A delta by its place in a log and its id.
type Head = (Seq, DeltaId);

/// Whether a delta counts, as far as cut-offs have a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// No cut-off is known that excludes it.
    Within,
    /// It counts for nothing, and is needed to tell where its log ends.
    Kept,
    /// It counts for nothing.
    Beyond,
    /// Its authority is not known.
    Unknown,
}

/// A way down from several deltas of one log, the highest first, until one alone is left, or none.
struct Descent(BTreeMap<Head, Marks>);

/// Which sets of heads a delta is before, or at: a bit for each set.
#[derive(Debug, Clone, Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn of(set: usize) -> Self {
        let mut marks = vec![0; set / 64 + 1];
        if let Some(last) = marks.last_mut() {
            *last = 1 << (set % 64);
        }
        Self(marks)
    }

    fn join(&mut self, Self(other): &Self) {
        if self.0.len() < other.len() {
            self.0.resize(other.len(), 0);
        }
        self.0.iter_mut().zip(other).for_each(|(ours, theirs)| *ours |= theirs);
    }

    fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }
}

impl Descent {
    /// Marks are handed down.
    fn from(heads: impl Iterator<Item = (Head, Marks)>) -> Self {
        let mut descent = Self(BTreeMap::new());
        heads.for_each(|(head, marks)| descent.enter(head, &marks));
        descent
    }

    fn enter(&mut self, head: Head, marks: &Marks) {
        self.0.entry(head).or_default().join(marks);
    }

    fn next(&mut self, view: &impl View) -> Option<(Head, Marks)> {
        // What begins a log meets no other.
        let begins = |(seq, _): &Head| *seq == Seq::FIRST;
        if self.0.len() < 2 && !self.0.keys().all(begins) {
            return None;
        }
        let (head, marks) = self.0.pop_last()?;
        if let Some(before) = prev(view, head) {
            self.enter(before, &marks);
        }
        Some((head, marks))
    }

    /// Where all ways have met, if they have.
    fn joined(&self) -> Option<Seq> {
        self.0.last_key_value().map(|((seq, _), _)| *seq)
    }
}

/// What cut-offs leave of one log.
///
/// Of governance all that is kept has its turn: the roster knows what of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clip {
    bounds: Bounds,
    /// What is kept of what is stored.
    pub(super) stored: Tips,
    /// What counts of what had its turn.
    pub(super) applied: Tips,
}

impl Clip {
    /// The log as these sets of heads leave it.
    pub(super) fn new(view: &impl View, log: &LogId, row: &LogRow, sets: &[Vec<Head>]) -> Self {
        let bounds = Bounds::new(view, log, row, sets);
        let left = |tips: &Tips, needs| {
            let tips = tips.as_slice().iter();
            ends(view, tips.filter_map(|tip| bounds.last(view, log, *tip, needs)).collect())
        };
        let stored = left(&row.stored, Needs::Any);
        let applied = match log.plane {
            Plane::Governance => left(&row.applied, Needs::Any),
            Plane::Data => left(&row.applied, Needs::All),
        };
        Self { bounds, stored, applied }
    }

    /// The same with what has become known of the log.
    pub(super) fn again(&self, view: &impl View, log: &LogId, row: &LogRow) -> Self {
        Self::new(view, log, row, &self.bounds.sets)
    }

    /// The sets of heads that it is made of.
    pub(super) fn has_sets(&self, sets: &[Vec<Head>]) -> bool {
        self.bounds.sets == sets
    }

    /// Whether a delta is a head that is missed.
    pub(super) fn misses(&self, id: DeltaId) -> bool {
        self.bounds.missing.contains(&id)
    }

    /// Whether a delta of the log is left in.
    pub(super) fn reach(&self, view: &impl View, tip: &Tip) -> Reach {
        let held = view.get::<Places>(&tip.id);
        let is_held = held.is_some_and(|it| it.log == tip.log && it.seq == tip.seq);
        let holds = |needs| self.bounds.holds((tip.seq, tip.id), is_held, needs);
        tell(tip.log.plane, holds(Needs::All), holds(Needs::Any))
    }
}

/// How many sets of heads must leave a delta in.
#[derive(Debug, Clone, Copy)]
enum Needs {
    Any,
    All,
}

/// What sets of heads leave of one log, told without going through them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bounds {
    sets: Vec<Vec<Head>>,
    /// Heads that are not held. Until all of a set are, it excludes only what is above all of them.
    missing: BTreeSet<DeltaId>,
    /// Up to here every set may leave something in.
    all_until: Option<Seq>,
    /// Up to here a set may leave something in of which all heads are held.
    any_until: Option<Seq>,
    /// Up to here a set leaves all in since a head is missing.
    loose_until: Option<Seq>,
    /// Whether all heads of some set are held.
    settles: bool,
    /// Up to this place the log has no branches; the last of all if it has none.
    shared: u64,
    /// Of the branches, what is left in by some set of which all heads are held.
    by_any: BTreeSet<DeltaId>,
    /// By every such set.
    by_all: BTreeSet<DeltaId>,
}

impl Bounds {
    fn new(view: &impl View, log: &LogId, row: &LogRow, sets: &[Vec<Head>]) -> Self {
        let is_held = |(seq, id): &Head| {
            view.get::<Places>(id).is_some_and(|place| place.log == *log && place.seq == *seq)
        };
        let missing = sets.iter().flatten().filter(|head| !is_held(head)).map(|(_, id)| *id);
        let missing = missing.collect::<BTreeSet<_>>();
        let is_loose = |heads: &Vec<Head>| heads.iter().any(|(_, id)| missing.contains(id));
        let highest = |heads: &Vec<Head>| heads.iter().map(|(seq, _)| *seq).max();
        let (loose, settled): (Vec<_>, Vec<_>) = sets.iter().partition(|heads| is_loose(heads));
        let mut bounds = Self {
            sets: sets.to_vec(),
            all_until: sets.iter().map(highest).min().flatten(),
            any_until: settled.iter().filter_map(|heads| highest(heads)).max(),
            loose_until: loose.iter().filter_map(|heads| highest(heads)).max(),
            settles: !settled.is_empty(),
            shared: u64::MAX,
            by_any: BTreeSet::new(),
            by_all: BTreeSet::new(),
            missing,
        };
        if row.stored.is_forked() {
            bounds.follow(view, row, &settled);
        }
        bounds
    }

    /// Goes down all branches, once for all sets.
    fn follow(&mut self, view: &impl View, row: &LogRow, settled: &[&Vec<Head>]) {
        let tips = row.stored.as_slice().iter().map(|tip| (*tip, Marks::default()));
        let heads = settled.iter().enumerate();
        let heads =
            heads.flat_map(|(set, heads)| heads.iter().map(move |head| (*head, Marks::of(set))));
        let mut descent = Descent::from(tips.chain(heads));
        while let Some(((_, id), marks)) = descent.next(view) {
            let count = marks.count();
            if count > 0 {
                self.by_any.insert(id);
            }
            if count > 0 && count == settled.len() {
                self.by_all.insert(id);
            }
        }
        self.shared = descent.joined().map_or(0, Seq::get);
    }

    /// Whether a delta of the log is left in, of which it is known whether it is held there.
    fn holds(&self, (seq, id): Head, is_held: bool, needs: Needs) -> bool {
        let place = Some(seq);
        let is_among = |ids: &BTreeSet<_>| seq.get() <= self.shared || ids.contains(&id);
        match needs {
            Needs::All => {
                let settled = !self.settles || (is_held && is_among(&self.by_all));
                place <= self.all_until && settled
            }
            Needs::Any => {
                let settled = is_held && place <= self.any_until && is_among(&self.by_any);
                place <= self.loose_until || settled
            }
        }
    }

    /// The last of those up to `tip` that is left in.
    fn last(&self, view: &impl View, log: &LogId, tip: Head, needs: Needs) -> Option<Head> {
        let highest = match needs {
            Needs::All => self.all_until,
            Needs::Any => self.any_until.max(self.loose_until),
        };
        let (highest, mut at) = (highest?, tip);
        while !self.holds(at, true, needs) {
            if at.0.get() <= self.shared {
                return the_one(view, log, highest);
            }
            at = prev(view, at)?;
        }
        Some(at)
    }
}

/// How far sets of heads let a delta of a log in of which nothing is held.
pub(super) fn reach_unseen(plane: Plane, sets: &[Vec<Head>], seq: Seq) -> Reach {
    let holds = |heads: &Vec<Head>| heads.iter().any(|(highest, _)| seq <= *highest);
    tell(plane, sets.iter().all(holds), sets.iter().any(holds))
}

/// What comes of what all cut-offs say.
const fn tell(plane: Plane, all: bool, any: bool) -> Reach {
    match (plane, all, any) {
        (_, true, _) | (Plane::Governance, false, true) => Reach::Within,
        (Plane::Data, false, true) => Reach::Kept,
        (_, false, false) => Reach::Beyond,
    }
}

/// The delta at a place at which a log has no branches.
fn the_one(view: &impl View, log: &LogId, seq: Seq) -> Option<Head> {
    let from = (*log, seq, DeltaId::ZERO);
    let found = view.scan::<Entries>(Bound::Included(&from), 1).into_iter().next()?.0;
    (found.0 == *log && found.1 == seq).then_some((seq, found.2))
}

fn prev(view: &impl View, (seq, id): Head) -> Option<Head> {
    Some((seq.prev()?, view.get::<Places>(&id)?.prev))
}

/// Those that are before none of the others.
fn ends(view: &impl View, mut heads: Vec<Head>) -> Tips {
    heads.sort_unstable();
    heads.dedup();
    if heads.len() < 2 {
        return heads.into_iter().collect();
    }
    // What is met on the way down from another one is before it.
    let mut descent = Descent::from(heads.iter().map(|head| (*head, Marks::default())));
    let mut before = BTreeSet::new();
    while let Some((head, _)) = descent.next(view) {
        before.extend(prev(view, head));
    }
    heads.into_iter().filter(|head| !before.contains(head)).collect()
}
