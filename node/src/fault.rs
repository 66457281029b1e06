//! Why the node did not do what it was asked to.

use std::time::Duration;

use mangrove_protocol::effect::Undecided;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::request;
use mangrove_store::ReadError;

use crate::directory::State;
use crate::error::{Refused, Unanswered};

/// After how long it is worth asking a busy node again.
pub const RETRY: Duration = Duration::from_millis(100);

/// Why the node did not do what it was asked to. Each kind tells the caller what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// This node keeps contexts for others, and takes part in none.
    #[error("this node is a replica: it keeps contexts for others, and takes part in none")]
    Replica,
    /// Too much waits. Try again after [`RETRY`].
    #[error("the node is busy")]
    Busy,
    /// The node is stopping. Ask again once it runs again.
    #[error("the node is stopping")]
    Stopping,
    /// Whether it was done is not known: look, and ask again.
    #[error("what was asked fell down in the middle of it")]
    Fallen,
    /// This node has as many contexts as it may have. Forget one.
    #[error("this node has {most} contexts, and takes no more")]
    TooMany {
        /// As many as it may have.
        most: usize,
    },
    /// There is no such context here.
    #[error("this node has no context {0}")]
    NoContext(String),
    /// Several contexts are meant. Name more of the id.
    #[error("`{text}` may be any of {}", among.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Those that it may mean.
        among: Vec<ContextId>,
    },
    /// The context is not there yet. This goes away by itself.
    #[error("the context is {}", .0.name())]
    Syncing(State),
    /// The context is out of use. Look at why.
    #[error("the context is quarantined: {0}")]
    Quarantined(String),
    /// The disk does not take it, at the moment.
    #[error("the disk does not take it: {0}")]
    Storage(String),
    /// It is not written.
    #[error(transparent)]
    Unwritten(#[from] request::Fault),
    /// It is not decided.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// The ticket does not let anybody in.
    #[error("{0}")]
    Ticket(String),
    /// Nobody who could help can be reached.
    #[error("{0}")]
    Unreachable(String),
    /// Over a limit.
    #[error("{what}: {found}, where {most} are the most")]
    TooLarge {
        /// Which part of what was asked.
        what: &'static str,
        /// How much of what there is.
        found: String,
        /// How much there may be.
        most: u64,
    },
    /// What was asked makes no sense.
    #[error("{what}: {why}")]
    Invalid {
        /// Which part of it.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl From<Refused> for Fault {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Busy => Self::Busy,
            Refused::Stopping => Self::Stopping,
        }
    }
}

impl From<Unanswered> for Fault {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Dropped => Self::Fallen,
            Unanswered::Stopping => Self::Stopping,
        }
    }
}

impl From<ReadError> for Fault {
    fn from(why: ReadError) -> Self {
        match why {
            ReadError::UnknownContext => Self::NoContext(String::new()),
            ReadError::Closed => Self::Stopping,
            ReadError::Reopening | ReadError::Stale => Self::Busy,
            why => Self::Storage(why.to_string()),
        }
    }
}
