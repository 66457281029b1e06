//! What seals the values of an encrypted home.

use std::fmt;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key, Nonce};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// AES-256-GCM-SIV under the data key of the home. A nonce that repeats, which among random ones takes more
/// values than a disk holds, would show no more than that two values are equal.
#[derive(Clone)]
pub(crate) struct Cipher(Aes256GcmSiv);

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(*key)))
    }

    /// Seals some bytes, bound to others.
    pub(crate) fn seal(&self, bound: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        #[expect(clippy::expect_used, reason = "without randomness nothing secret may be written")]
        getrandom::fill(&mut nonce).expect("the system has randomness");
        let payload = Payload { msg: bytes, aad: bound };
        #[expect(clippy::expect_used, reason = "the cipher takes 64 GiB, a row is far shorter")]
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload).expect("a row is short");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed and bound to this.
    pub(crate) fn open(&self, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: bound };
        self.0.decrypt(&Nonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}
