//! Peers, addresses and connections to try things with.

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

use super::{Direction, Link, Transport};

pub(super) fn peer(n: u8) -> PeerId {
    PeerId::from_bytes([n; 32])
}

pub(super) fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

pub(super) fn tcp(n: u8) -> Multiaddr {
    address(&format!("/ip4/10.0.0.{n}/tcp/4001"))
}

pub(super) fn quic(n: u8) -> Multiaddr {
    address(&format!("/ip4/10.0.0.{n}/udp/4001/quic-v1"))
}

/// A connection that the peer with this number has made.
pub(super) fn link(id: u64, n: u8) -> Link {
    let (direction, transport) = (Direction::Inbound, Transport::Tcp);
    Link { id, peer: peer(n), address: tcp(n), direction, transport, relayed: false }
}
