//! Names of peers and topics, as libp2p has them and as everybody else does.

use libp2p::gossipsub::TopicHash;
use libp2p::identity::{Keypair, ed25519};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::NodeKeys;

/// The peer behind a libp2p PeerId; `None` if its key is of another kind than ours.
pub(crate) fn ours(peer: &libp2p::PeerId) -> Option<PeerId> {
    PeerId::from_multihash(&peer.to_bytes())
}

/// A peer's libp2p PeerId. All have one; the `None` is libp2p's way to say so.
pub(crate) fn theirs(peer: PeerId) -> Option<libp2p::PeerId> {
    libp2p::PeerId::from_bytes(&peer.to_multihash()).ok()
}

/// The key that proves who this node is.
pub(crate) fn keypair(keys: &NodeKeys) -> Option<Keypair> {
    // libp2p wipes the bytes it reads the secret from.
    let mut secret = keys.mesh_secret();
    let secret = ed25519::SecretKey::try_from_bytes(secret.as_mut_slice()).ok()?;
    Some(Keypair::from(ed25519::Keypair::from(secret)))
}

/// A topic's name on the mesh.
pub(crate) fn hash(topic: Topic) -> TopicHash {
    TopicHash::from_raw(topic.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_the_same_peer_to_libp2p_and_to_us() {
        let keys = NodeKeys::from_bytes(&[7; 64]);
        let theirs = theirs(keys.peer()).unwrap();
        assert_eq!(theirs, keypair(&keys).unwrap().public().to_peer_id());
        assert_eq!(theirs.to_string(), keys.peer().to_string());
        assert_eq!(ours(&theirs), Some(keys.peer()));
    }
}
