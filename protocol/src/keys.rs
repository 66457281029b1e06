//! A node's own secrets: the key it signs with and the key that boxes are sealed to.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use zeroize::{Zeroize, Zeroizing};

use crate::id::{ID_BYTES, PeerId};

/// Says what a signature was made for, so that none can be passed off as another.
const KEM_DOMAIN: &[u8] = b"mangrove kem key v1\0";

/// Bytes of a stored [`NodeKeys`].
pub const NODE_KEYS_BYTES: usize = 2 * ID_BYTES;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Whether `signer` has signed `message`: the one rule by which signatures count, everywhere.
///
/// Strict: other ways to verify accept other sets of signatures, which would part the nodes for
/// ever.
pub fn is_signed_by(signer: PeerId, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    let Ok(signer) = ed25519_dalek::VerifyingKey::from_bytes(signer.as_bytes()) else {
        return false;
    };
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    signer.verify_strict(message, &signature).is_ok()
}

/// The two keys of one node.
///
/// Made once, when its home is made; each half wipes itself from memory when dropped; never
/// printed.
#[derive(Clone)]
pub struct NodeKeys {
    signing: SigningKey,
    kem: x25519_dalek::StaticSecret,
}

impl NodeKeys {
    /// The keys made from 64 bytes of fresh entropy, which are also their stored form.
    pub fn from_bytes(bytes: &[u8; NODE_KEYS_BYTES]) -> Self {
        let (mut signing, mut kem) = ([0; ID_BYTES], [0; ID_BYTES]);
        signing.copy_from_slice(&bytes[..ID_BYTES]);
        kem.copy_from_slice(&bytes[ID_BYTES..]);
        let keys = Self { signing: SigningKey::from_bytes(&signing), kem: kem.into() };
        signing.zeroize();
        kem.zeroize();
        keys
    }

    /// Who this node is to all others.
    pub fn peer(&self) -> PeerId {
        PeerId::from_bytes(self.signing.verifying_key().to_bytes())
    }

    /// The secret half of the Ed25519 key, for the transport, which proves by it who this node is.
    pub fn mesh_secret(&self) -> Zeroizing<[u8; ID_BYTES]> {
        Zeroizing::new(self.signing.to_bytes())
    }

    /// The public key that sealed boxes for this node are made out to.
    pub fn kem_public(&self) -> KemPublic {
        KemPublic { key: x25519_dalek::PublicKey::from(&self.kem).to_bytes() }
    }

    /// The key that opens boxes made out to this node.
    pub(crate) fn kem_secret(&self) -> Zeroizing<[u8; ID_BYTES]> {
        Zeroizing::new(self.kem.to_bytes())
    }

    /// The owner's signature under [`Self::kem_public`], which lets everybody else trust it.
    pub fn sign_kem(&self) -> [u8; SIGNATURE_BYTES] {
        self.sign(&self.kem_public().message())
    }

    /// This node's signature under `message`, which must begin with a domain of its own.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKeys({:?})", self.peer())
    }
}

/// The public half of a node's X25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KemPublic {
    key: [u8; ID_BYTES],
}

impl KemPublic {
    /// The key with these bytes.
    pub const fn from_bytes(key: [u8; ID_BYTES]) -> Self {
        Self { key }
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.key
    }

    /// Whether `owner` has signed for this key.
    pub fn is_signed_by(&self, owner: PeerId, signature: &[u8; SIGNATURE_BYTES]) -> bool {
        is_signed_by(owner, &self.message(), signature)
    }

    fn message(&self) -> Vec<u8> {
        [KEM_DOMAIN, &self.key].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8) -> NodeKeys {
        NodeKeys::from_bytes(&[seed; NODE_KEYS_BYTES])
    }

    #[test]
    fn the_same_bytes_are_the_same_node() {
        assert_eq!(keys(1).peer(), keys(1).peer());
        assert_ne!(keys(1).peer(), keys(2).peer());
        assert_ne!(keys(1).kem_public().as_bytes(), keys(1).peer().as_bytes());
    }

    #[test]
    fn a_kem_key_is_trusted_only_with_its_owners_signature() {
        let (own, other) = (keys(1), keys(2));
        let (key, signature) = (own.kem_public(), own.sign_kem());
        assert!(key.is_signed_by(own.peer(), &signature));
        assert!(!key.is_signed_by(other.peer(), &signature));
        assert!(!other.kem_public().is_signed_by(own.peer(), &signature));
        for bit in 0..512 {
            let mut bent = signature;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.is_signed_by(own.peer(), &bent), "bit {bit}");
        }
    }

    #[test]
    fn secrets_are_never_printed() {
        let printed = format!("{:?}", keys(0x80));
        assert!(printed.starts_with("NodeKeys(PeerId("), "{printed}");
        assert!(printed.len() < 40, "{printed}");
    }
}
