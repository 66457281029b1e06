//! The delta: the one thing that nodes exchange and keep.
//!
//! Its bytes are a [`Header`], a payload and a signature. They are hashed and kept as received,
//! never encoded again. [`Unverified`] are bytes that obey every rule of a header; a [`Delta`] is
//! known to come from its author as well. Whether it counts is decided by its whole past, elsewhere.

mod draft;
mod header;

use std::fmt;
use std::sync::Arc;

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::{ContextId, DeltaId, LogId, Seq, Tip};
pub use crate::keys::SIGNATURE_BYTES;
use crate::keys::is_signed_by;
use crate::limits::DELTA_BYTES;
use crate::wire::{self, Malformed};
pub use draft::{Draft, Suite, seal_and_sign};
pub use header::{AES_NONCE_BYTES, Broken, Header, Sealing, VERSION, XCHACHA_NONCE_BYTES};

/// Parts the hash of a delta from every other use of the same hash.
const ID_CONTEXT: &str = "mangrove 2026 delta id v1";
/// Says what a signature was made for, so that none can be passed off as another.
const SIGNATURE_DOMAIN: &[u8] = b"mangrove delta v1\0";

/// Why bytes are no delta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Of a version that this program does not know; not judged any further.
    #[error("version {0} is unknown")]
    UnknownVersion(u8),
    /// Longer than a delta may be.
    #[error("{bytes} bytes, more than {DELTA_BYTES}")]
    TooLong {
        /// How long.
        bytes: u64,
    },
    /// Not the encoding of a delta.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Breaks a rule of headers.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// The signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// The later delta does not continue the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the delta before that one")]
pub struct NotLinked;

/// How it is known that a delta comes from its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Authenticity {
    /// Its own signature verifies: it may be passed on by itself.
    Signed = 1,
    /// A later authentic delta or a cut-off that counts names its hash; its own signature may be
    /// damaged.
    Linked = 2,
}

struct Parsed {
    bytes: Arc<[u8]>,
    header_len: usize,
    header: Header,
    id: DeltaId,
}

impl Parsed {
    fn new(bytes: Arc<[u8]>) -> Result<Self, Refusal> {
        match bytes.first() {
            None => return Err(Malformed::Truncated.into()),
            Some(&VERSION) => {}
            Some(&version) => return Err(Refusal::UnknownVersion(version)),
        }
        let len = bytes.len() as u64;
        if len > DELTA_BYTES {
            return Err(Refusal::TooLong { bytes: len });
        }
        let (signed, _) =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(Malformed::Truncated)?;
        let (header, payload) = wire::decode_prefix::<Header>(signed)?;
        let (found, claimed) = (payload.len() as u64, u64::from(header.payload_len));
        if found < claimed {
            return Err(Malformed::Truncated.into());
        }
        if found > claimed {
            return Err(Malformed::Trailing { bytes: found - claimed }.into());
        }
        header.check()?;
        let header_len = signed.len() - payload.len();
        let id = DeltaId::from_bytes(blake3::derive_key(ID_CONTEXT, signed));
        Ok(Self { bytes, header_len, header, id })
    }

    fn header_bytes(&self) -> &[u8] {
        self.bytes.get(..self.header_len).unwrap_or_default()
    }

    fn payload(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(SIGNATURE_BYTES);
        self.bytes.get(self.header_len..end).unwrap_or_default()
    }

    fn is_signed(&self) -> bool {
        let signature = self.bytes.last_chunk::<SIGNATURE_BYTES>();
        let message = signed_message(self.id);
        signature.is_some_and(|signature| is_signed_by(self.header.log.author, &message, signature))
    }

    fn context(&self) -> ContextId {
        if self.header.is_genesis() { self.id.into() } else { self.header.context }
    }

    fn describe(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { log, seq, .. } = &self.header;
        write!(f, "{what}({:?}, {:?} of {:?} {seq})", self.id, log.plane, log.author)
    }
}

/// What the author of a delta signs.
fn signed_message(id: DeltaId) -> Vec<u8> {
    [SIGNATURE_DOMAIN, id.as_bytes()].concat()
}

macro_rules! accessors {
    () => {
        /// The hash of its header and payload.
        pub fn id(&self) -> DeltaId {
            self.parsed.id
        }

        /// What it says about itself.
        pub fn header(&self) -> &Header {
            &self.parsed.header
        }

        /// The context it belongs to; a genesis belongs to the one it founds.
        pub fn context(&self) -> ContextId {
            self.parsed.context()
        }

        /// The log it is in.
        pub fn log(&self) -> &LogId {
            &self.parsed.header.log
        }

        /// Its place in its log.
        pub fn seq(&self) -> Seq {
            self.parsed.header.seq
        }

        /// Its name as a parent, a head or the end of a cut-off.
        pub fn tip(&self) -> Tip {
            Tip { log: *self.log(), seq: self.seq(), id: self.id() }
        }

        /// The payload, sealed or plain, as it was received.
        pub fn payload(&self) -> &[u8] {
            self.parsed.payload()
        }

        /// All its bytes, as they were received.
        pub fn bytes(&self) -> &Arc<[u8]> {
            &self.parsed.bytes
        }
    };
}

/// Bytes that obey every rule of a header and could be from anybody.
#[derive(Clone)]
pub struct Unverified {
    parsed: Arc<Parsed>,
}

impl Unverified {
    /// Reads a delta and checks its header.
    pub fn parse(bytes: impl Into<Arc<[u8]>>) -> Result<Self, Refusal> {
        Parsed::new(bytes.into()).map(|parsed| Self { parsed: Arc::new(parsed) })
    }

    /// Checks the signature. What does not verify is given back: a later delta may still vouch for
    /// it.
    pub fn verify(self) -> Result<Delta, (Self, BadSignature)> {
        if !self.parsed.is_signed() {
            return Err((self, BadSignature));
        }
        Ok(Delta { parsed: self.parsed, authenticity: Authenticity::Signed })
    }

    accessors!();
}

impl PartialEq for Unverified {
    fn eq(&self, other: &Self) -> bool {
        self.parsed.bytes == other.parsed.bytes
    }
}

impl Eq for Unverified {}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parsed.describe("Unverified", f)
    }
}

/// A delta that is known to come from its author. Cheap to clone.
#[derive(Clone)]
pub struct Delta {
    parsed: Arc<Parsed>,
    authenticity: Authenticity,
}

impl Delta {
    /// Accepts a delta without looking at its signature, because `by`, which is authentic, names its
    /// hash as the one before. If it does not, gives it back.
    pub fn linked(earlier: Unverified, by: &Self) -> Result<Self, (Unverified, NotLinked)> {
        let (first, second) = (earlier.header(), by.header());
        let linked = second.prev == earlier.id()
            && second.log == first.log
            && second.seq.prev() == Some(first.seq)
            && second.context == first.context;
        if !linked {
            return Err((earlier, NotLinked));
        }
        Ok(Self { parsed: earlier.parsed, authenticity: Authenticity::Linked })
    }

    /// Accepts a delta without looking at its signature, because a cut-off that counts names its
    /// hash as the end of a log, which the caller has seen.
    pub(crate) fn named(delta: Unverified) -> Self {
        Self { parsed: delta.parsed, authenticity: Authenticity::Linked }
    }

    /// Reads back a delta that was found authentic before this node stored it; every rule of headers
    /// is checked again, the signature is not. Only for what this node stored itself: whatever else
    /// is passed in becomes authentic without being so. A refusal means that the store no longer
    /// holds what was put there, and so does an id that is not the key it lay under.
    pub fn stored(
        bytes: impl Into<Arc<[u8]>>,
        authenticity: Authenticity,
    ) -> Result<Self, Refusal> {
        let Unverified { parsed } = Unverified::parse(bytes)?;
        Ok(Self { parsed, authenticity })
    }

    /// How it is known to come from its author.
    pub fn authenticity(&self) -> Authenticity {
        self.authenticity
    }

    /// The bytes of its header, which its seal covers as well.
    pub(crate) fn header_bytes(&self) -> &[u8] {
        self.parsed.header_bytes()
    }

    accessors!();
}

impl PartialEq for Delta {
    fn eq(&self, other: &Self) -> bool {
        self.parsed.bytes == other.parsed.bytes && self.authenticity == other.authenticity
    }
}

impl Eq for Delta {}

impl BorshSerialize for Delta {
    /// How its author is known, then its bytes as they were received.
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        (self.authenticity, &self.bytes()[..]).serialize(writer)
    }
}

impl BorshDeserialize for Delta {
    /// As [`Self::stored`] does, and like it only for what this node stored itself: what comes from
    /// others is read by [`Unverified::parse`].
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let authenticity = Authenticity::deserialize_reader(reader)?;
        let bytes = wire::read_bytes(reader, DELTA_BYTES, "delta")?;
        Self::stored(bytes, authenticity).map_err(|why| match why {
            Refusal::Malformed(why) => why.into(),
            why => Malformed::Invalid { why: why.to_string() }.into(),
        })
    }
}

impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parsed.describe("Delta", f)
    }
}
