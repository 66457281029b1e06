//! Operations: what a data delta does to entities, merged on every node by the same rules.
//!
//! Their tags are fixed for ever. A tag that this version does not know parks the delta; nothing is
//! skipped, because state is what *all* operations make of it.

mod entity;
mod payload;

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::DeltaId;
use crate::limits::{KEY_BYTES, VALUE_BYTES};
use crate::wire::{self, Malformed};
pub use entity::{Key, Kind, Value};
pub use payload::{Payload, Undecodable, VERSION};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const INCREMENT: u8 = 3;
const RESET: u8 = 4;
const INSERT: u8 = 5;
const REMOVE: u8 = 6;

/// One operation on one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a register.
    Put {
        /// Which one.
        key: Key,
        /// To what.
        value: Value,
    },
    /// Clears a register.
    Delete {
        /// Which one.
        key: Key,
    },
    /// Adds to a counter.
    Increment {
        /// Which one.
        key: Key,
        /// How much.
        by: i64,
    },
    /// Takes from a counter all that its author saw in it, which leaves what others add meanwhile.
    Reset {
        /// Which one.
        key: Key,
        /// What is added: the negative of what was seen.
        by: i128,
    },
    /// Puts an item into a set. It stays as long as one insert of it is not removed.
    Insert {
        /// Which one.
        key: Key,
        /// What.
        item: Value,
    },
    /// Cancels inserts of an item: those listed and no other, whether or not they have come.
    Remove {
        /// From which set.
        key: Key,
        /// What.
        item: Value,
        /// The inserts that its author saw, strictly ascending.
        dots: Vec<Dot>,
    },
}

impl Op {
    /// The kind of entity it works on.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Put { .. } | Self::Delete { .. } => Kind::Register,
            Self::Increment { .. } | Self::Reset { .. } => Kind::Counter,
            Self::Insert { .. } | Self::Remove { .. } => Kind::Set,
        }
    }

    /// The key of the entity it works on.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. }
            | Self::Delete { key }
            | Self::Increment { key, .. }
            | Self::Reset { key, .. }
            | Self::Insert { key, .. }
            | Self::Remove { key, .. } => key,
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Put { .. } => PUT,
            Self::Delete { .. } => DELETE,
            Self::Increment { .. } => INCREMENT,
            Self::Reset { .. } => RESET,
            Self::Insert { .. } => INSERT,
            Self::Remove { .. } => REMOVE,
        }
    }

    /// Keys and values are within their limits by construction; lists are not.
    fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Remove { dots, .. } if !dots.is_sorted_by(|left, right| left < right) => {
                Err(Malformed::NotCanonical { what: "dots" })
            }
            _ => Ok(()),
        }
    }
}

impl BorshSerialize for Op {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        (self.tag(), self.key()).serialize(writer)?;
        match self {
            Self::Put { value, .. } => value.serialize(writer),
            Self::Delete { .. } => Ok(()),
            Self::Increment { by, .. } => by.serialize(writer),
            Self::Reset { by, .. } => by.serialize(writer),
            Self::Insert { item, .. } => item.serialize(writer),
            Self::Remove { item, dots, .. } => (item, dots).serialize(writer),
        }
    }
}

impl BorshDeserialize for Op {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let tag = u8::deserialize_reader(reader)?;
        if !(PUT..=REMOVE).contains(&tag) {
            return Err(Malformed::Unknown { what: "operation", tag }.into());
        }
        let key = Key::deserialize_reader(reader)?;
        let op = match tag {
            PUT => Self::Put { key, value: Value::deserialize_reader(reader)? },
            DELETE => Self::Delete { key },
            INCREMENT => Self::Increment { key, by: i64::deserialize_reader(reader)? },
            RESET => Self::Reset { key, by: i128::deserialize_reader(reader)? },
            INSERT => Self::Insert { key, item: Value::deserialize_reader(reader)? },
            _ => {
                let (item, dots) = BorshDeserialize::deserialize_reader(reader)?;
                Self::Remove { key, item, dots }
            }
        };
        op.check()?;
        Ok(op)
    }
}

/// One insert, by where it stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Dot {
    /// The delta that inserts.
    pub delta: DotDelta,
    /// The index of the insert among all operations of that delta.
    pub op: u32,
}

/// The delta of a [`Dot`], which cannot name itself by a hash that it is part of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum DotDelta {
    /// The one that holds the removal.
    Own,
    /// Another.
    Of(DeltaId),
}

/// Operations and events of one caller, applied together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// What it does to state.
    pub ops: Vec<Op>,
    /// What it tells applications.
    pub events: Vec<AppEvent>,
}

/// A message to applications that rides along with the operations it is about.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct AppEvent {
    /// What it is called, within the limit of a key.
    pub name: String,
    /// What it says, within the limit of a value.
    pub data: Vec<u8>,
}

const EVENT_NAME: &str = "event name";
const EVENT_DATA: &str = "event data";

impl AppEvent {
    fn check(&self) -> Result<(), Malformed> {
        if self.name.len() as u64 > KEY_BYTES {
            return Err(Malformed::OverLimit { what: EVENT_NAME, max: KEY_BYTES });
        }
        if self.data.len() as u64 > VALUE_BYTES {
            return Err(Malformed::OverLimit { what: EVENT_DATA, max: VALUE_BYTES });
        }
        Ok(())
    }
}

impl BorshDeserialize for AppEvent {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let name = wire::read_text(reader, KEY_BYTES, EVENT_NAME)?;
        let data = wire::read_bytes(reader, VALUE_BYTES, EVENT_DATA)?;
        Ok(Self { name, data })
    }
}
