//! Reading: what a context holds, as it was at one moment.

use std::ops::Bound;

use mangrove_protocol::fold::Stamp;
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::op::{Key, Kind, Value};
use mangrove_protocol::ordered::Ordered;
use mangrove_protocol::replica::Parked;
use mangrove_protocol::request::Version;
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::{Counters, Heads, Items, Keys, Owns, Registers, Roots, Sets};
use mangrove_store::feed::Cursor;
use mangrove_store::{Direction, ReadError, Snapshot};

use crate::directory::Facts;
use crate::fault::Fault;
use crate::handle::Handle;

/// A context as it was at one moment.
#[derive(Debug)]
pub struct Look<'r> {
    pub(super) seen: &'r Snapshot<'r>,
    /// What is known of it.
    pub facts: Facts,
}

/// What is to be seen of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The value of a register.
    Value(Value),
    /// The sum of a counter.
    Count(i128),
    /// The items of a set, in their order.
    Items(Vec<Value>),
}

/// An entity of which there is something to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its key.
    pub key: Key,
    /// Its kind.
    pub kind: Kind,
    /// What is to be seen.
    pub shown: Shown,
    /// Changes with every write of it.
    pub version: Version,
    /// Who wrote it last.
    pub author: PeerId,
    /// When, and with which delta.
    pub stamp: Stamp,
}

/// Which entities are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Of which kind.
    pub kind: Kind,
    /// How their keys begin.
    pub prefix: String,
    /// After this one, if any.
    pub after: Option<Key>,
    /// As many at most.
    pub limit: usize,
    /// From the last key to the first.
    pub reverse: bool,
}

/// What state comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The digest of the root.
    pub root: [u8; 32],
    /// The deltas that none cites.
    pub heads: Vec<DeltaId>,
    /// How many have been settled.
    pub deltas: u64,
}

impl Handle {
    /// Looks at a context. All that is read in one look was so at one moment, and is durable. For a moment only:
    /// what is overwritten meanwhile keeps its room.
    pub fn look<T>(
        &self,
        context: &ContextId,
        read: impl FnOnce(&Look<'_>) -> Result<T, ReadError>,
    ) -> Result<T, Fault> {
        let unknown = || Fault::NoContext(context.to_string());
        let facts = self.directory.get(context).ok_or_else(unknown)?.facts();
        let reading = self.reader.begin()?;
        let seen = reading.context(context).map_err(|why| match why {
            ReadError::UnknownContext => unknown(),
            why => why.into(),
        })?;
        let found = read(&Look { seen: &seen, facts })?;
        // Nothing leaves that was made of a read that failed.
        seen.finish()?;
        Ok(found)
    }

    /// Which feed of a context its cursors are of. Nothing is read for it.
    pub fn generation(&self, context: &ContextId) -> Result<u64, Fault> {
        self.reader.generation(context).map_err(|why| match why {
            ReadError::UnknownContext => Fault::NoContext(context.to_string()),
            why => why.into(),
        })
    }
}

impl Look<'_> {
    /// An entity, if there is something to be seen of it.
    pub fn entity(&self, kind: Kind, key: &Key) -> Result<Option<Entity>, ReadError> {
        let version = || Version::of(self.seen, kind, key);
        let entity = |shown, stamp, author| {
            let key = key.clone();
            version().map(|version| Entity { key, kind, shown, version, author, stamp })
        };
        Ok(match kind {
            Kind::Register => self
                .seen
                .get::<Registers>(key)?
                .and_then(|row| entity(Shown::Value(row.value?), row.stamp, row.author)),
            Kind::Counter => {
                self.seen.get::<Counters>(key)?.filter(|row| row.sum != 0).and_then(|row| {
                    entity(Shown::Count(row.sum), row.touched.last, row.touched.author)
                })
            }
            Kind::Set => match self.seen.get::<Sets>(key)?.filter(|row| row.items > 0) {
                Some(row) => {
                    let items = self.items(key)?;
                    entity(Shown::Items(items), row.touched.last, row.touched.author)
                }
                None => None,
            },
        })
    }

    fn items(&self, key: &Key) -> Result<Vec<Value>, ReadError> {
        let mut begins = Vec::new();
        key.put(&mut begins);
        let rows = self.seen.prefixed::<Items>(&begins, Direction::Forward);
        let mut items = Vec::new();
        for row in rows {
            let ((_, item), row) = row?;
            if row.is_visible() {
                items.push(item);
            }
        }
        Ok(items)
    }

    /// Entities in the order of their keys, or from the last to the first; one more than asked for is not looked at.
    pub fn entities(&self, range: &Range) -> Result<Vec<Entity>, ReadError> {
        // No key begins with what is longer than any.
        let Ok(first) = Key::new(&range.prefix) else { return Ok(Vec::new()) };
        let end = past(&range.prefix).and_then(|end| Key::new(&end).ok());
        let end = end.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let after = range.after.as_ref().map(|after| after.as_str());
        let bounds = match (range.reverse, &range.after) {
            (false, Some(key)) if after >= Some(first.as_str()) => (Bound::Excluded(key), end),
            (true, Some(key))
                if past(&range.prefix).as_deref().is_none_or(|end| key.as_str() < end) =>
            {
                (Bound::Included(&first), Bound::Excluded(key))
            }
            _ => (Bound::Included(&first), end),
        };
        let direction = if range.reverse { Direction::Reverse } else { Direction::Forward };
        let mut found = Vec::new();
        for key in self.keys(range.kind, bounds, direction) {
            if found.len() >= range.limit {
                break;
            }
            found.extend(self.entity(range.kind, &key?)?);
        }
        Ok(found)
    }

    /// The keys of a kind, whether or not there is something to be seen.
    fn keys<'s>(
        &'s self,
        kind: Kind,
        bounds: (Bound<&Key>, Bound<&Key>),
        direction: Direction,
    ) -> Box<dyn Iterator<Item = Result<Key, ReadError>> + 's> {
        fn key<T>(row: Result<(Key, T), ReadError>) -> Result<Key, ReadError> {
            row.map(|(key, _)| key)
        }
        match kind {
            Kind::Register => Box::new(self.seen.rows::<Registers>(bounds, direction).map(key)),
            Kind::Counter => Box::new(self.seen.rows::<Counters>(bounds, direction).map(key)),
            Kind::Set => Box::new(self.seen.rows::<Sets>(bounds, direction).map(key)),
        }
    }

    /// What state comes to.
    pub fn summary(&self) -> Result<Summary, ReadError> {
        let root = self.seen.get::<Roots>(&())?;
        let root = root.unwrap_or_else(mangrove_protocol::root::Root::empty).digest();
        let all = (Bound::Unbounded, Bound::Unbounded);
        let heads = self.seen.rows::<Heads>(all, Direction::Forward);
        let heads = heads.map(|row| row.map(|(id, _)| id)).collect::<Result<Vec<_>, _>>()?;
        let own = self.seen.get::<Owns>(&())?.unwrap_or_default();
        Ok(Summary { root, heads, deltas: own.settled })
    }

    /// How many entities there are of which there is something to be seen. Takes as long as there are rows.
    pub fn count(&self) -> Result<u64, ReadError> {
        let all = || (Bound::Unbounded, Bound::Unbounded);
        let (mut count, forward) = (0, Direction::Forward);
        for row in self.seen.rows::<Registers>(all(), forward) {
            count += u64::from(row?.1.value.is_some());
        }
        for row in self.seen.rows::<Counters>(all(), forward) {
            count += u64::from(row?.1.sum != 0);
        }
        for row in self.seen.rows::<Sets>(all(), forward) {
            count += u64::from(row?.1.items > 0);
        }
        Ok(count)
    }

    /// The keys by which it can be read. They go to nobody.
    pub(super) fn keys_of_epochs(&self) -> Result<Vec<EpochKey>, ReadError> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let rows = self.seen.rows::<Keys>(all, Direction::Forward);
        rows.map(|row| row.map(|(_, key)| key)).collect()
    }

    /// What waits, by reason.
    pub fn parked(&self, now_ms: u64) -> Vec<Parked> {
        mangrove_protocol::replica::parked(self.seen, now_ms)
    }

    /// Where in the feed this moment is.
    pub fn cursor(&self) -> Result<Cursor, ReadError> {
        self.seen.feed_end()
    }
}

/// The least text that comes after all that begin so, if there is one.
fn past(prefix: &str) -> Option<String> {
    let mut begins = prefix.chars();
    while let Some(last) = begins.next_back() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            return Some(format!("{}{next}", begins.as_str()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_all_that_begin_so() {
        for (prefix, expect) in [
            ("", None),
            ("a", Some("b")),
            ("ab\u{10ffff}", Some("ac")),
            ("\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{7f}", Some("a\u{80}")),
        ] {
            assert_eq!(past(prefix).as_deref(), expect, "{prefix:?}");
        }
    }
}
