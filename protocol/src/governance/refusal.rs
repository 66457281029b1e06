//! Why nothing is written.

use super::authority::Role;
use crate::id::PeerId;

/// Why a command is not carried out; each says what can be done instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The one who asks has no role.
    #[error("this node is not a member of the context: join it first")]
    NotAMember,
    /// The role of the one who asks does not suffice.
    #[error("only {} may do this", least(*needs))]
    Forbidden {
        /// The least role that does.
        needs: Role,
    },
    /// The member or log is not strictly junior to the one who asks.
    #[error(
        "whom this concerns is not junior to you: somebody of a higher role, or of the same role and \
         nearer to the founder, has to do it"
    )]
    NotJunior,
    /// It concerns the one who asks, who can only step down.
    #[error("this concerns yourself: you can lower your role or leave the context")]
    Oneself,
    /// There is no such member.
    #[error("there is no such member")]
    UnknownMember,
    /// They are in already.
    #[error("this is a member already: set its role instead")]
    AlreadyMember,
    /// There is no such invite, or it does not count.
    #[error("this node knows no such invite: it may still be on its way, or its author is gone")]
    UnknownInvite,
    /// There is no such log, or it is that of the genesis.
    #[error("there is no such log that could be closed")]
    UnknownLog,
    /// Nobody would be left who may do everything.
    #[error("you are the last owner: make somebody else an owner first")]
    LastOwner,
    /// The context is full.
    #[error("the context has {max} members, and no more fit in: remove somebody first")]
    TooManyMembers {
        /// How many fit in.
        max: u64,
    },
    /// What was asked for is so.
    #[error("it is so already")]
    AlreadySo,
    /// The time of an invite is over.
    #[error("the invite has expired: issue a new one, for a time to come")]
    Expired,
    /// An invite was closed.
    #[error("the invite has been closed: issue a new one")]
    Closed,
    /// Somebody else has to redeem it.
    #[error("only its issuer can let somebody in by this invite: reach {issuer}")]
    NotTheIssuer {
        /// Who.
        issuer: PeerId,
    },
    /// Who issued an invite could not let anybody in as that any more.
    #[error("{issuer}, who issued the invite, may not let anybody in as that: issue a new one")]
    IssuerGone {
        /// Who.
        issuer: PeerId,
    },
    /// No invite lets somebody back in whom others removed or lowered.
    #[error("this peer was removed or lowered by others: an admin can grant it a role by name")]
    WasRemoved,
    /// As many have come as it was for.
    #[error("the invite has been used {uses} times, as often as it may: issue a new one")]
    UsedUp {
        /// How often it may be used.
        uses: u32,
    },
    /// Their box key is not signed by them, or nothing can be sealed to it.
    #[error("the box key is not one that its owner has signed and that can be sealed to")]
    BadKemKey,
    /// They do not hold the ticket.
    #[error("the proof does not show that the ticket is held, here and now")]
    BadProof,
    /// What has to be named does not fit a delta.
    #[error("this is too large for one delta")]
    TooLarge,
}

/// Who may, in words.
const fn least(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Admin => "an admin or an owner",
        Role::Writer => "a writer, an admin or an owner",
        Role::Reader => "a member",
    }
}
