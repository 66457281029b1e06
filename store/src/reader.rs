//! Reading, beside whatever is written.

use std::fmt;
use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::Table;
use prometheus_client::registry::Registry;
use rocksdb::{ErrorKind, ReadOptions, ReadTier};
use tokio::sync::watch;

use crate::db::Db;
use crate::error::ReadError;
use crate::health::Health;
use crate::shared::Shared;
use crate::snapshot::{Snapshot, look_up};

/// Reads, as many as want to.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Begins to read. To be let go of soon: when the disk was full, the database is opened anew once
    /// nobody reads.
    pub fn begin(&self) -> Result<Reading, ReadError> {
        let (db, shared) = (self.shared.db()?, Arc::clone(&self.shared));
        Ok(Reading { db, shared, at_now: ReadOptions::default() })
    }

    /// The contexts of this home.
    pub fn contexts(&self) -> Vec<ContextId> {
        self.shared.contexts.read().ids()
    }

    /// Which feed of a context its cursors are of, for as long as the context is there. Nothing is read for it.
    pub fn generation(&self, id: &ContextId) -> Result<u64, ReadError> {
        let row = self.shared.contexts.read().get(id).ok_or(ReadError::UnknownContext)?;
        Ok(row.generation)
    }

    /// How the store fares.
    pub fn health(&self) -> Health {
        self.shared.pulse.health()
    }

    /// How the store fares, as it changes.
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.shared.pulse.watch()
    }

    /// Puts what the store counts where it is asked for.
    pub fn register(&self, registry: &mut Registry) {
        self.shared.metrics.register(registry);
        crate::gauges::register(&self.shared, registry);
    }
}

/// Somebody who reads.
pub struct Reading {
    db: Arc<Db>,
    shared: Arc<Shared>,
    /// How a row is looked up as it is.
    at_now: ReadOptions,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Reading {
    pub(crate) fn rocks(&self) -> &rocksdb::DB {
        &self.db.rocks
    }

    /// The row of a context under a key, as it is now. One row is of one moment by itself.
    pub fn get<T: Table>(&self, id: &ContextId, key: &T::Key) -> Result<Option<T::Row>, ReadError> {
        let row = self.shared.contexts.read().get(id).ok_or(ReadError::UnknownContext)?;
        let found = look_up::<T>(&self.db, row.number(), key, &self.at_now);
        found.inspect_err(|why| self.shared.pulse.note(why))
    }

    /// Whether there is a row of a context under a key, as far as memory tells. Never waits for the disk: for a
    /// thread on which others wait.
    pub fn has_at_hand<T: Table>(
        &self,
        id: &ContextId,
        key: &T::Key,
    ) -> Result<Option<bool>, ReadError> {
        let row = self.shared.contexts.read().get(id).ok_or(ReadError::UnknownContext)?;
        let (key, family) = (row.number().key::<T>(key), self.db.family_of::<T>()?);
        let mut at_hand = ReadOptions::default();
        at_hand.set_read_tier(ReadTier::BlockCache);
        match self.db.rocks.get_pinned_cf_opt(family, &key, &at_hand) {
            Ok(found) => Ok(Some(found.is_some())),
            Err(why) if why.kind() == ErrorKind::Incomplete => Ok(None),
            Err(why) => {
                let why = ReadError::of(T::NAME, &why);
                self.shared.pulse.note(&why);
                Err(why)
            }
        }
    }

    /// A context as it is now. What this shows is durable.
    pub fn context(&self, id: &ContextId) -> Result<Snapshot<'_>, ReadError> {
        let row = self.shared.contexts.read().get(id).ok_or(ReadError::UnknownContext)?;
        Ok(Snapshot::new(&self.db, &self.shared.pulse, *id, row))
    }
}
