//! What was found about the acts done under one authority.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::authority::Authority;
use super::cut::{ALL, Head, Limit, Reach};
use crate::id::{DeltaId, LogId};

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

/// What hangs on whether an act counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Whether others count.
    Others,
    /// Nothing but itself.
    Itself,
}

/// An act that began or ceased to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) deed: DeltaId,
    pub(super) weight: Weight,
    pub(super) counts: Counts,
}

/// What became of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// It began to count.
    Now,
    /// It ceased to count.
    NoMore,
}

/// What of a log has to be judged anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    /// One more act that counts cuts it.
    Cut(DeltaId),
    /// Anything else.
    Whole,
}

/// What was found about the logs that had to be judged anew.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Of unbroken logs, what is left of them.
    pub(super) limits: BTreeMap<LogId, Found>,
    /// What is cut, and may not have been before.
    pub(super) void: Vec<DeltaId>,
    /// What is not cut any more.
    pub(super) spared: Vec<DeltaId>,
    /// How many deltas and cut-offs were looked at.
    pub(super) looked_at: usize,
}

impl Findings {
    /// Goes through deltas of a log, and tells those that are left of it from those that are cut.
    pub(super) fn sift<'a>(
        &mut self,
        tally: &Tally,
        heads: impl Iterator<Item = &'a Head>,
        is_left: impl Fn(&Head) -> bool,
    ) {
        for head in heads {
            self.looked_at += 1;
            let (_, id) = *head;
            match (tally.covered.contains_key(&id), is_left(head)) {
                (true, false) => self.void.push(id),
                (true, true) if tally.void.contains(&id) => self.spared.push(id),
                _ => {}
            }
        }
    }

    /// Up to where there is something left of a log. One that is not unbroken is gone through as a
    /// whole, so that nothing more is to be said about it.
    pub(super) fn reach(&self, tally: &Tally, log: &LogId) -> Reach {
        let before = || tally.limits.get(log).map_or(ALL, |limit| limit.reach);
        match self.limits.get(log) {
            None => before(),
            Some(Found::Whole(limit)) => limit.as_ref().map_or(ALL, |limit| limit.reach),
            Some(Found::Lower(limit)) => limit.reach.min(before()),
        }
    }
}

/// What was found about an unbroken log.
#[derive(Debug)]
pub(super) enum Found {
    /// All that cuts it leaves this.
    Whole(Option<Limit>),
    /// One more act leaves this.
    Lower(Limit),
}

/// The acts of one part, and which of them count: if the authority does, all that it covers but the
/// void ones, of which there are usually none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    valid: bool,
    covered: BTreeMap<DeltaId, Weight>,
    void: BTreeSet<DeltaId>,
    /// What is left of the logs that are cut and unbroken, if the authority counts.
    limits: BTreeMap<LogId, Limit>,
    /// What has come since it was last judged.
    fresh: BTreeSet<DeltaId>,
    /// The logs that something happened to since it was last judged.
    touched: BTreeMap<LogId, Touched>,
}

impl Tally {
    pub(super) fn add(&mut self, deed: DeltaId, weight: Weight) {
        if self.covered.insert(deed, weight).is_none() {
            self.fresh.insert(deed);
        }
    }

    /// Notes that something happened to a log. Whether that needs a judgement: while the authority
    /// is not valid nothing does, and once it becomes so all of its logs are judged.
    pub(super) fn touch(&mut self, log: LogId, touched: Touched) -> bool {
        if self.valid {
            let noted = self.touched.entry(log).or_insert(touched);
            if *noted != touched {
                *noted = Touched::Whole;
            }
        }
        self.valid
    }

    pub(super) fn is_valid(&self) -> bool {
        self.valid
    }

    pub(super) fn touched(&self) -> impl Iterator<Item = (&LogId, Touched)> {
        self.touched.iter().map(|(log, touched)| (log, *touched))
    }

    pub(super) fn fresh(&self) -> impl Iterator<Item = &DeltaId> {
        self.fresh.iter()
    }

    pub(super) fn limit(&self, log: &LogId) -> Option<&Limit> {
        self.limits.get(log)
    }

    pub(super) fn has_void(&self) -> bool {
        !self.void.is_empty()
    }

    pub(super) fn counts(&self, deed: DeltaId) -> bool {
        self.valid
            && self.covered.contains_key(&deed)
            && !self.void.contains(&deed)
            && !self.fresh.contains(&deed)
    }

    /// Writes down a judgement and returns the acts that began or ceased to count.
    pub(super) fn settle(&mut self, valid: bool, findings: Findings) -> Vec<Change> {
        self.touched.clear();
        let before = mem::replace(&mut self.valid, valid);
        match (before, valid) {
            (true, true) => self.change(findings),
            (false, true) => {
                self.fresh.clear();
                self.change(findings);
                self.all(Counts::Now)
            }
            (_, false) => {
                let ceased = if before { self.all(Counts::NoMore) } else { Vec::new() };
                self.void.clear();
                self.limits.clear();
                self.fresh.clear();
                ceased
            }
        }
    }

    /// All that is neither void nor fresh.
    fn all(&self, counts: Counts) -> Vec<Change> {
        let all = self.covered.iter().map(|(deed, weight)| (*deed, *weight));
        let all = all.filter(|(deed, _)| !self.void.contains(deed) && !self.fresh.contains(deed));
        all.map(|(deed, weight)| Change { deed, weight, counts }).collect()
    }

    fn change(&mut self, findings: Findings) -> Vec<Change> {
        for (log, found) in findings.limits {
            match found {
                Found::Whole(None) => drop(self.limits.remove(&log)),
                Found::Whole(Some(limit)) => drop(self.limits.insert(log, limit)),
                Found::Lower(limit) => match self.limits.entry(log) {
                    Entry::Vacant(entry) => drop(entry.insert(limit)),
                    Entry::Occupied(mut entry) => entry.get_mut().lower(limit),
                },
            }
        }
        let mut fresh = mem::take(&mut self.fresh);
        let ceased = findings.void.into_iter().filter(|deed| self.void.insert(*deed));
        let ceased: Vec<_> = ceased.filter(|deed| !fresh.remove(deed)).collect();
        let spared = findings.spared.into_iter().filter(|deed| self.void.remove(deed));
        let begun = spared.chain(fresh).map(|deed| (deed, Counts::Now));
        let all = ceased.into_iter().map(|deed| (deed, Counts::NoMore)).chain(begun);
        let weigh =
            |(deed, counts)| Some(Change { deed, weight: *self.covered.get(&deed)?, counts });
        all.filter_map(weigh).collect()
    }
}
