//! What shows that a ticket is held: a signature that is good for one joiner, one doorkeeper and one
//! exchange.

use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use crate::id::{ContextId, PeerId};
use crate::keys;

const DOMAIN: &[u8] = b"mangrove join v1\0";

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) context: ContextId,
    pub(super) joiner: PeerId,
    /// The joiner's box key.
    pub(super) kem: [u8; 32],
    pub(super) doorkeeper: PeerId,
    pub(super) nonce: [u8; 32],
}

impl Proof {
    /// The signature by the secret of a ticket.
    pub(super) fn sign(&self, secret: &Zeroizing<[u8; 32]>) -> [u8; keys::SIGNATURE_BYTES] {
        SigningKey::from_bytes(secret).sign(&self.message()).to_bytes()
    }

    /// Whether it is signed by the secret whose public half an invite names.
    pub(super) fn is_signed_by(
        &self,
        invite_key: &[u8; 32],
        signature: &[u8; keys::SIGNATURE_BYTES],
    ) -> bool {
        keys::is_signed_by(PeerId::from_bytes(*invite_key), &self.message(), signature)
    }

    /// Every part has a fixed length.
    fn message(&self) -> Vec<u8> {
        let Self { context, joiner, kem, doorkeeper, nonce } = self;
        [DOMAIN, context.as_bytes(), joiner.as_bytes(), kem, doorkeeper.as_bytes(), nonce].concat()
    }
}
