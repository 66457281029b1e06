//! Authorities, and who is senior to whom.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::{AuthorityId, DeltaId, PeerId};
use crate::wire::Malformed;

/// What an authority lets its member do; the most senior first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Role {
    /// Everything.
    Owner = 0,
    /// Governs those below.
    Admin = 1,
    /// Writes data.
    Writer = 2,
    /// Reads.
    Reader = 3,
}

impl Role {
    /// Whether it lets its member write data.
    pub fn writes(self) -> bool {
        self <= Self::Writer
    }
}

impl BorshDeserialize for Role {
    /// A role that only a later version knows is told from one that is no role.
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        match u8::deserialize_reader(reader)? {
            0 => Ok(Self::Owner),
            1 => Ok(Self::Admin),
            2 => Ok(Self::Writer),
            3 => Ok(Self::Reader),
            tag => Err(Malformed::Unknown { what: "role", tag }.into()),
        }
    }
}

/// The static place of an authority among all: the more senior is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Its role decides first.
    pub role: Role,
    /// Then how far it is from the genesis.
    pub depth: u32,
}

impl Rank {
    /// Whether one of this rank may act on one of the other. Equals cannot.
    pub fn is_senior_to(self, other: Self) -> bool {
        self < other
    }
}

/// A right, as it was conferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The delta that conferred it.
    pub deed: DeltaId,
    /// On whom.
    pub member: PeerId,
    /// Its rank.
    pub rank: Rank,
    /// By which authority; by none for the founder's.
    pub by: Option<AuthorityId>,
    /// The invite that was redeemed for it.
    pub invite: Option<DeltaId>,
    /// Acts that would end it and that it is not subject to.
    pub overrides: Vec<DeltaId>,
}

impl Authority {
    /// Its id.
    pub fn id(&self) -> AuthorityId {
        self.deed.into()
    }
}
