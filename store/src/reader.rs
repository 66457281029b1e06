//! Reading, beside whatever is written.

use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::db::Db;
use crate::error::ReadError;
use crate::health::Health;
use crate::shared::Shared;
use crate::snapshot::Snapshot;

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
        Ok(Reading { db: self.shared.db()?, shared: Arc::clone(&self.shared) })
    }

    /// The contexts of this home.
    pub fn contexts(&self) -> Vec<ContextId> {
        self.shared.contexts.read().ids()
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
#[derive(Debug)]
pub struct Reading {
    db: Arc<Db>,
    shared: Arc<Shared>,
}

impl Reading {
    pub(crate) fn rocks(&self) -> &rocksdb::DB {
        &self.db.rocks
    }

    /// A context as it is now. What this shows is durable.
    pub fn context(&self, id: &ContextId) -> Result<Snapshot<'_>, ReadError> {
        let row = self.shared.contexts.read().get(id).ok_or(ReadError::UnknownContext)?;
        Ok(Snapshot::new(&self.db, &self.shared.pulse, *id, row))
    }
}
