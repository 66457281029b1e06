//! The feed hub: how what happens to a context reaches whoever subscribed to it.
//!
//! Nothing is queued for anybody. A context that somebody listens to has one [`Ring`], which holds the last items of
//! its feed; a subscriber has a cursor, and takes what comes after it: from the ring if it lies there, from the stored
//! feed if it does not. Who is slow reads what is stored until the ring has it again, and keeps nobody else waiting;
//! who is stuck costs nothing. A context that nobody listens to has no ring.
//!
//! There is neither gap nor repeat, for two reasons. Items are durable before they are told, and a subscriber takes
//! its seat before it looks into the store: so whatever was told too early for its ring is stored, and whatever is told
//! later is in the ring. And both lie under the same positions, which a cursor goes through one by one.

mod metrics;
mod page;
mod relay;
mod ring;
mod seat;
mod subscription;
#[cfg(test)]
mod tests;
mod weight;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_store::feed::{Cursor, Page};
use mangrove_store::{ReadError, Reader, Snapshot};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use metrics::Metrics;
use ring::Ring;
use seat::{Listened, Seat};
pub use subscription::{Delivery, Ended, Subscription};

/// From where on somebody wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// All that is kept.
    Start,
    /// What comes from now on.
    Now,
    /// What was not seen yet by whoever had got this far.
    After(Cursor),
}

/// Why nothing more is told of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The context was forgotten. Nothing of it will come.
    #[error("the context was forgotten")]
    Forgotten,
    /// The node is stopping. Come back, with the cursor.
    #[error("the node is stopping")]
    Stopping,
}

/// The feed hub of a node. Cheap to clone; the clones are one.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

/// What all who tell and all who listen share.
struct Shared {
    reader: Reader,
    /// The contexts that somebody listens to.
    rings: DashMap<ContextId, Listened>,
    is_stopped: AtomicBool,
    metrics: Metrics,
}

impl Hub {
    /// Nobody listens yet.
    pub fn new(reader: Reader) -> Self {
        let (rings, is_stopped) = (DashMap::new(), AtomicBool::new(false));
        Self(Arc::new(Shared { reader, rings, is_stopped, metrics: Metrics::default() }))
    }

    /// Tells an item to whoever listens to its context. By the one that writes to that context, once the item is
    /// durable, in the order of positions. What is told twice is heard once; what was left out is read from the
    /// store.
    pub fn tell(&self, context: ContextId, position: u64, item: FeedItem) {
        if let Some(ring) = self.0.ring(&context) {
            ring.send_if_modified(|ring| ring.push(position, item));
        }
    }

    /// The feed goes up to this position, not including it, whether or not all of that was told. For whoever takes
    /// a context up from the store: the one before may have fallen after a commit, with nobody told of it.
    pub fn reached(&self, context: ContextId, next: u64) {
        if let Some(ring) = self.0.ring(&context) {
            ring.send_if_modified(|ring| ring.reach(next));
        }
    }

    /// Ends all subscriptions to a context. When it is forgotten: after that is durable, since whoever comes
    /// later is then told by the store, and before the context is begun anew.
    pub fn close(&self, context: ContextId, why: Closed) {
        if let Some((_, listened)) = self.0.rings.remove(&context) {
            listened.ring.send_modify(|ring| ring.close(why));
        }
    }

    /// Ends all subscriptions, also those that are still to come.
    pub fn stop(&self) {
        // In this order: a ring that is made meanwhile is found below, or made closed.
        self.0.is_stopped.store(true, Ordering::Release);
        let mut rings = Vec::new();
        self.0.rings.retain(|_, listened| {
            rings.push(listened.ring.clone());
            false
        });
        for ring in rings {
            ring.send_modify(|ring| ring.close(Closed::Stopping));
        }
    }

    /// Listens to a context. A cursor for which the stored feed has a gap is taken all the same: the gap comes first.
    /// Reads a few rows, where it is called. While the database is opened anew it has to be tried again.
    pub fn subscribe(&self, context: ContextId, since: Since) -> Result<Subscription, ReadError> {
        // Before the store is looked at: see above.
        let seat = Seat::take(&self.0, context);
        let reading = self.0.reader.begin()?;
        let snapshot = reading.context(&context)?;
        let cursor = since.cursor(&snapshot)?;
        let is_known = snapshot.feed(cursor, 0)?.gap.is_none();
        seat.reached(snapshot.feed_end()?.next);
        Ok(Subscription::new(seat, cursor, is_known))
    }

    /// A page of the stored feed: at most so many items, and fewer if they are large. Takes as long as the disk
    /// does: not for a thread on which others wait, unless the page is small.
    pub fn read(&self, context: ContextId, since: Since, limit: usize) -> Result<Page, ReadError> {
        page::read(&self.0.reader, &context, since, limit)
    }

    /// Puts what is counted where it is asked for.
    pub fn register(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }
}

impl Since {
    fn cursor(self, snapshot: &Snapshot<'_>) -> Result<Cursor, ReadError> {
        match self {
            Self::Start => snapshot.feed_start(),
            Self::Now => snapshot.feed_end(),
            Self::After(cursor) => Ok(cursor),
        }
    }
}

impl Shared {
    /// The ring of a context that somebody listens to. It is handed out, since whoever is woken may want to leave
    /// at once: nobody is woken while the map is held.
    fn ring(&self, context: &ContextId) -> Option<watch::Sender<Ring>> {
        self.rings.get(context).map(|listened| listened.ring.clone())
    }

    /// Why a ring that is made now is of no use.
    fn closed(&self) -> Option<Closed> {
        self.is_stopped.load(Ordering::Acquire).then_some(Closed::Stopping)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("contexts", &self.0.rings.len()).finish_non_exhaustive()
    }
}
