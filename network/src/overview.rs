//! How the network stands.

use libp2p::Multiaddr;

use crate::peers::PeerView;

/// How the network stands.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Where this node can be reached, without its own id.
    pub addresses: Vec<Multiaddr>,
    /// Everybody who is connected, wanted, turned away or at fault.
    pub peers: Vec<PeerView>,
    /// What waits where.
    pub queues: Vec<Queue>,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// What waits in it.
    pub name: &'static str,
    /// How much of it waits.
    pub depth: u64,
    /// The most that has ever waited.
    pub peak: u64,
    /// How much can.
    pub capacity: u64,
}
