//! How the roster is kept up as deltas come.
//!
//! A new delta can only change what is junior to its author's authority, and the author's own. So
//! the authorities that it may concern are put on an agenda, the most senior first; each is judged
//! in two parts, first what its member does to itself, then the rest; and judging goes on only where
//! something came out differently. What a judgement puts on the agenda always comes after it there:
//! a delta makes at most two judgements for each authority, however many it brings down.

use std::collections::{BTreeMap, BTreeSet};

use super::act::Act;
use super::authority::{Authority, Rank, Role};
use super::cut::{Cut, Target};
use super::roster::{Deed, Roster};
use super::tally::{Judged, Part};
use crate::id::{AuthorityId, ContextId, DeltaId, LogId, Plane};

/// What came of taking in deltas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// The governance deltas that began or ceased to count.
    pub changed: BTreeSet<DeltaId>,
    /// How often something was judged: at most twice the number of authorities.
    pub steps: usize,
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
        self.logs.entry(deed.log).or_default().insert(id);
        if let Some(topic) = deed.act.topic() {
            self.topics.entry(topic).or_default().insert(id);
        }
        self.deeds.insert(id, deed);
        let mut fresh = vec![id];
        while let Some(deed) = fresh.pop().and_then(|id| self.deeds.get(&id)) {
            let (acting, part, conferred) = (deed.acting(), deed.part(), self.conferred(deed));
            let id = deed.id;
            if let Some(judged) = self.judged.get(&acting) {
                let covers = match deed.act.confers() {
                    true => conferred.is_some(),
                    false => is_within(&judged.authority, deed),
                };
                // Even what is not covered may be a link to what is.
                put(agenda, &judged.authority);
                if covers && let Some(judged) = self.judged.get_mut(&acting) {
                    judged.part_mut(part).add(id);
                }
            }
            if let Some(authority) = conferred
                && !self.judged.contains_key(&authority.id())
            {
                // What is done under it may have come before it.
                let early = self.logs_of(authority.member, authority.id());
                fresh.extend(early.flat_map(|(_, deeds)| deeds));
                self.register(authority, agenda);
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
        genesis.into_iter().for_each(|genesis| judged.part_mut(Part::Rest).add(genesis));
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
            let void = if valid { self.void(judged, part) } else { BTreeSet::new() };
            let rank = judged.authority.rank;
            let Some(judged) = self.judged.get_mut(&id) else { continue };
            if judged.valid != valid {
                judged.valid = valid;
                agenda.insert((rank, Part::Rest, id));
            }
            for deed in judged.part_mut(part).settle(valid, void) {
                judgement.changed.insert(deed);
                self.follow_up(rank, deed, &mut agenda);
            }
        }
        judgement
    }

    fn is_valid(&self, authority: &Authority) -> bool {
        authority.by.is_none() || (self.counts(authority.deed) && !self.is_shut_out(authority))
    }

    /// Whether it came through an invite that a senior closed without accepting it.
    fn is_shut_out(&self, authority: &Authority) -> bool {
        let closings = authority.invite.and_then(|invite| self.closings.get(&invite));
        closings.into_iter().flat_map(BTreeMap::keys).filter_map(|id| self.deeds.get(id)).any(
            |deed| {
                let closer = self.judged.get(&deed.acting()).map(|judged| judged.authority.rank);
                let senior = closer.is_some_and(|closer| closer.is_senior_to(authority.rank));
                let accepted = match &deed.act {
                    Act::CloseInvite { accepted, .. } => accepted.contains(&authority.deed),
                    _ => false,
                };
                senior && !accepted
            },
        )
    }

    /// Of one part of what a valid authority covers, the deltas that are cut: by seniors and, unless
    /// they are acts on oneself, by acts on oneself.
    fn void(&self, judged: &Judged, part: Part) -> BTreeSet<DeltaId> {
        let (authority, tally) = (&judged.authority, judged.part(part));
        let mut void = BTreeSet::new();
        for (log, deeds) in self.logs_of(authority.member, authority.id()) {
            let cuts = self.cuts_on(log).filter(|cut| {
                (part == Part::Rest || !cut.is_self_act())
                    && cut.cuts(authority, authority.rank, log)
            });
            for cut in cuts {
                let survivors = cut.survivors(log, &self.deeds);
                let covered = deeds.iter().filter(|id| tally.covers(**id) && !void.contains(*id));
                let cut = covered.filter_map(|id| self.deeds.get(id));
                let cut: Vec<_> = cut.filter(|deed| !survivors.hold(deed)).collect();
                void.extend(cut.iter().map(|deed| deed.id));
            }
        }
        void
    }

    /// A delta began or ceased to count: writes down what follows, and whom it concerns.
    fn follow_up(&mut self, rank: Rank, deed: DeltaId, agenda: &mut Agenda) {
        let counts = self.counts(deed);
        let Some(deed) = self.deeds.get(&deed) else { return };
        let (id, cut) = (deed.id, Cut::of(deed, rank));
        let closed = match deed.act {
            Act::CloseInvite { invite, .. } => Some(invite),
            _ => None,
        };
        let mut concerned = BTreeSet::from([AuthorityId::from(id)]);
        if let Some(invite) = closed {
            concerned.extend(self.by_invite.get(&invite).into_iter().flatten());
            note(&mut self.closings, invite, id, counts.then_some(()));
        }
        if let Some(cut) = cut {
            self.concern(&cut, agenda);
            note(&mut self.cuts, cut.target(), id, counts.then_some(cut));
        }
        let concerned = concerned.iter().filter_map(|id| self.judged.get(id));
        let juniors = concerned.filter(|other| rank.is_senior_to(other.authority.rank));
        juniors.for_each(|other| put(agenda, &other.authority));
    }

    /// Puts on the agenda whom a cut-off concerns. Acts on oneself have no say about one another.
    fn concern(&self, cut: &Cut, agenda: &mut Agenda) {
        let log = |log: LogId| (log.plane == Plane::Governance).then_some(log.authority);
        let (of_member, of_log) = match cut.target() {
            Target::Member(member) => (self.by_member.get(&member), None),
            Target::Log(closed) => (None, log(closed)),
        };
        let all = of_member.into_iter().flatten().chain(&of_log);
        for other in all.filter_map(|id| self.judged.get(id)).map(|other| &other.authority) {
            if cut.reaches(other.member, other.rank) {
                agenda.insert((other.rank, Part::Rest, other.id()));
                if !cut.is_self_act() {
                    put(agenda, other);
                }
            }
        }
    }
}

/// Puts both parts of an authority on the agenda.
fn put(agenda: &mut Agenda, authority: &Authority) {
    agenda.extend([Part::OnSelf, Part::Rest].map(|part| (authority.rank, part, authority.id())));
}

/// Adds an entry to one of several lists or, if there is none, takes it out. No list stays empty.
fn note<K: Ord + Copy, T>(
    lists: &mut BTreeMap<K, BTreeMap<DeltaId, T>>,
    list: K,
    id: DeltaId,
    entry: Option<T>,
) {
    let entries = lists.entry(list).or_default();
    match entry {
        Some(entry) => drop(entries.insert(id, entry)),
        None => drop(entries.remove(&id)),
    }
    if entries.is_empty() {
        lists.remove(&list);
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
