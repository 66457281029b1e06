//! What the writer and all readers of a store share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::Utf8PathBuf;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::ContextId;
use parking_lot::{Mutex, RwLock};

use crate::cipher::Cipher;
use crate::contexts::Contexts;
use crate::db::{Db, Memory};
use crate::error::ReadError;
use crate::health::Pulse;
use crate::metrics::Metrics;

const MIB: u64 = 1024 * 1024;

/// Where the database is at this moment.
#[derive(Debug)]
pub(crate) enum Slot {
    Open(Arc<Db>),
    Reopening,
    Closed,
}

/// What the writer and all readers of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: Utf8PathBuf,
    pub(crate) settings: Settings,
    pub(crate) memory: Memory,
    pub(crate) cipher: Option<Cipher>,
    pub(crate) slot: RwLock<Slot>,
    pub(crate) contexts: RwLock<Contexts>,
    /// Contexts that somebody can write to.
    pub(crate) written_to: Mutex<BTreeSet<ContextId>>,
    pub(crate) pulse: Pulse,
    pub(crate) metrics: Metrics,
    /// How often the database was opened anew.
    openings: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        (folder, settings): (Utf8PathBuf, Settings),
        (db, memory): (Db, Memory),
        contexts: Contexts,
    ) -> Self {
        Self {
            folder,
            settings,
            memory,
            cipher: db.cipher.clone(),
            slot: RwLock::new(Slot::Open(Arc::new(db))),
            contexts: RwLock::new(contexts),
            written_to: Mutex::new(BTreeSet::new()),
            pulse: Pulse::new(),
            metrics: Metrics::default(),
            openings: AtomicU64::new(0),
        }
    }

    pub(crate) fn db(&self) -> Result<Arc<Db>, ReadError> {
        match &*self.slot.read() {
            Slot::Open(db) => Ok(Arc::clone(db)),
            Slot::Reopening => Err(ReadError::Reopening),
            Slot::Closed => Err(ReadError::Closed),
        }
    }

    pub(crate) fn openings(&self) -> u64 {
        self.openings.load(Ordering::Acquire)
    }

    pub(crate) fn opened_anew(&self) {
        self.openings.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether there is as much room on the disk as there has to be, and at least so much. Where that
    /// cannot be told, there is.
    pub(crate) fn has_room(&self, least: u64) -> bool {
        let Ok(disk) = rustix::fs::statvfs(self.folder.as_std_path()) else { return true };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.metrics.free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        free >= (self.settings.min_free_mib * MIB).max(least)
    }
}
