//! Deltas whose chain is not held yet: kept for a while, in memory, until what comes before them
//! arrives. Losing one costs a fetch, so when there is no room the oldest leave.

use std::collections::{BTreeMap, VecDeque};

use crate::delta::Delta;
use crate::id::{DeltaId, PeerId};

/// Loose deltas, by the one that each continues.
#[derive(Debug)]
pub(super) struct Loose {
    after: BTreeMap<DeltaId, Vec<(PeerId, Delta)>>,
    /// All of them as (the one before, id), the oldest first; some may have been released since.
    oldest: VecDeque<(DeltaId, DeltaId)>,
    count: usize,
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
    /// It alone is more than there is room for.
    No,
}

impl Loose {
    pub(super) const fn new(max_bytes: u64) -> Self {
        Self { after: BTreeMap::new(), oldest: VecDeque::new(), count: 0, bytes: 0, max_bytes }
    }

    pub(super) fn keep(&mut self, from: PeerId, delta: &Delta) -> Kept {
        let bytes = delta.bytes().len() as u64;
        let siblings = self.after.get(&delta.header().prev);
        if siblings.is_some_and(|all| all.iter().any(|(_, known)| known.id() == delta.id())) {
            return Kept::Another;
        }
        if bytes > self.max_bytes {
            return Kept::No;
        }
        self.make_room(bytes);
        self.bytes += bytes;
        self.count += 1;
        self.oldest.push_back((delta.header().prev, delta.id()));
        let siblings = self.after.entry(delta.header().prev).or_default();
        siblings.push((from, delta.clone()));
        if siblings.len() == 1 { Kept::First } else { Kept::Another }
    }

    /// Lets the oldest go until there is room.
    fn make_room(&mut self, bytes: u64) {
        while self.bytes.saturating_add(bytes) > self.max_bytes {
            let Some((prev, id)) = self.oldest.pop_front() else { return };
            let Some(siblings) = self.after.get_mut(&prev) else { continue };
            let gone = siblings.extract_if(.., |(_, delta)| delta.id() == id).collect::<Vec<_>>();
            if siblings.is_empty() {
                self.after.remove(&prev);
            }
            self.forget(&gone);
        }
    }

    /// The ids of those that continue this one.
    pub(super) fn continuing(&self, prev: DeltaId) -> impl Iterator<Item = DeltaId> {
        self.after.get(&prev).into_iter().flatten().map(|(_, delta)| delta.id())
    }

    /// Those that continue this one, which are loose no more.
    pub(super) fn release(&mut self, prev: DeltaId) -> Vec<(PeerId, Delta)> {
        let released = self.after.remove(&prev).unwrap_or_default();
        self.forget(&released);
        // Those that were released stay in the line until they outnumber the others.
        if self.oldest.len() > 2 * self.count + 64 {
            let after = &self.after;
            let loose = |prev: &DeltaId, id: &DeltaId| {
                after.get(prev).is_some_and(|all| all.iter().any(|(_, delta)| delta.id() == *id))
            };
            self.oldest.retain(|(prev, id)| loose(prev, id));
        }
        released
    }

    fn forget(&mut self, gone: &[(PeerId, Delta)]) {
        let bytes = gone.iter().map(|(_, delta)| delta.bytes().len() as u64).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.count = self.count.saturating_sub(gone.len());
    }
}
