//! What a delta says about itself, and the rules without which it is none.

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use super::SIGNATURE_BYTES;
use crate::clock::Hlc;
use crate::id::{AuthorityId, ContextId, DeltaId, EpochId, LogId, Plane, Seq, Tip};
use crate::limits::{DELTA_BYTES, DEPS_PER_DELTA, DEPS_PER_LOG};
use crate::wire::Malformed;

/// The version of deltas that this program writes and reads.
pub const VERSION: u8 = 1;

/// Bytes of an AES-256-GCM-SIV nonce.
pub const AES_NONCE_BYTES: usize = 12;
/// Bytes of an XChaCha20-Poly1305 nonce.
pub const XCHACHA_NONCE_BYTES: usize = 24;

/// How the payload is closed to those without the epoch's key. The tag names the cipher suite; a
/// new suite needs a new version of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// Not at all: governance, which replicas must be able to judge.
    Plain,
    /// AES-256-GCM-SIV: the usual one, forgiving of a repeated nonce.
    AesGcmSiv {
        /// Whose key opens it.
        epoch: EpochId,
        /// Random.
        nonce: [u8; AES_NONCE_BYTES],
    },
    /// XChaCha20-Poly1305: for machines without AES instructions.
    XChaCha {
        /// Whose key opens it.
        epoch: EpochId,
        /// Random.
        nonce: [u8; XCHACHA_NONCE_BYTES],
    },
}

impl Sealing {
    /// The epoch whose key opens it.
    pub const fn epoch(&self) -> Option<EpochId> {
        match self {
            Self::Plain => None,
            Self::AesGcmSiv { epoch, .. } | Self::XChaCha { epoch, .. } => Some(*epoch),
        }
    }
}

impl BorshSerialize for Sealing {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        match self {
            Self::Plain => 0_u8.serialize(writer),
            Self::AesGcmSiv { epoch, nonce } => (1_u8, epoch, nonce).serialize(writer),
            Self::XChaCha { epoch, nonce } => (2_u8, epoch, nonce).serialize(writer),
        }
    }
}

impl BorshDeserialize for Sealing {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        match u8::deserialize_reader(reader)? {
            0 => Ok(Self::Plain),
            1 => {
                let (epoch, nonce) = BorshDeserialize::deserialize_reader(reader)?;
                Ok(Self::AesGcmSiv { epoch, nonce })
            }
            2 => {
                let (epoch, nonce) = BorshDeserialize::deserialize_reader(reader)?;
                Ok(Self::XChaCha { epoch, nonce })
            }
            tag => Err(Malformed::Unknown { what: "cipher suite", tag }.into()),
        }
    }
}

/// What a delta says about itself, in the order of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u8,
    /// The context it belongs to; [`ContextId::ZERO`] in the genesis, whose id becomes the context.
    pub context: ContextId,
    /// The log it continues.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// The delta before it; [`DeltaId::ZERO`] at the start.
    pub prev: DeltaId,
    /// Its other parents, ascending.
    pub deps: Vec<Tip>,
    /// The governance that a data delta was written under, ascending; `None` as long as it is what
    /// the delta before it says.
    pub gov_heads: Option<Vec<Tip>>,
    /// When it was written.
    pub hlc: Hlc,
    /// How its payload is sealed.
    pub seal: Sealing,
    /// Bytes of the payload as it stands in the delta.
    pub payload_len: u32,
}

/// A rule that a header breaks: what carries it is no delta, and its log ends before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// Built for another version.
    #[error("header of version {found} under the rules of version {VERSION}")]
    Version {
        /// What it says.
        found: u8,
    },
    /// The first of a log names one before it.
    #[error("the first delta of a log names a previous one")]
    PrevAtStart,
    /// A later one of a log names none before it.
    #[error("a delta after the first names no previous one")]
    PrevMissing,
    /// A list of tips is not strictly ascending.
    #[error("{list} repeated or out of order")]
    Unsorted {
        /// Which list.
        list: &'static str,
    },
    /// A list of tips is too long.
    #[error("{found} {list}, more than {DEPS_PER_DELTA}")]
    TooManyTips {
        /// Which list.
        list: &'static str,
        /// How many.
        found: u64,
    },
    /// A list names too many tips of one log.
    #[error("more than {DEPS_PER_LOG} {list} of one log")]
    TooManyOfOneLog {
        /// Which list.
        list: &'static str,
    },
    /// A list names tips of the wrong plane.
    #[error("{list} of the wrong plane")]
    WrongPlane {
        /// Which list.
        list: &'static str,
    },
    /// It names itself, or a later place of its own log, as a parent.
    #[error("a parent that does not come before it")]
    OwnFuture,
    /// Governance that replicas could not read.
    #[error("sealed governance")]
    GovernanceSealed,
    /// Governance heads where the parents say the same.
    #[error("governance heads on a governance delta")]
    GovernanceHeads,
    /// Data that outsiders could read.
    #[error("data that is not sealed")]
    DataPlain,
    /// Names no context and is not the genesis of one.
    #[error("names no context and is no genesis")]
    NoContext,
    /// Names no authority and is not a genesis.
    #[error("names no authority")]
    NoAuthority,
    /// The whole delta would be too long.
    #[error("{bytes} bytes, more than {DELTA_BYTES}")]
    TooLong {
        /// How long.
        bytes: u64,
    },
    /// The keys at hand are not those of the log's author.
    #[error("signed by another than the author of the log")]
    NotTheAuthor,
}

const DEPS: &str = "parents";
const GOV_HEADS: &str = "governance heads";

impl Header {
    /// Whether this founds a context rather than belonging to one.
    pub fn is_genesis(&self) -> bool {
        self.context == ContextId::ZERO
    }

    /// The heads and parents that this header names besides the delta before it.
    pub fn tips(&self) -> impl Iterator<Item = &Tip> {
        self.deps.iter().chain(self.gov_heads.iter().flatten())
    }

    /// Checks every rule of a header and reports the first that it breaks.
    pub fn check(&self) -> Result<(), Broken> {
        if self.version != VERSION {
            return Err(Broken::Version { found: self.version });
        }
        self.check_place()?;
        self.check_plane()?;
        check_list(&self.deps, DEPS, self.log.plane)?;
        if let Some(heads) = &self.gov_heads {
            check_list(heads, GOV_HEADS, Plane::Governance)?;
        }
        if self.deps.iter().any(|dep| dep.log == self.log && dep.seq >= self.seq) {
            return Err(Broken::OwnFuture);
        }
        self.check_size()
    }

    fn check_place(&self) -> Result<(), Broken> {
        match (self.seq == Seq::FIRST, self.prev == DeltaId::ZERO) {
            (true, false) => return Err(Broken::PrevAtStart),
            (false, true) => return Err(Broken::PrevMissing),
            _ => {}
        }
        let unconferred = self.log.authority == AuthorityId::ZERO;
        if !self.is_genesis() {
            return if unconferred { Err(Broken::NoAuthority) } else { Ok(()) };
        }
        let founds = unconferred
            && self.log.plane == Plane::Governance
            && self.seq == Seq::FIRST
            && self.deps.is_empty();
        if founds { Ok(()) } else { Err(Broken::NoContext) }
    }

    fn check_plane(&self) -> Result<(), Broken> {
        match (self.log.plane, self.seal) {
            (Plane::Governance, Sealing::AesGcmSiv { .. } | Sealing::XChaCha { .. }) => {
                Err(Broken::GovernanceSealed)
            }
            (Plane::Governance, Sealing::Plain) if self.gov_heads.is_some() => {
                Err(Broken::GovernanceHeads)
            }
            (Plane::Data, Sealing::Plain) => Err(Broken::DataPlain),
            _ => Ok(()),
        }
    }

    fn check_size(&self) -> Result<(), Broken> {
        let header = borsh::object_length(self).unwrap_or(usize::MAX) as u64;
        let rest = u64::from(self.payload_len) + SIGNATURE_BYTES as u64;
        let bytes = header.saturating_add(rest);
        if bytes > DELTA_BYTES { Err(Broken::TooLong { bytes }) } else { Ok(()) }
    }
}

fn check_list(tips: &[Tip], list: &'static str, plane: Plane) -> Result<(), Broken> {
    if tips.len() as u64 > DEPS_PER_DELTA {
        return Err(Broken::TooManyTips { list, found: tips.len() as u64 });
    }
    if !tips.is_sorted_by(|left, right| left < right) {
        return Err(Broken::Unsorted { list });
    }
    // Ascending tips of one log stand side by side.
    let mut logs = tips.chunk_by(|left, right| left.log == right.log);
    if logs.any(|log| log.len() as u64 > DEPS_PER_LOG) {
        return Err(Broken::TooManyOfOneLog { list });
    }
    if tips.iter().any(|tip| tip.log.plane != plane) {
        return Err(Broken::WrongPlane { list });
    }
    Ok(())
}
