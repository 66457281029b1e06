//! Cut-offs: what an act ends, and what survives it.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, CutOff};
use super::authority::{Authority, Rank, Role};
use super::roster::{Deed, Deeds};
use crate::id::{DeltaId, LogId, PeerId, Plane, Seq};

/// A delta with its place in its log, as a cut-off names it.
pub(super) type Head = (Seq, DeltaId);

/// What a cut-off is about, by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// Authorities of a member, and their logs.
    Member(PeerId),
    /// One log.
    Log(LogId),
}

impl Target {
    /// What the cut-off of a deed is about, if it makes one.
    pub(super) fn of(deed: &Deed) -> Option<Self> {
        match &deed.act {
            Act::Revoke { member, .. } | Act::SetRole { member, .. } => Some(Self::Member(*member)),
            Act::Leave { .. } => Some(Self::Member(deed.log.author)),
            Act::Close { cut } => Some(Self::Log(cut.log)),
            _ => None,
        }
    }
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
    /// For an act on oneself, where it stands: what is before it there is never cut by it.
    own: Option<(LogId, Seq)>,
    /// By log, ascending.
    heads: Vec<(LogId, Vec<Head>)>,
}

impl Cut {
    /// The cut-off of a deed done under an authority of this rank.
    pub(super) fn of(deed: &Deed, actor: Rank) -> Option<Self> {
        let (author, target) = (deed.log.author, Target::of(deed)?);
        let (lowers_to, cuts): (_, &[CutOff]) = match &deed.act {
            Act::Revoke { cuts, .. } | Act::Leave { cuts } => (None, cuts),
            Act::SetRole { role, cuts, .. } => (Some(*role), cuts),
            Act::Close { cut } => (None, std::slice::from_ref(cut)),
            _ => return None,
        };
        let mut heads: Vec<_> = cuts.iter().map(|cut| (cut.log, cut.heads.clone())).collect();
        heads.sort_by_key(|(log, _)| *log);
        heads.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1.append(&mut later.1);
            }
            same
        });
        let own = deed.act.is_self_act(author).then_some((deed.log, deed.seq));
        Some(Self { deed: deed.id, author, actor, target, lowers_to, own, heads })
    }

    /// The act that makes it.
    pub(super) fn deed(&self) -> DeltaId {
        self.deed
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
        let at = self.heads.binary_search_by_key(log, |(log, _)| *log).ok();
        at.and_then(|at| self.heads.get(at)).map(|(_, heads)| heads.as_slice()).unwrap_or_default()
    }

    /// What it names in a log.
    fn named(&self, log: &LogId, line: &Line) -> Named {
        let heads = self.heads(log);
        let (mut held, missing): (Vec<_>, Vec<_>) =
            heads.iter().copied().partition(|head| line.places.contains(head));
        let highest = heads.iter().map(|(seq, _)| *seq).max();
        let floor = highest.filter(|_| !missing.is_empty());
        held.extend(self.own.filter(|(own, _)| own == log).map(|(_, seq)| (seq, self.deed)));
        Named { held, missing, floor }
    }
}

/// The heads that a cut-off names in one log.
struct Named {
    /// Those that have arrived. The act itself, if it stands in that log, is one.
    held: Vec<Head>,
    missing: Vec<Head>,
    /// While one is missing, everything up to the highest that is named is left.
    floor: Reach,
}

/// The shape of one governance log, as far as it has arrived.
///
/// Nearly every log is a single unbroken line, of which a cut-off leaves what is up to some place. One
/// that forks, or of which something is missing, falls into stretches, of each of which that is true.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Line {
    places: BTreeSet<Head>,
    /// How many of them stand after one that has arrived, as long as no place is taken twice.
    links: usize,
    /// Whether some place is taken twice.
    forks: bool,
}

impl Line {
    /// Writes down a delta. Whether it lengthens an unbroken line, which leaves alone what was found
    /// about the rest.
    pub(super) fn add(&mut self, deed: &Deed, deeds: &Deeds) -> bool {
        let lengthens = self.is_unbroken();
        if self.forks || self.at(deed.seq).next().is_some() {
            (self.forks, self.links) = (true, 0);
        } else {
            let next = self.at(deed.seq.next()).filter_map(|(_, id)| deeds.get(id));
            let links = next.filter(|next| next.prev == deed.id && next.seq > deed.seq).count()
                + usize::from(self.before(deed).is_some());
            self.links += links;
        }
        self.places.insert((deed.seq, deed.id));
        lengthens && self.is_unbroken()
    }

    /// Its deltas in the order of their places.
    pub(super) fn places(&self) -> impl Iterator<Item = &Head> {
        self.places.iter()
    }

    /// Its deltas above one place, up to and with another; `None` is before the start.
    pub(super) fn between(&self, low: Reach, high: Reach) -> impl Iterator<Item = &Head> {
        let from = low.map_or(Seq::FIRST, Seq::next);
        let all = self.places.range((from, DeltaId::ZERO)..);
        all.take_while(move |(seq, _)| Some(*seq) <= high && Some(*seq) > low)
    }

    pub(super) fn is_unbroken(&self) -> bool {
        !self.forks && self.links + 1 == self.places.len()
    }

    fn at(&self, seq: Seq) -> impl Iterator<Item = &Head> {
        let all = self.places.range((seq, DeltaId::ZERO)..);
        all.take_while(move |(place, _)| *place == seq)
    }

    /// The delta before this one, if it has arrived.
    fn before(&self, deed: &Deed) -> Option<Head> {
        let before = (deed.seq.prev()?, deed.prev);
        self.places.contains(&before).then_some(before)
    }
}

/// How far up a line something reaches, if anywhere.
pub(super) type Reach = Option<Seq>;

/// To the end of any line.
pub(super) const ALL: Reach = Seq::new(u64::MAX);

/// What cut-offs leave of an unbroken line: what is up to some place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) reach: Reach,
    /// The named heads whose arrival may change it.
    awaited: BTreeSet<Head>,
}

impl Limit {
    /// What one cut-off leaves.
    pub(super) fn of(cut: &Cut, log: &LogId, line: &Line) -> Self {
        let Named { held, missing, floor } = cut.named(log, line);
        let reach = held.iter().map(|(seq, _)| *seq).max().max(floor);
        Self { reach, awaited: missing.into_iter().collect() }
    }

    /// Takes in what another cut-off leaves: both have to leave what is left.
    pub(super) fn lower(&mut self, other: Self) {
        self.reach = self.reach.min(other.reach);
        match self.reach {
            None => self.awaited.clear(),
            Some(_) => self.awaited.extend(other.awaited),
        }
    }

    /// What both of them leave.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.lower(other);
        self
    }

    pub(super) fn awaits(&self, head: &Head) -> bool {
        self.awaited.contains(head)
    }
}

/// A log in stretches, none of which forks or lacks anything, and what cut-offs leave of each.
pub(super) struct Stretches {
    of: BTreeMap<DeltaId, usize>,
    /// Of each, the stretch that it continues, and where.
    below: Vec<Option<(usize, Seq)>>,
    /// Of each, up to where it is left.
    reach: Vec<Reach>,
}

impl Stretches {
    /// All of a log.
    pub(super) fn of(line: &Line, deeds: &Deeds) -> Self {
        let all = || line.places().filter_map(|(_, id)| deeds.get(id));
        let mut followers: BTreeMap<Head, usize> = BTreeMap::new();
        for before in all().filter_map(|deed| line.before(deed)) {
            *followers.entry(before).or_default() += 1;
        }
        let (mut of, mut below) = (BTreeMap::new(), Vec::new());
        for deed in all() {
            let before = line.before(deed);
            let under = before.and_then(|(seq, id)| Some((*of.get(&id)?, seq)));
            let is_only = before.is_some_and(|before| followers.get(&before) == Some(&1));
            let stretch = match under {
                Some((stretch, _)) if is_only => stretch,
                _ => {
                    below.push(under);
                    below.len().saturating_sub(1)
                }
            };
            of.insert(deed.id, stretch);
        }
        let reach = vec![ALL; below.len()];
        Self { of, below, reach }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.below.len()
    }

    /// The highest of some deltas in each.
    pub(super) fn tops<'a>(&self, heads: impl Iterator<Item = &'a Head>) -> Vec<Head> {
        let mut tops = BTreeMap::new();
        for head in heads {
            let top = tops.entry(self.of.get(&head.1)).or_insert(*head);
            *top = (*top).max(*head);
        }
        tops.into_values().collect()
    }

    /// Leaves only what a cut-off leaves as well.
    pub(super) fn lower(&mut self, cut: &Cut, log: &LogId, line: &Line) {
        let Named { held, floor, .. } = cut.named(log, line);
        let mut kept = vec![floor; self.len()];
        for (seq, head) in held {
            let mut next = self.of.get(&head).map(|stretch| (*stretch, seq));
            while let Some((stretch, seq)) = next {
                next = match kept.get_mut(stretch) {
                    Some(kept) if *kept < Some(seq) => {
                        *kept = Some(seq);
                        self.below.get(stretch).copied().flatten()
                    }
                    _ => None,
                };
            }
        }
        for (reach, kept) in self.reach.iter_mut().zip(kept) {
            *reach = kept.min(*reach);
        }
    }

    /// Whether a delta is left.
    pub(super) fn hold(&self, (seq, id): &Head) -> bool {
        let stretch = self.of.get(id).and_then(|stretch| self.reach.get(*stretch));
        stretch.is_some_and(|reach| Some(*seq) <= *reach)
    }
}
