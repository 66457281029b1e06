//! Streams on all connections.
//!
//! Our own, since the one that comes with libp2p loses streams whose acceptor is slow, opens them on
//! any connection, and may never say that it could not.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::handler::{Handler, Happened, Order};
use super::permit::Permits;
use crate::door::Turned;
use crate::name;

/// What happened with a peer.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) peer: mangrove_protocol::id::PeerId,
    pub(crate) what: Happened,
}

/// Streams on all connections.
pub(crate) struct Streams {
    offered: Arc<[StreamProtocol]>,
    inbound: Arc<Permits>,
    waiting: VecDeque<ToSwarm<Event, Order>>,
    waker: Option<Waker>,
}

impl Streams {
    /// Peers may open streams for what is offered, as long as there are permits.
    pub(crate) fn new(offered: Vec<StreamProtocol>, inbound: Arc<Permits>) -> Self {
        Self { offered: offered.into(), inbound, waiting: VecDeque::new(), waker: None }
    }

    /// Opens a stream on a connection. If that ends before, the reply is dropped.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId, order: Order) {
        let handler = NotifyHandler::One(connection);
        self.waiting.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event: order });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn handler(&self, peer: &PeerId) -> Result<Handler, ConnectionDenied> {
        let peer = name::ours(peer).ok_or_else(|| ConnectionDenied::new(Turned::Stranger))?;
        Ok(Handler::new(peer, Arc::clone(&self.offered), Arc::clone(&self.inbound)))
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("offered", &self.offered).finish_non_exhaustive()
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(&peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(&peer)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, what: Happened) {
        let Some(peer) = name::ours(&peer) else { return };
        self.waiting.push_back(ToSwarm::GenerateEvent(Event { peer, what }));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(next) = self.waiting.pop_front() {
            return Poll::Ready(next);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
