//! Those who wait for a connection: to open a stream on it, or just to have it.

use std::collections::BTreeMap;

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use mangrove_protocol::id::PeerId;
use tokio::sync::oneshot;

use crate::command::Call;
use crate::error::ConnectError;
use crate::stream::StreamError;

/// Orders for streams that wait for a connection. They leave when whoever gave them does.
const MOST: usize = 1_024;

/// Those who wait for a connection.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    visits: BTreeMap<ConnectionId, Visit>,
}

/// Somebody asked to be connected to an address.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) address: Multiaddr,
    pub(crate) reply: oneshot::Sender<Result<PeerId, ConnectError>>,
}

impl Calls {
    /// Keeps an order until its peer is connected.
    pub(crate) fn wait(&mut self, call: Call) {
        self.forget_abandoned();
        match self.calls.len() < MOST {
            true => self.calls.push(call),
            false => drop(call.reply.send(Err(StreamError::Busy))),
        }
    }

    /// The orders that waited for a peer.
    pub(crate) fn of(&mut self, peer: PeerId) -> Vec<Call> {
        self.calls.extract_if(.., |call| call.peer == peer).collect()
    }

    /// Remembers who is to be told how a dial went.
    pub(crate) fn visit(&mut self, id: ConnectionId, visit: Visit) {
        self.visits.insert(id, visit);
    }

    /// Who is to be told how this dial went.
    pub(crate) fn visited(&mut self, id: ConnectionId) -> Option<Visit> {
        self.visits.remove(&id)
    }

    /// Forgets those whom nobody waits for any more.
    pub(crate) fn forget_abandoned(&mut self) {
        self.calls.retain(|call| !call.reply.is_closed());
    }
}
