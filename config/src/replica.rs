//! The section `[replica]`: for whom a replica keeps contexts.

use crate::peer::Peer;
use crate::section::section;

section! {
    /// For whom this node keeps contexts, where `node.mode` is `replica`.
    "replica" => Replica {
        /// Peers that may have this node keep their contexts, each a peer id. Empty: nobody.
        allow: Vec<Peer> = Vec::new(),
    }
}
