//! The roster: which authorities and acts count, and where logs end.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Topic};
use super::authority::{Authority, Rank, Role};
use super::cut::{Cut, Line, Stretches, Target};
use super::epoch::{Epoch, Epochs};
use super::tally::{Judged, Part};
use crate::clock::Hlc;
use crate::id::{AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq};

/// A governance delta, as far as the roster is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Its id.
    pub id: DeltaId,
    /// Its log.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// The delta before it there.
    pub prev: DeltaId,
    /// When it says it was written.
    pub hlc: Hlc,
    /// What it does.
    pub act: Act,
}

impl Deed {
    /// The authority under which it is done. The genesis acts under the one it confers.
    pub(super) fn acting(&self) -> AuthorityId {
        match self.act {
            Act::Genesis { .. } => AuthorityId::from(self.id),
            _ => self.log.authority,
        }
    }

    /// In which part of its authority's acts it is judged.
    pub(super) fn part(&self) -> Part {
        if self.act.is_self_act(self.log.author) { Part::OnSelf } else { Part::Rest }
    }
}

/// Deltas by id. They are large, and a tree of small entries is quicker to search.
pub(super) type Deeds = BTreeMap<DeltaId, Box<Deed>>;

/// What the roster says about a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its authority is not known; it may come.
    Unknown,
    /// Nothing in it counts.
    Nothing,
    /// Everything in it counts that is within each of these sets of heads. A governance delta within
    /// them may still not count, which [`Roster::counts`] knows; none beyond them does.
    Within(Vec<Vec<(Seq, DeltaId)>>),
}

/// Who may do what in one context.
///
/// It is kept up as deltas come. Of `n` deltas, one more takes `O(log n)` where no cut-off comes or
/// goes, and as much again for each delta that begins or ceases to count and each authority judged
/// anew, of which no more than there are. A cut-off that comes takes `O(log n)` for each unbroken log
/// that it cuts and each head that it names there. All that cut a log are looked at, and the log is
/// gone through, once for each change in which it begins, one of them goes, or a head comes that one
/// of them waited for; and in each that touches it while it forks or has gaps, when each of them costs
/// as much as there are stretches. An invite closed `c` times costs `O(c)` for each of its guests.
///
/// How many members, authorities and logs there may be is for others to bound: nothing here does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub(super) context: ContextId,
    pub(super) deeds: Deeds,
    pub(super) logs: BTreeMap<LogId, Line>,
    pub(super) topics: BTreeMap<Topic, BTreeSet<DeltaId>>,
    pub(super) judged: BTreeMap<AuthorityId, Judged>,
    pub(super) by_member: BTreeMap<PeerId, BTreeSet<AuthorityId>>,
    pub(super) by_invite: BTreeMap<DeltaId, BTreeSet<AuthorityId>>,
    /// Cut-offs, by what they are about: of acts that count, and all those of data logs.
    pub(super) cuts: BTreeMap<(Target, DeltaId), Box<Cut>>,
    /// Acts that count and close an invite, by invite.
    pub(super) closings: BTreeSet<(DeltaId, DeltaId)>,
}

impl Roster {
    /// The roster of a context of which nothing is known yet.
    pub const fn new(context: ContextId) -> Self {
        Self {
            context,
            deeds: BTreeMap::new(),
            logs: BTreeMap::new(),
            topics: BTreeMap::new(),
            judged: BTreeMap::new(),
            by_member: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            cuts: BTreeMap::new(),
            closings: BTreeSet::new(),
        }
    }

    /// The roster of a set of deltas.
    pub fn of(context: ContextId, deeds: impl IntoIterator<Item = Deed>) -> Self {
        let mut roster = Self::new(context);
        roster.extend(deeds);
        roster
    }

    /// The members with their roles: of each the most senior authority that counts and is not ended.
    pub fn members(&self) -> BTreeMap<PeerId, Role> {
        let role = |member: &PeerId| Some((*member, self.role(*member)?));
        self.by_member.keys().filter_map(role).collect()
    }

    /// The role of a member.
    pub fn role(&self, member: PeerId) -> Option<Role> {
        self.authority(member).map(|authority| authority.rank.role)
    }

    /// The authority by which a member acts: the most senior that counts and is not ended.
    pub fn authority(&self, member: PeerId) -> Option<&Authority> {
        let all = self.by_member.get(&member)?.iter().filter_map(|id| self.judged.get(id));
        let active = all.filter(|judged| judged.valid && !self.is_ended(&judged.authority));
        let best = active.min_by_key(|judged| (judged.authority.rank, judged.authority.deed));
        best.map(|judged| &judged.authority)
    }

    /// A governance delta that is known, whether or not it counts.
    pub fn deed(&self, id: &DeltaId) -> Option<&Deed> {
        self.deeds.get(id).map(Box::as_ref)
    }

    /// Whether a governance delta is known.
    pub fn knows(&self, id: DeltaId) -> bool {
        self.deeds.contains_key(&id)
    }

    /// On whom authorities were conferred through an invite, whether or not they count.
    pub(crate) fn joined_through(&self, invite: &DeltaId) -> impl Iterator<Item = PeerId> {
        let all = self.by_invite.get(invite).into_iter().flatten();
        all.filter_map(|id| Some(self.judged.get(id)?.authority.member))
    }

    /// Whether a governance delta counts.
    pub fn counts(&self, deed: DeltaId) -> bool {
        let judged = self.deeds.get(&deed).and_then(|deed| self.judged.get(&deed.acting()));
        judged.is_some_and(|judged| judged.counts(deed))
    }

    /// What is said about a log.
    pub fn standing(&self, log: &LogId) -> Standing {
        let sets = |judged: &Judged| {
            let cuts: Vec<_> = self.cuts_of(judged, log).collect();
            let governs =
                log.plane == Plane::Governance && cuts.iter().any(|cut| cut.is_self_act());
            let own = if governs { self.acts_on_oneself(judged, log) } else { Vec::new() };
            let heads = |cut: &Cut| heads(cut, log, if cut.is_self_act() { &own } else { &[] });
            cuts.into_iter().map(heads).collect()
        };
        self.standing_by(log, sets)
    }

    /// Which deltas of a log are worth keeping and passing on: of sets of heads those within at least
    /// one, since it may take the heads of one to tell what another leaves.
    ///
    /// A governance log is not bounded by what its author does to itself: a `Close` that comes after
    /// a `Leave` counts, so what is beyond either must be there to be judged. Whether it is bounded
    /// depends on strictly senior authorities alone: it is the same whatever has arrived of the log
    /// itself, and of others under the same authority. Only the log of the genesis is unknown until
    /// the genesis is there.
    pub fn kept(&self, log: &LogId) -> Standing {
        let sets = |judged: &Judged| {
            let mut cuts = self.cuts_of(judged, log);
            let bounded = log.plane == Plane::Data || cuts.any(|cut| !cut.is_self_act());
            let cuts = self.cuts_of(judged, log).filter(|_| bounded);
            cuts.map(|cut| heads(cut, log, &[])).collect()
        };
        self.standing_by(log, sets)
    }

    /// What is said about a log, of which a valid authority that covers it leaves these sets of heads.
    fn standing_by(
        &self,
        log: &LogId,
        sets: impl FnOnce(&Judged) -> Vec<Vec<(Seq, DeltaId)>>,
    ) -> Standing {
        if log.authority == AuthorityId::ZERO {
            return self.standing_of_genesis(log);
        }
        let Some(judged) = self.judged.get(&log.authority) else {
            let never = self.confers_nothing(log.authority);
            return if never { Standing::Nothing } else { Standing::Unknown };
        };
        let authority = &judged.authority;
        let covered = log.plane == Plane::Governance || authority.rank.role.writes();
        if !judged.valid || authority.member != log.author || !covered {
            return Standing::Nothing;
        }
        Standing::Within(sets(judged))
    }

    /// The replicas: of each the last word that counts, by clock and id, is that it is enlisted.
    pub fn replicas(&self) -> BTreeSet<PeerId> {
        self.words_on_replicas().filter(|(_, enlisted)| *enlisted).map(|(it, _)| it).collect()
    }

    /// Whether the last word that counts on a replica is that it is one no more.
    pub fn was_delisted(&self, replica: PeerId) -> bool {
        self.words_on_replicas().any(|word| word == (replica, false))
    }

    /// Of each that ever was a replica the last word that counts: whether it is one.
    fn words_on_replicas(&self) -> impl Iterator<Item = (PeerId, bool)> {
        let mut last: BTreeMap<PeerId, (Hlc, DeltaId, bool)> = BTreeMap::new();
        for deed in self.counting(Topic::Replicas) {
            let (replica, enlisted) = match deed.act {
                Act::Enlist { replica } => (replica, true),
                Act::Delist { replica } => (replica, false),
                _ => continue,
            };
            let word = (deed.hlc, deed.id, enlisted);
            let kept = last.entry(replica).or_insert(word);
            *kept = word.max(*kept);
        }
        last.into_iter().map(|(replica, word)| (replica, word.2))
    }

    /// The sealed name of the context, by the last word that counts.
    pub fn name(&self) -> Option<&[u8]> {
        let named = self.counting(Topic::Name).filter_map(|deed| match &deed.act {
            Act::Genesis { name, .. } | Act::Rename { name } => Some(((deed.hlc, deed.id), name)),
            _ => None,
        });
        named.max_by_key(|(word, _)| *word).map(|(_, name)| name.as_slice())
    }

    /// The open invites: those that count and that no act closes.
    pub fn invites(&self) -> impl Iterator<Item = &Deed> {
        self.counting(Topic::Invites).filter(|deed| self.closings_of(deed.id).next().is_none())
    }

    /// The epochs of rotations that count.
    pub fn epochs(&self) -> BTreeMap<EpochId, Epoch> {
        let members = self.members().into_keys().collect();
        let all = self.topics.get(&Topic::Epochs).into_iter().flatten();
        let all = all.filter_map(|id| self.deed(id));
        let (counting, others): (Vec<_>, Vec<_>) = all.partition(|deed| self.counts(deed.id));
        let overtaken: Vec<_> = others.into_iter().filter(|deed| self.was_open(deed)).collect();
        Epochs::of(&counting, &overtaken, &members)
    }

    /// Whether the role that a governance delta was written under is one for acts like it, whatever
    /// became of that role.
    fn was_open(&self, deed: &Deed) -> bool {
        let author = deed.log.author;
        let by = self.deed(&DeltaId::from_bytes(*deed.log.authority.as_bytes()));
        let role = by.and_then(|by| match &by.act {
            Act::Genesis { .. } if by.log.author == author => Some(Role::Owner),
            Act::Grant { member, role, .. } | Act::SetRole { member, role, .. } => {
                (*member == author).then_some(*role)
            }
            _ => None,
        });
        role.is_some_and(|role| deed.act.is_open_to(role, author))
    }

    fn counting(&self, topic: Topic) -> impl Iterator<Item = &Deed> {
        let ids = self.topics.get(&topic).into_iter().flatten();
        ids.filter(|id| self.counts(**id)).filter_map(|id| self.deeds.get(id)).map(Box::as_ref)
    }

    fn is_ended(&self, authority: &Authority) -> bool {
        self.cuts_at(Target::Member(authority.member)).any(|cut| cut.ends(authority))
    }

    /// Cut-offs that count, about one thing.
    pub(super) fn cuts_at(&self, target: Target) -> impl Iterator<Item = &Cut> {
        let from = self.cuts.range((target, DeltaId::ZERO)..);
        let all = from.take_while(move |((of, _), _)| *of == target);
        let data = matches!(target, Target::Log(log) if log.plane == Plane::Data);
        all.filter(move |((_, act), _)| !data || self.counts(*act)).map(|(_, cut)| cut.as_ref())
    }

    /// The acts that count and close an invite.
    pub(super) fn closings_of(&self, invite: DeltaId) -> impl Iterator<Item = DeltaId> {
        let from = self.closings.range((invite, DeltaId::ZERO)..);
        from.take_while(move |(of, _)| *of == invite).map(|(_, act)| *act)
    }

    /// All cut-offs that may concern a log.
    pub(super) fn cuts_on(&self, log: &LogId) -> impl Iterator<Item = &Cut> {
        self.cuts_at(Target::Member(log.author)).chain(self.cuts_at(Target::Log(*log)))
    }

    /// One of the cut-offs that may concern a log.
    pub(super) fn cut_on(&self, log: &LogId, act: DeltaId) -> Option<&Cut> {
        let find = |target| self.cuts.get(&(target, act)).map(Box::as_ref);
        find(Target::Log(*log)).or_else(|| find(Target::Member(log.author)))
    }

    /// The rank against which acts on logs of an authority are judged. One that was lowered to a
    /// role that writes keeps its data logs, and ranks as that role for them: or else whoever may
    /// remove its member could not stop them.
    pub(super) fn rank_for(&self, authority: &Authority, plane: Plane) -> Rank {
        let cuts = self.cuts_at(Target::Member(authority.member));
        let left = cuts.filter_map(|cut| cut.leaves(authority)).max();
        match (plane, left) {
            (Plane::Data, Some(role)) => Rank { role, ..authority.rank },
            _ => authority.rank,
        }
    }

    /// The cut-offs that cut a log of an authority.
    fn cuts_of(&self, judged: &Judged, log: &LogId) -> impl Iterator<Item = &Cut> {
        let authority = &judged.authority;
        let rank = self.rank_for(authority, log.plane);
        self.cuts_on(log).filter(move |cut| cut.cuts(authority, rank, log))
    }

    /// The last acts on oneself that count in a governance log. They do not void one another, so no
    /// cut-off that is one of them bounds the log before them.
    fn acts_on_oneself(&self, judged: &Judged, log: &LogId) -> Vec<(Seq, DeltaId)> {
        let Some(line) = self.logs.get(log) else { return Vec::new() };
        let acts = line.places().filter(|(_, id)| judged.part(Part::OnSelf).counts(*id));
        Stretches::of(line, &self.deeds).tops(acts)
    }

    /// Nothing cuts the genesis: without it there is no context.
    fn standing_of_genesis(&self, log: &LogId) -> Standing {
        let genesis = DeltaId::from_bytes(*self.context.as_bytes());
        match self.deeds.get(&genesis) {
            None => Standing::Unknown,
            Some(genesis) if genesis.log == *log => Standing::Within(Vec::new()),
            Some(_) => Standing::Nothing,
        }
    }

    /// Whether this is known never to become an authority, whatever may come.
    fn confers_nothing(&self, id: AuthorityId) -> bool {
        let deed = self.deeds.get(&DeltaId::from_bytes(*id.as_bytes()));
        deed.is_some_and(|deed| !deed.act.confers() || self.judged.contains_key(&deed.acting()))
    }

    /// The governance logs of a member under one authority.
    pub(super) fn logs_of(
        &self,
        member: PeerId,
        authority: AuthorityId,
    ) -> impl Iterator<Item = (&LogId, &Line)> {
        let log = |life| LogId {
            author: member,
            authority,
            incarnation: Incarnation::new(life),
            plane: Plane::Governance,
        };
        self.logs.range(log(u64::MIN)..=log(u64::MAX))
    }
}

/// The heads that a cut-off leaves to a log, together with these.
fn heads(cut: &Cut, log: &LogId, more: &[(Seq, DeltaId)]) -> Vec<(Seq, DeltaId)> {
    let mut heads = [cut.heads(log), more].concat();
    heads.sort_unstable();
    heads.dedup();
    heads
}
