//! How acts are read: bounded, in one form only, and what a later version may know told from what
//! is wrong.
//!
//! Problems are looked for in the order of the bytes and the first one decides, so that a later
//! version, which may know more tags, finds malformed whatever this one does.

use borsh::BorshDeserialize;
use borsh::io::{self, Read};

use super::act::{Act, CutOff, Rotation, SEALED_KEY_BYTES, SealedEpoch, SealedKey, SignedKem};
use crate::id::{DeltaId, EpochId};
use crate::limits::{BOXES_PER_ACT, DELTA_BYTES, HEADS_PER_CUT, NAME_BYTES};
use crate::op::Undecodable;
use crate::wire::{self, Malformed};

/// The version of acts that this program writes and reads.
pub const VERSION: u8 = 1;

/// Bytes of a sealed name: the name, and room for what any suite adds.
pub const SEALED_NAME_BYTES: u64 = NAME_BYTES + 128;

const GENESIS: u8 = 1;
const GRANT: u8 = 2;
const SET_ROLE: u8 = 3;
const REVOKE: u8 = 4;
const CLOSE: u8 = 5;
const LEAVE: u8 = 6;
const ROTATE: u8 = 7;
const SEAL: u8 = 8;
const INVITE: u8 = 9;
const CLOSE_INVITE: u8 = 10;
const ENLIST: u8 = 11;
const DELIST: u8 = 12;
const RENAME: u8 = 13;

impl Act {
    /// Reads the payload of a governance delta.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let Versioned(act) = wire::decode(bytes, DELTA_BYTES)?;
        Ok(act)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&(VERSION, self))
    }

    /// Whether it keeps all limits and orders, so that others will read it. For its author.
    pub fn check(&self) -> Result<(), Undecodable> {
        Self::decode(&self.encode()).map(drop)
    }
}

/// An act after its version.
struct Versioned(Act);

impl BorshDeserialize for Versioned {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != VERSION {
            return Err(Malformed::Unknown { what: "act version", tag: version }.into());
        }
        Act::deserialize_reader(reader).map(Self)
    }
}

impl BorshDeserialize for Act {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(match u8::deserialize_reader(reader)? {
            GENESIS => Self::Genesis { name: read_name(reader)?, kem: read(reader)? },
            GRANT => Self::Grant {
                member: read(reader)?,
                kem: read(reader)?,
                role: read(reader)?,
                seals: read_seals(reader, |seal: &SealedEpoch| seal.epoch)?,
                invite: read(reader)?,
                overrides: read_ids(reader, "overrides")?,
            },
            SET_ROLE => Self::SetRole {
                member: read(reader)?,
                kem: read(reader)?,
                role: read(reader)?,
                cuts: read_cuts(reader)?,
                overrides: read_ids(reader, "overrides")?,
            },
            REVOKE => Self::Revoke {
                member: read(reader)?,
                cuts: read_cuts(reader)?,
                rotation: read(reader)?,
            },
            CLOSE => Self::Close { cut: read(reader)? },
            LEAVE => Self::Leave { cuts: read_cuts(reader)? },
            ROTATE => Self::Rotate(read(reader)?),
            SEAL => Self::Seal { epoch: read(reader)?, key: read(reader)? },
            INVITE => Self::Invite {
                key: read(reader)?,
                role: read(reader)?,
                expires_at_ms: read(reader)?,
                uses: read(reader)?,
            },
            CLOSE_INVITE => Self::CloseInvite {
                invite: read(reader)?,
                accepted: read_ids(reader, "accepted grants")?,
            },
            ENLIST => Self::Enlist { replica: read(reader)? },
            DELIST => Self::Delist { replica: read(reader)? },
            RENAME => Self::Rename { name: read_name(reader)? },
            tag => return Err(Malformed::Unknown { what: "act", tag }.into()),
        })
    }
}

impl BorshDeserialize for SignedKem {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self { key: read(reader)?, signature: read(reader)? })
    }
}

impl BorshDeserialize for SealedKey {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self { member: read(reader)?, sealed: read(reader)? })
    }
}

impl BorshDeserialize for SealedEpoch {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self { epoch: read(reader)?, sealed: read(reader)? })
    }
}

impl BorshDeserialize for CutOff {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let log = read(reader)?;
        let heads = read_ascending(reader, HEADS_PER_CUT, "heads", |head| *head)?;
        Ok(Self { log, heads })
    }
}

impl BorshDeserialize for Rotation {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let epoch = read(reader)?;
        let seals = read_seals(reader, |seal: &SealedKey| seal.member)?;
        let older = read_ascending(reader, u64::MAX, OLDER, |older: &Older| older.0)?;
        Ok(Self {
            epoch,
            seals,
            older: older.into_iter().map(|Older(id, key)| (id, key)).collect(),
        })
    }
}

const OLDER: &str = "older keys";

/// The key of an older epoch, sealed under another.
struct Older(EpochId, Vec<u8>);

impl BorshDeserialize for Older {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let epoch = read(reader)?;
        let key = wire::read_bytes(reader, SEALED_KEY_BYTES as u64, "a sealed key")?;
        Ok(Self(epoch, key))
    }
}

fn read<T: BorshDeserialize, R: Read>(reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader)
}

fn read_name<R: Read>(reader: &mut R) -> io::Result<Vec<u8>> {
    wire::read_bytes(reader, SEALED_NAME_BYTES, "a sealed name")
}

fn read_ids<R: Read>(reader: &mut R, what: &'static str) -> io::Result<Vec<DeltaId>> {
    read_ascending(reader, u64::MAX, what, |id| *id)
}

fn read_cuts<R: Read>(reader: &mut R) -> io::Result<Vec<CutOff>> {
    read_ascending(reader, u64::MAX, "cut-offs", |cut: &CutOff| cut.log)
}

fn read_seals<T: BorshDeserialize, K: Ord, R: Read>(
    reader: &mut R,
    order: fn(&T) -> K,
) -> io::Result<Vec<T>> {
    read_ascending(reader, BOXES_PER_ACT, "seals", order)
}

/// Reads a list that is strictly ascending in something. One without a limit of its own is bounded
/// by that of the delta: each part takes bytes that are there.
fn read_ascending<T: BorshDeserialize, K: Ord, R: Read>(
    reader: &mut R,
    max: u64,
    what: &'static str,
    order: impl Fn(&T) -> K,
) -> io::Result<Vec<T>> {
    let count = u32::deserialize_reader(reader)?;
    if u64::from(count) > max {
        return Err(Malformed::OverLimit { what, max }.into());
    }
    let mut list: Vec<T> = Vec::new();
    for _ in 0..count {
        let next = read(reader)?;
        if list.last().is_some_and(|last| order(last) >= order(&next)) {
            return Err(Malformed::NotCanonical { what }.into());
        }
        list.push(next);
    }
    Ok(list)
}
