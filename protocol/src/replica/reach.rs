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

/// One set of heads, at which a log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    heads: Vec<Head>,
    highest: Option<Seq>,
    /// Whether a head is not held: until it is, only what is above all of them is excluded.
    missing: bool,
    /// Up to this place the log has no branches; the last of all if it has none.
    shared: u64,
    /// What is left in of the branches.
    kept: BTreeSet<DeltaId>,
}

impl Fence {
    pub(super) fn new(view: &impl View, log: &LogId, row: &LogRow, heads: &[Head]) -> Self {
        let is_held = |(seq, id): &&Head| {
            view.get::<Places>(id).is_some_and(|place| place.log == *log && place.seq == *seq)
        };
        let held = heads.iter().filter(is_held).copied().collect::<Vec<_>>();
        let highest = heads.iter().map(|(seq, _)| *seq).max();
        let missing = held.len() < heads.len();
        let mut fence = Self {
            heads: heads.to_vec(),
            highest,
            missing,
            shared: u64::MAX,
            kept: BTreeSet::new(),
        };
        if row.stored.is_forked() {
            let tips = row.stored.as_slice().iter().map(|tip| (*tip, false));
            let mut descent = Descent::from(tips.chain(held.into_iter().map(|head| (head, true))));
            while let Some(((_, id), is_kept)) = descent.next(view) {
                if is_kept {
                    fence.kept.insert(id);
                }
            }
            fence.shared = descent.joined().map_or(0, Seq::get);
        }
        fence
    }

    /// Whether it leaves a delta of its log in, of which it is known whether it is held there.
    fn holds(&self, (seq, id): Head, is_held: bool) -> bool {
        if Some(seq) > self.highest {
            return false;
        }
        if self.missing || !is_held {
            return self.missing;
        }
        seq.get() <= self.shared || self.kept.contains(&id)
    }

    /// The last of those up to `tip` that it leaves in.
    fn clip(&self, view: &impl View, log: &LogId, tip: Head) -> Option<Head> {
        let highest = self.highest?;
        let mut at = tip;
        while !self.holds(at, true) {
            if at.0.get() <= self.shared {
                return the_one(view, log, highest);
            }
            at = prev(view, at)?;
        }
        Some(at)
    }
}

/// A way down from several deltas of one log, the highest first, until one alone is left, or none.
struct Descent(BTreeMap<Head, bool>);

impl Descent {
    /// Marks are handed down.
    fn from(heads: impl Iterator<Item = (Head, bool)>) -> Self {
        let mut descent = Self(BTreeMap::new());
        heads.for_each(|(head, mark)| descent.enter(head, mark));
        descent
    }

    fn enter(&mut self, head: Head, mark: bool) {
        *self.0.entry(head).or_default() |= mark;
    }

    /// The next one and whether it is marked.
    fn next(&mut self, view: &impl View) -> Option<(Head, bool)> {
        // What begins a log meets no other.
        let begins = |(seq, _): &Head| *seq == Seq::FIRST;
        if self.0.len() < 2 && !self.0.keys().all(begins) {
            return None;
        }
        let (head, mark) = self.0.pop_last()?;
        if let Some(before) = prev(view, head) {
            self.enter(before, mark);
        }
        Some((head, mark))
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
    fences: Vec<Fence>,
    /// What is kept of what is stored.
    pub(super) stored: Tips,
    /// What counts of what had its turn.
    pub(super) applied: Tips,
}

impl Clip {
    /// The log as these sets of heads leave it.
    pub(super) fn new(view: &impl View, log: &LogId, row: &LogRow, sets: &[Vec<Head>]) -> Self {
        let fences = sets.iter().map(|heads| Fence::new(view, log, row, heads)).collect::<Vec<_>>();
        let clip = |fence: &Fence, tip: Head| fence.clip(view, log, tip);
        let by_any = |tips: &Tips| {
            let tips = tips.as_slice().iter();
            let kept = tips.flat_map(|tip| fences.iter().filter_map(|fence| clip(fence, *tip)));
            ends(view, kept.collect())
        };
        let by_all = |tips: &Tips| {
            let tips = tips.as_slice().iter();
            let left = |tip: &Head| fences.iter().try_fold(*tip, |tip, fence| clip(fence, tip));
            ends(view, tips.filter_map(left).collect())
        };
        let stored = by_any(&row.stored);
        let applied = match log.plane {
            Plane::Governance => by_any(&row.applied),
            Plane::Data => by_all(&row.applied),
        };
        Self { fences, stored, applied }
    }

    /// The same with what has become known of the log.
    pub(super) fn again(&self, view: &impl View, log: &LogId, row: &LogRow) -> Self {
        let sets = self.fences.iter().map(|fence| fence.heads.clone()).collect::<Vec<_>>();
        Self::new(view, log, row, &sets)
    }

    /// The sets of heads that it is made of.
    pub(super) fn has_sets(&self, sets: &[Vec<Head>]) -> bool {
        self.fences.iter().map(|fence| &fence.heads).eq(sets)
    }

    /// Whether a delta is the head that is missed somewhere.
    pub(super) fn misses(&self, id: DeltaId) -> bool {
        let names = |fence: &Fence| fence.missing && fence.heads.iter().any(|(_, it)| *it == id);
        self.fences.iter().any(names)
    }

    /// Whether a delta of the log is left in.
    pub(super) fn reach(&self, view: &impl View, tip: &Tip) -> Reach {
        let held = view.get::<Places>(&tip.id);
        let is_held = held.is_some_and(|it| it.log == tip.log && it.seq == tip.seq);
        let holds = |fence: &Fence| fence.holds((tip.seq, tip.id), is_held);
        tell(tip.log.plane, self.fences.iter().map(holds))
    }
}

/// How far sets of heads let a delta of a log in of which nothing is held.
pub(super) fn reach_unseen(plane: Plane, sets: &[Vec<Head>], seq: Seq) -> Reach {
    let holds = |heads: &Vec<Head>| heads.iter().any(|(highest, _)| seq <= *highest);
    tell(plane, sets.iter().map(holds))
}

/// What comes of what each cut-off says.
fn tell(plane: Plane, holds: impl Iterator<Item = bool>) -> Reach {
    let (mut any, mut all) = (false, true);
    for holds in holds {
        any |= holds;
        all &= holds;
    }
    match (plane, all, any) {
        (_, true, true) | (Plane::Governance, false, true) => Reach::Within,
        (Plane::Data, false, true) => Reach::Kept,
        (_, _, false) => Reach::Beyond,
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
    let mut descent = Descent::from(heads.iter().map(|head| (*head, false)));
    let mut before = BTreeSet::new();
    while let Some((head, _)) = descent.next(view) {
        before.extend(prev(view, head));
    }
    heads.into_iter().filter(|head| !before.contains(head)).collect()
}
