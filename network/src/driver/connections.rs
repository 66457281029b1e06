//! Connections: how they come and go, and who asked for them.

use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, TransportError};
use mangrove_protocol::id::PeerId;
use tokio::sync::oneshot;

use super::discovery::is_loopback;
use super::vice::Vice;
use super::{Driver, Event};
use crate::calls::Visit;
use crate::door::Turned;
use crate::error::ConnectError;
use crate::metrics::count;
use crate::name;
use crate::peers::{Dial, Direction, Link, Source, Why, can_be_dialled, transport};
use crate::start::system_error;

/// How long after one connection another one may come because both sides dialled at once.
const CROSSING_MS: u64 = 3_000;
/// The same where the peer has dialled both times: somebody may have asked it to while it did anyway.
const REPEATING_MS: u64 = 500;
/// How long a dial may take that somebody waits for.
const VISIT: Duration = Duration::from_secs(10);
/// How often everybody is tried anew because something has changed.
const NUDGES_MS: u64 = 5_000;

impl Driver {
    pub(super) fn connected_or_not(&mut self, event: Event) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connected(&peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                tracing::debug!(connection = %connection_id, ?cause, "a connection has ended");
                self.locals.remove(&connection_id);
                self.disconnected(connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.unreachable(connection_id, peer_id.as_ref(), &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, peer_id, .. } => {
                self.not_let_in(&send_back_addr, peer_id.as_ref(), &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => self.listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.not_listening(address),
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "listening has met with an error");
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(?addresses, ?reason, "this node no longer listens here");
                addresses.into_iter().for_each(|address| self.not_listening(address));
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: &libp2p::PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(peer) = name::ours(peer) else { return };
        let now_ms = self.now_ms();
        self.dials.remove(&id);
        let address = endpoint.get_remote_address().clone();
        if is_loopback(&address) {
            self.locals.insert(id);
        }
        let is_anew = self.comes_anew(peer, endpoint, now_ms);
        let link = Link {
            id: self.links.open(id),
            peer,
            direction: if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound },
            transport: transport(&address),
            relayed: endpoint.is_relayed(),
            address: address.clone(),
        };
        tracing::debug!(%peer, connection = %id, %address, "connected");
        let was_alone = self.peers.connected_peers() == 0;
        if self.peers.connected(link, now_ms) {
            self.outbox.connected(peer);
        }
        if is_anew {
            tracing::debug!(%peer, "the peer comes anew: what was there before is over");
            self.close(peer);
            return;
        }
        if was_alone && endpoint.is_dialer() {
            // The network is back, so others may be too.
            self.nudge(now_ms);
        }
        if let Some(Visit { address, reply }) = self.calls.visited(id) {
            self.stay_with(peer, address);
            reply.send(Ok(peer)).ok();
        }
        self.calls.of(peer).into_iter().for_each(|call| self.call(call));
        self.dial();
    }

    /// Whether a peer that dials has forgotten a connection that is still held here. Nobody dials a
    /// peer that it is connected to, unless both dial at once. What that connection has told the mesh
    /// would never be told again on another, so both have to end, and the peer dials once more.
    fn comes_anew(&self, peer: PeerId, endpoint: &ConnectedPoint, now_ms: u64) -> bool {
        let Some((held_ms, direction)) = self.peers.connected_for(peer, now_ms) else {
            return false;
        };
        let crossing_ms = match direction {
            Direction::Outbound => CROSSING_MS,
            Direction::Inbound => REPEATING_MS,
        };
        endpoint.is_listener() && held_ms > crossing_ms
    }

    /// Whoever could not be reached may be reachable now. Not too often, since anybody can come and go.
    pub(super) fn nudge(&mut self, now_ms: u64) {
        if now_ms >= self.nudged_ms.saturating_add(NUDGES_MS) || self.nudged_ms == 0 {
            self.nudged_ms = now_ms.max(1);
            self.peers.nudge(now_ms);
        }
    }

    fn disconnected(&mut self, id: ConnectionId) {
        let now_ms = self.now_ms();
        let lost = self.links.close(id).and_then(|number| self.peers.disconnected(number, now_ms));
        if let Some(lost) = lost.filter(|lost| lost.last) {
            self.outbox.disconnected(lost.peer);
        }
        self.dial();
    }

    pub(super) fn dial_peer(&mut self, dial: Dial) {
        let Dial { peer, addresses, patience } = dial;
        let Some(theirs) = name::theirs(peer) else { return };
        let options = DialOpts::peer_id(theirs).addresses(addresses).build();
        let id = options.connection_id();
        count(&self.metrics.dials, "outcome", "tried");
        self.patience.set(patience);
        match self.swarm.dial(options) {
            Ok(()) => drop(self.dials.insert(id, peer)),
            // Another dial is under way, or there are too many. No event tells of it.
            Err(why) => {
                tracing::debug!(%peer, %why, "not dialled");
                let now_ms = self.now_ms();
                self.peers.postponed(peer, now_ms);
            }
        }
    }

    /// Connects to an address for somebody who waits for it.
    pub(super) fn visit(
        &mut self,
        address: Multiaddr,
        reply: oneshot::Sender<Result<PeerId, ConnectError>>,
    ) {
        let named = address.iter().find_map(|part| match part {
            Protocol::P2p(peer) => Some(peer),
            _ => None,
        });
        let is_mine = named.as_ref() == Some(self.swarm.local_peer_id());
        if is_mine || self.swarm.listeners().any(|mine| *mine == address) {
            reply.send(Err(ConnectError::Myself(address))).ok();
            return;
        }
        let host = address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
        if !can_be_dialled(&host) {
            reply.send(Err(ConnectError::Undiallable(address))).ok();
            return;
        }
        let peer = named.as_ref().and_then(name::ours);
        let refused = peer.and_then(|peer| self.peers.refusal(peer, self.now_ms()));
        if let Some(refusal) = refused {
            drop(reply.send(Err(ConnectError::TurnedAway(refusal.label()))));
            return;
        }
        if let Some(peer) = peer.filter(|peer| self.peers.is_connected(*peer)) {
            self.stay_with(peer, address);
            reply.send(Ok(peer)).ok();
            return;
        }
        let options = match named {
            Some(peer) => {
                let options = DialOpts::peer_id(peer).condition(PeerCondition::Always);
                options.addresses(vec![address.clone()]).build()
            }
            None => DialOpts::unknown_peer_id().address(address.clone()).build(),
        };
        let id = options.connection_id();
        self.patience.set(VISIT);
        match self.swarm.dial(options) {
            Ok(()) => self.calls.visit(id, Visit { address, reply }),
            Err(why) => drop(reply.send(Err(explain(address, &why)))),
        }
    }

    /// Somebody wants to be connected to a peer, and says where it is.
    fn stay_with(&mut self, peer: PeerId, address: Multiaddr) {
        let now_ms = self.now_ms();
        self.peers.learn(peer, address, Source::Manual, now_ms);
        self.peers.want(peer, Why::Manual, now_ms);
    }

    fn unreachable(&mut self, id: ConnectionId, peer: Option<&libp2p::PeerId>, error: &DialError) {
        count(&self.metrics.dials, "outcome", "failed");
        if let Some(Visit { address, reply }) = self.calls.visited(id) {
            drop(reply.send(Err(explain(address, error))));
        }
        let Some(peer) = peer.and_then(name::ours) else { return };
        tracing::debug!(%peer, %error, "not reached");
        let addresses = match error {
            DialError::Transport(tried) => tried.iter().map(|(it, _)| it.clone()).collect(),
            DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
                self.peers.misled(peer, address);
                vec![address.clone()]
            }
            _ => Vec::new(),
        };
        let now_ms = self.now_ms();
        if self.dials.remove(&id).is_some() {
            match error {
                DialError::Denied { .. } => self.peers.postponed(peer, now_ms),
                _ => self.peers.failed(peer, &addresses, now_ms),
            }
        }
        self.dial();
    }

    fn not_let_in(&mut self, from: &Multiaddr, peer: Option<&libp2p::PeerId>, error: &ListenError) {
        let reason = match error {
            ListenError::Denied { cause } => match cause.downcast_ref::<Turned>() {
                Some(Turned::TooOften) => "too_often",
                Some(Turned::Away) => "turned_away",
                Some(Turned::Stranger) => "key",
                None => "limit",
            },
            ListenError::Transport(_) => "handshake",
            _ => "other",
        };
        count(&self.metrics.turned_away, "reason", reason);
        tracing::debug!(%from, reason, "not let in");
        if let Some(peer) = peer.and_then(name::ours).filter(|_| reason == "limit") {
            self.blame(peer, "connections");
            if !self.take(Vice::Pushing, peer) {
                self.turn_away(peer);
            }
        }
    }

    /// Closes the door on a peer for a while.
    pub(super) fn turn_away(&mut self, peer: PeerId) {
        let now_ms = self.now_ms();
        if self.peers.refusal(peer, now_ms).is_some() {
            return;
        }
        let until_ms = self.peers.cool(peer, now_ms);
        let seconds = until_ms.saturating_sub(now_ms) / 1_000;
        tracing::warn!(%peer, seconds, "the peer is turned away for a while");
        self.close(peer);
    }

    /// Ends all connections to a peer and lets it in no more.
    pub(super) fn close(&mut self, peer: PeerId) {
        self.mind_the_door();
        let ids = self.peers.connections(peer).filter_map(|number| self.links.id(number));
        let ids = ids.collect::<Vec<_>>();
        for id in ids {
            self.swarm.close_connection(id);
        }
    }
}

/// What a person is told of a dial that failed.
fn explain(address: Multiaddr, error: &DialError) -> ConnectError {
    match error {
        DialError::LocalPeerId { .. } => ConnectError::Myself(address),
        DialError::WrongPeerId { obtained, .. } => {
            ConnectError::AnotherPeer { address, found: obtained.to_string() }
        }
        DialError::Transport(tried) => {
            let told = tried.iter().find_map(|(_, why)| match why {
                TransportError::Other(why) => {
                    Some(system_error(why).map_or_else(|| innermost(why), |why| why.to_string()))
                }
                TransportError::MultiaddrNotSupported(_) => None,
            });
            ConnectError::Unreachable { address, why: told.unwrap_or_default() }
        }
        other => ConnectError::Unreachable { address, why: other.to_string() },
    }
}

/// What lies at the bottom of an error that was wrapped several times.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
