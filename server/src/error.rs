//! What can go wrong with the API's server.

use std::net::SocketAddr;

use camino::Utf8PathBuf;

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
    /// The certificate cannot be used. Mend what the settings name.
    #[error("{path} cannot be used for TLS: {why}")]
    Certificate {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system does not give what a server needs.
    #[error("the API cannot be served: {0}")]
    System(std::io::Error),
}
