//! The section `[network]`: where a node meets its peers.

use crate::address::Multiaddr;
use crate::section::section;

section! {
    /// Where this node meets its peers.
    "network" => Network {
        /// Where peers can reach this node, each a multiaddress. Port 0 takes any free one; an
        /// empty list means that this node only dials.
        listen: Vec<Multiaddr> = default_listen(),
        /// Peers to dial at start, each a multiaddress that ends in `/p2p/` and a peer id.
        bootstrap: Vec<Multiaddr> = Vec::new(),
    }
}

fn default_listen() -> Vec<Multiaddr> {
    Multiaddr::any_interface(2771)
}
