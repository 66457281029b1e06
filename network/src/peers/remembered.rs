//! A peer as a later life may find it again.

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

/// A peer and where it may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Who it is.
    pub(crate) peer: PeerId,
    /// Its addresses, the best one first.
    pub(crate) addresses: Vec<Multiaddr>,
}

impl Remembered {
    /// So many peers are remembered.
    pub(crate) const MOST_PEERS: usize = 512;
    /// So many addresses of each.
    pub(crate) const MOST_ADDRESSES: usize = 4;
}
