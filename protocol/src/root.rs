//! The root: one hash over all live state, kept up to date by adding and subtracting.
//!
//! LtHash: every live leaf is hashed to a vector of 1,024 numbers of 16 bits, and the root is their
//! sum, lane by lane. Whoever holds the same leaves holds the same root, in whatever order they came
//! and went; finding other leaves of the same sum is as hard as a lattice problem. Tombstones,
//! waiting deltas and storage leave no trace in it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::fold::{AbsoluteDot, Stamp};
use crate::op::{Key, Value};

/// Numbers in a root.
pub const LANES: usize = 1024;
/// Bytes of a stored root.
pub const ROOT_BYTES: usize = 2 * LANES;

const LEAF_CONTEXT: &str = "mangrove 2026 root leaf v1";
const DIGEST_CONTEXT: &str = "mangrove 2026 root digest v1";

/// Half of a leaf's hash is that of its domain, which is always the same.
static LEAF_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(LEAF_CONTEXT));

/// One live piece of state. Its encoding, which begins with the tag of its kind, is what is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Leaf<'a> {
    /// A register that holds a value.
    Register {
        /// Where.
        key: &'a Key,
        /// What.
        value: &'a Value,
        /// Which write won.
        stamp: &'a Stamp,
    } = 1,
    /// A counter that is not zero.
    Counter {
        /// Where.
        key: &'a Key,
        /// How much.
        sum: i128,
    } = 2,
    /// An item that is in a set.
    Item {
        /// Where.
        key: &'a Key,
        /// What.
        item: &'a Value,
        /// Its inserts that were not removed, ascending.
        dots: &'a BTreeSet<AbsoluteDot>,
    } = 3,
}

/// The sum of all live leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Root {
    lanes: Box<[u16; LANES]>,
}

impl Root {
    /// The root of no state at all.
    pub fn empty() -> Self {
        Self { lanes: Box::new([0; LANES]) }
    }

    /// The root with these stored bytes.
    pub fn from_bytes(bytes: &[u8; ROOT_BYTES]) -> Self {
        let mut root = Self::empty();
        for (lane, pair) in root.lanes.iter_mut().zip(bytes.as_chunks().0) {
            *lane = u16::from_le_bytes(*pair);
        }
        root
    }

    /// Its stored form: the lanes in order, little-endian.
    pub fn to_bytes(&self) -> [u8; ROOT_BYTES] {
        let mut bytes = [0; ROOT_BYTES];
        for (lane, pair) in self.lanes.iter().zip(bytes.as_chunks_mut().0) {
            *pair = lane.to_le_bytes();
        }
        bytes
    }

    /// Its short form, which nodes compare and show.
    pub fn digest(&self) -> [u8; 32] {
        blake3::derive_key(DIGEST_CONTEXT, &self.to_bytes())
    }

    /// Takes in a leaf that has come to life.
    pub fn add(&mut self, leaf: &Leaf<'_>) {
        let element = Element::of(leaf);
        for (lane, pair) in self.lanes.iter_mut().zip(element.0.as_chunks().0) {
            *lane = lane.wrapping_add(u16::from_le_bytes(*pair));
        }
    }

    /// Takes out a leaf that was taken in before.
    pub fn sub(&mut self, leaf: &Leaf<'_>) {
        let element = Element::of(leaf);
        for (lane, pair) in self.lanes.iter_mut().zip(element.0.as_chunks().0) {
            *lane = lane.wrapping_sub(u16::from_le_bytes(*pair));
        }
    }

    /// Replaces a leaf, either of which may be absent.
    pub fn replace(&mut self, before: Option<Leaf<'_>>, after: Option<Leaf<'_>>) {
        if before == after {
            return;
        }
        if let Some(leaf) = before {
            self.sub(&leaf);
        }
        if let Some(leaf) = after {
            self.add(&leaf);
        }
    }
}

/// Where a fold says which leaves come and go.
pub trait Leaves {
    /// A leaf is replaced, either of which may be absent.
    fn replace(&mut self, before: Option<Leaf<'_>>, after: Option<Leaf<'_>>);
}

impl Leaves for Root {
    fn replace(&mut self, before: Option<Leaf<'_>>, after: Option<Leaf<'_>>) {
        Self::replace(self, before, after);
    }
}

/// Of rows that nobody compares: leaves are not looked at.
#[derive(Debug)]
pub struct Unsummed;

impl Leaves for Unsummed {
    fn replace(&mut self, _: Option<Leaf<'_>>, _: Option<Leaf<'_>>) {}
}

/// The root of exactly these leaves, computed anew.
pub fn of<'a>(leaves: impl IntoIterator<Item = Leaf<'a>>) -> Root {
    let mut root = Root::empty();
    for leaf in leaves {
        root.add(&leaf);
    }
    root
}

impl Default for Root {
    fn default() -> Self {
        Self::empty()
    }
}

impl BorshSerialize for Root {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.to_bytes().serialize(writer)
    }
}

impl BorshDeserialize for Root {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        BorshDeserialize::deserialize_reader(reader).map(|bytes| Self::from_bytes(&bytes))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({})", blake3::Hash::from_bytes(self.digest()).to_hex())
    }
}

/// The vector of one leaf.
struct Element([u8; ROOT_BYTES]);

impl Element {
    fn of(leaf: &Leaf<'_>) -> Self {
        let mut hasher = blake3::Hasher::new_from_context_key(&LEAF_KEY);
        // A hasher takes every write, so there is no error to lose.
        leaf.serialize(&mut hasher).unwrap_or_default();
        let mut bytes = [0; ROOT_BYTES];
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }
}
