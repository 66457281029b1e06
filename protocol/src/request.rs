//! What an application asks of a context, and what it is told.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::BASE32_NOPAD;

use crate::fold::{Rows, Stamp, Touched};
use crate::id::{DeltaId, Seq};
use crate::op::{Key, Kind, Value};
use crate::wire;

/// One call: everything in it happens or nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What makes a repetition of this call recognisable.
    pub id: Option<RequestId>,
    /// What it changes.
    pub edits: Vec<Edit>,
    /// What must hold for it to happen.
    pub conditions: Vec<Condition>,
}

impl Request {
    /// About how many bytes it holds.
    pub fn bytes(&self) -> u64 {
        let edits = self.edits.iter().map(|edit| match edit {
            Edit::Put(key, value) | Edit::Insert(key, value) | Edit::Remove(key, value) => {
                key.as_str().len() + value.as_bytes().len()
            }
            Edit::Delete(_, key) | Edit::Increment(key, _) => key.as_str().len(),
            Edit::Emit(name, data) => name.len() + data.len(),
        });
        let conditions = self.conditions.iter().map(|condition| condition.key.as_str().len());
        edits.chain(conditions).map(|bytes| bytes as u64).sum()
    }
}

/// A caller's own name for a call, within the scope of that caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId {
    /// Whose name it is: the token of the caller.
    pub scope: String,
    /// The name.
    pub name: String,
}

/// One change, as an application says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Sets a register.
    Put(Key, Value),
    /// Removes whatever this node sees under a key.
    Delete(Kind, Key),
    /// Adds to a counter.
    Increment(Key, i64),
    /// Puts an item into a set.
    Insert(Key, Value),
    /// Takes an item out of a set, as far as this node sees it there.
    Remove(Key, Value),
    /// Tells applications everywhere.
    Emit(String, Vec<u8>),
}

impl Edit {
    /// The entity it is about; an event is about none.
    pub const fn entity(&self) -> Option<(Kind, &Key)> {
        match self {
            Self::Put(key, _) => Some((Kind::Register, key)),
            Self::Delete(kind, key) => Some((*kind, key)),
            Self::Increment(key, _) => Some((Kind::Counter, key)),
            Self::Insert(key, _) | Self::Remove(key, _) => Some((Kind::Set, key)),
            Self::Emit(..) => None,
        }
    }
}

/// What must hold of an entity on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its kind.
    pub kind: Kind,
    /// Its key.
    pub key: Key,
    /// What is expected of it.
    pub expect: Expect,
}

/// What a condition expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It was not written since it had this version.
    Version(Version),
    /// There is nothing to be seen of it.
    Absent,
}

/// Changes with every write of an entity. Means nothing but equal or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Version([u8; 16]);

impl Version {
    /// The version of an entity whose last write has this stamp, after this many writes.
    pub fn after(kind: Kind, stamp: Stamp, writes: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("mangrove 2026 entity version v1");
        hasher.update(&wire::encode(&(kind, stamp, writes)));
        let mut version = [0; 16];
        hasher.finalize_xof().fill(&mut version);
        Self(version)
    }

    /// The version of an entity, if it was ever written.
    pub fn of(rows: &impl Rows, kind: Kind, key: &Key) -> Option<Self> {
        Traces::of(rows, kind, key).map(|traces| traces.version(kind))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes());
        let version = bytes.map_err(|_| NotAVersion)?.try_into().map(Self);
        version.ok().filter(|version| version.to_string() == text).ok_or(NotAVersion)
    }
}

/// What the writes of an entity leave behind, from which its version is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) stamp: Stamp,
    pub(crate) writes: u64,
}

impl Traces {
    pub(crate) fn of(rows: &impl Rows, kind: Kind, key: &Key) -> Option<Self> {
        let touched = |touched: Touched| Self { stamp: touched.last, writes: touched.writes };
        match kind {
            Kind::Register => rows.register(key).map(|row| Self { stamp: row.stamp, writes: 0 }),
            Kind::Counter => rows.counter(key).map(|row| touched(row.touched)),
            Kind::Set => rows.set(key).map(|row| touched(row.touched)),
        }
    }

    pub(crate) fn version(self, kind: Kind) -> Version {
        Version::after(kind, self.stamp, self.writes)
    }
}

/// Whether there is something to be seen of an entity.
pub fn is_visible(rows: &impl Rows, kind: Kind, key: &Key) -> bool {
    match kind {
        Kind::Register => rows.register(key).is_some_and(|row| row.value.is_some()),
        Kind::Counter => rows.counter(key).is_some_and(|row| row.sum != 0),
        Kind::Set => rows.set(key).is_some_and(|row| row.items > 0),
    }
}

/// What a call that happened is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The delta that holds it.
    pub delta: DeltaId,
    /// The place of that delta in this node's log.
    pub seq: Seq,
    /// The position in the feed from which on everything is news to this caller.
    pub cursor: u64,
    /// For each edit the version that it gave its entity.
    pub versions: Vec<Option<Version>>,
    /// Whether this answer was given before, to the same request.
    pub duplicate: bool,
}

/// Why a call did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Too much is waiting already. Try again.
    #[error("too many writes are waiting")]
    Busy,
    /// A condition does not hold. Read again, then decide.
    #[error("{} was written meanwhile", key.as_str())]
    Conflict {
        /// The entity of the first condition that does not hold.
        key: Key,
    },
    /// The request id was used for another call. Choose another.
    #[error("this request id was used for another call")]
    RequestReused,
    /// Over a limit of the table.
    #[error("over the limit {limit}")]
    TooLarge {
        /// Its name there.
        limit: &'static str,
    },
    /// Nothing to do.
    #[error("a call must change or emit something")]
    Empty,
    /// The local clock cannot be right. Set it; then this goes away by itself.
    #[error("this machine's clock is {off_ms} ms away from those of its peers")]
    Clock {
        /// How far it is behind what was applied, or off in either direction if most peers say so.
        off_ms: u64,
    },
    /// This node may not write here.
    #[error("this node may not write in this context")]
    Forbidden,
    /// This node does not hold the key yet under which it would write.
    #[error("no key to write under has arrived yet")]
    Syncing,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// No clock is left for another delta, in the year 10889.
    #[error("the clock is exhausted")]
    Exhausted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Hlc;

    fn version(kind: Kind, op: u32, writes: u64) -> Version {
        let stamp = Stamp { hlc: Hlc::new(1, 2), delta: DeltaId::from_bytes([3; 32]), op };
        Version::after(kind, stamp, writes)
    }

    #[test]
    fn a_version_has_one_text_form() {
        let text = version(Kind::Register, 4, 0).to_string();
        assert_eq!(text, "6dnqnfzhac5m2mn4u2j5g75k7e");
        assert_eq!(text.parse(), Ok(version(Kind::Register, 4, 0)));
        assert_eq!(text.to_uppercase().parse::<Version>(), Err(NotAVersion));
        assert_eq!("".parse::<Version>(), Err(NotAVersion));
        // The last character holds two bits that are not used: only one value of them is canonical.
        assert_eq!("6dnqnfzhac5m2mn4u2j5g75k7f".parse::<Version>(), Err(NotAVersion));
    }

    #[test]
    fn a_version_changes_with_everything_it_is_made_of() {
        let one = version(Kind::Counter, 4, 5);
        for other in
            [version(Kind::Set, 4, 5), version(Kind::Counter, 5, 5), version(Kind::Counter, 4, 6)]
        {
            assert_ne!(one, other);
        }
    }
}
