//! What the sync-session actor is told.

use mangrove_network::Incoming;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, OnFull};
use mangrove_protocol::sync;
use tokio::sync::mpsc;

use super::routine::Table;
use crate::context::Seat;

/// What the sync-session actor is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A peer has opened a stream.
    Incoming(Incoming),
    /// A session is to be begun, in which this is to be said.
    Open(Seat, mpsc::Receiver<sync::Message>),
    /// A session that a peer began has its seat, or was turned away.
    Seated(Option<Box<Table>>),
    /// A session has ended.
    Ended(Seat),
    /// Whoever works on the context knows that.
    Told,
    /// Somebody was let in, or was not.
    Shown,
    /// Somebody was hired as a replica, or was not.
    Answered,
}

impl Event for Message {
    fn label(&self) -> &'static str {
        match self {
            Self::Incoming(_) => "incoming",
            Self::Open(..) => "open",
            Self::Seated(_) => "seated",
            Self::Ended(_) => "ended",
            Self::Told => "told",
            Self::Shown => "shown",
            Self::Answered => "answered",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Incoming(_) => Lane::Serve,
            Self::Open(..) => Lane::Sync,
            Self::Seated(_) | Self::Ended(_) | Self::Told | Self::Shown | Self::Answered => {
                Lane::Done
            }
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            // The network holds no more of them than there are permits.
            Self::Incoming(_) => OnFull::Wait,
            // The desk is told that it has ended, and asks somebody else.
            Self::Open(..) => OnFull::Shed,
            // These come back by themselves.
            Self::Seated(_) | Self::Ended(_) | Self::Told | Self::Shown | Self::Answered => {
                OnFull::Wait
            }
        }
    }

    fn context(&self) -> Option<ContextId> {
        match self {
            Self::Open(seat, _) | Self::Ended(seat) => Some(seat.context),
            Self::Incoming(_) | Self::Seated(_) | Self::Told | Self::Shown | Self::Answered => None,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Incoming(incoming) => Some(incoming.stream.peer()),
            Self::Open(seat, _) | Self::Ended(seat) => Some(seat.peer),
            Self::Seated(_) | Self::Told | Self::Shown | Self::Answered => None,
        }
    }
}
