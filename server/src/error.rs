//! What can go wrong with the API's server.

use std::net::SocketAddr;

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something else listens there. Choose another port, or stop what has it.
    #[error("{0} is in use")]
    InUse(SocketAddr),
    /// The system does not let this process listen there.
    #[error("listening on {0} is not allowed: ports below 1024 are reserved")]
    NotAllowed(SocketAddr),
    /// This machine does not have that address.
    #[error("cannot listen on {address}: {why}")]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The system does not give what a server needs.
    #[error("the API cannot be served: {0}")]
    System(std::io::Error),
}
