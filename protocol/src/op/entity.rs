//! What an operation is about: the kind, key and value of an entity.

use std::fmt;
use std::sync::Arc;

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{KEY_BYTES, VALUE_BYTES};
use crate::wire::{self, Malformed};

/// How writes to an entity merge. Each kind has keys of its own, so two kinds never conflict.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Kind {
    /// Holds one value; the last writer wins.
    Register = 1,
    /// Holds a number; increments add up.
    Counter = 2,
    /// Holds items; an insert wins over a removal that had not seen it.
    Set = 3,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register => "register",
            Self::Counter => "counter",
            Self::Set => "set",
        })
    }
}

/// The key of an entity: UTF-8 of at most [`KEY_BYTES`], ordered bytewise. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of this text, unless that is too long.
    pub fn new(text: &str) -> Result<Self, Malformed> {
        if text.len() as u64 > KEY_BYTES {
            return Err(Malformed::OverLimit { what: "key", max: KEY_BYTES });
        }
        Ok(Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BorshSerialize for Key {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.as_str().serialize(writer)
    }
}

impl BorshDeserialize for Key {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        wire::read_text(reader, KEY_BYTES, "key").map(|text| Self(text.into()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.as_str())
    }
}

/// A value, or an item of a set: at most [`VALUE_BYTES`] whose meaning is the API's affair, ordered
/// bytewise. Cheap to clone. The default is empty, which comes before all others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Value(Arc<[u8]>);

impl Value {
    /// The value with these bytes, unless there are too many.
    pub fn new(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() as u64 > VALUE_BYTES {
            return Err(Malformed::OverLimit { what: "value", max: VALUE_BYTES });
        }
        Ok(Self(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl BorshSerialize for Value {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.as_bytes().serialize(writer)
    }
}

impl BorshDeserialize for Value {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        wire::read_bytes(reader, VALUE_BYTES, "value").map(|bytes| Self(bytes.into()))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        let shown = self.0.get(..SHOWN).unwrap_or(&self.0).escape_ascii();
        let more = if self.0.len() > SHOWN { "…" } else { "" };
        write!(f, "Value({shown}{more})")
    }
}
