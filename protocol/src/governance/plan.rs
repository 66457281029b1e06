//! What a member writes when something is asked of it.
//!
//! The checks here are the author's own: what others write is judged by the roster alone, which knows
//! nothing of the last owner, of expiry or of how often an invite may be used.

use std::fmt;

use zeroize::Zeroizing;

use super::act::{Act, CutOff, Rotation, SignedKem};
use super::author::Author;
use super::authority::Role;
use super::keyring::Keyring;
use super::redemption::Redemption;
use super::refusal::Refusal;
use super::roster::{Roster, Standing};
use crate::id::{DeltaId, EpochId, LogId, PeerId, Plane};
use crate::limits::DELTA_BYTES;
use crate::seal::EpochKey;

/// What a delta needs besides its act: a header with all parents it may have, and the signature.
const ROOM_BYTES: u64 = 16 * 1024;

/// What a member asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A door for whoever holds the ticket.
    Invite {
        /// The public key of the ticket.
        key: [u8; 32],
        /// As what they come in.
        role: Role,
        /// Until when.
        expires_at_ms: u64,
        /// How often; 0 for any number.
        uses: u32,
    },
    /// An end to an invite. Who came in by it stays.
    CloseInvite {
        /// Which.
        invite: DeltaId,
    },
    /// A role for somebody who has none, by name; also for one who was removed.
    Grant {
        /// Whom.
        member: PeerId,
        /// Their box key.
        kem: SignedKem,
        /// As what.
        role: Role,
    },
    /// Another role for a member.
    SetRole {
        /// Whom.
        member: PeerId,
        /// As what.
        role: Role,
    },
    /// That a member goes.
    Remove {
        /// Whom.
        member: PeerId,
    },
    /// To go oneself.
    Leave,
    /// Another name for the context.
    Rename {
        /// The name, sealed.
        name: Vec<u8>,
    },
    /// A new epoch.
    Rotate,
    /// A replica to be taken in.
    Enlist {
        /// Which.
        replica: PeerId,
    },
    /// A replica to be dismissed.
    Delist {
        /// Which.
        replica: PeerId,
    },
    /// An end to one log, after what is accepted of it.
    Close {
        /// Which.
        log: LogId,
    },
    /// To let in somebody who holds a ticket.
    Redeem(Redemption),
}

/// What the one who decides knows.
pub struct Sight<'a> {
    /// The roster.
    pub roster: &'a Roster,
    /// The epoch keys held.
    pub keyring: &'a Keyring,
    /// Who decides.
    pub me: PeerId,
    /// The wall clock, in Unix ms.
    pub now_ms: u64,
    /// All logs of a member, of both planes, with the tips that are applied here.
    pub accepted: &'a dyn Fn(PeerId) -> Vec<CutOff>,
}

impl Sight<'_> {
    /// Whether a time has come.
    pub(super) const fn has_passed(&self, at_ms: u64) -> bool {
        at_ms <= self.now_ms
    }
}

impl fmt::Debug for Sight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sight(of {:?} at {} ms)", self.me, self.now_ms)
    }
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The acts, in the order in which they are to be written, in one commit; each under the
    /// authority that its author has at that moment, and in a log that nothing ends.
    pub acts: Vec<Act>,
    /// The key of the epoch that they begin, which belongs on the keyring with them.
    pub epoch: Option<EpochKey>,
    /// Members who lose their last authority by it, besides the one it is about. There are some only
    /// if not all that the roster counts was accepted.
    pub falls: Vec<PeerId>,
    /// The delta that said earlier what was asked for: nothing is to be written.
    pub already: Option<DeltaId>,
}

impl Plan {
    pub(super) const fn of(acts: Vec<Act>) -> Self {
        Self { acts, epoch: None, falls: Vec::new(), already: None }
    }

    /// Whether all of it fits into deltas.
    fn check(self) -> Result<Self, Refusal> {
        let fits = |act: &Act| {
            let bytes = act.encode().len() as u64;
            bytes.saturating_add(ROOM_BYTES) <= DELTA_BYTES && act.check().is_ok()
        };
        if self.acts.iter().all(fits) { Ok(self) } else { Err(Refusal::TooLarge) }
    }
}

/// What to write so that it is as asked for. `fresh` is 32 random bytes, used if an epoch begins.
pub fn plan(sight: &Sight<'_>, command: Command, fresh: [u8; 32]) -> Result<Plan, Refusal> {
    let fresh = Zeroizing::new(fresh);
    let author = Author::of(sight)?;
    let plan = match command {
        Command::Invite { key, role, expires_at_ms, uses } => {
            author.invite(Act::Invite { key, role, expires_at_ms, uses }, role, expires_at_ms)
        }
        Command::CloseInvite { invite } => author.close_invite(invite),
        Command::Grant { member, kem, role } => author.grant(member, kem, role),
        Command::SetRole { member, role } => author.set_role(member, role),
        Command::Remove { member } => author.remove(member, &fresh),
        Command::Leave => author.leave(),
        Command::Rename { name } => author.rename(name),
        Command::Rotate => author.rotate(&fresh),
        Command::Enlist { replica } => author.enlist(replica),
        Command::Delist { replica } => author.delist(replica),
        Command::Close { log } => author.close(log),
        Command::Redeem(redemption) => author.redeem(redemption),
    };
    plan?.check()
}

impl Author<'_> {
    fn invite(&self, invite: Act, role: Role, expires_at_ms: u64) -> Result<Plan, Refusal> {
        self.needs_to_confer(role)?;
        if self.sight.has_passed(expires_at_ms) {
            return Err(Refusal::Expired);
        }
        Ok(Plan::of(vec![invite]))
    }

    fn close_invite(&self, invite: DeltaId) -> Result<Plan, Refusal> {
        self.needs(Role::Admin)?;
        let roster = self.sight.roster;
        let id = roster.invite(invite).ok_or(Refusal::UnknownInvite)?.id;
        if roster.is_closed(id) {
            return Err(Refusal::AlreadySo);
        }
        Ok(Plan::of(vec![self.closing(id)]))
    }

    /// The end of an invite through which all who came so far stand.
    fn closing(&self, invite: DeltaId) -> Act {
        let through = self.sight.roster.grants_through(invite);
        Act::CloseInvite { invite, accepted: through.into_iter().map(|(grant, _)| grant).collect() }
    }

    /// A lowering ends the governance logs of what was above. So does a raise of one who once was
    /// above what it becomes now: both name all that is accepted of them.
    fn set_role(&self, member: PeerId, role: Role) -> Result<Plan, Refusal> {
        let roster = self.sight.roster;
        let is = roster.role(member).ok_or(Refusal::UnknownMember)?;
        if member == self.sight.me {
            if role < is {
                return Err(Refusal::Oneself);
            }
        } else {
            self.needs_to_confer(role)?;
            self.needs_junior(member)?;
        }
        if role == is {
            return Err(Refusal::AlreadySo);
        }
        let kem = roster.signed_kem(member).cloned().ok_or(Refusal::UnknownMember)?;
        let ended = |log: &LogId| log.plane == Plane::Governance || !role.writes();
        let cuts = self.accepted(member, ended);
        let overrides = self.overrides(member, role);
        let acts = vec![Act::SetRole { member, kem, role, cuts, overrides }];
        let after = self.suppose(&acts);
        self.leaves_an_owner(&after)?;
        Ok(self.plan(acts, member, &after))
    }

    /// Removes a member, and closes all open invites that it may know and come in by again.
    ///
    /// The member's own way in is accepted too if it was such an invite: what it wrote rests on it.
    fn remove(&self, member: PeerId, fresh: &[u8; 32]) -> Result<Plan, Refusal> {
        if member == self.sight.me {
            return Err(Refusal::Oneself);
        }
        self.needs(Role::Admin)?;
        self.needs_junior(member)?;
        let revoke = |rotation| {
            let cuts = self.accepted(member, |_| true);
            Act::Revoke { member, cuts, rotation }
        };
        let closings: Vec<_> = self.reusable_invites().map(|id| self.closing(id)).collect();
        // Who is left does not depend on the epoch, but the epoch on who is left.
        let none = Rotation { epoch: EpochId::ZERO, seals: Vec::new(), older: Vec::new() };
        let supposed: Vec<_> = std::iter::once(revoke(none)).chain(closings.clone()).collect();
        let after = self.suppose(&supposed);
        let (key, rotation) = self.sight.keyring.rotation(self.sight.roster, &after.kems(), *fresh);
        let acts = std::iter::once(revoke(rotation)).chain(closings).collect();
        Ok(Plan { epoch: Some(key), ..self.plan(acts, member, &after) })
    }

    /// The open invites that are for more than one.
    fn reusable_invites(&self) -> impl Iterator<Item = DeltaId> {
        let open = self.sight.roster.invites();
        open.filter(|deed| !matches!(deed.act, Act::Invite { uses: 1, .. })).map(|deed| deed.id)
    }

    /// The last owner may only leave an empty context behind.
    fn leave(&self) -> Result<Plan, Refusal> {
        let acts = vec![Act::Leave { cuts: self.accepted(self.sight.me, |_| true) }];
        let after = self.suppose(&acts);
        self.leaves_an_owner(&after)?;
        Ok(self.plan(acts, self.sight.me, &after))
    }

    fn rename(&self, name: Vec<u8>) -> Result<Plan, Refusal> {
        self.needs(Role::Admin)?;
        Ok(Plan::of(vec![Act::Rename { name }]))
    }

    fn rotate(&self, fresh: &[u8; 32]) -> Result<Plan, Refusal> {
        self.needs(Role::Writer)?;
        let roster = self.sight.roster;
        let (key, rotation) = self.sight.keyring.rotation(roster, &roster.kems(), *fresh);
        Ok(Plan { epoch: Some(key), ..Plan::of(vec![Act::Rotate(rotation)]) })
    }

    fn enlist(&self, replica: PeerId) -> Result<Plan, Refusal> {
        self.needs(Role::Admin)?;
        match self.sight.roster.replicas().contains(&replica) {
            true => Err(Refusal::AlreadySo),
            false => Ok(Plan::of(vec![Act::Enlist { replica }])),
        }
    }

    fn delist(&self, replica: PeerId) -> Result<Plan, Refusal> {
        self.needs(Role::Admin)?;
        match self.sight.roster.replicas().contains(&replica) {
            true => Ok(Plan::of(vec![Act::Delist { replica }])),
            false => Err(Refusal::AlreadySo),
        }
    }

    fn close(&self, log: LogId) -> Result<Plan, Refusal> {
        let (own, me) = (self.own.rank, self.sight.me);
        if log.author != me {
            self.needs(Role::Admin)?;
        }
        let rank = self.sight.roster.rank_on(&log).ok_or(Refusal::UnknownLog)?;
        let may = match (log.author == me, log.plane) {
            (true, Plane::Data) => true,
            (true, Plane::Governance) => !rank.is_senior_to(own),
            (false, _) => own.is_senior_to(rank),
        };
        if !may {
            return Err(Refusal::NotJunior);
        }
        let accepted = self.accepted(log.author, |other| *other == log).pop();
        let cut = accepted.unwrap_or(CutOff { log, heads: Vec::new() });
        let is_so = match self.sight.roster.standing(&log) {
            Standing::Within(sets) => sets.contains(&cut.heads),
            Standing::Nothing => true,
            Standing::Unknown => false,
        };
        if is_so {
            return Err(Refusal::AlreadySo);
        }
        let acts = vec![Act::Close { cut }];
        let after = self.suppose(&acts);
        Ok(self.plan(acts, log.author, &after))
    }
}
