//! What was heard lately, so that the next copy is known for one.

use std::collections::{BTreeSet, VecDeque};

use mangrove_protocol::id::DeltaId;
use parking_lot::Mutex;

/// Messages, and deltas on their way to the disk, that are remembered. What is forgotten too early is taken in
/// once more, which changes nothing.
const MOST: usize = 16_384;

/// What was heard lately. Seen from several threads.
#[derive(Debug, Default)]
pub(super) struct Recent {
    deltas: Mutex<Memory<DeltaId>>,
    messages: Mutex<Memory<[u8; 32]>>,
}

impl Recent {
    pub(super) fn holds(&self, delta: &DeltaId) -> bool {
        self.deltas.lock().known.contains(delta)
    }

    pub(super) fn has_heard(&self, name: &[u8; 32]) -> bool {
        self.messages.lock().known.contains(name)
    }

    /// A delta was taken in. Says whether it was not known.
    pub(super) fn took(&self, delta: DeltaId) -> bool {
        self.deltas.lock().add(delta)
    }

    /// A delta was dropped after all: the next copy is taken.
    pub(super) fn dropped(&self, delta: &DeltaId) {
        self.deltas.lock().known.remove(delta);
    }

    /// A message was accepted. Says whether it was not known.
    pub(super) fn heard(&self, name: [u8; 32]) -> bool {
        self.messages.lock().add(name)
    }
}

/// The last few things.
#[derive(Debug)]
struct Memory<T> {
    known: BTreeSet<T>,
    order: VecDeque<T>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { known: BTreeSet::new(), order: VecDeque::new() }
    }
}

impl<T: Ord + Copy> Memory<T> {
    fn add(&mut self, one: T) -> bool {
        if !self.known.insert(one) {
            return false;
        }
        self.order.push_back(one);
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_remembered_as_may_be_the_last_ones() {
        let mut memory = Memory::default();
        assert!((0..MOST + 10).all(|one| memory.add(one)));
        assert_eq!((memory.known.len(), memory.order.len()), (MOST, MOST));
        assert!(memory.add(9) && !memory.add(MOST));
    }
}
