//! Single questions to the roster, for those who decide what to write next.

use super::act::{Act, SignedKem};
use super::authority::{Authority, Rank};
use super::cut::Target;
use super::roster::{Deed, Roster, Standing};
use crate::id::{AuthorityId, ContextId, DeltaId, LogId, PeerId, Seq};

impl Roster {
    /// The context it is about.
    pub const fn context(&self) -> ContextId {
        self.context
    }

    /// All authorities that were ever conferred, whether or not they count, each with its member.
    pub fn authorities(&self) -> impl Iterator<Item = (AuthorityId, PeerId)> {
        self.judged.iter().map(|(id, judged)| (*id, judged.authority.member))
    }

    /// Whether a cut-off that counts names this delta as an end of its log.
    pub fn names(&self, log: &LogId, seq: Seq, id: DeltaId) -> bool {
        match self.kept(log) {
            Standing::Within(sets) => sets.iter().any(|heads| heads.contains(&(seq, id))),
            Standing::Unknown | Standing::Nothing => false,
        }
    }

    /// The acts that count and would end an authority of this rank, were it conferred on a member
    /// now; ascending. One that is to hold has to override them.
    pub fn ends_on(&self, member: PeerId, rank: Rank) -> Vec<DeltaId> {
        let future = Authority {
            deed: DeltaId::ZERO,
            member,
            rank,
            by: None,
            invite: None,
            overrides: Vec::new(),
        };
        let cuts = self.cuts_at(Target::Member(member));
        cuts.filter(|cut| cut.ends(&future)).map(super::cut::Cut::deed).collect()
    }

    /// The box key of a member with its signature, from the act that conferred the authority by
    /// which the member acts.
    pub fn signed_kem(&self, member: PeerId) -> Option<&SignedKem> {
        match &self.deeds.get(&self.authority(member)?.deed)?.act {
            Act::Genesis { kem, .. } | Act::Grant { kem, .. } | Act::SetRole { kem, .. } => {
                Some(kem)
            }
            _ => None,
        }
    }

    /// The grants through an invite that count, with their members; ascending.
    pub fn grants_through(&self, invite: DeltaId) -> Vec<(DeltaId, PeerId)> {
        let all = self.by_invite.get(&invite).into_iter().flatten();
        let all = all.filter_map(|id| self.judged.get(id)).map(|judged| &judged.authority);
        let counting = all.filter(|authority| self.counts(authority.deed));
        counting.map(|authority| (authority.deed, authority.member)).collect()
    }

    /// Whether an act that counts removes this peer, or once did.
    pub fn was_revoked(&self, member: PeerId) -> bool {
        let cuts = self.cuts_at(Target::Member(member));
        let deeds = cuts.filter_map(|cut| self.deeds.get(&cut.deed()));
        deeds.map(|deed| &deed.act).any(|act| matches!(act, Act::Revoke { .. }))
    }

    /// An invite that counts, whether it is open or closed.
    pub fn invite(&self, id: DeltaId) -> Option<&Deed> {
        let deed = self.deeds.get(&id)?;
        (matches!(deed.act, Act::Invite { .. }) && self.counts(id)).then_some(deed)
    }

    /// Whether an act that counts closes an invite.
    pub fn is_closed(&self, invite: DeltaId) -> bool {
        self.closings_of(invite).next().is_some()
    }

    /// The rank against which acts on a log are judged, if its authority is one of its author's.
    pub fn rank_on(&self, log: &LogId) -> Option<Rank> {
        let authority = &self.judged.get(&log.authority)?.authority;
        (authority.member == log.author).then(|| self.rank_for(authority, log.plane))
    }

    /// Whether a delta is of this author.
    pub(super) fn is_by(&self, deed: DeltaId, author: PeerId) -> bool {
        self.deeds.get(&deed).is_some_and(|deed| deed.log.author == author)
    }
}
