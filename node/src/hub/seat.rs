//! A place among those who listen to a context: the first to come makes its ring, the last to go drops it.

use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use mangrove_store::Reader;
use tokio::sync::watch;

use super::Shared;
use super::metrics::Metrics;
use super::ring::Ring;

/// A place among those who listen to a context.
pub(super) struct Seat {
    // Fields are dropped in this order: who leaves has to be gone before it is looked whether anybody is left.
    told: watch::Receiver<Ring>,
    leave: Leave,
    ring: watch::Sender<Ring>,
}

/// Leaves when it is dropped.
struct Leave {
    shared: Arc<Shared>,
    context: ContextId,
}

impl Seat {
    /// Takes one. Whatever is told from now on is in the ring.
    pub(super) fn take(shared: &Arc<Shared>, context: ContextId) -> Self {
        let make = || watch::Sender::new(Ring::new(shared.closed()));
        // Counted while the entry is held: whoever leaves at the same time sees that somebody has come.
        let entry = shared.rings.entry(context).or_insert_with(make);
        let (told, ring) = (entry.subscribe(), entry.clone());
        drop(entry);
        shared.metrics.subscribers.inc();
        Self { told, leave: Leave { shared: Arc::clone(shared), context }, ring }
    }

    /// The feed goes as far as this. The one that this ring is of: the context may have begun anew meanwhile.
    pub(super) fn reached(&self, next: u64) {
        self.ring.send_if_modified(|ring| ring.reach(next));
    }

    /// The ring, and whatever changes in it.
    pub(super) const fn told(&mut self) -> &mut watch::Receiver<Ring> {
        &mut self.told
    }

    pub(super) const fn context(&self) -> ContextId {
        self.leave.context
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.leave.shared.metrics
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.leave.shared.reader
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.shared.metrics.subscribers.dec();
        self.shared.rings.remove_if(&self.context, |_, ring| ring.receiver_count() == 0);
    }
}
