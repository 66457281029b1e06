//! Commits that are not durable yet: the one that the store has, and the one that was made ahead of it.

use std::collections::VecDeque;
use std::sync::Arc;

use mangrove_protocol::effect::{Commit, Effect, Held};
use mangrove_protocol::view::Batch;
use mangrove_store::Proof;

/// What the store is given.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) batch: Arc<Batch>,
    pub(crate) must_sync: bool,
}

/// Commits on their way, in the order in which they were made. The store has the first.
#[derive(Default)]
pub(super) struct Flights {
    queue: VecDeque<(Order, Held)>,
    /// Those that are durable, and of which the replica was not told yet.
    landed: usize,
}

impl Flights {
    /// Whether the store has one.
    pub(super) fn is_writing(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the replica waits for one.
    pub(super) fn is_waited_for(&self) -> bool {
        self.is_writing() || self.landed > 0
    }

    /// What will have been written when the next one is made. While there are two none is, and nobody looks.
    pub(super) fn first(&self) -> Option<Arc<Batch>> {
        self.queue.front().map(|(order, _)| Arc::clone(&order.batch))
    }

    /// One more. Says whether the store is to be given it now.
    pub(super) fn push(&mut self, Commit { batch, must_sync, held }: Commit) -> Option<Order> {
        debug_assert!(self.queue.len() < 2, "one commit ahead of another at most");
        let order = Order { batch: Arc::new(batch), must_sync };
        let is_first = self.queue.is_empty();
        self.queue.push_back((order.clone(), held));
        is_first.then_some(order)
    }

    /// This comes out with the last one.
    pub(super) fn hold_back(&mut self, behind: Held) {
        match self.queue.back_mut() {
            Some((_, held)) => held.join(behind),
            None => debug_assert!(behind.is_empty(), "nothing is on its way"),
        }
    }

    /// The first one is durable: what derives from it, and what the store is to be given next.
    pub(super) fn land(&mut self, proof: &Proof) -> (Vec<Effect>, Option<Order>) {
        let Some((_, held)) = self.queue.pop_front() else { return (Vec::new(), None) };
        self.landed += 1;
        (held.release(proof), self.queue.front().map(|(order, _)| order.clone()))
    }

    /// Those that are durable: the replica is told now.
    pub(super) fn take_landed(&mut self) -> usize {
        std::mem::take(&mut self.landed)
    }
}
