//! The one encoding of everything that is hashed, sent or stored: borsh, bounded and canonical.
//!
//! What decodes, encodes to the bytes it came from; anything else is refused. Memory is taken as
//! input arrives, never because a length was claimed.

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

/// How much a claimed length may reserve before the bytes are there.
const STEP_BYTES: usize = 4 * 1024;

/// Why bytes are not what they should be; reads as an entry of a ledger of faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than anything of its kind.
    #[error("{bytes} bytes, more than {max}")]
    TooLong {
        /// What came.
        bytes: u64,
        /// What is allowed.
        max: u64,
    },
    /// Ends too early.
    #[error("ends too early")]
    Truncated,
    /// Goes on after its end.
    #[error("{bytes} bytes after its end")]
    Trailing {
        /// How many.
        bytes: u64,
    },
    /// Another encoding of something that has exactly one.
    #[error("{what} repeated or out of order")]
    NotCanonical {
        /// The part in question.
        what: &'static str,
    },
    /// A part over its limit.
    #[error("{what} over the limit of {max}")]
    OverLimit {
        /// The part in question.
        what: &'static str,
        /// Its limit.
        max: u64,
    },
    /// A part that must not be empty.
    #[error("{what} is empty")]
    Empty {
        /// The part in question.
        what: &'static str,
    },
    /// A tag that this version does not know; another version may.
    #[error("{what} {tag} is unknown")]
    Unknown {
        /// What is tagged.
        what: &'static str,
        /// The tag.
        tag: u8,
    },
    /// Text that is not UTF-8, a number that must not be zero, a flag that is neither yes nor no.
    #[error("{why}")]
    Invalid {
        /// In words.
        why: String,
    },
}

impl From<Malformed> for io::Error {
    /// Carries the reason through borsh; [`decode`] takes it out again.
    fn from(why: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, why)
    }
}

/// The bytes of `value`.
#[expect(clippy::expect_used, reason = "a Vec takes every write, and nothing here has 2^32 parts")]
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("encodes")
}

/// The value that `bytes`, at most `max` of them, are the encoding of: exactly, to the last one.
pub fn decode<T: BorshDeserialize>(bytes: &[u8], max: u64) -> Result<T, Malformed> {
    let len = bytes.len() as u64;
    if len > max {
        return Err(Malformed::TooLong { bytes: len, max });
    }
    let (value, rest) = decode_prefix(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(Malformed::Trailing { bytes: rest.len() as u64 }) }
}

/// The value that `bytes` begin with, and what follows it.
pub fn decode_prefix<T: BorshDeserialize>(bytes: &[u8]) -> Result<(T, &[u8]), Malformed> {
    let mut input = Input { rest: bytes, ran_out: false };
    match T::deserialize_reader(&mut input) {
        Ok(value) => Ok((value, input.rest)),
        Err(_) if input.ran_out => Err(Malformed::Truncated),
        Err(error) => Err(reason(error)),
    }
}

/// Reads a byte string of at most `max` bytes, which its encoding calls `what`.
///
/// A field of a wire type reads its bytes this way: borsh alone would reserve up to 1 MiB for a
/// length that is only claimed.
pub fn read_bytes<R: Read>(reader: &mut R, max: u64, what: &'static str) -> io::Result<Vec<u8>> {
    let len = u32::deserialize_reader(reader)?;
    if u64::from(len) > max {
        return Err(Malformed::OverLimit { what, max }.into());
    }
    let len = len as usize;
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let (read, step) = (bytes.len(), bytes.len().max(STEP_BYTES));
        bytes.resize(len.min(read.saturating_add(step)), 0);
        let Some(fresh) = bytes.get_mut(read..) else { break };
        reader.read_exact(fresh)?;
    }
    Ok(bytes)
}

/// Reads UTF-8 text of at most `max` bytes, as [`read_bytes`] does.
pub fn read_text<R: Read>(reader: &mut R, max: u64, what: &'static str) -> io::Result<String> {
    let bytes = read_bytes(reader, max, what)?;
    String::from_utf8(bytes)
        .map_err(|_| Malformed::Invalid { why: format!("{what} is not UTF-8") }.into())
}

fn reason(error: io::Error) -> Malformed {
    error.downcast().unwrap_or_else(|error| Malformed::Invalid { why: error.to_string() })
}

/// A slice that remembers whether more was asked of it than it had.
struct Input<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.ran_out |= self.rest.len() < into.len();
        self.rest.read(into)
    }

    fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.ran_out |= self.rest.len() < into.len();
        self.rest.read_exact(into)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::id::{ContextId, Seq, Tip};

    fn check<T: BorshDeserialize + Debug + PartialEq>(
        bytes: &[u8],
        max: u64,
        expect: Result<T, &str>,
    ) {
        let got = decode::<T>(bytes, max).map_err(|why| why.to_string());
        assert_eq!(got, expect.map_err(str::to_owned));
    }

    #[test]
    fn every_refusal_says_why() {
        check(&[1, 0, 0, 0], 4, Ok(1_u32));
        check::<u32>(&[1, 0, 0, 0], 3, Err("4 bytes, more than 3"));
        check::<u32>(&[1, 0, 0], 9, Err("ends too early"));
        check::<u32>(&[1, 0, 0, 0, 0, 0], 9, Err("2 bytes after its end"));
        check::<Seq>(&[0; 8], 9, Err("Expected a non-zero value"));
        check::<String>(
            &[1, 0, 0, 0, 0xff],
            9,
            Err("invalid utf-8 sequence of 1 bytes from index 0"),
        );
        check::<Option<u8>>(
            &[2, 0],
            9,
            Err("Invalid Option representation: 2. The first byte must be 0 or 1"),
        );
    }

    #[test]
    fn sets_out_of_order_are_refused() {
        check(&[2, 0, 0, 0, 1, 2], 9, Ok(BTreeSet::from([1_u8, 2])));
        for order in [[2, 1], [1, 1]] {
            let bytes = [&[2, 0, 0, 0][..], &order].concat();
            assert!(decode::<BTreeSet<u8>>(&bytes, 9).is_err(), "{order:?}");
        }
    }

    /// Watches how much is asked for at once: room that was reserved before anything had come.
    struct Watch<'a> {
        rest: &'a [u8],
        most: usize,
    }

    impl Read for Watch<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.most = self.most.max(into.len());
            self.rest.read(into)
        }
    }

    fn check_reserves(most: usize, read: impl FnOnce(&mut Watch<'_>) -> bool) {
        let mut watch = Watch { rest: &[0xff; 10], most: 0 };
        assert!(!read(&mut watch), "ten bytes are not 2^32");
        assert!(watch.most <= most, "reserved {} bytes for a claim", watch.most);
    }

    #[test]
    fn a_claimed_length_reserves_next_to_nothing() {
        check_reserves(STEP_BYTES, |input| read_bytes(input, u64::MAX, "a value").is_ok());
        check_reserves(STEP_BYTES, |input| read_text(input, u64::MAX, "a text").is_ok());
        check_reserves(4, |input| read_bytes(input, 100, "a value").is_ok());
        // Elements other than bytes: borsh reserves for 4 KiB of them and reads one by one.
        check_reserves(ContextId::ZERO.as_bytes().len(), |input| {
            Vec::<Tip>::deserialize_reader(input).is_ok()
        });
        // Byte strings that a type leaves to borsh: one untouched MiB, which is why ours do not.
        check_reserves(1024 * 1024, |input| Vec::<u8>::deserialize_reader(input).is_ok());
        check_reserves(1024 * 1024, |input| String::deserialize_reader(input).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn long_byte_strings_are_read_whole(len in 0_usize..40_000, cut in 0_usize..40_000) {
            let value: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[0]).collect();
            let bytes = encode(&value);
            prop_assert_eq!(&read_bytes(&mut &bytes[..], len as u64, "it").unwrap(), &value);
            let cut = cut.min(bytes.len() - 1);
            prop_assert!(read_bytes(&mut &bytes[..cut], len as u64, "it").is_err());
        }
    }
}
