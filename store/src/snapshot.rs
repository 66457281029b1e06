//! What is stored, as it was at one moment.

use std::any::Any;
use std::ops::Bound;
use std::sync::OnceLock;

use mangrove_protocol::delta::Delta;
use mangrove_protocol::id::{ContextId, DeltaId};
use mangrove_protocol::view::{Table, View};
use rocksdb::{DBRawIterator, Range, ReadOptions};

use crate::contexts::ContextRow;
use crate::db::Db;
use crate::error::ReadError;
use crate::health::Pulse;
use crate::schema::{Meta, Number, after, read_key};
use crate::value;

/// A context as it was at one moment, whatever is written meanwhile. Whoever holds one keeps the room of what
/// has been overwritten since: it is for a step or a page, not for longer.
pub struct Snapshot<'r> {
    db: &'r Db,
    pulse: &'r Pulse,
    id: ContextId,
    row: ContextRow,
    context: Number,
    moment: rocksdb::Snapshot<'r>,
    /// How a row is looked up at that moment.
    at_moment: ReadOptions,
    /// The first read that failed.
    failed: OnceLock<ReadError>,
}

impl std::fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Which way rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// In the order of their keys.
    Forward,
    /// The last one first.
    Reverse,
}

impl<'r> Snapshot<'r> {
    pub(crate) fn new(db: &'r Db, pulse: &'r Pulse, id: ContextId, row: ContextRow) -> Self {
        let (moment, mut at_moment) = (db.rocks.snapshot(), ReadOptions::default());
        at_moment.set_snapshot(&moment);
        Self {
            db,
            pulse,
            id,
            row,
            context: row.number(),
            moment,
            at_moment,
            failed: OnceLock::new(),
        }
    }

    /// The context.
    pub const fn id(&self) -> ContextId {
        self.id
    }

    /// Whether every read has succeeded. Who reads through [`View`], which shows nothing where a read fails,
    /// asks this before anything leaves that was made of it.
    pub fn finish(self) -> Result<(), ReadError> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// What the store itself knew of the context.
    pub(crate) fn described(&self) -> Result<ContextRow, ReadError> {
        let found = self.db.meta_at(Meta::Context(self.id.as_bytes()), &self.at_moment);
        // Nothing of it was durable yet.
        Ok(self.noted(found)?.unwrap_or(self.row))
    }

    /// The row under a key.
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T::Row>, ReadError> {
        self.noted(look_up::<T>(self.db, self.context, key, &self.at_moment))
    }

    /// The rows between two bounds.
    pub fn rows<T: Table>(
        &self,
        (from, until): (Bound<&T::Key>, Bound<&T::Key>),
        direction: Direction,
    ) -> Rows<'_, T> {
        let table = self.context.table::<T>();
        let past = |bound| match bound {
            Bound::Included(key) => Some(next(self.context.key::<T>(key))),
            Bound::Excluded(key) => Some(self.context.key::<T>(key)),
            Bound::Unbounded => after(&table),
        };
        let first = match from {
            Bound::Included(key) => self.context.key::<T>(key),
            Bound::Excluded(key) => next(self.context.key::<T>(key)),
            Bound::Unbounded => table.clone(),
        };
        Rows::new(self, (first, past(until)), direction)
    }

    /// The rows whose keys, as `mangrove_protocol::ordered` writes them, begin like this.
    pub fn prefixed<T: Table>(&self, begins: &[u8], direction: Direction) -> Rows<'_, T> {
        let mut first = self.context.table::<T>();
        first.extend(begins);
        let past = after(&first);
        Rows::new(self, (first, past), direction)
    }

    /// Bytes of this context in the files of the database, about. What was not put into a file yet is not counted.
    pub fn bytes(&self) -> Result<u64, ReadError> {
        let (from, until) = self.context.all();
        let ranges = [Range::new(&from, &until)];
        let families = self.db.families()?.all();
        let sizes = families.map(|family| self.db.rocks.get_approximate_sizes_cf(family, &ranges));
        Ok(sizes.iter().flatten().sum())
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.moment);
        options
    }

    /// A read that fails may have to end everything.
    fn noted<R>(&self, read: Result<R, ReadError>) -> Result<R, ReadError> {
        read.inspect_err(|error| {
            self.pulse.note(error);
            // The first one stands.
            self.failed.set(error.clone()).ok();
        })
    }
}

/// The row under a key, as it is or was.
pub(crate) fn look_up<T: Table>(
    db: &Db,
    context: Number,
    key: &T::Key,
    at: &ReadOptions,
) -> Result<Option<T::Row>, ReadError> {
    let key = context.key::<T>(key);
    let found = db.rocks.get_pinned_cf_opt(db.family_of::<T>()?, &key, at);
    let value = found.map_err(|why| ReadError::of(T::NAME, &why))?;
    value.map(|value| row::<T>(db, &key, &value)).transpose()
}

/// The row whose value lies under a key.
fn row<T: Table>(db: &Db, key: &[u8], value: &[u8]) -> Result<T::Row, ReadError> {
    let damaged = |why: String| ReadError::Damaged { table: T::NAME, why };
    let row: T::Row =
        value::read(value, key, db.cipher.as_ref()).map_err(|why| damaged(why.to_string()))?;
    // The id of a delta is the hash of it.
    if let Some(delta) = raw_any(&row).downcast_ref::<Delta>()
        && !key.ends_with(DeltaId::as_bytes(&delta.id()))
    {
        return Err(damaged(format!("{} lies where another delta belongs", delta.id())));
    }
    Ok(row)
}

fn raw_any<R: 'static>(row: &R) -> &dyn Any {
    row
}

/// The smallest key after this one.
fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// A row with its key, or why there is none.
type Read<T> = Result<(<T as Table>::Key, <T as Table>::Row), ReadError>;

/// Rows of a table, one after another.
pub struct Rows<'s, T> {
    snapshot: &'s Snapshot<'s>,
    rows: Option<DBRawIterator<'s>>,
    failed: Option<ReadError>,
    direction: Direction,
    table: std::marker::PhantomData<T>,
}

impl<T: Table> std::fmt::Debug for Rows<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("table", &T::NAME).finish_non_exhaustive()
    }
}

impl<'s, T: Table> Rows<'s, T> {
    fn new(
        snapshot: &'s Snapshot<'_>,
        (first, past): (Vec<u8>, Option<Vec<u8>>),
        direction: Direction,
    ) -> Self {
        let mut options = snapshot.options();
        let is_empty = past.as_ref().is_some_and(|past| *past <= first);
        options.set_iterate_lower_bound(first);
        past.into_iter().for_each(|past| options.set_iterate_upper_bound(past));
        let family = snapshot.db.family_of::<T>();
        let rows = family.map(|family| {
            let mut rows = snapshot.db.rocks.raw_iterator_cf_opt(family, options);
            match direction {
                Direction::Forward => rows.seek_to_first(),
                Direction::Reverse => rows.seek_to_last(),
            }
            rows
        });
        let (rows, failed) = match rows {
            Ok(rows) => (Some(rows).filter(|_| !is_empty), None),
            Err(why) => (None, Some(why)),
        };
        Self { snapshot, rows, failed, direction, table: std::marker::PhantomData }
    }

    fn read(&mut self) -> Option<Read<T>> {
        if let Some(failed) = self.failed.take() {
            return Some(Err(failed));
        }
        let rows = self.rows.as_mut()?;
        let Some((key, value)) = rows.item() else {
            let ended = rows.status().map_err(|why| ReadError::of(T::NAME, &why));
            self.rows = None;
            return ended.err().map(Err);
        };
        let unreadable = || ReadError::Damaged { table: T::NAME, why: "a key is none".to_owned() };
        let read = read_key::<T>(key).ok_or_else(unreadable);
        let db = self.snapshot.db;
        let read = read.and_then(|name| Ok((name, row::<T>(db, key, value)?)));
        match (&read, self.direction) {
            (Err(_), _) => self.rows = None,
            (Ok(_), Direction::Forward) => rows.next(),
            (Ok(_), Direction::Reverse) => rows.prev(),
        }
        Some(read)
    }
}

impl<T: Table> Iterator for Rows<'_, T> {
    type Item = Read<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read()?;
        Some(self.snapshot.noted(read))
    }
}

/// How a machine reads. A read that fails shows nothing and condemns the store, which takes no commit from then
/// on; and [`Snapshot::finish`] says so, for what needs no commit.
impl View for Snapshot<'_> {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        Snapshot::get::<T>(self, key).unwrap_or_default()
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        let rows = self.rows::<T>((from, Bound::Unbounded), Direction::Forward);
        rows.map_while(Result::ok).take(limit).collect()
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        self.rows::<T>((Bound::Unbounded, until), Direction::Reverse).next()?.ok()
    }
}
