//! Taking somebody in: by name, or because they hold a ticket.

use super::act::{Act, SignedKem};
use super::author::Author;
use super::authority::Role;
use super::plan::Plan;
use super::refusal::Refusal;
use super::roster::Deed;
use crate::id::{DeltaId, PeerId};
use crate::keybox;
use crate::keys::KemPublic;
use crate::limits::MEMBERS_PER_CONTEXT;
use crate::seal::EpochKey;

/// Somebody who holds the ticket of an invite, which has been proved (`join`), and wants to come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// The invite.
    pub invite: DeltaId,
    /// Who.
    pub member: PeerId,
    /// Their box key.
    pub kem: SignedKem,
}

/// What an invite says.
struct Terms {
    id: DeltaId,
    issuer: PeerId,
    role: Role,
    expires_at_ms: u64,
    uses: u32,
}

impl Terms {
    fn of(invite: &Deed) -> Option<Self> {
        let Act::Invite { role, expires_at_ms, uses, .. } = invite.act else { return None };
        Some(Self { id: invite.id, issuer: invite.log.author, role, expires_at_ms, uses })
    }
}

impl Author<'_> {
    /// Lets somebody in by an invite.
    ///
    /// Who came in by it and is a member gets the same answer again, whatever has become of the
    /// invite. Who is a member in another way does not come in twice. Who left of their own accord
    /// may come back; whom others removed or lowered may not, not by an invite.
    pub(super) fn redeem(&self, redemption: Redemption) -> Result<Plan, Refusal> {
        let Redemption { invite, member, kem } = redemption;
        let roster = self.sight.roster;
        let terms = roster.invite(invite).and_then(Terms::of).ok_or(Refusal::UnknownInvite)?;
        let through = roster.grants_through(invite);
        if roster.role(member).is_some() {
            let earlier = through.iter().find(|(_, came)| *came == member);
            let (earlier, _) = earlier.ok_or(Refusal::AlreadyMember)?;
            return Ok(Plan { already: Some(*earlier), ..Plan::of(Vec::new()) });
        }
        self.needs_open(&terms, through.len())?;
        if roster.was_revoked(member) {
            return Err(Refusal::WasRemoved);
        }
        let ends = roster.ends_on(member, self.confers(terms.role));
        if !ends.iter().all(|deed| roster.is_by(*deed, member)) {
            return Err(Refusal::WasRemoved);
        }
        let mut overrides = self.overrides(member, terms.role);
        overrides.retain(|deed| roster.is_by(*deed, member));
        self.admit(member, kem, (terms.role, Some(invite), overrides))
    }

    /// Gives somebody a role who has none, whatever was done to them before.
    pub(super) fn grant(
        &self,
        member: PeerId,
        kem: SignedKem,
        role: Role,
    ) -> Result<Plan, Refusal> {
        self.needs_to_confer(role)?;
        if self.sight.roster.role(member).is_some() {
            return Err(Refusal::AlreadyMember);
        }
        let overrides = self.overrides(member, role);
        self.admit(member, kem, (role, None, overrides))
    }

    /// Whether this author may let somebody in by an invite, here and now.
    fn needs_open(&self, terms: &Terms, used: usize) -> Result<(), Refusal> {
        let (roster, issuer) = (self.sight.roster, terms.issuer);
        if roster.is_closed(terms.id) {
            return Err(Refusal::Closed);
        }
        if self.sight.has_passed(terms.expires_at_ms) {
            return Err(Refusal::Expired);
        }
        // What an invite promises counts as much as what its issuer could grant, or else a junior
        // could have a senior confer more than the junior has.
        let could = Role::Admin.min(terms.role);
        if roster.role(issuer).is_none_or(|role| role > could) {
            return Err(Refusal::IssuerGone { issuer });
        }
        if terms.uses != 0 && issuer != self.sight.me {
            return Err(Refusal::NotTheIssuer { issuer });
        }
        self.needs_to_confer(terms.role)?;
        if terms.uses != 0 && used as u64 >= u64::from(terms.uses) {
            return Err(Refusal::UsedUp { uses: terms.uses });
        }
        Ok(())
    }

    fn admit(
        &self,
        member: PeerId,
        kem: SignedKem,
        (role, invite, overrides): (Role, Option<DeltaId>, Vec<DeltaId>),
    ) -> Result<Plan, Refusal> {
        let (roster, key) = (self.sight.roster, KemPublic::from_bytes(kem.key));
        if !is_usable(&key, member, &kem.signature) {
            return Err(Refusal::BadKemKey);
        }
        let max = MEMBERS_PER_CONTEXT;
        if roster.members().len() as u64 >= max {
            return Err(Refusal::TooManyMembers { max });
        }
        let seals = self.sight.keyring.for_newcomer(roster, member, &key);
        Ok(Plan::of(vec![Act::Grant { member, kem, role, seals, invite, overrides }]))
    }
}

/// Whether a box key is its owner's, and one that keys can be sealed to.
fn is_usable(key: &KemPublic, owner: PeerId, signature: &[u8; 64]) -> bool {
    let trial = EpochKey::from_bytes([0; 32]);
    key.is_signed_by(owner, signature) && keybox::seal(&trial, owner, key).is_ok()
}
