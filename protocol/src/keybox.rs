//! Epoch keys on their way to members: sealed so that one member can open each.
//!
//! HPKE (RFC 9180) in base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305. The sender's ephemeral key is
//! derived from the epoch key and the recipient, so that whoever holds the epoch key makes the very
//! same box: a member that was given a bad one is noticed by all others, and given a good one.
//!
//! The key of an older epoch travels under that of a newer one, wrapped in AES-256-GCM-SIV without a
//! nonce of its own: what is wrapped, and under what, decides every byte, so that again all holders
//! make the same.

use std::convert::Infallible;
use std::mem;

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, HpkeError, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::id::{EpochId, ID_BYTES, PeerId};
use crate::keys::{KemPublic, NodeKeys};
use crate::seal::{EPOCH_KEY_BYTES, EpochKey};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Cipher = hpke::aead::ChaCha20Poly1305;

/// Bytes of a box: the ephemeral key, the epoch key, the tag.
pub const BOX_BYTES: usize = ENCAPSULATED_BYTES + EPOCH_KEY_BYTES + 16;

const ENCAPSULATED_BYTES: usize = 32;
const INFO: &[u8] = b"mangrove epoch key v1";
const DICE_CONTEXT: &str = "mangrove 2026 epoch key ephemeral v1";

/// Bytes of a wrapped key: the key, the tag.
pub const WRAPPED_KEY_BYTES: usize = EPOCH_KEY_BYTES + 16;

const WRAP_CONTEXT: &str = "mangrove 2026 older epoch key v1";
/// Always the same: the ids that go with a wrapped key already say which key it is, so no two
/// different ones ever share a place.
const NO_NONCE: [u8; 12] = [0; 12];

/// Why a box was not made or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The recipient's key is one that nothing can be sealed to.
    #[error("nothing can be sealed to this key")]
    BadKey,
    /// It is not for this node, or damaged.
    #[error("the box does not open")]
    Closed,
    /// It opens to another key than the one it is said to hold.
    #[error("the box holds the key of another epoch")]
    WrongEpoch,
}

/// The box of an epoch key for a member: the same bytes whoever makes it.
pub fn seal(key: &EpochKey, member: PeerId, kem: &KemPublic) -> Result<[u8; BOX_BYTES], Error> {
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(kem.as_bytes());
    let recipient = recipient.map_err(|_| Error::BadKey)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<Cipher, Kdf, Kem>(
        &OpModeS::Base,
        &recipient,
        INFO,
        key.as_bytes(),
        &associated(key.id(), member),
        &mut Dice::of(key, member, kem),
    )
    .map_err(|_: HpkeError| Error::BadKey)?;
    let both = [encapsulated.to_bytes().as_slice(), &sealed].concat();
    both.try_into().map_err(|_| Error::BadKey)
}

/// Opens a box that is made out to this node.
pub fn open(sealed: &[u8; BOX_BYTES], epoch: EpochId, keys: &NodeKeys) -> Result<EpochKey, Error> {
    let (encapsulated, body) = sealed.split_at(ENCAPSULATED_BYTES);
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated);
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(&*keys.kem_secret());
    let opened = hpke::single_shot_open::<Cipher, Kdf, Kem>(
        &OpModeR::Base,
        &secret.map_err(|_| Error::Closed)?,
        &encapsulated.map_err(|_| Error::Closed)?,
        INFO,
        body,
        &associated(epoch, keys.peer()),
    );
    let opened = Zeroizing::new(opened.map_err(|_| Error::Closed)?);
    let key = opened.as_slice().try_into().map(EpochKey::from_bytes).map_err(|_| Error::Closed)?;
    if key.id() == epoch { Ok(key) } else { Err(Error::WrongEpoch) }
}

/// Whether a box is the one that holders of the epoch key make for this member.
pub fn is_right(sealed: &[u8; BOX_BYTES], key: &EpochKey, member: PeerId, kem: &KemPublic) -> bool {
    seal(key, member, kem).as_ref() == Ok(sealed)
}

/// An older epoch's key, for whoever holds that of a newer one: the same bytes whoever makes it.
pub fn wrap(newer: &EpochKey, older: &EpochKey) -> Vec<u8> {
    // With room for the tag, so that no copy of the bare key is left behind.
    let mut wrapped = Zeroizing::new(Vec::with_capacity(WRAPPED_KEY_BYTES));
    wrapped.extend_from_slice(older.as_bytes());
    let aad = joined(newer.id().as_bytes(), older.id().as_bytes());
    match wrapping(newer).encrypt_in_place(&NO_NONCE.into(), &aad, &mut *wrapped) {
        Ok(()) => mem::take(&mut *wrapped),
        // The cipher refuses nothing but lengths far beyond that of a key.
        Err(_) => Vec::new(),
    }
}

/// Opens the key of an older epoch that was wrapped under that of a newer one. None if it was not,
/// or if it is the key of another epoch.
pub fn unwrap(newer: &EpochKey, older: EpochId, wrapped: &[u8]) -> Option<EpochKey> {
    if wrapped.len() != WRAPPED_KEY_BYTES {
        return None;
    }
    let mut opened = Zeroizing::new(wrapped.to_vec());
    let aad = joined(newer.id().as_bytes(), older.as_bytes());
    wrapping(newer).decrypt_in_place(&NO_NONCE.into(), &aad, &mut *opened).ok()?;
    let key = opened.as_slice().try_into().map(EpochKey::from_bytes).ok()?;
    (key.id() == older).then_some(key)
}

/// The cipher for all keys that are older than this one.
fn wrapping(newer: &EpochKey) -> Aes256GcmSiv {
    let key = Zeroizing::new(blake3::derive_key(WRAP_CONTEXT, newer.as_bytes()));
    Aes256GcmSiv::new((&*key).into())
}

fn associated(epoch: EpochId, member: PeerId) -> [u8; 64] {
    joined(epoch.as_bytes(), member.as_bytes())
}

fn joined(first: &[u8; ID_BYTES], second: &[u8; ID_BYTES]) -> [u8; 2 * ID_BYTES] {
    let mut both = [0; 2 * ID_BYTES];
    both[..ID_BYTES].copy_from_slice(first);
    both[ID_BYTES..].copy_from_slice(second);
    both
}

/// What the ephemeral key is made from: nobody can foresee it without the epoch key.
struct Dice(blake3::OutputReader);

impl Dice {
    fn of(key: &EpochKey, member: PeerId, kem: &KemPublic) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(DICE_CONTEXT);
        hasher.update(key.as_bytes()).update(member.as_bytes()).update(kem.as_bytes());
        Self(hasher.finalize_xof())
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Dice {}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(seed: u8) -> NodeKeys {
        NodeKeys::from_bytes(&[seed; 64])
    }

    fn epoch(seed: u8) -> EpochKey {
        EpochKey::from_bytes([seed; 32])
    }

    fn sealed(key: u8, member: u8) -> [u8; BOX_BYTES] {
        seal(&epoch(key), node(member).peer(), &node(member).kem_public()).unwrap()
    }

    #[test]
    fn a_box_opens_for_its_member_and_nobody_else() {
        let opened = open(&sealed(1, 2), epoch(1).id(), &node(2)).unwrap();
        assert_eq!(opened.as_bytes(), epoch(1).as_bytes());
        assert_eq!(open(&sealed(1, 2), epoch(1).id(), &node(3)).err(), Some(Error::Closed));
        assert_eq!(open(&sealed(1, 2), epoch(2).id(), &node(2)).err(), Some(Error::Closed));
    }

    #[test]
    fn every_holder_of_the_key_makes_the_same_box() {
        assert_eq!(sealed(1, 2), sealed(1, 2));
        assert_ne!(sealed(1, 2), sealed(1, 3));
        assert_ne!(sealed(1, 2), sealed(4, 2));
        let (member, kem) = (node(2).peer(), node(2).kem_public());
        assert!(is_right(&sealed(1, 2), &epoch(1), member, &kem));
        assert!(!is_right(&sealed(1, 3), &epoch(1), member, &kem));
    }

    #[test]
    fn a_damaged_box_never_opens() {
        for at in 0..BOX_BYTES {
            let mut bent = sealed(1, 2);
            bent[at] ^= 1;
            assert_eq!(open(&bent, epoch(1).id(), &node(2)).err(), Some(Error::Closed), "{at}");
            assert!(!is_right(&bent, &epoch(1), node(2).peer(), &node(2).kem_public()));
        }
    }

    #[test]
    fn a_key_that_nothing_can_be_sealed_to_is_refused() {
        let zero = KemPublic::from_bytes([0; 32]);
        assert_eq!(seal(&epoch(1), node(2).peer(), &zero), Err(Error::BadKey));
    }

    #[test]
    fn the_box_is_the_one_of_version_1() {
        let digest = data_encoding::HEXLOWER.encode(blake3::hash(&sealed(1, 2)).as_bytes());
        assert_eq!(digest, "a2a15289bad31521071e2dd6766eda16f3a151ce4f96399e8a48f0356b02823d");
    }

    #[test]
    fn a_wrapped_key_opens_under_the_newer_one_and_no_other() {
        let wrapped = wrap(&epoch(1), &epoch(2));
        assert_eq!(wrapped.len(), WRAPPED_KEY_BYTES);
        let opened = unwrap(&epoch(1), epoch(2).id(), &wrapped).unwrap();
        assert_eq!(opened.as_bytes(), epoch(2).as_bytes());
        assert!(unwrap(&epoch(3), epoch(2).id(), &wrapped).is_none());
        assert!(unwrap(&epoch(1), epoch(3).id(), &wrapped).is_none());
        assert!(unwrap(&epoch(2), epoch(1).id(), &wrapped).is_none());
    }

    #[test]
    fn every_holder_wraps_a_key_into_the_same_bytes() {
        assert_eq!(wrap(&epoch(1), &epoch(2)), wrap(&epoch(1), &epoch(2)));
        assert_ne!(wrap(&epoch(1), &epoch(2)), wrap(&epoch(3), &epoch(2)));
        assert_ne!(wrap(&epoch(1), &epoch(2)), wrap(&epoch(1), &epoch(3)));
    }

    #[test]
    fn a_wrapped_key_that_is_damaged_cut_or_prolonged_never_opens() {
        let (newer, older) = (epoch(1), epoch(2));
        let whole = wrap(&newer, &older);
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            assert!(unwrap(&newer, older.id(), &bent).is_none(), "{at}");
            assert!(unwrap(&newer, older.id(), &whole[..at]).is_none(), "{at}");
        }
        assert!(unwrap(&newer, older.id(), &[whole, vec![0]].concat()).is_none());
    }

    /// A liar who holds the newer key can wrap anything under any name.
    #[test]
    fn a_key_wrapped_under_the_name_of_another_is_refused() {
        let (newer, named) = (epoch(1), epoch(2).id());
        let mut lie = epoch(3).as_bytes().to_vec();
        let aad = joined(newer.id().as_bytes(), named.as_bytes());
        wrapping(&newer).encrypt_in_place(&NO_NONCE.into(), &aad, &mut lie).unwrap();
        assert!(unwrap(&newer, named, &lie).is_none());
    }

    #[test]
    fn the_wrapped_key_is_the_one_of_version_1() {
        let digest = blake3::hash(&wrap(&epoch(1), &epoch(2)));
        let digest = data_encoding::HEXLOWER.encode(digest.as_bytes());
        assert_eq!(digest, "4d2211de02f8afc535d45d11c1d8aa7885665443c5fb6b3283ce2fe9b2a4a92b");
    }
}
