//! Keys as bytes that sort like what they stand for.
//!
//! A store sorts by bytes and knows nothing else. Numbers are big-endian, ids are as they are, and a
//! text or value is escaped, so that it ends where it ends. An encoding is never the beginning of
//! another one of its type, which is why several parts are written one after another.

use crate::clock::Hlc;
use crate::graph::Cause;
use crate::id::{
    AuthorityId, BlobId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq,
};
use crate::op::{Key, Value};
use crate::request::RequestId;

/// Bytes that sort like what they stand for.
///
/// Each value has one encoding, and no encoding is the beginning of another one.
pub trait Ordered: Sized {
    /// Appends its bytes.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes it off the front of some bytes; nothing if they do not begin with an encoding of it,
    /// and then what is left of them means nothing.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// The bytes of `key`.
pub fn encode(key: &impl Ordered) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.put(&mut bytes);
    bytes
}

/// The key that `bytes` are the encoding of: exactly, to the last one.
pub fn decode<K: Ordered>(mut bytes: &[u8]) -> Option<K> {
    let key = K::take(&mut bytes)?;
    bytes.is_empty().then_some(key)
}

/// What the bytes of every key begin with that begins with this text, and of no other.
pub fn beginning(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_escaped(text.as_bytes(), &mut bytes);
    bytes.truncate(bytes.len() - END_BYTES);
    bytes
}

impl Ordered for () {
    fn put(&self, _: &mut Vec<u8>) {}

    fn take(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl<A: Ordered, B: Ordered> Ordered for (A, B) {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::take(bytes)?, B::take(bytes)?))
    }
}

impl<A: Ordered, B: Ordered, C: Ordered> Ordered for (A, B, C) {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
        self.2.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::take(bytes)?, B::take(bytes)?, C::take(bytes)?))
    }
}

impl Ordered for u64 {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        take_array(bytes).map(Self::from_be_bytes)
    }
}

macro_rules! ids {
    ($($id:ident),+) => {
        $(impl Ordered for $id {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.as_bytes());
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                take_array(bytes).map(Self::from_bytes)
            }
        })+
    };
}

ids!(ContextId, DeltaId, BlobId, EpochId, AuthorityId, PeerId);

impl Ordered for Seq {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.get().put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u64::take(bytes).and_then(Self::new)
    }
}

impl Ordered for Incarnation {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.get().put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u64::take(bytes).map(Self::new)
    }
}

impl Ordered for Hlc {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.bits().put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u64::take(bytes).map(Self::from_bits)
    }
}

const GOVERNANCE: u8 = 0;
const DATA: u8 = 1;

impl Ordered for Plane {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.push(match self {
            Self::Governance => GOVERNANCE,
            Self::Data => DATA,
        });
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match take_byte(bytes)? {
            GOVERNANCE => Some(Self::Governance),
            DATA => Some(Self::Data),
            _ => None,
        }
    }
}

impl Ordered for LogId {
    fn put(&self, bytes: &mut Vec<u8>) {
        let Self { author, authority, incarnation, plane } = self;
        (*author, *authority, *incarnation).put(bytes);
        plane.put(bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (author, authority, incarnation) = Ordered::take(bytes)?;
        Some(Self { author, authority, incarnation, plane: Plane::take(bytes)? })
    }
}

const PARENT: u8 = 1;
const KEY: u8 = 2;
const CLOCK: u8 = 3;
const VERSION: u8 = 4;

impl Ordered for Cause {
    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Parent(id) => {
                bytes.push(PARENT);
                id.put(bytes);
            }
            Self::Key(epoch) => {
                bytes.push(KEY);
                epoch.put(bytes);
            }
            Self::Clock(hlc) => {
                bytes.push(CLOCK);
                hlc.put(bytes);
            }
            Self::Version => bytes.push(VERSION),
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match take_byte(bytes)? {
            PARENT => DeltaId::take(bytes).map(Self::Parent),
            KEY => EpochId::take(bytes).map(Self::Key),
            CLOCK => Hlc::take(bytes).map(Self::Clock),
            VERSION => Some(Self::Version),
            _ => None,
        }
    }
}

impl Ordered for Key {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_escaped(self.as_str().as_bytes(), bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::new(&take_text(bytes)?).ok()
    }
}

impl Ordered for Value {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_escaped(self.as_bytes(), bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::new(&take_escaped(bytes)?).ok()
    }
}

impl Ordered for RequestId {
    fn put(&self, bytes: &mut Vec<u8>) {
        put_escaped(self.scope.as_bytes(), bytes);
        put_escaped(self.name.as_bytes(), bytes);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { scope: take_text(bytes)?, name: take_text(bytes)? })
    }
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*array)
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let [byte] = take_array(bytes)?;
    Some(byte)
}

/// Stands before [`ESCAPED`] or [`END`], and nowhere else.
const ZERO: u8 = 0x00;
/// After a zero: this is a zero byte of what is written.
const ESCAPED: u8 = 0xff;
/// After a zero: here it ends. Smaller than anything that could follow instead, so that what goes on
/// comes later.
const END: u8 = 0x01;

/// Bytes that say where it ends.
const END_BYTES: usize = 2;

fn put_escaped(content: &[u8], bytes: &mut Vec<u8>) {
    bytes.reserve(content.len().saturating_add(2));
    for (at, part) in content.split(|byte| *byte == ZERO).enumerate() {
        if at > 0 {
            bytes.extend_from_slice(&[ZERO, ESCAPED]);
        }
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&[ZERO, END]);
}

fn take_escaped(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let zero = bytes.iter().position(|byte| *byte == ZERO)?;
        let (part, rest) = bytes.split_at_checked(zero)?;
        *bytes = rest;
        content.extend_from_slice(part);
        match take_array(bytes)? {
            [ZERO, ESCAPED] => content.push(ZERO),
            [ZERO, END] => return Some(content),
            _ => return None,
        }
    }
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_escaped(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, expect: &[u8]) {
        let key = Key::new(text).unwrap();
        assert_eq!(encode(&key), expect);
        assert_eq!(decode(expect), Some(key));
    }

    #[test]
    fn a_text_says_where_it_ends() {
        check_text("", &[0, 1]);
        check_text("a", &[b'a', 0, 1]);
        check_text("\0", &[0, 0xff, 0, 1]);
        check_text("a\0\0b", &[b'a', 0, 0xff, 0, 0xff, b'b', 0, 1]);
        check_text("\u{1}", &[1, 0, 1]);
    }

    #[test]
    fn a_text_begins_as_its_bytes_do() {
        let texts = ["", "a", "a\0", "a\0b", "ab", "b", "\0", "\u{1}", "\0a"];
        for (text, begin) in texts.iter().flat_map(|text| texts.map(|begin| (text, begin))) {
            let bytes = encode(&Key::new(text).unwrap());
            assert_eq!(bytes.starts_with(&beginning(begin)), text.starts_with(begin), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_encoding_of_a_text_is_refused() {
        let others: [&[u8]; 7] =
            [&[], b"a", &[0], &[b'a', 0], &[0, 0, 1], &[0, 2, 0, 1], &[0xff, 0, 1]];
        for bytes in others {
            assert_eq!(decode::<Key>(bytes), None, "{bytes:?}");
        }
        assert_eq!(decode::<Key>(&[0, 1, 0]), None, "goes on after its end");
    }

    #[test]
    fn limits_hold_for_what_is_read() {
        let text = |len: usize| [&vec![b'k'; len][..], &[ZERO, END]].concat();
        assert!(decode::<Key>(&text(1024)).is_some());
        assert_eq!(decode::<Key>(&text(1025)), None);
        assert!(decode::<Value>(&text(512 * 1024)).is_some());
        assert_eq!(decode::<Value>(&text(512 * 1024 + 1)), None);
        assert_eq!(decode::<Seq>(&[0; 8]), None);
        assert_eq!(decode::<Plane>(&[2]), None);
        assert_eq!(decode::<Cause>(&[0]), None);
        assert_eq!(decode::<Cause>(&[5]), None);
    }
}
