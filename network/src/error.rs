//! What can go wrong with the network.

use libp2p::Multiaddr;

use crate::notebook::NotebookError;

/// Why the network does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something else listens there. Choose another port, or stop what has it.
    #[error("{address} is in use")]
    InUse {
        /// The address.
        address: String,
    },
    /// The system does not let this process listen there.
    #[error("listening on {address} is not allowed: ports below 1024 are reserved")]
    NotAllowed {
        /// The address.
        address: String,
    },
    /// This machine does not have that address, or cannot listen on its kind.
    #[error("cannot listen on {address}: {why}")]
    CannotListen {
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// An address that is no multiaddress. Settings are checked before this is seen.
    #[error("{address} is not an address: {why}")]
    NoAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The list of banned peers cannot be read. Who is banned must not come back by accident.
    #[error(transparent)]
    Bans(#[from] NotebookError),
    /// The transport or the mesh cannot be set up.
    #[error("the network cannot be set up: {0}")]
    Setup(String),
}

/// Why a peer cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers there, or not as a peer does.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// The address.
        address: Multiaddr,
        /// What happened.
        why: String,
    },
    /// Another peer answers there.
    #[error("{address} belongs to another peer, {found}")]
    AnotherPeer {
        /// The address.
        address: Multiaddr,
        /// Who answers.
        found: String,
    },
    /// It is this node's own address.
    #[error("{0} is this node itself")]
    Myself(Multiaddr),
    /// The peer is banned, or turned away for a while.
    #[error("the peer is turned away: it is {0}")]
    TurnedAway(&'static str),
    /// Such an address cannot be dialled.
    #[error("{0} is not an address that can be dialled")]
    Undiallable(Multiaddr),
    /// The network is closing down.
    #[error("the network is closed")]
    Closed,
}
