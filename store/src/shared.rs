//! What the writer and all readers of a store share.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8PathBuf;
use mangrove_config::failpoint;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::ContextId;
use parking_lot::{Mutex, RwLock};

use crate::cipher::Cipher;
use crate::contexts::Contexts;
use crate::db::{Db, Memory};
use crate::error::ReadError;
use crate::health::Pulse;
use crate::metrics::Metrics;

pub(crate) const MIB: u64 = 1024 * 1024;

/// There is no room on the disk.
const NO_ROOM: &str = "store.no_room";

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
        }
    }

    pub(crate) fn db(&self) -> Result<Arc<Db>, ReadError> {
        match &*self.slot.read() {
            Slot::Open(db) => Ok(Arc::clone(db)),
            Slot::Reopening => Err(ReadError::Reopening),
            Slot::Closed => Err(ReadError::Closed),
        }
    }

    /// How often the database was opened anew.
    pub(crate) fn openings(&self) -> u64 {
        self.contexts.read().openings()
    }

    /// Whether there is as much room on the disk as there has to be, and at least so much. Where that
    /// cannot be told, there is.
    pub(crate) fn has_room(&self, least: u64) -> bool {
        !is_said_to_be_full() && self.finds_room(least)
    }

    /// The same, whatever a test says.
    pub(crate) fn finds_room(&self, least: u64) -> bool {
        let Ok(disk) = rustix::fs::statvfs(self.folder.as_std_path()) else { return true };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.metrics.free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        free >= (self.settings.min_free_mib * MIB).max(least)
    }
}

/// Whether a test says that there is no room on the disk.
pub(crate) fn is_said_to_be_full() -> bool {
    failpoint::global().fire::<bool>(NO_ROOM, None) == Some(true)
}
