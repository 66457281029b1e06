//! How the store fares: well, out of room, or failed for good.

use tokio::sync::watch;

use crate::error::{ReadError, WriteError};

/// How the store fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes commits.
    Well,
    /// There is too little room on the disk: reads go on, commits are refused until there is more.
    Full,
    /// Nothing is confirmed any more. The node has to stop, and says why.
    Failed(String),
}

/// What everybody who uses the store knows of it.
#[derive(Debug)]
pub(crate) struct Pulse {
    health: watch::Sender<Health>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { health: watch::Sender::new(Health::Well) }
    }

    pub(crate) fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Nothing is confirmed any more. The first cause stands.
    pub(crate) fn condemn(&self, why: &str) {
        self.health.send_if_modified(|health| {
            let is_first = !matches!(health, Health::Failed(_));
            if is_first {
                tracing::error!(why, "the store has failed");
                *health = Health::Failed(why.to_owned());
            }
            is_first
        });
    }

    /// There is too little room, or there is room again.
    pub(crate) fn set_full(&self, is_full: bool) {
        let now = if is_full { Health::Full } else { Health::Well };
        self.health.send_if_modified(|health| {
            let changes = !matches!(health, Health::Failed(_)) && *health != now;
            if changes {
                match is_full {
                    true => tracing::warn!("too little room on the disk: writes are refused"),
                    false => tracing::info!("there is room on the disk again"),
                }
                *health = now;
            }
            changes
        });
    }

    /// Whether a commit may be made.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        match &*self.health.borrow() {
            Health::Well => Ok(()),
            Health::Full => Err(WriteError::Full),
            Health::Failed(why) => Err(WriteError::Failed(why.clone())),
        }
    }

    /// What a read found may have to end everything.
    pub(crate) fn note(&self, error: &ReadError) {
        match error {
            ReadError::Damaged { .. } | ReadError::Disk(_) => self.condemn(&error.to_string()),
            ReadError::UnknownContext
            | ReadError::Reopening
            | ReadError::Stale
            | ReadError::Closed => {}
        }
    }
}
