//! How the roster is kept up as deltas come.
//!
//! A new delta can only change what is junior to its author's authority, and the author's own. So
//! the authorities that it may concern are put on an agenda, the most senior first; each is judged
//! in two parts, first what its member does to itself, then the rest; and judging goes on only where
//! something came out differently. What a judgement puts on the agenda always comes after it there:
//! a delta makes at most two judgements for each authority, however many it brings down.

use std::collections::BTreeSet;

use super::act::Act;
use super::authority::{Authority, Rank, Role};
use super::cut::{ALL, Cut, Limit, Line, Stretches, Target};
use super::roster::{Deed, Roster};
use super::tally::{Change, Counts, Findings, Found, Judged, Part, Tally, Touched, Weight};
use crate::id::{AuthorityId, ContextId, DeltaId, LogId, Plane};

/// What came of taking in deltas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// The governance deltas that began or ceased to count.
    pub changed: BTreeSet<DeltaId>,
    /// How often something was judged: at most twice the number of authorities.
    pub steps: usize,
    /// How many deltas and cut-offs were looked at to find what is cut.
    pub looked_at: usize,
}

/// What is to be judged anew, the most senior first.
type Agenda = BTreeSet<(Rank, Part, AuthorityId)>;

impl Roster {
    /// Takes in one more delta.
    pub fn insert(&mut self, deed: Deed) -> Judgement {
        self.extend([deed])
    }

    /// Takes in more deltas, in any order.
    pub fn extend(&mut self, deeds: impl IntoIterator<Item = Deed>) -> Judgement {
        let mut agenda = Agenda::new();
        for deed in deeds {
            self.enter(deed, &mut agenda);
        }
        self.judge(agenda)
    }

    /// Writes down a delta, and the authority that it confers.
    fn enter(&mut self, deed: Deed, agenda: &mut Agenda) {
        if self.deeds.contains_key(&deed.id) {
            return;
        }
        let id = deed.id;
        if let Some(topic) = deed.act.topic() {
            self.topics.entry(topic).or_default().insert(id);
        }
        let lengthens = self.logs.entry(deed.log).or_default().add(&deed, &self.deeds);
        self.disturb(&deed, lengthens, agenda);
        self.deeds.insert(id, Box::new(deed));
        let mut fresh = vec![id];
        while let Some(deed) = fresh.pop().and_then(|id| self.deeds.get(&id)) {
            let (acting, part, conferred) = (deed.acting(), deed.part(), self.conferred(deed));
            let id = deed.id;
            if let Some(judged) = self.judged.get_mut(&acting) {
                let covers = match deed.act.confers() {
                    true => conferred.is_some(),
                    false => is_within(&judged.authority, deed),
                };
                if covers {
                    let (rank, weight) = (judged.authority.rank, weight(deed));
                    judged.part_mut(part).add(id, weight);
                    agenda.insert((rank, part, acting));
                    let cut = Cut::of(deed, rank).filter(|_| weight == Weight::Itself);
                    self.cuts.extend(cut.map(|cut| ((cut.target(), id), Box::new(cut))));
                }
            }
            if let Some(authority) = conferred
                && !self.judged.contains_key(&authority.id())
            {
                // What is done under it may have come before it.
                let early = self.logs_of(authority.member, authority.id());
                fresh.extend(early.flat_map(|(_, line)| line.places()).map(|(_, id)| *id));
                self.register(authority, agenda);
            }
        }
    }

    /// A delta came into a log: even one that nothing covers may be a link, or a head that a cut-off
    /// names. Unless it merely lengthens an unbroken log, what is left of that is found anew.
    fn disturb(&mut self, deed: &Deed, lengthens: bool, agenda: &mut Agenda) {
        let log = deed.log;
        let Some(judged) = self.judged.get_mut(&log.authority) else { return };
        let (rank, id) = (judged.authority.rank, judged.authority.id());
        if judged.authority.member != log.author || log.plane != Plane::Governance {
            return;
        }
        for part in [Part::OnSelf, Part::Rest] {
            let tally = judged.part_mut(part);
            let awaited = tally.limit(&log).is_some_and(|limit| limit.awaits(&(deed.seq, deed.id)));
            if (awaited || !lengthens) && tally.touch(log, Touched::Whole) {
                agenda.insert((rank, part, id));
            }
        }
    }

    fn register(&mut self, authority: Authority, agenda: &mut Agenda) {
        let id = authority.id();
        put(agenda, &authority);
        self.by_member.entry(authority.member).or_default().insert(id);
        if let Some(invite) = authority.invite {
            self.by_invite.entry(invite).or_default().insert(id);
        }
        let genesis = authority.by.is_none().then_some(authority.deed);
        let mut judged = Judged::new(authority);
        genesis
            .into_iter()
            .for_each(|genesis| judged.part_mut(Part::Rest).add(genesis, Weight::Others));
        self.judged.insert(id, judged);
    }

    /// The authority that a delta confers if it counts. What confers more than its author has is
    /// none, whatever else is true of it.
    fn conferred(&self, deed: &Deed) -> Option<Authority> {
        let (member, role, invite, overrides) = match &deed.act {
            Act::Genesis { .. } if ContextId::from(deed.id) == self.context => {
                return Some(founding(deed));
            }
            Act::Grant { member, role, invite, overrides, .. } => {
                (member, role, *invite, overrides)
            }
            Act::SetRole { member, role, overrides, .. } => (member, role, None, overrides),
            _ => return None,
        };
        let by = &self.judged.get(&deed.log.authority)?.authority;
        let downward = *role > by.rank.role || deed.part() == Part::Rest;
        let within = *role >= by.rank.role && downward;
        if !within || !is_within(by, deed) {
            return None;
        }
        Some(Authority {
            deed: deed.id,
            member: *member,
            rank: Rank { role: *role, depth: by.rank.depth.saturating_add(1) },
            by: Some(deed.log.authority),
            invite,
            overrides: overrides.clone(),
        })
    }

    /// Judges what is on the agenda and all that this concerns.
    fn judge(&mut self, mut agenda: Agenda) -> Judgement {
        let mut judgement = Judgement::default();
        while let Some((_, part, id)) = agenda.pop_first() {
            let Some(judged) = self.judged.get(&id) else { continue };
            judgement.steps += 1;
            let valid = match part {
                Part::OnSelf => self.is_valid(&judged.authority),
                Part::Rest => judged.valid,
            };
            let findings = if valid { self.find(judged, part) } else { Findings::default() };
            judgement.looked_at += findings.looked_at;
            let rank = judged.authority.rank;
            let Some(judged) = self.judged.get_mut(&id) else { continue };
            if judged.valid != valid {
                judged.valid = valid;
                agenda.insert((rank, Part::Rest, id));
            }
            for change in judged.part_mut(part).settle(valid, findings) {
                judgement.changed.insert(change.deed);
                if change.weight == Weight::Others {
                    self.follow_up(rank, change, &mut agenda);
                }
            }
        }
        judgement
    }

    fn is_valid(&self, authority: &Authority) -> bool {
        authority.by.is_none() || (self.counts(authority.deed) && !self.is_shut_out(authority))
    }

    /// Whether it came through an invite that a senior closed without accepting it.
    fn is_shut_out(&self, authority: &Authority) -> bool {
        let closings = authority.invite.into_iter().flat_map(|invite| self.closings_of(invite));
        closings.filter_map(|id| self.deeds.get(&id)).any(|deed| {
            let closer = self.judged.get(&deed.acting()).map(|judged| judged.authority.rank);
            let senior = closer.is_some_and(|closer| closer.is_senior_to(authority.rank));
            let accepted = match &deed.act {
                Act::CloseInvite { accepted, .. } => accepted.contains(&authority.deed),
                _ => false,
            };
            senior && !accepted
        })
    }

    /// Of one part of what a valid authority covers, which deltas are cut and were not, or the
    /// reverse.
    fn find(&self, judged: &Judged, part: Part) -> Findings {
        let (authority, tally) = (&judged.authority, judged.part(part));
        let mut findings = Findings::default();
        if !tally.is_valid() {
            for (log, line) in self.logs_of(authority.member, authority.id()) {
                self.review(judged, part, (log, line), &mut findings);
            }
            return findings;
        }
        for (log, touched) in tally.touched() {
            let Some(line) = self.logs.get(log) else { continue };
            let cut = match touched {
                Touched::Cut(cut) if line.is_unbroken() => self.cut_on(log, cut),
                _ => None,
            };
            match cut {
                Some(cut) => narrow(tally, Limit::of(cut, log, line), (log, line), &mut findings),
                None => self.review(judged, part, (log, line), &mut findings),
            }
        }
        for deed in tally.fresh().filter_map(|id| self.deeds.get(id)) {
            findings.looked_at += 1;
            if Some(deed.seq) > findings.reach(tally, &deed.log) {
                findings.void.push(deed.id);
            }
        }
        findings
    }

    /// Finds what all that cuts a log leaves of it: seniors and, unless it is about acts on oneself,
    /// acts on oneself.
    fn review(
        &self,
        judged: &Judged,
        part: Part,
        (log, line): (&LogId, &Line),
        findings: &mut Findings,
    ) {
        let (authority, tally) = (&judged.authority, judged.part(part));
        let cuts = self.cuts_on(log).filter(|cut| {
            (part == Part::Rest || !cut.is_self_act()) && cut.cuts(authority, authority.rank, log)
        });
        let mut cuts = cuts.inspect(|_| findings.looked_at += 1).peekable();
        if line.is_unbroken() || cuts.peek().is_none() {
            let limit = cuts.map(|cut| Limit::of(cut, log, line)).reduce(Limit::and);
            let reach = limit.as_ref().map_or(ALL, |limit| limit.reach);
            findings.limits.insert(*log, Found::Whole(limit));
            let low = if tally.has_void() { None } else { reach };
            findings.sift(tally, line.between(low, ALL), |(seq, _)| Some(*seq) <= reach);
        } else {
            let mut stretches = Stretches::of(line, &self.deeds);
            cuts.for_each(|cut| stretches.lower(cut, log, line));
            findings.limits.insert(*log, Found::Whole(None));
            findings.sift(tally, line.between(None, ALL), |head| stretches.hold(head));
        }
    }

    /// A delta began or ceased to count: writes down what follows, and whom it concerns.
    fn follow_up(&mut self, rank: Rank, change: Change, agenda: &mut Agenda) {
        let Change { deed: id, counts, .. } = change;
        let Some(deed) = self.deeds.get(&id) else { return };
        if deed.act.confers() {
            self.concern_junior(rank, &id.into(), agenda);
        }
        if let Act::CloseInvite { invite, .. } = deed.act {
            match counts {
                Counts::Now => self.closings.insert((invite, id)),
                Counts::NoMore => self.closings.remove(&(invite, id)),
            };
            let guests = self.by_invite.get(&invite).into_iter().flatten();
            guests.for_each(|guest| self.concern_junior(rank, guest, agenda));
            return;
        }
        let Some(target) = Target::of(deed) else { return };
        match counts {
            Counts::Now => {
                let Some(cut) = Cut::of(deed, rank) else { return };
                self.concern(&cut, Touched::Cut(id), agenda);
                self.cuts.insert((target, id), Box::new(cut));
            }
            Counts::NoMore => {
                let Some(cut) = self.cuts.remove(&(target, id)) else { return };
                self.concern(&cut, Touched::Whole, agenda);
            }
        }
    }

    /// Puts an authority on the agenda if it is junior to this rank.
    fn concern_junior(&self, rank: Rank, id: &AuthorityId, agenda: &mut Agenda) {
        let other = self.judged.get(id).map(|judged| &judged.authority);
        let junior = other.filter(|other| rank.is_senior_to(other.rank));
        junior.into_iter().for_each(|other| put(agenda, other));
    }

    /// Puts on the agenda whom a cut-off concerns. Acts on oneself have no say about one another.
    fn concern(&mut self, cut: &Cut, touched: Touched, agenda: &mut Agenda) {
        let parts: &[Part] =
            if cut.is_self_act() { &[Part::Rest] } else { &[Part::OnSelf, Part::Rest] };
        for log in self.logs_cut_by(cut) {
            let Some(judged) = self.judged.get_mut(&log.authority) else { continue };
            let (rank, id) = (judged.authority.rank, log.authority);
            for part in parts {
                if judged.part_mut(*part).touch(log, touched) {
                    agenda.insert((rank, *part, id));
                }
            }
        }
    }

    /// The governance logs that a cut-off cuts, of those that something has arrived of.
    fn logs_cut_by(&self, cut: &Cut) -> Vec<LogId> {
        let is_cut = |log: &LogId| {
            let judged = self.judged.get(&log.authority).map(|judged| &judged.authority);
            judged.is_some_and(|authority| {
                authority.member == log.author && cut.cuts(authority, authority.rank, log)
            })
        };
        match cut.target() {
            Target::Log(log) => {
                let known = log.plane == Plane::Governance && self.logs.contains_key(&log);
                [log].into_iter().filter(|log| known && is_cut(log)).collect()
            }
            Target::Member(member) => {
                let all = self.by_member.get(&member).into_iter().flatten();
                let logs = all.flat_map(|id| self.logs_of(member, *id)).map(|(log, _)| *log);
                logs.filter(is_cut).collect()
            }
        }
    }
}

/// Finds what one more cut-off leaves of an unbroken log, where all others have been looked at.
fn narrow(tally: &Tally, limit: Limit, (log, line): (&LogId, &Line), findings: &mut Findings) {
    findings.looked_at += 1;
    let before = tally.limit(log).map_or(ALL, |limit| limit.reach);
    findings.sift(tally, line.between(limit.reach, before), |_| false);
    findings.limits.insert(*log, Found::Lower(limit));
}

/// Puts both parts of an authority on the agenda.
fn put(agenda: &mut Agenda, authority: &Authority) {
    agenda.extend([Part::OnSelf, Part::Rest].map(|part| (authority.rank, part, authority.id())));
}

/// What hangs on whether a delta counts. Data decides nothing, so neither does where it ends.
fn weight(deed: &Deed) -> Weight {
    match Target::of(deed) {
        Some(Target::Log(log)) if log.plane == Plane::Data => Weight::Itself,
        Some(_) => Weight::Others,
        None if deed.act.confers() || matches!(deed.act, Act::CloseInvite { .. }) => Weight::Others,
        None => Weight::Itself,
    }
}

/// What the genesis confers.
fn founding(genesis: &Deed) -> Authority {
    Authority {
        deed: genesis.id,
        member: genesis.log.author,
        rank: Rank { role: Role::Owner, depth: 0 },
        by: None,
        invite: None,
        overrides: Vec::new(),
    }
}

/// Whether an authority is that of a delta's author, and lets them do such a thing.
fn is_within(authority: &Authority, deed: &Deed) -> bool {
    let author = deed.log.author;
    authority.member == author
        && deed.log.plane == Plane::Governance
        && deed.act.is_open_to(authority.rank.role, author)
}
