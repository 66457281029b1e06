//! How the value of a row is written.
//!
//! ```text
//! version 1 · wrapping 1 · content        a row that says nothing has no value at all
//!
//! wrapping 0   content is the row
//! wrapping 1   content is nonce 12 · the row sealed · tag 16
//! wrapping 2   the same, of the row compressed with LZ4
//! ```
//! What is sealed is bound to where it lies: the associated data is the version, the wrapping and the whole
//! key of the row, so that no value can be passed off as another. In an encrypted home every value with
//! content is sealed, and one that is not counts as damaged.

use borsh::{BorshDeserialize, BorshSerialize};
use mangrove_protocol::wire;
use zeroize::Zeroizing;

use crate::cipher::Cipher;

/// The version of rows that this program writes.
const VERSION: u8 = 1;

const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const SEALED_SHORT: u8 = 2;

/// Shorter rows are not worth compressing.
const WORTH_COMPRESSING: usize = 96;
/// No row is longer than this: a delta is at most 1 MiB, and nothing else comes near.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Why a value is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A later version of the program wrote it.
    #[error("it is written in version {0}")]
    Version(u8),
    /// It is not what was written.
    #[error("{0}")]
    Damaged(String),
}

fn damaged(why: &(impl ToString + ?Sized)) -> Unreadable {
    Unreadable::Damaged(why.to_string())
}

/// The value of a row that lies under `key`.
pub(crate) fn write<R: BorshSerialize>(row: &R, key: &[u8], cipher: Option<&Cipher>) -> Vec<u8> {
    // What is secret in a row is not left behind in memory.
    let row = Zeroizing::new(wire::encode(row));
    if row.is_empty() {
        return Vec::new();
    }
    let Some(cipher) = cipher else { return [&[VERSION, PLAIN], row.as_slice()].concat() };
    let short = || Zeroizing::new(lz4_flex::compress_prepend_size(&row));
    let short = (row.len() >= WORTH_COMPRESSING).then(short);
    let (wrapping, content) = match short.filter(|short| short.len() < row.len()) {
        Some(short) => (SEALED_SHORT, short),
        None => (SEALED, row),
    };
    let mut value = vec![VERSION, wrapping];
    let bound = [&value, key].concat();
    value.extend(cipher.seal(&bound, &content));
    value
}

/// The row whose value lies under `key`.
pub(crate) fn read<R: BorshDeserialize>(
    value: &[u8],
    key: &[u8],
    cipher: Option<&Cipher>,
) -> Result<R, Unreadable> {
    let Some((head, content)) = value.split_first_chunk::<2>() else {
        return decode(value);
    };
    let [version, wrapping] = *head;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    match (wrapping, cipher) {
        (PLAIN, None) => decode(content),
        (SEALED | SEALED_SHORT, Some(cipher)) => {
            let bound = [head.as_slice(), key].concat();
            let opened = cipher.open(&bound, content);
            let opened = opened.ok_or_else(|| damaged("it does not open under the data key"))?;
            if wrapping == SEALED {
                return decode(&opened);
            }
            let (long, _) =
                lz4_flex::block::uncompressed_size(&opened).map_err(|why| damaged(&why))?;
            if long as u64 > MOST_BYTES {
                return Err(damaged("it is too long"));
            }
            let long = lz4_flex::decompress_size_prepended(&opened);
            decode(&Zeroizing::new(long.map_err(|why| damaged(&why))?))
        }
        (PLAIN, Some(_)) => Err(damaged("it is not sealed, in an encrypted home")),
        (SEALED | SEALED_SHORT, None) => Err(damaged("it is sealed, in a home without a data key")),
        (unknown, _) => Err(damaged(&format!("it is wrapped in an unknown way ({unknown})"))),
    }
}

fn decode<R: BorshDeserialize>(bytes: &[u8]) -> Result<R, Unreadable> {
    wire::decode(bytes, MOST_BYTES).map_err(|why| damaged(&why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(&[7; 32])
    }

    #[test]
    fn a_row_that_says_nothing_has_no_value() {
        assert_eq!(write(&(), b"key", None), []);
        assert_eq!(write(&(), b"key", Some(&cipher())), []);
        assert_eq!(read::<()>(&[], b"key", Some(&cipher())), Ok(()));
        assert!(read::<u64>(&[], b"key", None).is_err());
    }

    #[test]
    fn what_is_not_wrapped_as_the_home_wants_it_is_damage() {
        let (plain, sealed) = (write(&7_u64, b"k", None), write(&7_u64, b"k", Some(&cipher())));
        assert!(read::<u64>(&plain, b"k", Some(&cipher())).is_err());
        assert!(read::<u64>(&sealed, b"k", None).is_err());
        let other = Cipher::new(&[8; 32]);
        assert!(read::<u64>(&sealed, b"k", Some(&other)).is_err());
        assert!(read::<u64>(&sealed, b"l", Some(&cipher())).is_err(), "it lies elsewhere");
        assert_eq!(read::<u64>(&[2, 0, 0], b"k", None), Err(Unreadable::Version(2)));
    }

    #[test]
    fn what_repeats_itself_is_sealed_short() {
        let long = vec![5_u8; 4_000];
        let sealed = write(&long, b"k", Some(&cipher()));
        assert!(sealed.len() < 200);
        assert_eq!(read::<Vec<u8>>(&sealed, b"k", Some(&cipher())), Ok(long));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(row: Vec<u8>, key: Vec<u8>) {
            for cipher in [None, Some(cipher())] {
                let value = write(&row, &key, cipher.as_ref());
                prop_assert_eq!(read::<Vec<u8>>(&value, &key, cipher.as_ref()), Ok(row.clone()));
            }
        }

        #[test]
        fn no_bent_bit_of_a_sealed_value_goes_unnoticed(row in proptest::collection::vec(any::<u8>(), 1..300), at: prop::sample::Index, bit in 0_u8..8) {
            let mut value = write(&row, b"key", Some(&cipher()));
            let at = at.index(value.len());
            value[at] ^= 1 << bit;
            prop_assert!(read::<Vec<u8>>(&value, b"key", Some(&cipher())).is_err());
        }
    }
}
