//! A place among those who listen to a context: the first to come makes its ring, the last to go drops it.

use std::pin::pin;
use std::sync::{Arc, Weak};

use mangrove_protocol::id::ContextId;
use mangrove_store::Reader;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Shared;
use super::metrics::Metrics;
use super::relay::Relay;
use super::ring::Ring;

/// A context that somebody listens to.
pub(super) struct Listened {
    pub(super) ring: watch::Sender<Ring>,
    /// How many have a seat.
    seats: usize,
    /// What wakes them, on each runtime where somebody waits.
    relays: Vec<Weak<Relay>>,
}

/// A place among those who listen to a context.
pub(super) struct Seat {
    // Fields are dropped in this order: who leaves is not woken any more.
    relay: Option<Arc<Relay>>,
    taken: Taken,
}

/// Leaves when it is dropped.
struct Taken {
    shared: Arc<Shared>,
    context: ContextId,
    ring: watch::Sender<Ring>,
}

impl Listened {
    fn new(ring: Ring) -> Self {
        Self { ring: watch::Sender::new(ring), seats: 0, relays: Vec::new() }
    }

    /// What wakes those who wait on this runtime.
    fn relay(&mut self, runtime: &Handle) -> Arc<Relay> {
        let mut found = None;
        self.relays.retain(|relay| {
            let relay = relay.upgrade();
            found = found.take().or_else(|| relay.clone().filter(|relay| relay.is_of(runtime)));
            relay.is_some()
        });
        found.unwrap_or_else(|| {
            let relay = Arc::new(Relay::begin(runtime, self.ring.subscribe()));
            self.relays.push(Arc::downgrade(&relay));
            relay
        })
    }
}

impl Seat {
    /// Takes one. Whatever is told from now on is in the ring.
    pub(super) fn take(shared: &Arc<Shared>, context: ContextId) -> Self {
        let make = || Listened::new(Ring::new(shared.closed()));
        // Counted while the entry is held: whoever leaves at the same time sees that somebody has come.
        let mut listened = shared.rings.entry(context).or_insert_with(make);
        listened.seats += 1;
        let ring = listened.ring.clone();
        drop(listened);
        shared.metrics.subscribers.inc();
        Self { relay: None, taken: Taken { shared: Arc::clone(shared), context, ring } }
    }

    /// The feed goes as far as this. The one that this ring is of: the context may have begun anew meanwhile.
    pub(super) fn reached(&self, next: u64) {
        self.taken.ring.send_if_modified(|ring| ring.reach(next));
    }

    /// The ring as it is.
    pub(super) fn ring(&self) -> watch::Ref<'_, Ring> {
        self.taken.ring.borrow()
    }

    /// Until there is something in the ring that is looked for. Whoever gives up waiting has lost nothing.
    pub(super) async fn find<T>(&mut self, look: impl Fn(&Ring) -> Option<T>) -> T {
        loop {
            let relay = self.relay();
            let mut rung = pin!(relay.bell().notified());
            rung.as_mut().enable();
            // What was told before is seen now, and what is told from here on rings.
            if let Some(found) = look(&self.ring()) {
                return found;
            }
            rung.await;
        }
    }

    /// What wakes whoever waits here.
    fn relay(&mut self) -> Arc<Relay> {
        let runtime = Handle::current();
        let known = self.relay.take().filter(|relay| relay.is_of(&runtime));
        let relay = known.unwrap_or_else(|| self.taken.relay(&runtime));
        Arc::clone(self.relay.insert(relay))
    }

    pub(super) const fn context(&self) -> ContextId {
        self.taken.context
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.taken.shared.metrics
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.taken.shared.reader
    }
}

impl Taken {
    fn relay(&self, runtime: &Handle) -> Arc<Relay> {
        match self.shared.rings.get_mut(&self.context) {
            Some(mut listened) if self.is_at(&listened) => listened.relay(runtime),
            // The ring was closed, and is nobody's any more.
            _ => Arc::new(Relay::begin(runtime, self.ring.subscribe())),
        }
    }

    /// Whether this is where the seat is: the context may have been forgotten, and begun anew.
    fn is_at(&self, listened: &Listened) -> bool {
        listened.ring.same_channel(&self.ring)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.shared.metrics.subscribers.dec();
        self.shared.rings.remove_if_mut(&self.context, |_, listened| {
            let is_here = self.is_at(listened);
            listened.seats -= usize::from(is_here);
            is_here && listened.seats == 0
        });
    }
}
