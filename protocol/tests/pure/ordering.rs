//! The bytes of keys sort like the keys, end where they end, and are the only ones of theirs.

use std::collections::BTreeSet;
use std::fmt::Debug;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::graph::Cause;
use mangrove_protocol::id::{
    AuthorityId, DeltaId, EpochId, ID_BYTES, Incarnation, LogId, PeerId, Plane, Seq,
};
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::ordered::{self, Ordered};
use mangrove_protocol::request::RequestId;
use mangrove_protocol::view::{
    Counters, Deltas, Entries, Feed, ForTable, GovHeads, Heads, History, Items, Keys, Labelled,
    Leaning, Locals, Logs, Outbox, Owns, Places, Registers, RequestAges, Requests, Roots, Sets,
    Table, Waiting, for_every_table,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::canonical::{damage, damaged};
use crate::make::key;

/// Few different ones, so that the parts behind them decide.
fn any_bytes() -> impl Strategy<Value = [u8; ID_BYTES]> {
    let (low, mut next, mut high) = ([0; ID_BYTES], [0; ID_BYTES], [0; ID_BYTES]);
    next[ID_BYTES - 1] = 1;
    high[0] = 0x80;
    prop_oneof![4 => select(vec![low, next, high, [0xff; ID_BYTES]]), 1 => any::<[u8; ID_BYTES]>()]
}

fn any_delta() -> impl Strategy<Value = DeltaId> {
    any_bytes().prop_map(DeltaId::from_bytes)
}

fn any_number() -> impl Strategy<Value = u64> {
    let near = vec![0, 1, 255, 256, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX];
    prop_oneof![2 => select(near), 1 => any::<u64>()]
}

fn any_place() -> impl Strategy<Value = Seq> {
    any_number().prop_map(|number| Seq::new(number).unwrap_or(Seq::FIRST))
}

fn any_log() -> impl Strategy<Value = LogId> {
    let plane = select(vec![Plane::Governance, Plane::Data]);
    (any_bytes(), any_bytes(), any_number(), plane).prop_map(
        |(author, authority, incarnation, plane)| LogId {
            author: PeerId::from_bytes(author),
            authority: AuthorityId::from_bytes(authority),
            incarnation: Incarnation::new(incarnation),
            plane,
        },
    )
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        any_delta().prop_map(Cause::Parent),
        any_bytes().prop_map(|epoch| Cause::Key(EpochId::from_bytes(epoch))),
        any_number().prop_map(|bits| Cause::Clock(Hlc::from_bits(bits))),
        Just(Cause::Version),
    ]
}

/// Short, of characters that an escape could confuse, so that many begin with another.
fn any_text() -> impl Strategy<Value = String> {
    let chars = select(vec!['\0', '\u{1}', '\u{2}', 'a', '\u{ff}', '\u{ffff}', '\u{10ffff}']);
    vec(chars, 0..5).prop_map(|chars| chars.into_iter().collect())
}

fn any_key() -> impl Strategy<Value = Key> {
    any_text().prop_map(|text| key(&text))
}

fn any_value() -> impl Strategy<Value = Value> {
    vec(select(vec![0, 1, 2, 0xfe, 0xff]), 0..6).prop_map(|bytes| Value::new(&bytes).unwrap())
}

fn any_request() -> impl Strategy<Value = RequestId> {
    (any_text(), any_text()).prop_map(|(scope, name)| RequestId { scope, name })
}

fn check_order<K: Ordered + Ord + Debug>(left: &K, right: &K) -> Result<(), TestCaseError> {
    let bytes = [left, right].map(ordered::encode);
    prop_assert_eq!(left.cmp(right), bytes[0].cmp(&bytes[1]), "{:?} {:?}", left, right);
    prop_assert_eq!(left == right, bytes[1].starts_with(&bytes[0]), "{:?} {:?}", left, right);
    Ok(())
}

/// Is read back, whatever follows it, and is no encoding if it is cut off.
fn check_end<K: Ordered + Ord + Debug>(key: &K, after: &[u8]) -> Result<(), TestCaseError> {
    let bytes = ordered::encode(key);
    let back = ordered::decode::<K>(&bytes);
    prop_assert_eq!(back.as_ref(), Some(key));
    for len in 0..bytes.len() {
        prop_assert_eq!(ordered::decode::<K>(&bytes[..len]), None);
    }
    let longer = [&bytes[..], after].concat();
    let mut rest = &longer[..];
    let back = K::take(&mut rest);
    prop_assert_eq!(back.as_ref(), Some(key));
    prop_assert_eq!(rest, after);
    Ok(())
}

/// What is a key at all is the one encoding of it.
fn check_one_form<K: Ordered>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Some(key) = ordered::decode::<K>(bytes) {
        prop_assert_eq!(ordered::encode(&key), bytes);
    }
    Ok(())
}

/// The laws, and for which tables they were seen to hold.
#[derive(Default)]
struct Laws(BTreeSet<u8>);

impl Laws {
    fn hold<T: Table>(&mut self, keys: impl Strategy<Value = T::Key>) {
        let keys = (vec(keys, 2), vec(any::<u8>(), 0..3), damage());
        let mut runner = TestRunner::new(ProptestConfig::with_cases(1024));
        let held = runner.run(&keys, |(keys, after, at)| {
            check_order(&keys[0], &keys[1])?;
            check_end(&keys[0], &after)?;
            check_one_form::<T::Key>(&damaged(&ordered::encode(&keys[0]), &at))
        });
        held.unwrap_or_else(|why| panic!("keys of {}: {why}", T::NAME));
        self.0.insert(T::TAG);
    }
}

/// Of every table its tag and its name.
#[derive(Default)]
pub(crate) struct Tags(Vec<(u8, &'static str)>);

impl Tags {
    pub(crate) fn all() -> Vec<(u8, &'static str)> {
        let mut tags = Self::default();
        for_every_table(&mut tags);
        tags.0
    }
}

impl ForTable for Tags {
    fn table<T: Table>(&mut self) {
        self.0.push((T::TAG, T::NAME));
    }
}

#[test]
fn keys_of_every_table_sort_as_their_bytes_do() {
    let mut laws = Laws::default();
    laws.hold::<Deltas>(any_delta());
    laws.hold::<Places>(any_delta());
    laws.hold::<Entries>((any_log(), any_place(), any_delta()));
    laws.hold::<Logs>(any_log());
    laws.hold::<Waiting>((any_cause(), any_delta()));
    laws.hold::<History>(any_number());
    laws.hold::<Heads>(any_delta());
    laws.hold::<GovHeads>(any_delta());
    laws.hold::<Leaning>(any_log());
    laws.hold::<Keys>(any_bytes().prop_map(EpochId::from_bytes));
    laws.hold::<Registers>(any_key());
    laws.hold::<Counters>(any_key());
    laws.hold::<Sets>(any_key());
    laws.hold::<Items>((any_key(), any_value()));
    laws.hold::<Roots>(Just(()));
    laws.hold::<Owns>(Just(()));
    laws.hold::<Requests>(any_request());
    laws.hold::<RequestAges>((any_number(), any_request()));
    laws.hold::<Feed>(any_number());
    laws.hold::<Outbox>(any_delta());
    laws.hold::<Locals>(Just(()));
    laws.hold::<Labelled>(Just(()));
    assert!(laws.0.into_iter().eq(Tags::all().into_iter().map(|(tag, _)| tag)), "every table");
}

#[test]
fn the_tags_of_tables_are_those_of_version_1() {
    let tags = Tags::all();
    let unique: BTreeSet<_> = tags.iter().map(|(tag, _)| tag).collect();
    assert_eq!(unique.len(), tags.len());
    let said = tags.iter().map(|(tag, name)| format!("{tag} {name}")).collect::<Vec<_>>();
    insta::assert_snapshot!(said.join("\n"));
}

/// Bytes that are given to every table.
struct Noise<'a> {
    bytes: &'a [u8],
    found: Result<(), TestCaseError>,
}

impl ForTable for Noise<'_> {
    fn table<T: Table>(&mut self) {
        if self.found.is_ok() {
            self.found = check_one_form::<T::Key>(self.bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_bytes_at_all_are_a_key_in_one_form_or_none(
        bytes in vec(select(vec![0, 1, 2, 3, 4, 5, b'a', 0xc3, 0xff]), 0..120),
        len in 0..130_usize,
    ) {
        for bytes in [&bytes[..], &bytes[..len.min(bytes.len()).min(12)]] {
            let mut noise = Noise { bytes, found: Ok(()) };
            for_every_table(&mut noise);
            noise.found?;
        }
    }
}
