//! One plane of a session: what each side shows, lacks, wants and is given.

use std::collections::{BTreeMap, VecDeque};

use super::compare::{End, Lens, Name, Outline, Point};
use super::message::{Message, Part, Stretch};
use super::run::{self, Run, Runs, Spot};
use crate::delta::Delta;
use crate::id::{LogId, Plane, Seq};
use crate::log::Vector;
use crate::replica::Replica;
use crate::view::{Logs, View};

/// Wants of one side that wait to be served.
const MOST_WANTS: usize = 4;
/// Logs of which a side looks at what the other shows in one session; the rest is left for the next.
const MOST_OFFERS: usize = 8_192;

/// What the other side has of a log and this one lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What the log is called in this session.
    pub name: Name,
    /// Which log it is, if that can be known.
    pub log: Option<LogId>,
    /// What of it.
    pub span: Span,
}

/// Where in a log what is lacking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// In a row, after the one place and up to the other; the first place is 1.
    Row {
        /// After this place.
        after: u64,
        /// Up to this one.
        until: u64,
    },
    /// On branches.
    Branches,
}

/// One log's part of what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What the log is called in this session.
    pub name: Name,
    /// What of it; no more than was offered.
    pub span: Span,
}

/// What came of a want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gift {
    /// Which want it was.
    pub number: u32,
    /// Logs on which the other side does not stand where it seemed to: what it has are branches.
    pub apart: Vec<Name>,
}

/// The comparison of one plane, and the trade that follows.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) plane: Plane,
    pub(super) outline: Outline,
    lens: Lens,
    ours: Vector,
    /// Where the other side ends, as it has said.
    theirs: BTreeMap<Name, Vec<Point>>,
    pub(super) offers: BTreeMap<Name, Offer>,
    /// What is on its way, by want.
    wanted: BTreeMap<u32, Vec<Share>>,
    wants: u32,
    /// Up to this one they are no longer wanted.
    cancelled: u32,
    serving: VecDeque<Serving>,
    /// Whether this side has said that it wants no more, and the other.
    pub(super) is_sated: bool,
    pub(super) they_are_sated: bool,
    /// Whether this side has told where its logs end.
    pub(super) has_told: bool,
}

/// A want of the other side, as it is served.
#[derive(Debug)]
struct Serving {
    number: u32,
    runs: Runs,
    apart: Vec<Name>,
}

/// What the other side says makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Senseless;

impl Round {
    pub(super) fn new(lens: Lens, ours: Vector, plane: Plane, groups: usize) -> Self {
        Self {
            plane,
            outline: Outline::new(lens.clone(), &ours, plane, groups),
            lens,
            ours,
            theirs: BTreeMap::new(),
            offers: BTreeMap::new(),
            wanted: BTreeMap::new(),
            wants: 0,
            cancelled: 0,
            serving: VecDeque::new(),
            is_sated: false,
            they_are_sated: false,
            has_told: false,
        }
    }

    /// Takes in where the other side ends, and answers for which of these logs it lacks something, as
    /// far as can be told.
    pub(super) fn learn(
        &mut self,
        ends: Vec<End>,
        replica: &Replica,
        view: &impl View,
    ) -> Vec<End> {
        let mut authorities = BTreeMap::new();
        if self.plane == Plane::Data && ends.iter().any(|end| end.hint.is_some()) {
            let all = replica.roster().authorities();
            authorities.extend(all.map(|(id, member)| (self.lens.authority(id), (id, member))));
        }
        let mut ahead = Vec::new();
        for end in ends {
            let known = self.outline.log(end.name).copied();
            let log = known.or_else(|| {
                let hint = end.hint?;
                let (authority, author) = *authorities.get(&hint.authority)?;
                let incarnation = hint.incarnation;
                let log = LogId { author, authority, incarnation, plane: self.plane };
                (self.lens.name(&log) == end.name).then_some(log)
            });
            let ours = known.map(|log| self.outline.end(&log, end.tips.is_empty()));
            if let Some(ours) =
                ours.filter(|ours| ours.tips.iter().any(|it| !end.tips.contains(it)))
            {
                ahead.push(ours);
            }
            // What would be refused is not asked for.
            let is_welcome = log.map_or(self.plane == Plane::Governance, |log| {
                known.is_some() || replica.has_room_for(&log)
            });
            if is_welcome
                && self.offers.len() < MOST_OFFERS
                && let Some(span) = self.lacking(log, &end.tips, view)
            {
                self.offers.insert(end.name, Offer { name: end.name, log, span });
            }
            self.theirs.insert(end.name, end.tips);
        }
        ahead
    }

    /// What is lacking here of a log that ends elsewhere where these are.
    fn lacking(&self, log: Option<LogId>, theirs: &[Point], view: &impl View) -> Option<Span> {
        let held = log.map(|log| run::held(view, &self.lens, log, theirs)).unwrap_or_default();
        if held.len() == theirs.len() {
            return None;
        }
        let ours = log.map(|log| self.tips(&log, view)).unwrap_or_default();
        let last = match (log, ours.as_slice()) {
            (Some(log), ours) if !ours.is_empty() => run::straight_tip(view, &log, ours),
            _ => return Some(row(0, theirs)),
        };
        match last {
            Some(last) if theirs.first().is_some_and(|tip| tip.seq > last) => {
                Some(row(last.get(), theirs))
            }
            _ => Some(Span::Branches),
        }
    }

    /// Where a log ends here, even if the other side is not shown that.
    fn tips(&self, log: &LogId, view: &impl View) -> Vec<Spot> {
        let shown = self.outline.tips(log);
        if !shown.is_empty() {
            return shown.to_vec();
        }
        view.get::<Logs>(log).map(|row| row.stored.as_slice().to_vec()).unwrap_or_default()
    }

    /// Takes off the list what is held by now.
    pub(super) fn recheck(&mut self, view: &impl View) {
        let Self { offers, theirs, outline, lens, .. } = self;
        offers.retain(|name, offer| {
            let log = offer.log.or_else(|| outline.log(*name).copied());
            let points = theirs.get(name).map(Vec::as_slice).unwrap_or_default();
            log.is_none_or(|log| run::held(view, lens, log, points).len() < points.len())
        });
    }

    /// Asks for what was offered.
    pub(super) fn want(&mut self, shares: Vec<Share>, credit: u32, view: &impl View) -> Message {
        self.wants += 1;
        let number = self.wants;
        let mut stretches: Vec<_> = shares.iter().map(|share| self.stretch(*share, view)).collect();
        stretches.sort_by_key(|stretch| stretch.name);
        self.wanted.insert(number, shares);
        Message::Want { number, credit, stretches }
    }

    fn stretch(&self, share: Share, view: &impl View) -> Stretch {
        let Share { name, span } = share;
        let shown = self.outline.log(name).copied();
        let log = shown.or_else(|| self.offers.get(&name)?.log);
        let ours = log.map(|log| self.tips(&log, view)).unwrap_or_default();
        let last = ours.last().filter(|_| shown.is_some()).map_or(0, |(seq, _)| seq.get());
        let end = match self.offers.get(&name).map(|offer| offer.span) {
            Some(Span::Row { until, .. }) => until,
            Some(Span::Branches) | None => u64::MAX,
        };
        let part = match (span, log) {
            (Span::Row { after, until }, _) => {
                let until = if until >= end { 0 } else { until };
                match after == last && after > 0 {
                    true => Part::Rest { until },
                    false => Part::Within { after, until },
                }
            }
            (Span::Branches, Some(log)) => {
                Part::Apart { points: run::locator(view, &self.lens, log, &ours) }
            }
            (Span::Branches, None) => Part::Apart { points: Vec::new() },
        };
        Stretch { name, part }
    }

    /// Whether something that was asked for has not been given yet.
    pub(super) fn is_waiting(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Wants no more of what it asked for; returns which wants these are.
    pub(super) fn cancel(&mut self) -> Vec<u32> {
        let open = self.wanted.keys().filter(|number| **number > self.cancelled);
        let open = open.copied().collect();
        self.cancelled = self.wants;
        open
    }

    /// Whether the other side has still to say that it knows what is no longer wanted.
    pub(super) fn is_cancelling(&self) -> bool {
        self.wanted.keys().next().is_some_and(|number| *number <= self.cancelled)
    }

    /// Of these deltas those that were asked for.
    pub(super) fn expected(&self, deltas: Vec<Delta>) -> Vec<Delta> {
        let mut spans: BTreeMap<Name, Vec<Span>> = BTreeMap::new();
        for share in self.wanted.values().flatten() {
            spans.entry(share.name).or_default().push(share.span);
        }
        let mut row: Option<(LogId, Name)> = None;
        let mut is_wanted = |delta: &Delta| {
            let log = *delta.log();
            let name = match row {
                Some((of, name)) if of == log => name,
                _ => self.lens.name(&log),
            };
            row = Some((log, name));
            let at = delta.seq().get();
            log.plane == self.plane
                && spans.get(&name).into_iter().flatten().any(|span| match span {
                    Span::Row { after, until } => *after < at && at <= *until,
                    Span::Branches => true,
                })
        };
        deltas.into_iter().filter(|delta| is_wanted(delta)).collect()
    }

    /// A want was served. What turned out to be on branches is offered as such.
    pub(super) fn given(&mut self, number: u32, apart: Vec<Name>) -> Result<Gift, Senseless> {
        let shares = self.wanted.remove(&number).ok_or(Senseless)?;
        let mut turned = Vec::new();
        for name in apart {
            let share = shares.iter().find(|share| share.name == name);
            let offer = self.offers.get_mut(&name).filter(|_| share.is_some());
            let offer = offer.ok_or(Senseless)?;
            // Two wants may have been about the same log.
            if offer.span != Span::Branches {
                offer.span = Span::Branches;
                turned.push(name);
            } else if share.is_some_and(|share| share.span == Span::Branches) {
                return Err(Senseless);
            }
        }
        Ok(Gift { number, apart: turned })
    }

    /// Takes a want of the other side.
    pub(super) fn serve(
        &mut self,
        number: u32,
        stretches: Vec<Stretch>,
        view: &impl View,
    ) -> Result<(), Senseless> {
        if self.serving.len() >= MOST_WANTS || self.they_are_sated {
            return Err(Senseless);
        }
        let (mut runs, mut apart) = (Runs::default(), Vec::new());
        for Stretch { name, part } in stretches {
            match self.run(name, part, view) {
                Ok(Some(run)) => runs.push(view, run),
                Ok(None) => {}
                Err(Apart) => apart.push(name),
            }
        }
        self.serving.push_back(Serving { number, runs, apart });
        Ok(())
    }

    fn run(&self, name: Name, part: Part, view: &impl View) -> Result<Option<Run>, Apart> {
        let Some(log) = self.outline.log(name).copied() else { return Ok(None) };
        let ours: &[Spot] = self.ours.0.get(&log).map(Vec::as_slice).unwrap_or_default();
        let held = |points: &[Point]| run::held(view, &self.lens, log, points);
        let is_straight = run::straight_tip(view, &log, ours).is_some();
        Ok(match part {
            Part::Within { after: 0, until: 0 } => Run::lacking(view, log, ours, &[], None),
            // Where there are branches, a place says too little.
            Part::Rest { .. } | Part::Within { .. } if !is_straight => return Err(Apart),
            Part::Rest { until } => {
                let points = self.theirs.get(&name).map(Vec::as_slice).unwrap_or_default();
                let held = held(points);
                if held.len() < points.len() {
                    return Err(Apart);
                }
                Run::lacking(view, log, ours, &held, Seq::new(until))
            }
            Part::Within { after, until } => {
                Run::within(view, log, ours, (Seq::new(after), Seq::new(until)))
            }
            Part::Apart { points } => Run::lacking(view, log, ours, &held(&points), None),
        })
    }

    /// Drops what is left of a want of the other side.
    pub(super) fn drop_want(&mut self, number: u32) {
        if let Some(serving) = self.serving.iter_mut().find(|it| it.number == number) {
            serving.runs = Runs::default();
        }
    }

    /// The next batch for the other side, or that all it wanted has been given; nothing without room
    /// or work.
    pub(super) fn give(&mut self, room: usize, view: &impl View) -> Option<Message> {
        let serving = self.serving.front_mut()?;
        if !serving.runs.is_empty() {
            if room == 0 {
                return None;
            }
            let deltas = serving.runs.next(view, room);
            if !deltas.is_empty() {
                return Some(Message::Batch { deltas });
            }
        }
        let Serving { number, mut apart, .. } = self.serving.pop_front()?;
        apart.sort_unstable();
        Some(Message::Given { number, apart })
    }

    /// Whether neither side wants anything any more.
    pub(super) const fn is_over(&self) -> bool {
        self.is_sated && self.they_are_sated
    }
}

/// The log has branches on one side.
struct Apart;

fn row(after: u64, theirs: &[Point]) -> Span {
    let until = theirs.last().map_or(after, |tip| tip.seq.get());
    match theirs {
        [_] => Span::Row { after, until },
        _ => Span::Branches,
    }
}
