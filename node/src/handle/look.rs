//! Reading: what a context holds, as it was at one moment.

use std::ops::Bound;

use mangrove_protocol::fold::Stamp;
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::op::{Key, Kind, Value};
use mangrove_protocol::ordered::Ordered;
use mangrove_protocol::replica::Parked;
use mangrove_protocol::request::Version;
use mangrove_protocol::view::{Counters, Heads, Items, Owns, Registers, Roots, Sets};
use mangrove_store::feed::Cursor;
use mangrove_store::{Direction, ReadError, Snapshot};

use crate::directory::Facts;
use crate::fault::Fault;
use crate::handle::Handle;

/// A context as it was at one moment.
#[derive(Debug)]
pub struct Look<'r> {
    seen: &'r Snapshot<'r>,
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

    /// Entities in the order of their keys; one more than asked for is not looked at.
    pub fn entities(&self, range: &Range) -> Result<Vec<Entity>, ReadError> {
        let prefix = Key::new(&range.prefix).ok();
        let from = match (&range.after, &prefix) {
            (Some(after), _) if after.as_str() >= range.prefix.as_str() => Bound::Excluded(after),
            (_, Some(prefix)) => Bound::Included(prefix),
            // No key is that long.
            (_, None) => return Ok(Vec::new()),
        };
        let keys = self.keys(range.kind, (from, Bound::Unbounded), &range.prefix);
        let mut found = Vec::new();
        for key in keys {
            if found.len() >= range.limit {
                break;
            }
            found.extend(self.entity(range.kind, &key?)?);
        }
        Ok(found)
    }

    /// The keys of a kind that begin so, whether or not there is something to be seen.
    fn keys<'s>(
        &'s self,
        kind: Kind,
        bounds: (Bound<&Key>, Bound<&Key>),
        prefix: &'s str,
    ) -> Box<dyn Iterator<Item = Result<Key, ReadError>> + 's> {
        let forward = Direction::Forward;
        let begins = move |read: &Result<Key, ReadError>| {
            read.as_ref().map_or(true, |key| key.as_str().starts_with(prefix))
        };
        match kind {
            Kind::Register => {
                let rows = self.seen.rows::<Registers>(bounds, forward);
                Box::new(rows.map(|row| row.map(|(key, _)| key)).take_while(begins))
            }
            Kind::Counter => {
                let rows = self.seen.rows::<Counters>(bounds, forward);
                Box::new(rows.map(|row| row.map(|(key, _)| key)).take_while(begins))
            }
            Kind::Set => {
                let rows = self.seen.rows::<Sets>(bounds, forward);
                Box::new(rows.map(|row| row.map(|(key, _)| key)).take_while(begins))
            }
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

    /// What waits, by reason.
    pub fn parked(&self, now_ms: u64) -> Vec<Parked> {
        mangrove_protocol::replica::parked(self.seen, now_ms)
    }

    /// Where in the feed this moment is.
    pub fn cursor(&self) -> Result<Cursor, ReadError> {
        self.seen.feed_end()
    }
}
