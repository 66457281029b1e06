//! What is held against peers, on its way from wherever it was noticed to the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use mangrove_protocol::id::PeerId;
use parking_lot::Mutex;

/// Entries that are kept between two visits of the one who writes the ledger.
const MOST: usize = 4_096;

/// Faults by who did what, until somebody takes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blame {
    noted: Arc<Mutex<BTreeMap<(PeerId, &'static str), u64>>>,
}

impl Blame {
    /// Notes a fault. From any thread; never waits for more than the note.
    pub(crate) fn record(&self, peer: PeerId, fault: &'static str) {
        let mut noted = self.noted.lock();
        if noted.len() < MOST || noted.contains_key(&(peer, fault)) {
            *noted.entry((peer, fault)).or_default() += 1;
        }
    }

    /// All that was noted since the last time, and how often.
    pub(crate) fn take(&self) -> BTreeMap<(PeerId, &'static str), u64> {
        std::mem::take(&mut *self.noted.lock())
    }
}
