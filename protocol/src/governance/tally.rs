//! What was found about the acts done under one authority.

use std::collections::BTreeSet;
use std::mem;

use super::authority::Authority;
use crate::id::DeltaId;

/// The two parts in which the acts of one rank are judged. Acts on oneself never void one another,
/// but do void the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What its author does to itself, and whether the authority is valid.
    OnSelf,
    /// All else.
    Rest,
}

/// An authority with what was found about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) authority: Authority,
    pub(super) valid: bool,
    on_self: Tally,
    rest: Tally,
}

impl Judged {
    pub(super) fn new(authority: Authority) -> Self {
        Self { authority, valid: false, on_self: Tally::default(), rest: Tally::default() }
    }

    /// Whether an act under it counts.
    pub(super) fn counts(&self, deed: DeltaId) -> bool {
        self.on_self.counts(deed) || self.rest.counts(deed)
    }

    pub(super) fn part(&self, part: Part) -> &Tally {
        match part {
            Part::OnSelf => &self.on_self,
            Part::Rest => &self.rest,
        }
    }

    pub(super) fn part_mut(&mut self, part: Part) -> &mut Tally {
        match part {
            Part::OnSelf => &mut self.on_self,
            Part::Rest => &mut self.rest,
        }
    }
}

/// The acts of one part, and which of them count: if the authority does, all that it covers but the
/// void ones, of which there are usually none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    valid: bool,
    covered: BTreeSet<DeltaId>,
    void: BTreeSet<DeltaId>,
    /// What has come since it was last judged.
    fresh: BTreeSet<DeltaId>,
}

impl Tally {
    pub(super) fn add(&mut self, deed: DeltaId) {
        if self.covered.insert(deed) {
            self.fresh.insert(deed);
        }
    }

    pub(super) fn covers(&self, deed: DeltaId) -> bool {
        self.covered.contains(&deed)
    }

    pub(super) fn counts(&self, deed: DeltaId) -> bool {
        self.valid
            && self.covered.contains(&deed)
            && !self.void.contains(&deed)
            && !self.fresh.contains(&deed)
    }

    /// Those that count.
    pub(super) fn counting(&self) -> impl Iterator<Item = DeltaId> {
        self.covered.iter().copied().filter(|deed| self.counts(*deed))
    }

    /// Writes down a judgement and returns the acts that began or ceased to count.
    pub(super) fn settle(&mut self, valid: bool, void: BTreeSet<DeltaId>) -> Vec<DeltaId> {
        let candidates: BTreeSet<_> = if valid == self.valid {
            self.void.symmetric_difference(&void).chain(&self.fresh).copied().collect()
        } else {
            self.covered.clone()
        };
        let counted: Vec<_> = candidates.iter().map(|deed| self.counts(*deed)).collect();
        self.valid = valid;
        self.void = void;
        drop(mem::take(&mut self.fresh));
        let before = candidates.into_iter().zip(counted);
        before
            .filter(|(deed, counted)| self.counts(*deed) != *counted)
            .map(|(deed, _)| deed)
            .collect()
    }
}
