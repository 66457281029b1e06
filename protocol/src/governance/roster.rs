//! The roster: which authorities and acts count, and where logs end.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Topic};
use super::authority::{Authority, Rank, Role};
use super::cut::{Cut, Target};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub(super) context: ContextId,
    pub(super) deeds: BTreeMap<DeltaId, Deed>,
    pub(super) logs: BTreeMap<LogId, BTreeSet<DeltaId>>,
    pub(super) topics: BTreeMap<Topic, BTreeSet<DeltaId>>,
    pub(super) judged: BTreeMap<AuthorityId, Judged>,
    pub(super) by_member: BTreeMap<PeerId, BTreeSet<AuthorityId>>,
    pub(super) by_invite: BTreeMap<DeltaId, BTreeSet<AuthorityId>>,
    /// Cut-offs of acts that count, by what they are about.
    pub(super) cuts: BTreeMap<Target, BTreeMap<DeltaId, Cut>>,
    /// Acts that count and close an invite, by invite.
    pub(super) closings: BTreeMap<DeltaId, BTreeMap<DeltaId, ()>>,
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
            closings: BTreeMap::new(),
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

    /// Whether a governance delta counts.
    pub fn counts(&self, deed: DeltaId) -> bool {
        let judged = self.deeds.get(&deed).and_then(|deed| self.judged.get(&deed.acting()));
        judged.is_some_and(|judged| judged.counts(deed))
    }

    /// What is said about a log.
    pub fn standing(&self, log: &LogId) -> Standing {
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
        let rank = self.rank_for(authority, log.plane);
        let cuts = self.cuts_on(log).filter(|cut| cut.cuts(authority, rank, log));
        Standing::Within(cuts.map(|cut| self.heads(cut, log, judged)).collect())
    }

    /// The replicas: of each the last word that counts, by clock and id, is that it is enlisted.
    pub fn replicas(&self) -> BTreeSet<PeerId> {
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
        last.into_iter().filter(|(_, word)| word.2).map(|(replica, _)| replica).collect()
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
        self.counting(Topic::Invites).filter(|deed| !self.closings.contains_key(&deed.id))
    }

    /// The epochs of rotations that count.
    pub fn epochs(&self) -> BTreeMap<EpochId, Epoch> {
        let members = self.members();
        Epochs::of(self.counting(Topic::Epochs), |peer| members.contains_key(peer))
    }

    fn counting(&self, topic: Topic) -> impl Iterator<Item = &Deed> + Clone {
        let ids = self.topics.get(&topic).into_iter().flatten();
        ids.filter(|id| self.counts(**id)).filter_map(|id| self.deeds.get(id))
    }

    fn is_ended(&self, authority: &Authority) -> bool {
        self.cuts_at(Target::Member(authority.member)).any(|cut| cut.ends(authority))
    }

    pub(super) fn cuts_at(&self, target: Target) -> impl Iterator<Item = &Cut> {
        self.cuts.get(&target).into_iter().flat_map(BTreeMap::values)
    }

    /// All cut-offs that may concern a log.
    pub(super) fn cuts_on(&self, log: &LogId) -> impl Iterator<Item = &Cut> {
        self.cuts_at(Target::Member(log.author)).chain(self.cuts_at(Target::Log(*log)))
    }

    /// The rank against which acts on logs of an authority are judged. One that was lowered to a
    /// role that writes keeps its data logs, and ranks as that role for them: or else whoever may
    /// remove its member could not stop them.
    fn rank_for(&self, authority: &Authority, plane: Plane) -> Rank {
        let cuts = self.cuts_at(Target::Member(authority.member));
        let left = cuts.filter_map(|cut| cut.leaves(authority)).max();
        match (plane, left) {
            (Plane::Data, Some(role)) => Rank { role, ..authority.rank },
            _ => authority.rank,
        }
    }

    /// The heads that a cut-off leaves to a log, where all that counts is within. Acts on oneself do
    /// not void one another, so each of them is one.
    fn heads(&self, cut: &Cut, log: &LogId, judged: &Judged) -> Vec<(Seq, DeltaId)> {
        let mut heads = cut.heads(log).to_vec();
        if cut.is_self_act() && log.plane == Plane::Governance {
            let kept = judged.part(Part::OnSelf).counting().filter_map(|id| self.deeds.get(&id));
            heads.extend(kept.filter(|deed| deed.log == *log).map(|deed| (deed.seq, deed.id)));
        }
        heads.sort_unstable();
        heads.dedup();
        heads
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
    ) -> impl Iterator<Item = (&LogId, &BTreeSet<DeltaId>)> {
        let log = |life| LogId {
            author: member,
            authority,
            incarnation: Incarnation::new(life),
            plane: Plane::Governance,
        };
        self.logs.range(log(u64::MIN)..=log(u64::MAX))
    }
}
