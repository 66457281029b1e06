//! Deltas whose chain is not held yet: kept for a while, in memory, until what comes before them
//! arrives. Losing one costs a fetch.

use std::collections::BTreeMap;

use crate::delta::Delta;
use crate::id::{DeltaId, PeerId};

/// Loose deltas, by the one that each continues.
#[derive(Debug)]
pub(super) struct Loose {
    after: BTreeMap<DeltaId, Vec<(PeerId, Delta)>>,
    bytes: u64,
    max_bytes: u64,
}

/// Whether a delta was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// As the first of those that continue the same one.
    First,
    /// Beside others, or it was there already.
    Another,
    /// There is no room.
    No,
}

impl Loose {
    pub(super) const fn new(max_bytes: u64) -> Self {
        Self { after: BTreeMap::new(), bytes: 0, max_bytes }
    }

    pub(super) fn keep(&mut self, from: PeerId, delta: &Delta) -> Kept {
        let bytes = delta.bytes().len() as u64;
        let siblings = self.after.get(&delta.header().prev);
        if siblings.is_some_and(|all| all.iter().any(|(_, known)| known.id() == delta.id())) {
            return Kept::Another;
        }
        if self.bytes.saturating_add(bytes) > self.max_bytes {
            return Kept::No;
        }
        self.bytes += bytes;
        let siblings = self.after.entry(delta.header().prev).or_default();
        siblings.push((from, delta.clone()));
        if siblings.len() == 1 { Kept::First } else { Kept::Another }
    }

    /// Those that continue this one.
    pub(super) fn release(&mut self, prev: DeltaId) -> Vec<(PeerId, Delta)> {
        let released = self.after.remove(&prev).unwrap_or_default();
        let bytes = released.iter().map(|(_, delta)| delta.bytes().len() as u64).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        released
    }
}
