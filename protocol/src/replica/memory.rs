//! What a node must remember of its own doings in a context.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::clock::Hlc;
use crate::id::{AuthorityId, DeltaId, Incarnation, PeerId, Seq, Tip};
use crate::replica::rebuild::Rebuild;
use crate::request::{RequestId, Version, Written};

/// How long the answer to a request with an id is remembered.
pub const REQUEST_MEMORY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where a remembered request lies.
pub type RequestKey = RequestId;

/// What must survive a restart besides deltas and state.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct Own {
    /// The life in which this node writes.
    pub incarnation: Option<Incarnation>,
    /// The right by which it last wrote; another one means another life.
    pub authority: Option<AuthorityId>,
    /// The governance that its last data delta said it was written under.
    pub gov_said: Vec<Tip>,
    /// The latest clock of all applied deltas.
    pub clock: Hlc,
    /// The latest clock of applied governance.
    pub gov_clock: Hlc,
    /// How many deltas have been settled.
    pub settled: u64,
    /// How many items the feed has.
    pub feed: u64,
    /// Whether the node stopped after everything was synced, and has not written since.
    pub clean: bool,
    /// How far state has been made anew, while it is.
    pub rebuild: Option<Rebuild>,
    /// The rules by which state was folded.
    pub fold_version: u32,
    /// Who let this node in, until somebody else knows of it too.
    pub inviter: Option<PeerId>,
}

/// What a node keeps of a context for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct Local {
    /// What it calls the context, if not by the name that its members gave it.
    pub alias: Option<String>,
    /// Since when it has it, in Unix ms.
    pub since_ms: u64,
}

/// What a node has written down about a context, for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct Labels(pub BTreeMap<String, String>);

/// The answer to a request that carried an id.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
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
