//! What a node must remember of its own doings in a context.

use crate::clock::Hlc;
use crate::id::{DeltaId, Incarnation, Seq};
use crate::request::{RequestId, Version, Written};

/// How long the answer to a request with an id is remembered.
pub const REQUEST_MEMORY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where a remembered request lies.
pub type RequestKey = RequestId;

/// What must survive a restart besides deltas and state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// The log that is being written.
    pub incarnation: Option<Incarnation>,
    /// The latest clock of all applied deltas.
    pub clock: Hlc,
    /// How many deltas have been settled.
    pub settled: u64,
    /// How many items the feed has.
    pub feed: u64,
    /// Whether the node stopped after everything was synced, and has not written since.
    pub clean: bool,
}

/// The answer to a request that carried an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// What was asked.
    pub fingerprint: [u8; 32],
    /// When.
    pub at_ms: u64,
    /// The delta that holds it.
    pub delta: DeltaId,
    /// Its place in the log.
    pub seq: Seq,
    /// The position in the feed.
    pub cursor: u64,
    /// The versions it gave.
    pub versions: Vec<Option<Version>>,
}

impl Remembered {
    /// The same answer again.
    pub fn again(&self) -> Written {
        Written {
            delta: self.delta,
            seq: self.seq,
            cursor: self.cursor,
            versions: self.versions.clone(),
            duplicate: true,
        }
    }

    /// Whether it is too old to count.
    pub const fn is_stale(&self, now_ms: u64) -> bool {
        self.at_ms.saturating_add(REQUEST_MEMORY_MS) < now_ms
    }
}
