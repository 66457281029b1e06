//! Driving a machine: the one loop that all actors with hard logic run.
//!
//! ```text
//! inbox ──▶ step the machine ──▶ hands carry out what it wants ──▶ work, elsewhere
//!   ▲                                                                │
//!   └────────── what became of it, on the lane of its cause ◀────────┘
//! ```
//! The loop looks in a fixed order: whether to stop, what has ended, what time it is, what waits (unless too much
//! is in flight: that is how slowness travels backwards). It never waits for work.

mod crank;
mod flight;
mod metrics;
mod step;
#[cfg(test)]
mod tests;

use std::future::pending;

use mangrove_protocol::machine::{Machine, Reason};
use tokio::time::sleep;

use crate::inbox::Inbox;
use crate::stop::Stop;
pub use crank::{Crank, NotReached};
pub use flight::Begun;
pub(crate) use flight::reason;
pub use metrics::Metrics;
pub use step::{Clock, Config, Driver, Stepped};

/// What carries out what a machine wants.
pub trait Hands<M: Machine> {
    /// Does it, if that takes no time to speak of, or begins it. Called in the order in which things are wanted.
    /// Disk, then mesh, then ears: what must wait for the disk comes back as an event first.
    fn carry_out(&mut self, effect: M::Effect) -> Option<Begun<M::Event>>;
}

impl<M: Machine, F: FnMut(M::Effect) -> Option<Begun<M::Event>>> Hands<M> for F {
    fn carry_out(&mut self, effect: M::Effect) -> Option<Begun<M::Event>> {
        self(effect)
    }
}

/// How a loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "whoever runs a loop has to know why it ended"]
pub enum Ended {
    /// As it was told to, or since nobody can send it anything any more.
    Stopped,
    /// It must not be run again; the rest of the node can go on.
    Quarantined(Reason),
    /// The node must not go on.
    Fatal(Reason),
    /// It panicked. What waits for it still waits.
    Panicked(Reason),
}

impl<M: Machine, H: Hands<M>> Driver<M, H> {
    /// Runs until told to stop, or until the machine cannot go on. Once told to, nothing more is taken; what waits
    /// is served to its end, unless time runs out.
    pub async fn run(mut self, inbox: &mut Inbox<M::Event>, stop: Stop) -> Ended {
        // What an earlier machine began is nothing to this one.
        inbox.forget_returned();
        loop {
            match self.step(inbox, &stop) {
                Stepped::Ended(ended) => return ended,
                Stepped::Nothing => self.wait(inbox, &stop).await,
                Stepped::Event(_) | Stepped::Deadline | Stepped::Landed => {}
            }
            // Whatever else runs on this thread has its turn as well.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Waits until a step would find something. Others go on between the last step and this: what they have changed
    /// since is not taken for something that the step has seen.
    async fn wait(&mut self, inbox: &mut Inbox<M::Event>, stop: &Stop) {
        let (gate, wake) = (self.gate(), self.until_deadline());
        // A step seals it once told to stop.
        let (has_heard, is_spent) = (inbox.is_sealed(), inbox.is_spent());
        if is_spent && !self.is_waiting() {
            return;
        }
        let deadline = async {
            match wake {
                Some(wake) => sleep(wake).await,
                None => pending().await,
            }
        };
        let landed = tokio::select! {
            biased;
            () = stop.forced() => None,
            () = stop.told(), if !has_heard => None,
            landed = self.landing() => landed,
            () = deadline => None,
            () = inbox.ready(gate), if !is_spent => None,
        };
        if let Some(landed) = landed {
            self.bring_back(landed, inbox);
        }
    }
}
