//! What the state-delta actor is told, and by whom.

use mangrove_network::{Ears, Heard, News};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, OnFull};

use crate::drive::Ended;
use crate::inbox::{Outlet, Posted};
use crate::stop::Stop;

/// What the state-delta actor is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// Somebody said something on the mesh. What there is no room for is not judged, and is fetched later.
    Heard(Heard),
    /// Something has changed about the mesh.
    News(News),
}

impl Event for Message {
    fn label(&self) -> &'static str {
        match self {
            Self::Heard(_) => "heard",
            Self::News(_) => "news",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Heard(_) => Lane::Delta,
            Self::News(_) => Lane::Control,
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            Self::Heard(_) => OnFull::Shed,
            Self::News(_) => OnFull::Wait,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Heard(heard) => heard.bytes.len() as u64,
            Self::News(_) => 0,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Heard(heard) => Some(heard.from),
            Self::News(News::Connected(peer) | News::Disconnected(peer)) => Some(*peer),
            Self::News(News::Topics { peer, .. }) => Some(*peer),
            Self::News(News::Missed { .. } | News::Listening(_) | News::NotListening(_)) => None,
        }
    }
}

/// Carries what the network tells to the actors, until the network has ended or it is told to stop. What an actor
/// takes no more is dropped.
pub(crate) async fn bridge(mut ears: Ears, delta: Outlet<Message>, stop: Stop) -> Ended {
    loop {
        tokio::select! {
            biased;
            () = stop.told() => return Ended::Stopped,
            Some(news) = ears.news.recv() => {
                tokio::select! {
                    biased;
                    () = stop.told() => return Ended::Stopped,
                    told = delta.send(Message::News(news)) => drop(told),
                }
            }
            Some(heard) = ears.heard.recv() => match delta.post(Message::Heard(heard)) {
                Posted::Queued | Posted::Coalesced => {}
                // Dropped without an opinion, it is handed on to nobody.
                Posted::Shed(_) | Posted::Parked(_) | Posted::Full(_) | Posted::Sealed(_) => {}
            },
            // No protocol is offered yet: nobody can open a stream.
            Some(incoming) = ears.streams.recv() => drop(incoming),
            else => return Ended::Stopped,
        }
    }
}
