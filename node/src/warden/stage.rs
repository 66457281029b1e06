//! A stage: what is started together, and stopped together before what was started earlier.

use std::future::Future;
use std::pin::Pin;

use mangrove_protocol::machine::Reason;

use crate::stop::Stop;

/// How a stage is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It finishes what it has.
    Drain,
    /// It lets go of what it has: nothing may be acknowledged any more.
    Cut,
}

/// What ends a stage. A reason says that something was not done that had to be.
pub type Ending = Pin<Box<dyn Future<Output = Result<(), Reason>>>>;

/// Ends a stage; called again, and then to cut, if it takes too long the first time.
type Hook = Box<dyn FnMut(Manner) -> Ending>;

/// What is stopped together.
pub(super) struct Stage {
    pub(super) name: &'static str,
    /// Of the time there is for stopping, so many parts are this one's, and whatever others leave.
    pub(super) parts: u32,
    pub(super) what: What,
}

pub(super) enum What {
    /// Actors, by their places.
    Actors { places: Vec<usize>, stop: Stop },
    /// Something else.
    Hook(Hook),
}

impl Stage {
    /// Begins to end it. Of actors it shows in their reports when they have.
    pub(super) fn begin_to_end(&mut self, manner: Manner) -> Ending {
        match &mut self.what {
            What::Hook(hook) => hook(manner),
            What::Actors { stop, .. } => {
                match manner {
                    Manner::Drain => stop.tell(),
                    Manner::Cut => stop.force(),
                }
                Box::pin(std::future::pending())
            }
        }
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stage({})", self.name)
    }
}
