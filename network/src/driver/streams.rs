//! Streams: those that peers open, and those that are asked for here.

use libp2p::StreamProtocol;
use mangrove_protocol::id::PeerId;

use super::Driver;
use super::vice::Vice;
use crate::command::Call;
use crate::metrics::count;
use crate::name;
use crate::stream::behaviour::Event;
use crate::stream::handler::{Happened, Order};
use crate::stream::permit::{Permit, Taken};
use crate::stream::{Incoming, Stream, StreamError};

impl Driver {
    pub(super) fn streamed(&mut self, event: Event) {
        let Event { peer, what } = event;
        match what {
            Happened::Opened { protocol, stream, permit } => {
                self.opened(peer, &protocol, stream, permit);
            }
            Happened::Refused(taken) => self.refused(peer, taken),
        }
    }

    fn opened(
        &mut self,
        peer: PeerId,
        name: &StreamProtocol,
        stream: libp2p::Stream,
        permit: Permit,
    ) {
        let offered = self.protocols.iter().find(|it| it.name == name.as_ref()).copied();
        let Some(protocol) = offered else { return };
        let stream = Stream::over(stream, peer, protocol.frame_bytes);
        let stream = stream.accountable(permit, self.blame.clone());
        self.incoming.push_back(Incoming { protocol, stream });
    }

    /// A peer asked for more streams than it may have. Now and then that is nobody's fault.
    fn refused(&mut self, peer: PeerId, taken: Taken) {
        let by = match taken {
            Taken::ByPeer => "peer",
            Taken::ByAll => "all",
        };
        count(&self.metrics.streams_refused, "by", by);
        if taken == Taken::ByAll {
            return;
        }
        if !self.take(Vice::Greedy, peer) {
            self.blame(peer, "streams");
            self.turn_away(peer);
        }
    }

    /// Opens a stream on the best connection, or waits for one if the peer is wanted.
    pub(super) fn call(&mut self, call: Call) {
        let Some(number) = self.peers.best(call.peer) else {
            match self.peers.is_wanted(call.peer) {
                true => self.calls.wait(call),
                false => drop(call.reply.send(Err(StreamError::NotConnected))),
            }
            return;
        };
        let (Some(id), Some(peer)) = (self.links.id(number), name::theirs(call.peer)) else {
            drop(call.reply.send(Err(StreamError::NotConnected)));
            return;
        };
        let order = Order { call, blame: self.blame.clone() };
        self.swarm.behaviour_mut().streams.open(peer, id, order);
    }
}
