//! How those who listen to a context on one runtime are woken: by one task there, and not by whoever tells.
//!
//! Who tells has others to tell, and the disk to go back to. To wake somebody on another thread takes it about a
//! microsecond, so that the last of a hundred would be woken a tenth of a millisecond after the first, and later still
//! if the first is given the very processor on which it tells. So it wakes each runtime once. There a task wakes the
//! others, which is a matter of its own thread.

use std::sync::Arc;

use tokio::runtime::{Handle, Id};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::ring::Ring;

/// What wakes those who listen on one runtime. Dropped, it ends.
pub(super) struct Relay {
    runtime: Id,
    bell: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Begins on this runtime.
    pub(super) fn begin(runtime: &Handle, mut told: watch::Receiver<Ring>) -> Self {
        let bell = Arc::new(Notify::new());
        let rings = Arc::clone(&bell);
        let task = runtime.spawn(async move {
            while told.changed().await.is_ok() {
                rings.notify_waiters();
            }
        });
        Self { runtime: runtime.id(), bell, task }
    }

    /// Whether it wakes those on this runtime. The one of another that has ended may have had the same id.
    pub(super) fn is_of(&self, runtime: &Handle) -> bool {
        self.runtime == runtime.id() && !self.task.is_finished()
    }

    /// Rings whenever the ring of the context has changed.
    pub(super) fn bell(&self) -> &Notify {
        &self.bell
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
