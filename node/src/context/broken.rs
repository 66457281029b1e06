//! Why a context cannot go on as it is.

use mangrove_store::{ReadError, WriteError};

use crate::fault::Fault;

/// Why a context cannot go on as it is.
#[derive(Debug)]
pub(super) enum Broken {
    /// What it reads is not what it went on from: it has to be loaded again.
    Unread(ReadError),
    /// What it wrote was not taken, and whoever waits for that is told so.
    Unwritten(WriteError),
    /// Nobody knows whether what it wrote was taken.
    Fell,
}

impl From<ReadError> for Broken {
    fn from(why: ReadError) -> Self {
        Self::Unread(why)
    }
}

impl Broken {
    /// What those are told who wait for it.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Unwritten(WriteError::Closed) => Fault::Stopping,
            Self::Unwritten(why) => Fault::Storage(why.to_string()),
            Self::Unread(why) => Fault::Storage(why.to_string()),
            Self::Fell => Fault::Fallen,
        }
    }
}
