//! Streams on one connection: opened as asked for, taken in as far as there are permits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};
use mangrove_protocol::id::PeerId;

use super::error::StreamError;
use super::frames::Stream;
use super::permit::{Permit, Permits, Taken};
use crate::blame::Blame;
use crate::command::Call;

/// How long both sides may take to agree on what a stream is for.
const AGREEING: Duration = Duration::from_secs(8);

/// An order for a stream.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) call: Call,
    pub(crate) blame: Blame,
}

impl Order {
    /// Whoever gave it may have left; the stream then ends by being dropped.
    fn answer(self, outcome: Result<libp2p::Stream, StreamError>) {
        let Self { call: Call { peer, protocol, permit, reply }, blame } = self;
        let framed = |stream| Stream::over(stream, peer, protocol.frame_bytes);
        drop(reply.send(outcome.map(|stream| framed(stream).accountable(permit, blame))));
    }
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The peer has opened a stream.
    Opened { protocol: StreamProtocol, stream: libp2p::Stream, permit: Permit },
    /// It wanted to, and there was no permit.
    Refused(Taken),
}

/// Streams on one connection.
pub(crate) struct Handler {
    peer: PeerId,
    offered: Arc<[StreamProtocol]>,
    inbound: Arc<Permits>,
    orders: VecDeque<Order>,
    /// No longer than there are permits, and refusals are counted together.
    opened: VecDeque<Happened>,
    refused: VecDeque<Taken>,
}

impl Handler {
    pub(super) fn new(peer: PeerId, offered: Arc<[StreamProtocol]>, inbound: Arc<Permits>) -> Self {
        let (orders, opened, refused) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { peer, offered, inbound, orders, opened, refused }
    }

    fn take_in(&mut self, protocol: StreamProtocol, stream: libp2p::Stream) {
        match self.inbound.take(self.peer) {
            Ok(permit) => self.opened.push_back(Happened::Opened { protocol, stream, permit }),
            // Dropping the stream resets it: the peer sees that it was not taken in.
            Err(taken) => self.refused.push_back(taken),
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({:?}, {} ordered)", self.peer, self.orders.len())
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Happened;
    type InboundProtocol = Offered;
    type OutboundProtocol = Asked;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Order;

    fn listen_protocol(&self) -> SubstreamProtocol<Offered> {
        SubstreamProtocol::new(Offered(Arc::clone(&self.offered)), ()).with_timeout(AGREEING)
    }

    /// Who is connected stays connected: whether that is worth a place is decided by limits.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Asked, Order, Happened>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        if let Some(taken) = self.refused.pop_front() {
            let refused = Happened::Refused(taken);
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(refused));
        }
        while let Some(order) = self.orders.pop_front() {
            // Nobody waits for it any more.
            if order.call.reply.is_closed() {
                continue;
            }
            let asked = Asked(StreamProtocol::new(order.call.protocol.name));
            let protocol = SubstreamProtocol::new(asked, order).with_timeout(AGREEING);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, order: Order) {
        self.orders.push_back(order);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offered, Asked, (), Order>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => self.take_in(protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: order,
            }) => order.answer(Ok(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: order, error }) => {
                order.answer(Err(refusal(error)));
            }
            _ => {}
        }
    }
}

fn refusal(error: StreamUpgradeError<Infallible>) -> StreamError {
    match error {
        StreamUpgradeError::Timeout => StreamError::Silent,
        StreamUpgradeError::NegotiationFailed => StreamError::Unsupported,
        StreamUpgradeError::Apply(never) => match never {},
        StreamUpgradeError::Io(why) => StreamError::broken(&why),
    }
}

/// All that peers may open streams for.
#[derive(Debug, Clone)]
pub(crate) struct Offered(Arc<[StreamProtocol]>);

impl UpgradeInfo for Offered {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.0.to_vec()
    }
}

impl InboundUpgrade<libp2p::Stream> for Offered {
    type Output = (libp2p::Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// What a stream is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked(StreamProtocol);

impl UpgradeInfo for Asked {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.0.clone())
    }
}

impl OutboundUpgrade<libp2p::Stream> for Asked {
    type Output = libp2p::Stream;
    type Error = Infallible;
    type Future = Ready<Result<libp2p::Stream, Infallible>>;

    fn upgrade_outbound(self, stream: libp2p::Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
