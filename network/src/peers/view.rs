//! How a peer stands, to be shown.

use std::time::Duration;

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

use super::link::Open;
use super::{Direction, Fault, Refusal, Transport, Why};

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Who it is.
    pub peer: PeerId,
    /// The connections to it, the oldest first.
    pub connections: Vec<LinkView>,
    /// What it is wanted for.
    pub why: Vec<Why>,
    /// How many of its addresses are known.
    pub known_addresses: usize,
    /// How many dials in a row have failed.
    pub failures: u32,
    /// Whether it is being dialled.
    pub is_dialled: bool,
    /// When it will be dialled next, on the clock of the driver, if that is planned.
    pub next_dial_ms: Option<u64>,
    /// Why it is turned away, if it is.
    pub refusal: Option<Refusal>,
    /// What it did that it should not have.
    pub faults: Vec<Fault>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Where the peer is.
    pub address: Multiaddr,
    /// Who made it.
    pub direction: Direction,
    /// What it runs over.
    pub transport: Transport,
    /// Whether it goes through a third peer.
    pub relayed: bool,
    /// How long a round trip takes, if that was measured.
    pub rtt: Option<Duration>,
    /// Since when it is open, on the clock of the driver.
    pub since_ms: u64,
}

impl From<&Open> for LinkView {
    fn from(open: &Open) -> Self {
        Self {
            address: open.link.address.clone(),
            direction: open.link.direction,
            transport: open.link.transport,
            relayed: open.link.relayed,
            rtt: open.rtt,
            since_ms: open.since_ms,
        }
    }
}
