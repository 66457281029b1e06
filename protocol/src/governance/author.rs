//! The one who decides: by which right, and what would come of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, CutOff};
use super::authority::{Authority, Rank, Role};
use super::plan::{Plan, Sight};
use super::refusal::Refusal;
use super::roster::{Deed, Roster};
use crate::clock::Hlc;
use crate::id::{DeltaId, Incarnation, LogId, PeerId, Plane, Seq};
use crate::limits::DELTA_BYTES;

/// Bytes of the ends that one act names: half of a delta, the other half being for a rotation.
const CUT_BYTES: u64 = DELTA_BYTES / 2;
/// Bytes of the end of a log, besides its heads.
const LOG_BYTES: u64 = 77;
/// Bytes of a head.
const HEAD_BYTES: u64 = 40;

const SUPPOSED_CONTEXT: &str = "mangrove 2026 supposed deed v1";

/// A member about to act.
pub(super) struct Author<'a> {
    pub(super) sight: &'a Sight<'a>,
    /// The authority under which it acts.
    pub(super) own: &'a Authority,
}

impl<'a> Author<'a> {
    pub(super) fn of(sight: &'a Sight<'a>) -> Result<Self, Refusal> {
        let own = sight.roster.authority(sight.me).ok_or(Refusal::NotAMember)?;
        Ok(Self { sight, own })
    }

    pub(super) fn needs(&self, least: Role) -> Result<(), Refusal> {
        if self.own.rank.role <= least { Ok(()) } else { Err(Refusal::Forbidden { needs: least }) }
    }

    /// An admin confers what it has itself, and less.
    pub(super) fn needs_to_confer(&self, role: Role) -> Result<(), Refusal> {
        self.needs(Role::Admin.min(role))
    }

    /// The rank of what it confers as this role.
    pub(super) fn confers(&self, role: Role) -> Rank {
        Rank { role, depth: self.own.rank.depth.saturating_add(1) }
    }

    /// The earlier acts that an authority it confers as this role has to override: those that would
    /// end it, or its data logs once it is lowered, which then rank as the role that is left.
    pub(super) fn overrides(&self, member: PeerId, role: Role) -> Vec<DeltaId> {
        let roles = [Role::Owner, Role::Admin, Role::Writer, Role::Reader].into_iter();
        let ranks = roles.filter(|left| *left >= role).map(|left| self.confers(left));
        let ends = ranks.flat_map(|rank| self.sight.roster.ends_on(member, rank));
        ends.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A member on whom it may act. All other authorities of that member are junior to this one.
    pub(super) fn needs_junior(&self, member: PeerId) -> Result<&'a Authority, Refusal> {
        let theirs = self.sight.roster.authority(member).ok_or(Refusal::UnknownMember)?;
        if self.own.rank.is_senior_to(theirs.rank) { Ok(theirs) } else { Err(Refusal::NotJunior) }
    }

    /// Everything accepted of a member, in those of its logs.
    pub(super) fn accepted(&self, of: PeerId, logs: impl Fn(&LogId) -> bool) -> Vec<CutOff> {
        let mut all: BTreeMap<LogId, BTreeSet<_>> = BTreeMap::new();
        let accepted = (self.sight.accepted)(of);
        for cut in accepted.into_iter().filter(|cut| cut.log.author == of && logs(&cut.log)) {
            all.entry(cut.log).or_default().extend(cut.heads);
        }
        self.fitting(all.into_iter().map(|(log, heads)| CutOff::at(log, heads)).collect())
    }

    /// As many ends of logs as an act has room for, so that nobody is safe from being removed by
    /// writing many logs. Left out are, first, governance logs that give nothing but boxes, and the
    /// shortest first; what is not named is cut at its start.
    fn fitting(&self, cuts: Vec<CutOff>) -> Vec<CutOff> {
        let bytes = |cut: &CutOff| LOG_BYTES + HEAD_BYTES * cut.heads.len() as u64;
        if cuts.iter().map(bytes).sum::<u64>() <= CUT_BYTES {
            return cuts;
        }
        let deeds = self.sight.roster.deeds.values();
        let weighty = deeds.filter(|deed| !matches!(deed.act, Act::Seal { .. } | Act::Rotate(_)));
        let weighty: BTreeSet<_> = weighty.map(|deed| deed.log).collect();
        let mut ranked: Vec<_> = cuts
            .into_iter()
            .map(|cut| {
                let weighs = cut.log.plane == Plane::Data || weighty.contains(&cut.log);
                (weighs, cut.heads.last().copied(), cut)
            })
            .collect();
        ranked.sort_unstable_by_key(|(weighs, last, _)| Reverse((*weighs, *last)));
        let mut room = CUT_BYTES;
        let kept = ranked.into_iter().map_while(|(_, _, cut)| {
            room = room.checked_sub(bytes(&cut))?;
            Some((cut.log, cut))
        });
        kept.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The roster as it would be with these acts.
    pub(super) fn suppose(&self, acts: &[Act]) -> Roster {
        let mut after = self.sight.roster.clone();
        for act in acts {
            let deed = self.supposed(&after, act);
            after.insert(deed);
        }
        after
    }

    /// An act as a delta, in a log of its own.
    fn supposed(&self, roster: &Roster, act: &Act) -> Deed {
        let id = DeltaId::from_bytes(blake3::derive_key(SUPPOSED_CONTEXT, &act.encode()));
        let life = id.as_bytes().first_chunk().copied().unwrap_or_default();
        let log = LogId {
            author: self.sight.me,
            authority: roster.authority(self.sight.me).unwrap_or(self.own).id(),
            incarnation: Incarnation::new(u64::from_le_bytes(life)),
            plane: Plane::Governance,
        };
        let (seq, prev, hlc) = (Seq::FIRST, DeltaId::ZERO, Hlc::ZERO);
        Deed { id, log, seq, prev, hlc, act: act.clone() }
    }

    /// A plan of acts that end something about one member, and what they bring down besides.
    pub(super) fn plan(&self, acts: Vec<Act>, about: PeerId, after: &Roster) -> Plan {
        let members = after.members();
        let before = self.sight.roster.members().into_keys();
        let gone = before.filter(|member| *member != about && !members.contains_key(member));
        Plan { falls: gone.collect(), ..Plan::of(acts) }
    }

    /// An owner may not be the last one to go, unless nobody is left behind.
    pub(super) fn leaves_an_owner(&self, after: &Roster) -> Result<(), Refusal> {
        let left = after.members();
        let orphaned = !left.is_empty() && !left.values().any(|role| *role == Role::Owner);
        let was_owner = self.own.rank.role == Role::Owner;
        if orphaned && was_owner { Err(Refusal::LastOwner) } else { Ok(()) }
    }
}
