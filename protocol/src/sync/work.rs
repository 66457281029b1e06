//! What a context lacks of its data, who offers it, and who was asked for which part of it.
//!
//! Every place of a log that is lacking is in exactly one hand: it waits, or one session was asked
//! for it. What a session was asked for comes back when the session ends, however it does; and since
//! sessions are told apart by numbers that are never used twice, the end of an old one cannot touch
//! what a new one was asked for.

use std::collections::BTreeMap;

use super::chain::MOST_UNSIGNED;
use super::compare::Name;
use super::round::{Offer, Share, Span};
use crate::id::LogId;
use crate::planted::{Bug, Planted};

/// Logs of which parts are asked for at once.
const MOST_SHARES: usize = 4_096;

/// Logs with branches that are asked for at once: of each many points are named.
pub(super) const MOST_BRANCHED: usize = 64;

/// A session, by a number that no other ever has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u64);

/// Where deltas that came stand among what was lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// They follow what has been handed over: it is their turn.
    InTurn,
    /// Something before them is still lacking.
    Early,
    /// They were not, or are no longer, lacking from this session.
    Stray,
}

/// Something that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    link: Link,
    after: u64,
    until: u64,
    /// Up to here it is in no other hand. What follows is asked for to vouch for what is before.
    own: u64,
}

/// A log that goes on in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Row {
    /// Up to here it is held, or was handed over.
    covered: u64,
    /// What waits: after one place and up to another, apart from each other.
    waiting: BTreeMap<u64, u64>,
    leased: Vec<Lease>,
    /// What came early and is in hand: after one place and up to another.
    early: BTreeMap<u64, u64>,
    /// Who has it up to where, and calls it what.
    offers: BTreeMap<Link, (Name, u64)>,
    /// Nothing after this place is asked for, except to vouch for what is before.
    limit: Option<u64>,
    /// The part that ends here was given, but the signatures at its end are bad: what follows must
    /// come with it.
    frayed: Option<u64>,
}

/// A log with branches, all of which come from one session at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Branches {
    offers: BTreeMap<Link, Name>,
    leased: Option<Link>,
}

/// What is lacking of the data of one context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    rows: BTreeMap<LogId, Row>,
    branches: BTreeMap<LogId, Branches>,
    planted: Planted,
}

impl Row {
    fn top(&self) -> u64 {
        let waiting = self.waiting.last_key_value().map_or(0, |(_, until)| *until);
        let leased = self.leased.iter().map(|lease| lease.own).max().unwrap_or_default();
        let early = self.early.last_key_value().map_or(0, |(_, until)| *until);
        self.covered.max(waiting).max(leased).max(early)
    }

    /// Up to where a part that ends here may be asked for.
    fn within(&self, until: u64) -> u64 {
        self.limit.map_or(until, |limit| until.min(limit))
    }

    /// Lets a part wait, as far as it is not held and may be asked for.
    fn put_back(&mut self, after: u64, until: u64) {
        let (mut after, mut until) = (after.max(self.covered), self.within(until));
        if after >= until {
            return;
        }
        let touching: Vec<_> = self.waiting.range(..=until).map(|(a, u)| (*a, *u)).collect();
        for (from, to) in touching {
            if to >= after {
                self.waiting.remove(&from);
                after = after.min(from);
                until = until.max(to);
            }
        }
        self.waiting.insert(after, until);
    }

    /// Sets up to where the log may be asked for; returns who was asked for how much more.
    fn limit(&mut self, limit: Option<u64>) -> Vec<(Link, u64)> {
        if std::mem::replace(&mut self.limit, limit) == limit {
            return Vec::new();
        }
        let leased = self.leased.iter().map(|lease| (lease.after, lease.own));
        let early = self.early.iter().map(|(after, until)| (*after, *until));
        let mut in_hand: Vec<_> = leased.chain(early).collect();
        in_hand.sort_unstable();
        let offered = self.offers.values().map(|(_, until)| *until).max();
        self.waiting.clear();
        let mut at = self.covered;
        for (after, until) in in_hand {
            self.put_back(at, after);
            at = at.max(until);
        }
        self.put_back(at, offered.unwrap_or_default());
        let beyond =
            |lease: &Lease| lease.own.saturating_sub(self.within(lease.own).max(lease.after));
        self.leased.iter().map(|lease| (lease.link, beyond(lease))).collect()
    }

    /// Everything up to a place is held now.
    fn cover(&mut self, upto: u64) {
        self.covered = self.covered.max(upto);
        let covered = self.covered;
        let begun: Vec<_> = self.waiting.range(..covered).map(|(a, u)| (*a, *u)).collect();
        for (after, until) in begun {
            self.waiting.remove(&after);
            if until > covered {
                self.waiting.insert(covered, until);
            }
        }
        for lease in &mut self.leased {
            lease.after = lease.after.max(covered);
        }
        self.leased.retain(|lease| lease.after < lease.until);
        self.early.retain(|_, until| *until > covered);
        self.frayed = self.frayed.filter(|until| *until > covered);
    }

    /// The first part that waits and is offered by a session.
    fn first(&self, link: Link) -> Option<(u64, u64)> {
        let (_, offered) = *self.offers.get(&link)?;
        let (after, until) = self.waiting.first_key_value()?;
        (*after < offered).then_some((*after, (*until).min(offered)))
    }

    /// How much waits that a session offers.
    fn offered(&self, link: Link) -> u64 {
        let Some((_, offered)) = self.offers.get(&link) else { return 0 };
        let parts = self.waiting.iter();
        parts.map(|(after, until)| (*until).min(*offered).saturating_sub(*after)).sum()
    }

    fn take(&mut self, link: Link, places: u64) -> Option<Share> {
        let (after, mut until) = self.first(link)?;
        let (name, offered) = *self.offers.get(&link)?;
        let whole = self.waiting.remove(&after)?;
        let frayed = self.frayed.filter(|frayed| after < *frayed && *frayed <= until);
        until = frayed.unwrap_or_else(|| until.min(after.saturating_add(places.max(1))));
        let own = until;
        if frayed.is_some() {
            // With what follows it, even if somebody else was asked for that.
            until = offered.min(own.saturating_add(MOST_UNSIGNED as u64 + 1));
        }
        if own < whole {
            self.waiting.insert(own, whole);
        }
        self.leased.push(Lease { link, after, until, own });
        Some(Share { name, span: Span::Row { after, until } })
    }

    /// Takes back what a session was asked for and has not given.
    fn take_back(&mut self, is_it: impl Fn(Link) -> bool) {
        let returned: Vec<_> = self.leased.extract_if(.., |lease| is_it(lease.link)).collect();
        for lease in returned {
            self.put_back(lease.after, lease.own);
        }
    }
}

impl Work {
    /// Nothing is lacking as far as is known.
    pub fn new(planted: Planted) -> Self {
        Self { planted, ..Self::default() }
    }

    /// Learns what a session offers.
    pub fn offer(&mut self, link: Link, offer: &Offer) {
        let Some(log) = offer.log else { return };
        match offer.span {
            Span::Row { after, until } => {
                let fresh = || Row { covered: after, ..Row::default() };
                let row = self.rows.entry(log).or_insert_with(fresh);
                row.offers.insert(link, (offer.name, until));
                row.cover(after);
                row.put_back(row.top(), until);
            }
            Span::Branches => {
                if let Some(row) = self.rows.get_mut(&log) {
                    row.offers.remove(&link);
                    row.take_back(|of| of == link);
                }
                self.branches.entry(log).or_default().offers.insert(link, offer.name);
            }
        }
        self.forget_unoffered();
    }

    /// Looks up for each log which goes on in a row up to where it may be asked for, and returns who was
    /// asked for how many places more.
    pub fn limit(&mut self, limit: impl Fn(&LogId) -> Option<u64>) -> BTreeMap<Link, u64> {
        let mut beyond = BTreeMap::new();
        for (log, row) in &mut self.rows {
            for (link, places) in row.limit(limit(log)) {
                *beyond.entry(link).or_default() += places;
            }
        }
        self.forget_unoffered();
        beyond
    }

    /// What a session offers of a log is not wanted.
    pub fn decline(&mut self, link: Link, log: &LogId) {
        if let Some(row) = self.rows.get_mut(log) {
            row.offers.remove(&link);
            row.take_back(|of| of == link);
        }
        self.forget_unoffered();
    }

    /// What a session is to be asked for: of each log that it offers about the same part, so that
    /// what depends on each other comes together; about so many places in all, and some of each log.
    pub fn take(&mut self, link: Link, places: u64) -> Vec<Share> {
        let all: u64 = self.rows.values().map(|row| row.offered(link)).sum();
        let part = |offered: u64| {
            let part = (u128::from(offered) * u128::from(places)).div_ceil(all.max(1).into());
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let mut shares = Vec::new();
        for row in self.rows.values_mut() {
            if shares.len() >= MOST_SHARES {
                break;
            }
            shares.extend(row.take(link, part(row.offered(link))));
        }
        let most = shares.len() + MOST_BRANCHED;
        for branches in self.branches.values_mut() {
            if shares.len() >= most {
                break;
            }
            let free = branches.leased.is_none();
            if let Some(name) = branches.offers.get(&link).filter(|_| free) {
                shares.push(Share { name: *name, span: Span::Branches });
                branches.leased = Some(link);
            }
        }
        shares
    }

    /// Deltas of a log came in a row from a session.
    pub fn came(&mut self, link: Link, log: &LogId, first: u64, last: u64) -> Came {
        if self.branches.get(log).is_some_and(|it| it.leased == Some(link)) {
            return Came::InTurn;
        }
        let Some(row) = self.rows.get_mut(log) else { return Came::Stray };
        let covered = row.covered;
        let mine = row.leased.iter_mut().filter(|lease| lease.link == link);
        let goes_on = |lease: &&mut Lease| lease.after < last && first <= lease.after + 1;
        let Some(lease) = mine.filter(goes_on).min_by_key(|lease| lease.after) else {
            return Came::Stray;
        };
        lease.after = last.min(lease.until);
        let own = last.min(lease.own);
        if first <= covered + 1 {
            row.cover(last);
            return Came::InTurn;
        }
        row.leased.retain(|lease| lease.after < lease.until);
        // What came beyond may still come from whom it was asked of.
        if first <= own {
            row.early.insert(first - 1, own);
        }
        Came::Early
    }

    /// What came early is next in turn: all of the log up to here is handed over now.
    pub fn cover(&mut self, log: &LogId, upto: u64) {
        if let Some(row) = self.rows.get_mut(log) {
            row.cover(upto);
        }
    }

    /// Up to where a log is held or was handed over, if something of it is lacking.
    pub fn covered(&self, log: &LogId) -> Option<u64> {
        self.rows.get(log).map(|row| row.covered)
    }

    /// A session has given all it had of a share. Says whether it still lacks something that it had
    /// shown. `is_frayed` says that more came, without a good signature.
    pub fn given(&mut self, link: Link, log: &LogId, span: Span, is_frayed: bool) -> bool {
        let Span::Row { until, .. } = span else {
            if let Some(branches) = self.branches.get_mut(log)
                && branches.leased == Some(link)
            {
                branches.leased = None;
                branches.offers.remove(&link);
            }
            self.forget_unoffered();
            return false;
        };
        let Some(row) = self.rows.get_mut(log) else { return false };
        let at = row.leased.iter().position(|it| it.link == link && it.until == until);
        let Some(lease) = at.map(|at| row.leased.swap_remove(at)) else { return false };
        row.put_back(lease.after, lease.own);
        let Some((_, offered)) = row.offers.get_mut(&link) else { return false };
        if is_frayed && until < *offered {
            row.frayed = Some(lease.own);
        } else {
            // It is not asked again for what it did not give.
            *offered = lease.after.min(*offered);
        }
        self.forget_unoffered();
        !is_frayed
    }

    /// What a session was asked for and has not given waits again, for another one.
    pub fn take_back(&mut self, link: Link) {
        for row in self.rows.values_mut() {
            row.take_back(|of| of == link);
        }
        for branches in self.branches.values_mut().filter(|it| it.leased == Some(link)) {
            branches.leased = None;
        }
    }

    /// A session is over; `others` are those of the same peer that are not.
    pub fn end(&mut self, link: Link, others: &[Link]) {
        if self.planted.has(Bug::DropLease) {
            return;
        }
        let ends = |of: Link| {
            of == link || (self.planted.has(Bug::IgnoreGenerations) && others.contains(&of))
        };
        for row in self.rows.values_mut() {
            row.take_back(ends);
            row.offers.remove(&link);
        }
        for branches in self.branches.values_mut() {
            branches.leased = branches.leased.filter(|of| !ends(*of));
            branches.offers.remove(&link);
        }
        self.forget_unoffered();
    }

    /// What nobody has any more is not waited for.
    fn forget_unoffered(&mut self) {
        self.rows.retain(|_, row| {
            let wanted = |(_, offered): &(Name, u64)| row.within(*offered) > row.covered;
            row.offers.values().any(wanted) || !row.leased.is_empty()
        });
        self.branches.retain(|_, it| !it.offers.is_empty() || it.leased.is_some());
    }

    /// Whether a session offers something that another was asked for.
    pub fn could_rescue(&self, link: Link, stuck: Link) -> bool {
        let rows = self.rows.values().any(|row| {
            let offered = row.offers.get(&link).map_or(0, |(_, until)| *until);
            row.leased.iter().any(|lease| lease.link == stuck && lease.after < offered)
        });
        let branch = |it: &Branches| it.leased == Some(stuck) && it.offers.contains_key(&link);
        rows || self.branches.values().any(branch)
    }

    /// Whether a session offers something that is still lacking, in whatever hand it is.
    pub fn concerns(&self, link: Link) -> bool {
        let rows = self
            .rows
            .values()
            .any(|row| row.offers.get(&link).is_some_and(|(_, it)| row.within(*it) > row.covered));
        rows || self.branches.values().any(|it| it.offers.contains_key(&link))
    }

    /// Whether a session was asked for something that is next in its log.
    pub fn is_in_turn(&self, link: Link) -> bool {
        let next = |row: &Row| {
            row.leased.iter().any(|lease| lease.link == link && lease.after == row.covered)
        };
        self.rows.values().any(next) || self.branches.values().any(|it| it.leased == Some(link))
    }

    /// Whether a session offers something that is next in its log, and that nobody was asked for.
    pub fn could_go_on(&self, link: Link) -> bool {
        let next = |row: &Row| row.first(link).is_some_and(|(after, _)| after == row.covered);
        self.rows.values().any(next)
    }

    /// How many places a session was asked for and has not given.
    pub fn leased(&self, link: Link) -> u64 {
        let leases = self.rows.values().flat_map(|row| &row.leased);
        leases.filter(|lease| lease.link == link).map(|it| it.until - it.after).sum()
    }

    /// Whether nothing is lacking as far as is known.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.branches.is_empty()
    }

    /// What is wrong with it: a place in two hands or in none, or in the hands of a session that is
    /// over.
    pub fn fault(&self, is_live: impl Fn(Link) -> bool) -> Option<&'static str> {
        let rows = self.rows.values().find_map(|row| row.fault(&is_live));
        let dead = |it: &Branches| it.leased.is_some_and(|link| !is_live(link));
        rows.or_else(|| self.branches.values().any(dead).then_some("branches leased to the dead"))
    }
}

impl Row {
    fn fault(&self, is_live: impl Fn(Link) -> bool) -> Option<&'static str> {
        if self.leased.iter().any(|lease| !is_live(lease.link)) {
            return Some("a part leased to a session that is over");
        }
        let mut waiting = self.waiting.iter().peekable();
        while let Some((after, until)) = waiting.next() {
            let meets = waiting.peek().is_some_and(|(next, _)| *next <= until);
            if after >= until || *after < self.covered || meets {
                return Some("parts that wait are not apart");
            }
        }
        let in_both = |lease: &Lease| {
            self.waiting.iter().any(|(after, until)| lease.after < *until && *after < lease.own)
        };
        if self.leased.iter().any(in_both) {
            return Some("a place both waits and is leased");
        }
        let in_hand = |after: u64, until: u64| {
            self.early.iter().any(|(from, to)| after < *to && *from < until)
        };
        let waits = self.waiting.iter().any(|(after, until)| in_hand(*after, *until));
        let leased = self.leased.iter().any(|lease| in_hand(lease.after, lease.own));
        if waits || leased {
            return Some("a place is lacking and in hand");
        }
        let twice = |(at, one): (usize, &Lease)| {
            let later = self.leased.iter().skip(at + 1);
            later.into_iter().any(|other| one.after < other.own && other.after < one.own)
        };
        if self.leased.iter().enumerate().any(twice) {
            return Some("a place is leased twice");
        }
        None
    }
}
