//! Cut-offs: what an act ends, and what survives it.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, CutOff};
use super::authority::{Authority, Rank, Role};
use super::roster::Deed;
use crate::id::{DeltaId, LogId, PeerId, Plane, Seq};

/// A tip of a log, as a cut-off names it.
type Head = (Seq, DeltaId);

/// What a cut-off is about, by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// Authorities of a member, and their logs.
    Member(PeerId),
    /// One log.
    Log(LogId),
}

/// A cut-off that an act makes, if the act counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    deed: DeltaId,
    author: PeerId,
    /// The rank under which it is made.
    actor: Rank,
    target: Target,
    /// A lowering ends what is above this role, and nothing else.
    lowers_to: Option<Role>,
    /// For an act on oneself, the log it stands in: what is before it there is never cut by it.
    own: Option<LogId>,
    heads: BTreeMap<LogId, Vec<Head>>,
}

impl Cut {
    /// The cut-off of a deed done under an authority of this rank.
    pub(super) fn of(deed: &Deed, actor: Rank) -> Option<Self> {
        let author = deed.log.author;
        let (target, lowers_to, cuts): (_, _, &[CutOff]) = match &deed.act {
            Act::Revoke { member, cuts, .. } => (Target::Member(*member), None, cuts),
            Act::Leave { cuts } => (Target::Member(author), None, cuts),
            Act::SetRole { member, role, cuts, .. } => (Target::Member(*member), Some(*role), cuts),
            Act::Close { cut } => (Target::Log(cut.log), None, std::slice::from_ref(cut)),
            _ => return None,
        };
        let mut heads: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for cut in cuts {
            heads.entry(cut.log).or_default().extend(cut.heads.iter().copied());
        }
        let own = deed.act.is_self_act(author).then_some(deed.log);
        Some(Self { deed: deed.id, author, actor, target, lowers_to, own, heads })
    }

    /// What it is about.
    pub(super) fn target(&self) -> Target {
        self.target
    }

    /// Whether its author does it to itself.
    pub(super) fn is_self_act(&self) -> bool {
        self.own.is_some()
    }

    /// Whether it may act on an authority of this rank at all: a strictly junior one, or one of its
    /// author's that is not senior to the one it is done under.
    pub(super) fn reaches(&self, member: PeerId, rank: Rank) -> bool {
        match self.own {
            Some(_) => member == self.author && !rank.is_senior_to(self.actor),
            None => self.actor.is_senior_to(rank),
        }
    }

    /// Whether it ends an authority: its member has no role by it any more.
    pub(super) fn ends(&self, authority: &Authority) -> bool {
        self.is_about(authority, authority.rank)
            && self.lowers_to.is_none_or(|role| authority.rank.role < role)
    }

    /// The role that is left of an authority for its data logs: of one that was lowered to a role
    /// that writes, that role.
    pub(super) fn leaves(&self, authority: &Authority) -> Option<Role> {
        self.lowers_to.filter(|role| role.writes() && self.ends(authority))
    }

    /// Whether it cuts a log of an authority that counts, for logs like this one, as of this rank.
    pub(super) fn cuts(&self, authority: &Authority, rank: Rank, log: &LogId) -> bool {
        match (self.target, self.lowers_to) {
            (Target::Log(closed), _) => {
                // Data decides nothing, so its author may end it under whatever authority is left.
                let own_data = self.is_self_act() && log.plane == Plane::Data;
                let reaches = own_data || self.reaches(authority.member, rank);
                closed == *log && reaches
            }
            (Target::Member(_), Some(role)) => {
                let spared = log.plane == Plane::Data && role.writes();
                !spared && self.is_about(authority, rank) && rank.role < role
            }
            (Target::Member(_), None) => self.is_about(authority, rank),
        }
    }

    fn is_about(&self, authority: &Authority, rank: Rank) -> bool {
        self.target == Target::Member(authority.member)
            && authority.deed != self.deed
            && self.reaches(authority.member, rank)
            && !authority.overrides.contains(&self.deed)
    }

    /// The heads that it names in a log; none means that the log is cut before its start.
    pub(super) fn heads(&self, log: &LogId) -> &[Head] {
        self.heads.get(log).map(Vec::as_slice).unwrap_or_default()
    }

    /// The deltas of a governance log that survive it.
    pub(super) fn survivors(&self, log: &LogId, deeds: &BTreeMap<DeltaId, Deed>) -> Survivors {
        let mut survivors = Survivors::default();
        for (seq, head) in self.heads(log) {
            match deeds.get(head).filter(|deed| deed.log == *log && deed.seq == *seq) {
                Some(head) => survivors.keep_past(head, deeds),
                None => survivors.missing = true,
            }
            survivors.highest = survivors.highest.max(Some(*seq));
        }
        if self.own == Some(*log)
            && let Some(deed) = deeds.get(&self.deed)
        {
            survivors.keep_past(deed, deeds);
        }
        survivors
    }
}

/// What survives a cut-off in one log.
#[derive(Debug, Default)]
pub(super) struct Survivors {
    kept: BTreeSet<DeltaId>,
    /// Whether a named head has not arrived: until then only what is above all of them is void.
    missing: bool,
    highest: Option<Seq>,
}

impl Survivors {
    /// Keeps a delta and what is before it in its log.
    fn keep_past(&mut self, from: &Deed, deeds: &BTreeMap<DeltaId, Deed>) {
        let mut next = Some(from);
        while let Some(deed) = next {
            if !self.kept.insert(deed.id) {
                return;
            }
            next = deeds
                .get(&deed.prev)
                .filter(|prev| prev.log == deed.log && deed.seq.prev() == Some(prev.seq));
        }
    }

    pub(super) fn hold(&self, deed: &Deed) -> bool {
        self.kept.contains(&deed.id) || (self.missing && Some(deed.seq) <= self.highest)
    }
}
