//! Presence: what a member says of itself for a while, which nobody stores.
//!
//! ```text
//! sealed:  time 8 · state []
//! ```
//! It travels as an [`Ephemeral`], sealed under a key that is made of the epoch's. The context, the
//! sender and the epoch are authenticated with it, so that it opens for what its sender said where it
//! said it, and nowhere else. A copy that comes again is told by its time: see [`Board`].

mod board;

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::message::{EPHEMERAL_NONCE_BYTES, Ephemeral, SEALED_BYTES};
use crate::id::{ContextId, EpochId, PeerId};
use crate::limits::PRESENCE_BYTES;
use crate::seal::{EPOCH_KEY_BYTES, EpochKey};
use crate::wire::{self, Malformed};
pub use board::{Board, PRESENCE_MS};

/// Parts the key of presence from every other use of an epoch's key.
const KEY_CONTEXT: &str = "mangrove 2026 presence key v1";

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize)]
pub struct State {
    /// When, by its own clock, in Unix ms.
    pub at_ms: u64,
    /// What: bytes of the application, at most [`PRESENCE_BYTES`]. None at all: it is gone.
    pub state: Vec<u8>,
}

impl BorshDeserialize for State {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let at_ms = u64::deserialize_reader(reader)?;
        let state = wire::read_bytes(reader, PRESENCE_BYTES, "a presence state")?;
        Ok(Self { at_ms, state })
    }
}

/// Why a presence state stays closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key is that of another epoch.
    #[error("the key is that of another epoch")]
    WrongKey,
    /// The right key does not open it: it was said elsewhere, by another, or not at all.
    #[error("it does not open under its own epoch's key")]
    Damaged,
    /// What was sealed is no presence state.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Seals what `sender` says of itself in `context`; nothing if it is over the limit. The nonce must be
/// fresh and random, and the time above that of whatever it said before.
pub fn seal(
    state: &[u8],
    at_ms: u64,
    key: &EpochKey,
    (context, sender): (ContextId, PeerId),
    nonce: [u8; EPHEMERAL_NONCE_BYTES],
) -> Option<Ephemeral> {
    if state.len() as u64 > PRESENCE_BYTES {
        return None;
    }
    let mut sealed = wire::encode(&State { at_ms, state: state.to_vec() });
    let (secret, epoch) = (presence_key(key), key.id());
    let cipher = Aes256GcmSiv::new((&*secret).into());
    let done = cipher.encrypt_in_place(&nonce.into(), &place(context, sender, epoch), &mut sealed);
    done.ok().map(|()| Ephemeral { epoch, nonce, sealed })
}

/// Opens what `sender` said of itself in `context`.
pub fn open(
    ephemeral: &Ephemeral,
    key: &EpochKey,
    (context, sender): (ContextId, PeerId),
) -> Result<State, OpenError> {
    let Ephemeral { epoch, nonce, sealed } = ephemeral;
    if *epoch != key.id() {
        return Err(OpenError::WrongKey);
    }
    let mut state = sealed.clone();
    let secret = presence_key(key);
    let cipher = Aes256GcmSiv::new((&*secret).into());
    let opened = cipher.decrypt_in_place(nonce.into(), &place(context, sender, *epoch), &mut state);
    opened.map_err(|_| OpenError::Damaged)?;
    Ok(wire::decode(&state, SEALED_BYTES)?)
}

fn presence_key(key: &EpochKey) -> Zeroizing<[u8; EPOCH_KEY_BYTES]> {
    Zeroizing::new(blake3::derive_key(KEY_CONTEXT, key.as_bytes()))
}

/// What is authenticated beside what is sealed. Every part has a fixed length.
fn place(context: ContextId, sender: PeerId, epoch: EpochId) -> Vec<u8> {
    [&context.as_bytes()[..], sender.as_bytes(), epoch.as_bytes()].concat()
}
