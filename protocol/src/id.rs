//! The names of things: peers, contexts, deltas, blobs and epochs, and how they print.
//!
//! A peer is its Ed25519 public key and prints as a libp2p PeerId (`12D3KooW…`); everything else is
//! a BLAKE3 hash and prints as lowercase base32 without padding. Each id has one text form: what
//! parses prints back as it was.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::BASE32_NOPAD;

/// Bytes of every id.
pub const ID_BYTES: usize = 32;

/// What a libp2p PeerId puts before an Ed25519 key: an identity multihash of 36 bytes, holding a
/// protobuf of key type 1 and 32 bytes of key.
const PEER_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A character outside the alphabet.
    #[error("character {at} is not part of {what}")]
    Character {
        /// Where it stands, counted from 1.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
    /// Decodes, but to something else.
    #[error("not {what}: wrong length or kind")]
    Shape {
        /// What was expected.
        what: &'static str,
    },
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(BorshSerialize, BorshDeserialize)]
        pub struct $name([u8; ID_BYTES]);

        impl $name {
            /// The id of nothing: stands where an id is required and none exists.
            pub const ZERO: Self = Self([0; ID_BYTES]);

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = base32(&self.0);
                write!(f, concat!(stringify!($name), "({})"), text.get(..8).unwrap_or_default())
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse_base32(text, $what).map(Self)
            }
        }
    };
}

hash_id!(
    /// A context: the hash of its first delta.
    ContextId,
    "a context id"
);
hash_id!(
    /// A delta: the hash of its header and payload.
    DeltaId,
    "a delta id"
);
hash_id!(
    /// A blob: the hash of its ciphertext.
    BlobId,
    "a blob id"
);
hash_id!(
    /// An epoch: the hash of its key, so that a wrong key is recognised.
    EpochId,
    "an epoch id"
);
hash_id!(
    /// An authority: the governance delta that conferred the role, [`Self::ZERO`] for the genesis
    /// itself, which nothing conferred.
    AuthorityId,
    "an authority id"
);

impl From<DeltaId> for ContextId {
    /// The context that this genesis founds.
    fn from(genesis: DeltaId) -> Self {
        Self(genesis.0)
    }
}

impl From<DeltaId> for AuthorityId {
    /// The authority that this governance delta confers.
    fn from(conferring: DeltaId) -> Self {
        Self(conferring.0)
    }
}

/// A node, as everybody knows it: its Ed25519 public key.
///
/// The bytes are those that the peer claims; whether they are a point on the curve shows when a
/// signature is verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PeerId([u8; ID_BYTES]);

impl PeerId {
    /// The peer with this Ed25519 public key.
    pub const fn from_bytes(key: [u8; ID_BYTES]) -> Self {
        Self(key)
    }

    /// Its Ed25519 public key.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }

    /// The bytes of the libp2p PeerId: a multihash that holds the key.
    pub fn to_multihash(self) -> Vec<u8> {
        [PEER_PREFIX.as_slice(), &self.0].concat()
    }

    /// The peer with this libp2p PeerId; `None` if its key is not an Ed25519 key.
    pub fn from_multihash(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(&PEER_PREFIX)?.try_into().ok().map(Self)
    }

    fn text(&self) -> String {
        bs58::encode(self.to_multihash()).into_string()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All peers share the first eight characters; the next ones tell them apart.
        let text = self.text();
        write!(f, "PeerId(…{})", text.get(8..16).unwrap_or_default())
    }
}

impl FromStr for PeerId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const WHAT: &str = "a peer id";
        let shape = ParseError::Shape { what: WHAT };
        let mut bytes = [0; PEER_PREFIX.len() + ID_BYTES];
        let written = bs58::decode(text).onto(&mut bytes).map_err(|why| match why {
            bs58::decode::Error::InvalidCharacter { index, .. }
            | bs58::decode::Error::NonAsciiCharacter { index } => {
                ParseError::Character { at: index + 1, what: WHAT }
            }
            _ => shape.clone(),
        })?;
        bytes.get(..written).and_then(Self::from_multihash).ok_or(shape)
    }
}

/// One life of an author's log: a random number, so that a node which may have forgotten what it
/// wrote starts a log that nobody has seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The incarnation with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}

/// A place in a log. The first is 1, so nothing is ever at 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Seq(NonZeroU64);

impl Seq {
    /// Where every log starts.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The place with this number; `None` for 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The place after this one. The last of all, which no log can reach, is followed by itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place before this one; `None` at the start.
    pub const fn prev(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a log is about: who may do what, or the data itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Plane {
    /// Members, roles, epochs and names; readable by replicas.
    Governance = 0,
    /// Sealed payloads.
    Data = 1,
}

/// A log within its context.
///
/// Its parts change whenever a node may no longer continue what it wrote before: another role,
/// another life, another plane.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct LogId {
    /// Who writes it.
    pub author: PeerId,
    /// By which right.
    pub authority: AuthorityId,
    /// In which life.
    pub incarnation: Incarnation,
    /// About what.
    pub plane: Plane,
}

/// One delta by its place and its hash: a parent, a governance head, the end of a cut-off.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Tip {
    /// The log it is in.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// Its id; two deltas of a forked log may share a place.
    pub id: DeltaId,
}

fn base32(bytes: &[u8; ID_BYTES]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn parse_base32(text: &str, what: &'static str) -> Result<[u8; ID_BYTES], ParseError> {
    let alien = |c: char| !matches!(c, 'a'..='z' | '2'..='7');
    if let Some(at) = text.chars().position(alien) {
        return Err(ParseError::Character { at: at + 1, what });
    }
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(ParseError::Shape { what })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_peer_prints_as_libp2p_prints_it() {
        // The identity of libp2p's documentation: the peer id of an all-zero-seed Ed25519 key.
        let key = ed25519_dalek::SigningKey::from_bytes(&[0; 32]).verifying_key().to_bytes();
        let peer = PeerId::from_bytes(key);
        assert_eq!(peer.to_string(), "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN");
        assert_eq!("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN".parse(), Ok(peer));
    }

    #[test]
    fn a_mistyped_peer_is_refused() {
        // `0` is not in the base58 alphabet, a key of another kind has another prefix.
        let typo = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXT0".parse::<PeerId>();
        assert_eq!(typo, Err(ParseError::Character { at: 52, what: "a peer id" }));
        let rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse::<PeerId>();
        assert_eq!(rsa, Err(ParseError::Shape { what: "a peer id" }));
        assert!("".parse::<PeerId>().is_err());
    }

    #[test]
    fn a_mistyped_delta_is_refused() {
        let good = DeltaId::from_bytes([7; 32]).to_string();
        assert_eq!(good.len(), 52);
        assert!(good.to_uppercase().parse::<DeltaId>().is_err());
        assert!(good.get(..51).unwrap().parse::<DeltaId>().is_err());
        assert!(format!("{good}a").parse::<DeltaId>().is_err());
        assert!(good.replacen('a', "1", 1).parse::<DeltaId>().is_err());
    }

    #[test]
    fn a_log_starts_at_one_and_counts_up() {
        assert_eq!(Seq::new(0), None);
        assert_eq!(Seq::FIRST.get(), 1);
        assert_eq!(Seq::FIRST.prev(), None);
        assert_eq!(Seq::FIRST.next().prev(), Some(Seq::FIRST));
        let last = Seq::new(u64::MAX).unwrap();
        assert_eq!(last.next(), last);
    }

    proptest! {
        #[test]
        fn an_id_has_one_text_form(bytes: [u8; 32]) {
            let delta = DeltaId::from_bytes(bytes);
            prop_assert_eq!(delta.to_string().parse(), Ok(delta));
            let peer = PeerId::from_bytes(bytes);
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            prop_assert_eq!(PeerId::from_multihash(&peer.to_multihash()), Some(peer));
            prop_assert_eq!(PeerId::from_multihash(&bytes), None);
        }

        #[test]
        fn what_parses_prints_back(text in "[a-z2-7]{52}") {
            if let Ok(id) = text.parse::<ContextId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
