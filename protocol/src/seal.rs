//! Sealing: what keeps a payload from those who do not hold its epoch's key.
//!
//! Every delta has a key of its own, derived from the epoch's key and the delta's place. Two deltas
//! in one place (a forked log) have different random nonces. The whole header is authenticated, so
//! a sealed payload cannot be moved under another one.

use std::fmt;

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::XChaCha20Poly1305;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::delta::{Broken, Delta, Header, Sealing};
use crate::id::{EpochId, LogId, Seq};
use crate::wire;

/// What sealing adds to a payload, in both suites.
pub const TAG_BYTES: usize = 16;
/// Bytes of an epoch's key.
pub const EPOCH_KEY_BYTES: usize = 32;

/// Bytes of the nonce of a sealed name.
pub const NAME_NONCE_BYTES: usize = 12;

const NAME_KEY_CONTEXT: &str = "mangrove 2026 name key v1";
const EPOCH_ID_CONTEXT: &str = "mangrove 2026 epoch id v1";
const DELTA_KEY_CONTEXT: &str = "mangrove 2026 delta key v1";

/// The key of an epoch, held by those who were members then. Never printed; wipes itself from memory
/// when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EpochKey {
    key: [u8; EPOCH_KEY_BYTES],
    #[zeroize(skip)]
    id: EpochId,
}

impl EpochKey {
    /// The key with these bytes, which must be random.
    pub fn from_bytes(key: [u8; EPOCH_KEY_BYTES]) -> Self {
        let id = EpochId::from_bytes(blake3::derive_key(EPOCH_ID_CONTEXT, &key));
        Self { key, id }
    }

    /// Its bytes: to be sealed to a member or written to the key table, and nowhere else.
    pub const fn as_bytes(&self) -> &[u8; EPOCH_KEY_BYTES] {
        &self.key
    }

    /// The public name of the epoch, by which a wrong key is recognised.
    pub const fn id(&self) -> EpochId {
        self.id
    }

    fn name_key(&self) -> Zeroizing<[u8; EPOCH_KEY_BYTES]> {
        Zeroizing::new(blake3::derive_key(NAME_KEY_CONTEXT, &self.key))
    }

    /// The key of the delta in this place.
    fn delta_key(&self, log: &LogId, seq: Seq) -> Zeroizing<[u8; EPOCH_KEY_BYTES]> {
        let mut hasher = blake3::Hasher::new_derive_key(DELTA_KEY_CONTEXT);
        hasher.update(&self.key);
        hasher.update(&wire::encode(log));
        hasher.update(&seq.get().to_le_bytes());
        let mut key = Zeroizing::new([0; EPOCH_KEY_BYTES]);
        hasher.finalize_xof().fill(key.as_mut_slice());
        key
    }
}

impl PartialEq for EpochKey {
    /// Keys of one id are one key.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for EpochKey {}

impl BorshSerialize for EpochKey {
    /// Its bytes, for the key table and nowhere else.
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.as_bytes().serialize(writer)
    }
}

impl BorshDeserialize for EpochKey {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; EPOCH_KEY_BYTES]);
        reader.read_exact(key.as_mut_slice())?;
        Ok(Self::from_bytes(*key))
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({:?})", self.id)
    }
}

/// Why a payload stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not sealed at all.
    #[error("the payload is not sealed")]
    NotSealed,
    /// The key is that of another epoch; the right one may still come.
    #[error("the key is that of another epoch")]
    WrongKey,
    /// The right key does not open it, and never will.
    #[error("the payload does not open under its own epoch's key")]
    Damaged,
}

/// Opens the payload of a sealed delta. If it fails, the error says whether another key could.
pub fn open(delta: &Delta, key: &EpochKey) -> Result<Vec<u8>, OpenError> {
    let header = delta.header();
    match header.seal.epoch() {
        None => return Err(OpenError::NotSealed),
        Some(epoch) if epoch != key.id => return Err(OpenError::WrongKey),
        Some(_) => {}
    }
    let delta_key = key.delta_key(&header.log, header.seq);
    let aad = delta.header_bytes();
    let mut payload = delta.payload().to_vec();
    let opened = match &header.seal {
        Sealing::Plain => return Err(OpenError::NotSealed),
        Sealing::AesGcmSiv { nonce, .. } => Aes256GcmSiv::new((&*delta_key).into())
            .decrypt_in_place(nonce.into(), aad, &mut payload),
        Sealing::XChaCha { nonce, .. } => XChaCha20Poly1305::new((&*delta_key).into())
            .decrypt_in_place(nonce.into(), aad, &mut payload),
    };
    opened.map(|()| payload).map_err(|_| OpenError::Damaged)
}

/// Seals a name for those who hold the key of an epoch: the epoch, the nonce, what is sealed. The nonce
/// must be fresh and random.
pub fn seal_name(name: &str, key: &EpochKey, nonce: [u8; NAME_NONCE_BYTES]) -> Vec<u8> {
    let mut sealed = name.as_bytes().to_vec();
    let secret = key.name_key();
    let cipher = Aes256GcmSiv::new((&*secret).into());
    // The cipher refuses nothing but lengths far beyond that of a name.
    let done = cipher.encrypt_in_place(&nonce.into(), key.id.as_bytes(), &mut sealed);
    done.map_or_else(|_| Vec::new(), |()| [&key.id.as_bytes()[..], &nonce, &sealed].concat())
}

/// Opens a sealed name; nothing if its key is not at hand or it is damaged.
pub fn open_name<'k>(
    sealed: &[u8],
    key: impl FnOnce(&EpochId) -> Option<&'k EpochKey>,
) -> Option<String> {
    let (epoch, rest) = sealed.split_first_chunk::<32>()?;
    let (nonce, rest) = rest.split_first_chunk::<NAME_NONCE_BYTES>()?;
    let key = key(&EpochId::from_bytes(*epoch))?;
    let mut name = rest.to_vec();
    let secret = key.name_key();
    let cipher = Aes256GcmSiv::new((&*secret).into());
    cipher.decrypt_in_place(nonce.into(), epoch, &mut name).ok()?;
    String::from_utf8(name).ok()
}

/// Seals `payload` as `header`, whose encoding is `aad`, says.
pub(crate) fn seal(
    header: &Header,
    aad: &[u8],
    mut payload: Vec<u8>,
    key: &EpochKey,
) -> Result<Vec<u8>, Broken> {
    let delta_key = key.delta_key(&header.log, header.seq);
    let sealed = match &header.seal {
        Sealing::Plain => return Err(Broken::DataPlain),
        Sealing::AesGcmSiv { nonce, .. } => Aes256GcmSiv::new((&*delta_key).into())
            .encrypt_in_place(nonce.into(), aad, &mut payload),
        Sealing::XChaCha { nonce, .. } => XChaCha20Poly1305::new((&*delta_key).into())
            .encrypt_in_place(nonce.into(), aad, &mut payload),
    };
    // The ciphers refuse nothing but lengths far beyond that of a delta.
    sealed.map(|()| payload).map_err(|_| Broken::TooLong { bytes: u64::from(header.payload_len) })
}
