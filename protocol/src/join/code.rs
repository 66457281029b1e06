//! Why somebody is not let in, as far as they can do something about it.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::governance::Refusal;
use crate::wire::Malformed;

/// A reason, with what can be done about it. The tags are fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[non_exhaustive]
pub enum Code {
    /// The invite is unknown there, or the context is.
    #[error(
        "the other node does not know this invite: it may not have heard of it yet, so try again \
         later, or reach the inviter"
    )]
    UnknownInvite = 1,
    /// The time of the invite is over.
    #[error("the ticket has expired: ask for a new one")]
    Expired = 2,
    /// As many have come as it was for.
    #[error("the ticket has been used as often as it may: ask for a new one")]
    UsedUp = 3,
    /// The invite was closed.
    #[error("the invite has been closed: ask for a new ticket")]
    Closed = 4,
    /// Somebody else has to redeem it.
    #[error("the other node cannot let anybody in by this ticket: reach the inviter")]
    AskInviter = 5,
    /// Its issuer may not let anybody in any more.
    #[error("whoever issued the ticket may not let anybody in any more: ask another admin for one")]
    IssuerGone = 6,
    /// The joiner was removed before.
    #[error("you were removed from this context: an admin has to grant you a role by name")]
    Removed = 7,
    /// The joiner is in.
    #[error("you are a member of this context already: sync with any other member")]
    AlreadyMember = 8,
    /// The context is full.
    #[error("the context has as many members as fit in: its admins have to remove somebody first")]
    TooManyMembers = 9,
    /// The proof is wrong.
    #[error("the proof was refused: check that the ticket is copied whole, and join anew")]
    WrongProof = 10,
    /// The joiner's box key is not one.
    #[error("the other node cannot seal anything to this node's key: its keys are damaged")]
    BadKey = 11,
    /// There is too much to do.
    #[error("the other node is busy: try again in a while")]
    Busy = 12,
    /// It took too long.
    #[error("the exchange took too long: join anew")]
    Late = 13,
    /// A message was not what it should have been.
    #[error("the other node could not read this node's message: one of the two needs an upgrade")]
    Unreadable = 14,
    /// The other node could not write the grant.
    #[error("the other node cannot let anybody in at present: try again later, or reach another")]
    Unable = 15,
}

/// All codes, in the order of their tags.
const ALL: [Code; 15] = [
    Code::UnknownInvite,
    Code::Expired,
    Code::UsedUp,
    Code::Closed,
    Code::AskInviter,
    Code::IssuerGone,
    Code::Removed,
    Code::AlreadyMember,
    Code::TooManyMembers,
    Code::WrongProof,
    Code::BadKey,
    Code::Busy,
    Code::Late,
    Code::Unreadable,
    Code::Unable,
];

impl Code {
    /// All codes, in the order of their tags.
    pub const ALL: &[Self] = &ALL;

    /// What somebody at the door is told of a refusal.
    pub const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::UnknownInvite => Self::UnknownInvite,
            Refusal::Expired => Self::Expired,
            Refusal::UsedUp { .. } => Self::UsedUp,
            Refusal::Closed => Self::Closed,
            // Whoever cannot redeem it for want of a role is not the one to ask either.
            Refusal::NotTheIssuer { .. } | Refusal::Forbidden { .. } | Refusal::NotAMember => {
                Self::AskInviter
            }
            Refusal::IssuerGone { .. } => Self::IssuerGone,
            Refusal::WasRemoved => Self::Removed,
            Refusal::AlreadyMember => Self::AlreadyMember,
            Refusal::TooManyMembers { .. } => Self::TooManyMembers,
            Refusal::BadProof => Self::WrongProof,
            Refusal::BadKemKey => Self::BadKey,
            // None of these is about letting somebody in.
            Refusal::NotJunior
            | Refusal::Oneself
            | Refusal::UnknownMember
            | Refusal::UnknownLog
            | Refusal::LastOwner
            | Refusal::AlreadySo
            | Refusal::TooLarge => Self::Unable,
        }
    }
}

impl BorshDeserialize for Code {
    /// A code that only a later version knows is told from damage.
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let tag = u8::deserialize_reader(reader)?;
        let found = ALL.into_iter().find(|code| *code as u8 == tag);
        found.ok_or_else(|| Malformed::Unknown { what: "refusal", tag }.into())
    }
}
