//! The door: who is let in, before and after it is known who it is.
//!
//! Machines that knock too often are sent away before anything costly is done for them; peers that
//! are banned or turned away for a while, and keys of a kind that we have no names for, as soon as
//! they have proved who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::name;
use crate::quota::Quota;

/// How often the machines behind one address may knock: at once, and every second.
const KNOCKS: u64 = 64;
const KNOCKS_PER_SECOND: u64 = 8;
/// Handshakes with the machines behind one address at a time.
const HANDSHAKES: usize = 32;
/// Connections from one address: this share of all that there may be, and at least so many.
const SHARE: u64 = 8;
const LEAST_INSIDE: usize = 8;
/// Addresses that are remembered. When all of them are busy, new ones wait.
const ADDRESSES: usize = 4_096;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Turned {
    /// Too many attempts from one address.
    #[error("too many connections from one address")]
    TooOften,
    /// Banned, or turned away for a while.
    #[error("the peer is turned away")]
    Away,
    /// Its key is not an Ed25519 key.
    #[error("the peer's key is of a kind that is not used here")]
    Stranger,
}

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Door {
    since: Instant,
    away: BTreeSet<PeerId>,
    knocks: BTreeMap<Block, Knocks>,
    pending: BTreeMap<ConnectionId, Block>,
    inside: BTreeMap<ConnectionId, Block>,
    /// Connections that may be open from one address.
    most_inside: usize,
}

/// Addresses that one customer of a network provider has: one of IPv4, a network of IPv6. Those of
/// UDP are counted by themselves, since anybody can send in the name of another there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    network: [u8; 8],
    is_udp: bool,
    is_loopback: bool,
}

#[derive(Debug)]
struct Knocks {
    quota: Quota,
    pending: usize,
    /// Connections that came from there and are open.
    inside: usize,
}

impl Door {
    /// A door to a house that bears so many connections.
    pub(crate) fn new(connections: u64) -> Self {
        let share = usize::try_from(connections / SHARE).unwrap_or(usize::MAX);
        Self {
            since: Instant::now(),
            away: BTreeSet::new(),
            knocks: BTreeMap::new(),
            pending: BTreeMap::new(),
            inside: BTreeMap::new(),
            most_inside: share.max(LEAST_INSIDE),
        }
    }

    /// Says who is not let in, from now on.
    pub(crate) fn turn_away(&mut self, peers: impl Iterator<Item = PeerId>) {
        self.away = peers.collect();
    }

    fn knock(&mut self, id: ConnectionId, from: &Multiaddr) -> Result<(), Turned> {
        let Some(block) = Block::of(from) else { return Ok(()) };
        let now_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !self.knocks.contains_key(&block) && self.knocks.len() >= ADDRESSES {
            self.knocks.retain(|_, knocks| !knocks.is_idle(now_ms));
        }
        if !self.knocks.contains_key(&block) && self.knocks.len() >= ADDRESSES {
            return Err(Turned::TooOften);
        }
        let knocks = self.knocks.entry(block).or_insert_with(Knocks::new);
        let is_full = !block.is_loopback && knocks.inside >= self.most_inside;
        if is_full || knocks.pending >= HANDSHAKES || !knocks.quota.take(1, now_ms) {
            return Err(Turned::TooOften);
        }
        knocks.pending += 1;
        self.pending.insert(id, block);
        Ok(())
    }

    /// A handshake has ended, one way or the other.
    fn answered(&mut self, id: ConnectionId) {
        let Some(block) = self.pending.remove(&id) else { return };
        if let Some(knocks) = self.knocks.get_mut(&block) {
            knocks.pending = knocks.pending.saturating_sub(1);
        }
    }

    /// Who has proved itself is inside until the connection ends.
    fn enter(&mut self, id: ConnectionId) {
        let Some(block) = self.pending.get(&id).copied() else { return };
        self.answered(id);
        self.inside.insert(id, block);
        if let Some(knocks) = self.knocks.get_mut(&block) {
            knocks.inside += 1;
        }
    }

    fn leave(&mut self, id: ConnectionId) {
        let Some(block) = self.inside.remove(&id) else { return };
        if let Some(knocks) = self.knocks.get_mut(&block) {
            knocks.inside = knocks.inside.saturating_sub(1);
        }
    }

    fn admit(&self, peer: &PeerId) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        if name::ours(peer).is_none() {
            return Err(ConnectionDenied::new(Turned::Stranger));
        }
        match self.away.contains(peer) {
            true => Err(ConnectionDenied::new(Turned::Away)),
            false => Ok(dummy::ConnectionHandler),
        }
    }
}

impl Knocks {
    const fn new() -> Self {
        Self { quota: Quota::new(KNOCKS_PER_SECOND, KNOCKS), pending: 0, inside: 0 }
    }

    fn is_idle(&mut self, now_ms: u64) -> bool {
        self.pending == 0 && self.inside == 0 && self.quota.is_idle(now_ms)
    }
}

impl Block {
    fn of(address: &Multiaddr) -> Option<Self> {
        let ip = address.iter().find_map(|part| match part {
            Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
            Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
            _ => None,
        })?;
        let ip = ip.to_canonical();
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let mut network = [0; 8];
        network.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        let is_udp = address.iter().any(|part| matches!(part, Protocol::Udp(_)));
        Some(Self { network, is_udp, is_loopback: ip.is_loopback() })
    }
}

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.knock(id, from).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let admitted = self.admit(&peer);
        // Whether another part of the house sends it away is told as a failure to listen.
        self.enter(id);
        admitted
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(&peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(failure) => {
                self.answered(failure.connection_id);
                self.leave(failure.connection_id);
            }
            FromSwarm::ConnectionClosed(closed) => self.leave(closed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    #[tokio::test(start_paused = true)]
    async fn who_knocks_too_often_waits_and_others_do_not() {
        let mut door = Door::new(64);
        let loud = address("/ip4/192.0.2.1/tcp/1");
        for number in 0..usize::try_from(KNOCKS).unwrap() {
            assert_eq!(door.knock(id(number), &loud), Ok(()));
            door.answered(id(number));
        }
        assert_eq!(door.knock(id(1_000), &loud), Err(Turned::TooOften));
        assert_eq!(door.knock(id(1_001), &address("/ip4/192.0.2.2/tcp/1")), Ok(()));
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(door.knock(id(1_002), &loud), Ok(()));
    }

    #[tokio::test]
    async fn handshakes_that_never_end_do_not_take_all_places() {
        let mut door = Door::new(64);
        let slow = address("/ip6/2001:db8::1/udp/1/quic-v1");
        let neighbour = address("/ip6/2001:db8::2/udp/1/quic-v1");
        assert!((0..HANDSHAKES).all(|number| door.knock(id(number), &slow).is_ok()));
        assert_eq!(door.knock(id(100), &neighbour), Err(Turned::TooOften));
        door.answered(id(3));
        assert_eq!(door.knock(id(101), &neighbour), Ok(()));
    }

    #[tokio::test]
    async fn one_machine_does_not_take_all_places() {
        let mut door = Door::new(64);
        let one = address("/ip4/192.0.2.1/tcp/1");
        for number in 0..8 {
            assert_eq!(door.knock(id(number), &one), Ok(()));
            door.enter(id(number));
        }
        assert_eq!(door.knock(id(9), &one), Err(Turned::TooOften));
        assert_eq!(door.knock(id(9), &address("/ip4/192.0.2.1/udp/1/quic-v1")), Ok(()));
        assert_eq!(door.knock(id(10), &address("/ip4/192.0.2.2/tcp/1")), Ok(()));
        door.leave(id(3));
        assert_eq!(door.knock(id(11), &one), Ok(()));
    }

    #[tokio::test]
    async fn addresses_that_are_remembered_are_bounded() {
        let mut door = Door::new(64);
        for number in 0..ADDRESSES + 10 {
            let ip = std::net::Ipv4Addr::from(u32::try_from(number).unwrap());
            let knocked = door.knock(id(number), &address(&format!("/ip4/{ip}/tcp/1")));
            assert_eq!(knocked.is_ok(), number < ADDRESSES);
        }
        assert_eq!(door.knocks.len(), ADDRESSES);
    }

    #[tokio::test]
    async fn who_is_turned_away_is_not_admitted() {
        let mut door = Door::new(64);
        let keys = mangrove_protocol::keys::NodeKeys::from_bytes(&[1; 64]);
        let peer = name::theirs(keys.peer()).unwrap();
        assert!(door.admit(&peer).is_ok());
        door.turn_away([peer].into_iter());
        assert!(door.admit(&peer).is_err());
        let rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".parse().unwrap();
        assert!(door.admit(&rsa).is_err());
    }
}
