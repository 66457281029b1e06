//! What the network is told to do.

use libp2p::Multiaddr;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use tokio::sync::oneshot;

use crate::error::ConnectError;
use crate::overview::Overview;
use crate::peers::{Source, Why};
use crate::stream::permit::Permit;
use crate::stream::{Protocol, Stream, StreamError};

/// One order to the network.
#[derive(Debug)]
pub(crate) enum Command {
    Join { topic: Topic, reply: oneshot::Sender<bool> },
    Leave { topic: Topic },
    Publish { topic: Topic, bytes: Vec<u8> },
    Learn { peer: PeerId, addresses: Vec<Multiaddr>, source: Source },
    Want { peer: PeerId, why: Why },
    Unwant { peer: PeerId, why: Why },
    Connect { address: Multiaddr, reply: oneshot::Sender<Result<PeerId, ConnectError>> },
    Open { call: Call },
    Ban { peer: PeerId, reply: oneshot::Sender<()> },
    Unban { peer: PeerId, reply: oneshot::Sender<bool> },
    Overview { reply: oneshot::Sender<Overview> },
    TurnAway { peer: PeerId },
}

/// An order for a stream.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) peer: PeerId,
    pub(crate) protocol: Protocol,
    pub(crate) permit: Permit,
    pub(crate) reply: oneshot::Sender<Result<Stream, StreamError>>,
}

/// What becomes of a command when there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFull {
    /// Whoever gives it waits.
    Wait,
    /// It is dropped, and whoever gave it is told.
    Shed,
}

impl Command {
    /// What becomes of it when there is no room.
    pub(crate) const fn on_full(&self) -> OnFull {
        match self {
            // What is stored is announced again; nobody waits for the mesh.
            Self::Publish { .. } => OnFull::Shed,
            // Whoever is that bad does it again.
            Self::TurnAway { .. } => OnFull::Shed,
            Self::Join { .. }
            | Self::Leave { .. }
            | Self::Learn { .. }
            | Self::Want { .. }
            | Self::Unwant { .. }
            | Self::Connect { .. }
            | Self::Open { .. }
            | Self::Ban { .. }
            | Self::Unban { .. }
            | Self::Overview { .. } => OnFull::Wait,
        }
    }
}
