//! What the one is told who offers this node as a replica.

use mangrove_protocol::enlist::{Call, Nonce};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, OnFull};

/// What the one is told who offers this node as a replica.
#[derive(Debug)]
pub(crate) enum Message {
    /// A peer calls that this node serves.
    Called(Call),
    /// An exchange with a caller has ended.
    Ended(PeerId, Nonce, Outcome),
}

/// What came of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The caller has said what there is to say about this call.
    Settled,
    /// It could not be reached, or has no time. It may call again.
    Open,
}

impl Event for Message {
    fn label(&self) -> &'static str {
        match self {
            Self::Called(_) => "called",
            Self::Ended(..) => "ended",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Called(_) => Lane::Gossip,
            Self::Ended(..) => Lane::Done,
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            // Who wants replicas calls again.
            Self::Called(_) => OnFull::Shed,
            // It comes back by itself, and needs no room.
            Self::Ended(..) => OnFull::Wait,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Called(call) => call.addresses.iter().map(|it| it.len() as u64).sum(),
            Self::Ended(..) => 0,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Called(call) => Some(call.caller),
            Self::Ended(caller, ..) => Some(*caller),
        }
    }
}
