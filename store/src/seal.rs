//! The data key of an encrypted home, and the passphrase that opens it.
//!
//! A home made with `--encrypt` has one random data key, under which everything secret in it is
//! sealed. The key itself lies in the home wrapped: sealed under a key that argon2id stretches from
//! the passphrase. Changing the passphrase wraps the same data key anew and rewrites nothing else.
//!
//! ```text
//! data.key   magic 8 · version 1 · memory KiB 4 · passes 4 · lanes 4 · salt 16 · nonce 12
//!            sealed data key 48 · checksum 8
//! ```
//! Numbers are little-endian. All before the sealed key is its associated data; the checksum (over
//! all before it) tells a damaged file from a wrong passphrase.

use std::fmt;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Key, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::{ZeroizeOnDrop, Zeroizing};

const MAGIC: &[u8; 8] = b"MGRVDKEY";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;
const HEADER_BYTES: usize = MAGIC.len() + 1 + 3 * 4 + SALT_BYTES + NONCE_BYTES;

/// Bytes of a wrapped data key.
pub const WRAPPED_BYTES: usize = HEADER_BYTES + KEY_BYTES + TAG_BYTES + CHECKSUM_BYTES;

/// Bytes of fresh entropy that wrapping takes.
pub const WRAP_ENTROPY_BYTES: usize = SALT_BYTES + NONCE_BYTES;

/// Bytes of fresh entropy that sealing takes.
pub const SEAL_ENTROPY_BYTES: usize = NONCE_BYTES;

/// A header that asks for more memory than this was not written by us.
const MAX_MEMORY_KIB: u32 = 4 * 1024 * 1024;
/// A header that asks for more passes than this was not written by us.
const MAX_PASSES: u32 = 64;

/// Why something sealed does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is whole, but this passphrase does not open it. Ask again.
    #[error("the passphrase does not open this home")]
    WrongPassphrase,
    /// The bytes are not what was written. Restore the file from a backup.
    #[error("the file is damaged: {what}")]
    Damaged {
        /// What gives it away.
        what: &'static str,
    },
    /// A later version of the program wrote it. Use that version.
    #[error("it is written in format {found}, this program reads up to {known}")]
    Newer {
        /// The version in the file.
        found: u8,
        /// The newest version that is known here.
        known: u8,
    },
}

/// How hard a passphrase is to guess: what one try costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// 64 MiB, 3 passes, 4 lanes: the second choice of RFC 9106, about 0.1 s on a small machine.
    pub const RECOMMENDED: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    fn stretch(self, passphrase: &[u8], salt: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let bearable = self.memory_kib <= MAX_MEMORY_KIB && self.passes <= MAX_PASSES;
        let params = bearable
            .then(|| Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES)))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.ok()?);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        argon.hash_password_into(passphrase, salt, key.as_mut()).ok()?;
        Some(key)
    }
}

/// The key that everything secret in an encrypted home is sealed under. Wiped from memory when
/// dropped; never printed.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_BYTES]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    /// The key made of 32 bytes of fresh entropy.
    pub const fn from_entropy(entropy: [u8; KEY_BYTES]) -> Self {
        Self(entropy)
    }

    /// The key, wrapped so that `passphrase` opens it.
    pub fn wrap(
        &self,
        passphrase: &[u8],
        cost: Cost,
        entropy: [u8; WRAP_ENTROPY_BYTES],
    ) -> Result<Vec<u8>, Error> {
        let mut file = Vec::with_capacity(WRAPPED_BYTES);
        file.extend_from_slice(MAGIC);
        file.push(VERSION);
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            file.extend_from_slice(&number.to_le_bytes());
        }
        file.extend_from_slice(&entropy);
        let header = Header::parse(&file)?;
        let key = cost.stretch(passphrase, header.salt).ok_or(COST)?;
        let sealed = seal(&key, header.nonce, &file, &self.0).ok_or(COST)?;
        file.extend_from_slice(&sealed);
        file.extend_from_slice(&checksum(&file));
        Ok(file)
    }

    /// Opens a wrapped key.
    pub fn unwrap(file: &[u8], passphrase: &[u8]) -> Result<Self, Error> {
        let header = Header::parse(file)?;
        let body = file.get(..WRAPPED_BYTES - CHECKSUM_BYTES);
        let body = body.filter(|body| file.get(body.len()..) == Some(&checksum(body)));
        let body = body.ok_or(Error::Damaged { what: "its checksum is wrong" })?;
        let key = header.cost.stretch(passphrase, header.salt).ok_or(COST)?;
        let (associated, sealed) = body.split_at_checked(HEADER_BYTES).ok_or(SHORT)?;
        let opened = open(&key, header.nonce, associated, sealed).ok_or(Error::WrongPassphrase)?;
        let bytes = opened.as_slice().try_into().map_err(|_| SHORT)?;
        Ok(Self(bytes))
    }

    /// A key of its own for this purpose.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        blake3::derive_key(purpose, &self.0)
    }

    /// Seals a secret file of the home, for this purpose and no other.
    pub fn seal(&self, purpose: &str, secret: &[u8], nonce: [u8; SEAL_ENTROPY_BYTES]) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "the cipher takes 64 GiB, a secret is a few bytes")]
        let sealed = seal(&self.0, &nonce, purpose.as_bytes(), secret).expect("a small secret");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SHORT)?;
        let opened = open(&self.0, nonce, purpose.as_bytes(), sealed);
        opened.ok_or(Error::Damaged { what: "it does not open under the home's data key" })
    }
}

const COST: Error = Error::Damaged { what: "its cost parameters are out of range" };
const SHORT: Error = Error::Damaged { what: "it is too short" };

/// The readable part of a wrapped key.
struct Header<'a> {
    cost: Cost,
    salt: &'a [u8; SALT_BYTES],
    nonce: &'a [u8; NONCE_BYTES],
}

impl<'a> Header<'a> {
    fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let rest = file.strip_prefix(MAGIC).ok_or(Error::Damaged { what: "it is no data key" })?;
        let (version, rest) = rest.split_first().ok_or(SHORT)?;
        if *version != VERSION {
            return Err(Error::Newer { found: *version, known: VERSION });
        }
        let (memory_kib, rest) = number(rest).ok_or(SHORT)?;
        let (passes, rest) = number(rest).ok_or(SHORT)?;
        let (lanes, rest) = number(rest).ok_or(SHORT)?;
        let (salt, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let (nonce, _) = rest.split_first_chunk().ok_or(SHORT)?;
        Ok(Self { cost: Cost { memory_kib, passes, lanes }, salt, nonce })
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    blake3::Hasher::new_derive_key("mangrove 2026 data key checksum v1")
        .update(body)
        .finalize_xof()
        .fill(&mut sum);
    sum
}

fn cipher(key: &[u8; KEY_BYTES]) -> Aes256GcmSiv {
    Aes256GcmSiv::new(&Key::<Aes256GcmSiv>::from(*key))
}

fn seal(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    msg: &[u8],
) -> Option<Vec<u8>> {
    cipher(key).encrypt(&Nonce::from(*nonce), Payload { msg, aad }).ok()
}

fn open(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    msg: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    cipher(key).decrypt(&Nonce::from(*nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn data_key() -> DataKey {
        DataKey::from_entropy(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    fn wrapped() -> Vec<u8> {
        data_key().wrap(b"open sesame", CHEAP, [9; WRAP_ENTROPY_BYTES]).unwrap()
    }

    #[test]
    fn the_passphrase_opens_what_it_wrapped_and_no_other_does() {
        assert_eq!(wrapped().len(), WRAPPED_BYTES);
        assert_eq!(DataKey::unwrap(&wrapped(), b"open sesame"), Ok(data_key()));
        assert_eq!(DataKey::unwrap(&wrapped(), b"open sesam"), Err(Error::WrongPassphrase));
        assert_eq!(DataKey::unwrap(&wrapped(), b""), Err(Error::WrongPassphrase));
    }

    #[test]
    fn a_damaged_file_is_told_from_a_wrong_passphrase() {
        let good = wrapped();
        for at in 0..good.len() {
            let mut bent = good.clone();
            bent[at] ^= 1;
            let found = DataKey::unwrap(&bent, b"open sesame").unwrap_err();
            let expect_newer = at == MAGIC.len();
            assert_eq!(matches!(found, Error::Newer { .. }), expect_newer, "byte {at}");
            assert_eq!(matches!(found, Error::Damaged { .. }), !expect_newer, "byte {at}");
        }
        for end in 0..good.len() {
            assert!(DataKey::unwrap(&good[..end], b"open sesame").is_err(), "cut at {end}");
        }
        assert!(DataKey::unwrap(&[good, vec![0]].concat(), b"open sesame").is_err());
    }

    #[test]
    fn a_forged_header_costs_no_memory() {
        let mut forged = wrapped();
        forged[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
        let body = WRAPPED_BYTES - CHECKSUM_BYTES;
        let sum = checksum(&forged[..body]);
        forged[body..].copy_from_slice(&sum);
        assert_eq!(DataKey::unwrap(&forged, b"open sesame"), Err(COST));
    }

    #[test]
    fn a_sealed_secret_opens_for_its_purpose_only() {
        let key = data_key();
        let sealed = key.seal("node.key", b"secret", [3; SEAL_ENTROPY_BYTES]);
        assert_eq!(key.open("node.key", &sealed).as_deref(), Ok(&b"secret".to_vec()));
        assert!(key.open("api.token", &sealed).is_err());
        assert!(DataKey::from_entropy([1; KEY_BYTES]).open("node.key", &sealed).is_err());
        assert!(key.open("node.key", &[]).is_err());
    }

    #[test]
    fn the_format_is_the_one_of_version_1() {
        let digest = blake3::hash(&wrapped()).to_hex();
        assert_eq!(
            digest.as_str(),
            "98eb6986274c34815d349142598d54f0a50b36a68f42de020205e9ab247e72aa"
        );
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", data_key()), "DataKey(…)");
    }

    #[test]
    fn the_recommended_cost_is_within_the_bounds_that_are_read_back() {
        let file = data_key().wrap(b"p", Cost::RECOMMENDED, [0; WRAP_ENTROPY_BYTES]).unwrap();
        assert_eq!(DataKey::unwrap(&file, b"p"), Ok(data_key()));
    }
}
