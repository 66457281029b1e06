//! The inbox of an actor: bounded, laned, and the only way to talk to it.
//!
//! Each lane is a queue of its own with room for so many events and bytes; whose turn it is, weights say. What
//! becomes of an event for which there is no room stands beside its type, and whoever sends it is told. The
//! inbox outlives its actor: what waits while one is restarted is served by the next.

mod dump;
mod entry;
mod gauges;
mod lock;
mod queue;
mod reply;
mod shared;
mod state;

use std::future::{Future, poll_fn};
use std::sync::Arc;

use mangrove_protocol::machine::Event;

use crate::error::Refused;
pub use dump::{Dump, QueueDump};
pub use entry::{Entry, Meta, Posted};
pub use gauges::Gauges;
pub use queue::{Capacity, Counts, Gate, LaneView};
pub(crate) use reply::pair as reply;
pub use reply::{Answer, Reply};
use shared::Shared;
use state::Alarm;

/// What an inbox is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose it is, as dumps and metrics show it.
    pub name: Arc<str>,
    /// The room in each lane.
    pub capacity: Capacity,
    /// So many events wait before it is said that more wait than ever.
    pub quiet: usize,
}

/// An inbox, and a way to send to it.
pub fn inbox<E: Event>(config: Config) -> (Outlet<E>, Inbox<E>) {
    let shared = Arc::new(Shared::new(config.capacity, config.quiet));
    let outlet = Outlet { name: config.name, shared };
    (outlet.clone(), Inbox { outlet })
}

/// A way to send to an actor. Cheap to clone.
#[derive(Debug)]
pub struct Outlet<E> {
    name: Arc<str>,
    shared: Arc<Shared<E>>,
}

impl<E> Clone for Outlet<E> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), shared: Arc::clone(&self.shared) }
    }
}

impl<E: Event> Outlet<E> {
    /// Sends an event without waiting.
    pub fn post(&self, event: E) -> Posted<E> {
        let (posted, alarm) = self.shared.post(Entry::new(event));
        self.tell(alarm);
        posted
    }

    /// Sends an event, waiting for room; gives it back if the inbox takes nothing more. Never from within a turn
    /// of another actor: only what has begun work of its own may wait.
    pub async fn send(&self, event: E) -> Result<(), E> {
        let alarm = self.shared.send(Entry::new(event)).await?;
        self.tell(alarm);
        Ok(())
    }

    /// Asks for something without waiting for room. The answer may be awaited.
    pub fn ask<T>(&self, build: impl FnOnce(Reply<T>) -> E) -> Result<Answer<T>, Refused> {
        let (reply, answer) = reply::pair();
        match self.post(build(reply)) {
            Posted::Queued | Posted::Coalesced => Ok(answer),
            refused => {
                // Nobody waits any more: what comes back with it need not be answered.
                drop(answer);
                Err(match refused {
                    Posted::Sealed(_) => Refused::Stopping,
                    _ => Refused::Busy,
                })
            }
        }
    }

    /// Nothing more is taken; what waits is still served.
    pub fn seal(&self) {
        self.shared.seal();
    }

    /// How each lane stands.
    pub fn view(&self) -> Vec<LaneView> {
        self.shared.view()
    }

    /// What waits, at one moment.
    pub fn dump(&self) -> QueueDump {
        QueueDump::new(&self.name, self.shared.dump())
    }

    fn tell(&self, alarm: Option<Alarm>) {
        let Some(depths) = alarm else { return };
        let lanes = dump::depths(&depths);
        tracing::warn!(queue = %self.name, %lanes, "more events wait than ever before");
    }
}

/// Where an actor is sent to. There is one, and whoever has it serves it.
#[derive(Debug)]
pub struct Inbox<E: Event> {
    outlet: Outlet<E>,
}

impl<E: Event> Inbox<E> {
    /// A way to send to it.
    pub fn outlet(&self) -> Outlet<E> {
        self.outlet.clone()
    }

    /// Until there is a next event, or there will be no other.
    pub fn ready(&mut self, gate: Gate) -> impl Future<Output = ()> {
        poll_fn(move |cx| self.outlet.shared.poll_ready(cx, gate))
    }

    /// The next event; `None` once there will be no other.
    pub async fn next(&mut self, gate: Gate) -> Option<Entry<E>> {
        loop {
            self.ready(gate).await;
            let next = self.try_next(gate);
            if next.is_some() || self.is_spent() {
                return next;
            }
        }
    }

    /// The next event, if one waits.
    pub fn try_next(&mut self, gate: Gate) -> Option<Entry<E>> {
        self.outlet.shared.try_next(gate)
    }

    /// The end of what an event began, to be served before what is sent on the same lane.
    pub fn bring_back(&mut self, entry: Entry<E>) {
        self.outlet.shared.bring_back(entry);
    }

    /// Takes nothing more; what waits is still served.
    pub fn seal(&mut self) {
        self.outlet.seal();
    }

    /// Whether it takes nothing more.
    pub fn is_sealed(&self) -> bool {
        self.outlet.shared.is_sealed()
    }

    /// Whether it takes nothing more, and nothing waits.
    pub fn is_spent(&self) -> bool {
        self.outlet.shared.is_spent()
    }

    /// Drops the ends of what an earlier receiver began.
    pub fn forget_returned(&mut self) {
        self.outlet.shared.forget_returned();
    }

    /// Takes nothing more and drops what waits, with a line for each. Says how many there were.
    pub fn drain(&mut self) -> usize {
        self.seal();
        let mut drained = 0;
        while let Some(Entry { meta, event, .. }) = self.try_next(Gate::Open) {
            drained += 1;
            reply::drop_unserved(event);
            let (queue, ancestor) = (&self.outlet.name, meta.ancestor.map(crate::EventId::get));
            let (ev, lane, label) = (meta.id.get(), meta.lane.name(), meta.label);
            tracing::debug!(%queue, ev, a = ancestor, lane, label, "dropped unserved");
        }
        drained
    }
}

impl<E: Event> Drop for Inbox<E> {
    fn drop(&mut self) {
        self.drain();
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod interleavings;
