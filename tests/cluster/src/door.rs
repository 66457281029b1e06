//! Where the API of a node is reached, as long as it is.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// What it takes to call a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Where its API is.
    pub address: SocketAddr,
    /// What opens it.
    pub token: String,
}

/// Where the API of a node is reached, as long as it is.
///
/// It outlives the process: whoever holds it finds the node again after a restart, at another address.
#[derive(Debug, Clone, Default)]
pub struct Door(Arc<Mutex<Option<Access>>>);

impl Door {
    /// The door of something that is not a [`Node`](crate::Node).
    pub fn at(access: Access) -> Self {
        let door = Self::default();
        door.open(access);
        door
    }

    /// What it takes to call the node; nothing while it does not run.
    pub fn access(&self) -> Option<Access> {
        self.0.lock().clone()
    }

    /// The node is here now.
    pub fn open(&self, access: Access) {
        *self.0.lock() = Some(access);
    }

    /// The node is gone.
    pub fn close(&self) {
        *self.0.lock() = None;
    }
}
