//! What a governance delta says.

use std::collections::BTreeSet;

use borsh::BorshSerialize;

use super::authority::Role;
use crate::id::{DeltaId, EpochId, LogId, PeerId, Seq};
use crate::limits::HEADS_PER_CUT;

/// Bytes of an epoch key sealed for one member: what the sender adds, the key, the tag.
pub const SEALED_KEY_BYTES: usize = 32 + 32 + 16;

/// An epoch's key, sealed so that one member can open it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct SealedKey {
    /// For whom.
    pub member: PeerId,
    /// The box.
    pub sealed: [u8; SEALED_KEY_BYTES],
}

/// The key of one of several epochs, sealed for one and the same member.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct SealedEpoch {
    /// Which epoch.
    pub epoch: EpochId,
    /// The box.
    pub sealed: [u8; SEALED_KEY_BYTES],
}

/// The key that boxes for a member are made out to, with the member's signature under it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct SignedKem {
    /// The key.
    pub key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

/// Where logs end for everybody, in the eyes of the one who ends them.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct CutOff {
    /// The log.
    pub log: LogId,
    /// The tips that had been accepted, ascending. What is neither one of them nor before one of
    /// them is void.
    pub heads: Vec<(Seq, DeltaId)>,
}

impl CutOff {
    /// An end of a log at these of its deltas. Of more than may be named, the last ones are.
    pub fn at(log: LogId, heads: impl IntoIterator<Item = (Seq, DeltaId)>) -> Self {
        let most = usize::try_from(HEADS_PER_CUT).unwrap_or(usize::MAX);
        let heads = heads.into_iter().collect::<BTreeSet<_>>();
        let left_out = heads.len().saturating_sub(most);
        Self { log, heads: heads.into_iter().skip(left_out).collect() }
    }
}

/// A new epoch.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct Rotation {
    /// The hash of its key.
    pub epoch: EpochId,
    /// Its key, for each recipient, ascending.
    pub seals: Vec<SealedKey>,
    /// Keys of older epochs, sealed under the new one, ascending.
    pub older: Vec<(EpochId, Vec<u8>)>,
}

/// What a governance delta does. The tags are fixed for ever.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Act {
    /// Founds a context; its author is the first owner.
    Genesis {
        /// The name, sealed.
        name: Vec<u8>,
        /// The founder's box key.
        kem: SignedKem,
    } = 1,
    /// Confers an authority.
    Grant {
        /// On whom.
        member: PeerId,
        /// Their box key.
        kem: SignedKem,
        /// As what.
        role: Role,
        /// Epoch keys for them, ascending by epoch.
        seals: Vec<SealedEpoch>,
        /// The invite that was redeemed.
        invite: Option<DeltaId>,
        /// Earlier acts that end authorities of the same member, and not this one: revocations,
        /// lowerings and leaves; ascending.
        overrides: Vec<DeltaId>,
    } = 2,
    /// Confers another authority and, when lowering, ends those above it.
    SetRole {
        /// On whom.
        member: PeerId,
        /// Their box key.
        kem: SignedKem,
        /// As what.
        role: Role,
        /// Where the ended ones end.
        cuts: Vec<CutOff>,
        /// Earlier acts that the new authority is not subject to, as for a grant.
        overrides: Vec<DeltaId>,
    } = 3,
    /// Ends every strictly junior authority of a member.
    Revoke {
        /// Of whom.
        member: PeerId,
        /// Where their logs end; those not named are cut before their start.
        cuts: Vec<CutOff>,
        /// The epoch that they have no key of.
        rotation: Rotation,
    } = 4,
    /// Ends one log.
    Close {
        /// Which, and where.
        cut: CutOff,
    } = 5,
    /// Ends all of one's own authorities, from the rank of the one it is done under downwards.
    Leave {
        /// Where one's own logs end.
        cuts: Vec<CutOff>,
    } = 6,
    /// Begins an epoch.
    Rotate(Rotation) = 7,
    /// Gives a member a key that was missing.
    Seal {
        /// Of which epoch.
        epoch: EpochId,
        /// The key, for its recipient.
        key: SealedKey,
    } = 8,
    /// Opens a door.
    Invite {
        /// The public key of whoever holds the ticket.
        key: [u8; 32],
        /// As what they come in.
        role: Role,
        /// Until when the inviter lets them.
        expires_at_ms: u64,
        /// How often; 0 for any number.
        uses: u32,
    } = 9,
    /// Closes a door.
    CloseInvite {
        /// Which.
        invite: DeltaId,
        /// The grants through it that stand, ascending.
        accepted: Vec<DeltaId>,
    } = 10,
    /// Takes in a replica.
    Enlist {
        /// Which.
        replica: PeerId,
    } = 11,
    /// Dismisses a replica.
    Delist {
        /// Which.
        replica: PeerId,
    } = 12,
    /// Names the context.
    Rename {
        /// The name, sealed.
        name: Vec<u8>,
    } = 13,
}

/// What is looked up in the roster besides members: the acts that it is made up of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Name,
    Replicas,
    Invites,
    Epochs,
}

impl Act {
    /// Whether an author of this role may do it at all. On whom it takes effect is another question.
    pub(super) fn is_open_to(&self, role: Role, author: PeerId) -> bool {
        match self {
            Self::Genesis { .. } => role == Role::Owner,
            Self::SetRole { member, .. } if *member == author => role < Role::Reader,
            Self::Grant { .. }
            | Self::SetRole { .. }
            | Self::Revoke { .. }
            | Self::Invite { .. }
            | Self::CloseInvite { .. }
            | Self::Enlist { .. }
            | Self::Delist { .. }
            | Self::Rename { .. } => role <= Role::Admin,
            Self::Rotate(_) => role <= Role::Writer,
            Self::Close { cut } => cut.log.author == author || role <= Role::Admin,
            Self::Leave { .. } | Self::Seal { .. } => true,
        }
    }

    /// Whether its author does it to itself: judged by seniors alone.
    pub(super) fn is_self_act(&self, author: PeerId) -> bool {
        match self {
            Self::Leave { .. } => true,
            Self::SetRole { member, .. } => *member == author,
            Self::Close { cut } => cut.log.author == author,
            _ => false,
        }
    }

    /// Whether it may confer an authority.
    pub(super) fn confers(&self) -> bool {
        matches!(self, Self::Genesis { .. } | Self::Grant { .. } | Self::SetRole { .. })
    }

    /// What it is looked up for.
    pub(super) fn topic(&self) -> Option<Topic> {
        match self {
            Self::Genesis { .. } | Self::Rename { .. } => Some(Topic::Name),
            Self::Enlist { .. } | Self::Delist { .. } => Some(Topic::Replicas),
            Self::Invite { .. } => Some(Topic::Invites),
            Self::Grant { .. } | Self::Revoke { .. } | Self::Rotate(_) | Self::Seal { .. } => {
                Some(Topic::Epochs)
            }
            _ => None,
        }
    }
}
