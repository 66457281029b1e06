//! One value, one encoding: for every type that is sent or stored.

use std::collections::BTreeSet;
use std::fmt::Debug;

use borsh::{BorshDeserialize, BorshSerialize};
use mangrove_protocol::fold::{AbsoluteDot, Counter, Register, SetHead, SetItem, Stamp, Touched};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::limits::{KEY_BYTES, OPS_PER_DELTA, VALUE_BYTES};
use mangrove_protocol::op::{
    AppEvent, Dot, DotDelta, Key, Kind, Op, Payload, Transaction, Undecodable, Value,
};
use mangrove_protocol::wire::{self, Malformed};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use crate::make::{
    any_dot, any_header, any_hlc, any_id, any_key, any_log, any_op, any_payload, any_sealing,
    any_seq, any_tip, any_value, id, key, payload_of, size, value,
};

const MAX: u64 = 1 << 20;

/// Where to damage an encoding, and how.
pub(crate) fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4)
}

pub(crate) fn damaged(bytes: &[u8], changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let (mut bytes, len) = (bytes.to_vec(), bytes.len().max(1));
    for (at, by) in changes {
        if let Some(byte) = bytes.get_mut(at.index(len)) {
            *byte ^= by;
        }
    }
    bytes
}

/// Encodes and decodes to itself; is refused when cut or continued; and damaged bytes that still
/// decode to something are the one encoding of that.
pub(crate) fn check<T>(
    value: &T,
    changes: &[(prop::sample::Index, u8)],
) -> Result<(), TestCaseError>
where
    T: BorshSerialize + BorshDeserialize + PartialEq + Debug,
{
    let bytes = wire::encode(value);
    let back = wire::decode::<T>(&bytes, MAX);
    prop_assert_eq!(back.as_ref(), Ok(value));
    for cut in 0..bytes.len() {
        prop_assert_eq!(wire::decode::<T>(&bytes[..cut], MAX), Err(Malformed::Truncated));
    }
    let longer = [&bytes[..], &[0]].concat();
    prop_assert_eq!(wire::decode::<T>(&longer, MAX), Err(Malformed::Trailing { bytes: 1 }));
    let damaged = damaged(&bytes, changes);
    if let Ok(other) = wire::decode::<T>(&damaged, MAX) {
        prop_assert_eq!(wire::encode(&other), damaged);
    }
    Ok(())
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (any_hlc(), any_id(), any::<u32>()).prop_map(|(hlc, delta, op)| Stamp { hlc, delta, op })
}

fn any_touched() -> impl Strategy<Value = Touched> {
    (any::<u64>(), any_stamp(), any::<[u8; 32]>()).prop_map(|(writes, last, author)| Touched {
        writes,
        last,
        author: PeerId::from_bytes(author),
    })
}

fn any_dots() -> impl Strategy<Value = BTreeSet<AbsoluteDot>> {
    let dot = (any_id(), any::<u32>()).prop_map(|(delta, op)| AbsoluteDot { delta, op });
    btree_set(dot, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn names_have_one_encoding(tip in any_tip(), log in any_log(), seq in any_seq(), at in damage()) {
        check(&tip, &at)?;
        check(&log, &at)?;
        check(&seq, &at)?;
        check(&vec![tip, tip], &at)?;
    }

    #[test]
    fn headers_have_one_encoding(header in any_header(), seal in any_sealing(), at in damage()) {
        check(&header, &at)?;
        check(&seal, &at)?;
        check(&header.hlc, &at)?;
    }

    #[test]
    fn operations_have_one_encoding(op in any_op(), dot in any_dot(), at in damage()) {
        check(&op, &at)?;
        check(&dot, &at)?;
    }

    #[test]
    fn rows_have_one_encoding(
        (value, author) in (proptest::option::of(any_value()), any::<[u8; 32]>()),
        (stamp, touched) in (any_stamp(), any_touched()),
        (sum, items) in (any::<i128>(), any::<u64>()),
        (dots, cancelled) in (any_dots(), any_dots()),
        at in damage(),
    ) {
        check(&Register { value, stamp, author: PeerId::from_bytes(author) }, &at)?;
        check(&Counter { sum, touched }, &at)?;
        check(&SetHead { items, touched }, &at)?;
        check(&SetItem { dots, cancelled }, &at)?;
    }

    #[test]
    fn entities_have_one_encoding(key in any_key(), value in any_value(), at in damage()) {
        check(&key, &at)?;
        check(&value, &at)?;
        for kind in [Kind::Register, Kind::Counter, Kind::Set] {
            check(&kind, &at)?;
        }
        check(&AppEvent { name: key.to_string(), data: value.as_bytes().to_vec() }, &at)?;
    }

    #[test]
    fn payloads_have_one_encoding(payload in any_payload(), at in damage()) {
        let bytes = payload.encode();
        prop_assert_eq!(Payload::decode(&bytes), Ok(payload.clone()));
        for cut in 1..bytes.len() {
            let truncated = Err(Undecodable::Malformed(Malformed::Truncated));
            prop_assert_eq!(Payload::decode(&bytes[..cut]), truncated);
        }
        if !payload.is_merge() {
            let damaged = damaged(&bytes, &at);
            if let Ok(other) = Payload::decode(&damaged) {
                prop_assert_eq!(other.encode(), damaged);
            }
            let indices: Vec<_> = payload.ops().map(|(index, _)| index).collect();
            prop_assert!((0..).zip(&indices).all(|(at, index): (u32, _)| at == *index));
        }
    }

    #[test]
    fn any_bytes_at_all_are_judged(bytes in vec(any::<u8>(), 0..300), first in 0_u8..3) {
        let versioned = [&[first][..], &bytes].concat();
        if let Ok(payload) = Payload::decode(&versioned) {
            prop_assert_eq!(payload.encode(), versioned);
        }
    }
}

fn check_decode(bytes: &[u8], expect: &Result<Payload, Undecodable>) {
    assert_eq!(&Payload::decode(bytes), expect);
}

fn unknown(what: &'static str, tag: u8) -> Result<Payload, Undecodable> {
    Err(Undecodable::Unknown { what, tag })
}

fn malformed(why: Malformed) -> Result<Payload, Undecodable> {
    Err(Undecodable::Malformed(why))
}

/// One transaction of these raw operations.
fn raw(ops: &[&[u8]]) -> Vec<u8> {
    let count = u32::try_from(ops.len()).unwrap().to_le_bytes();
    [&[1, 1, 0, 0, 0], &count[..], &ops.concat(), &[0; 4]].concat()
}

#[test]
fn what_a_later_version_may_know_is_unknown_and_not_malformed() {
    check_decode(&[2, 1, 2, 3], &unknown("payload version", 2));
    check_decode(&[0], &unknown("payload version", 0));
    check_decode(&raw(&[&[7, 0, 0, 0, 0]]), &unknown("operation", 7));
    check_decode(&raw(&[&[0]]), &unknown("operation", 0));
    let delete: &[u8] = &[2, 1, 0, 0, 0, b'k'];
    check_decode(&raw(&[delete]), &Ok(payload_of(vec![Op::Delete { key: key("k") }])));
    check_decode(&raw(&[delete, &[9]]), &unknown("operation", 9));
}

#[test]
fn what_is_wrong_before_an_unknown_tag_stays_wrong() {
    let long_key = [&[2_u8][..], &1025_u32.to_le_bytes(), &[b'k'; 1025]].concat();
    let over = Malformed::OverLimit { what: "key", max: KEY_BYTES };
    check_decode(&raw(&[&long_key, &[9]]), &malformed(over));
    let crowd = [&[1, 1, 0, 0, 0][..], &4097_u32.to_le_bytes(), &[9]].concat();
    check_decode(
        &crowd,
        &malformed(Malformed::OverLimit { what: "operations", max: OPS_PER_DELTA }),
    );
}

#[test]
fn a_payload_of_nothing_is_written_as_nothing() {
    check_decode(&[], &Ok(Payload::merge()));
    assert!(Payload::merge().encode().is_empty());
    let none = Malformed::Empty { what: "list of transactions" };
    check_decode(&[1, 0, 0, 0, 0], &malformed(none.clone()));
    assert_eq!(Payload::new(Vec::new()), Err(none));
    let empty = Malformed::Empty { what: "transaction" };
    check_decode(&raw(&[]), &malformed(empty.clone()));
    assert_eq!(Payload::new(vec![Transaction::default()]), Err(empty));
}

/// Refused when made and refused when read.
fn check_refused(transactions: Vec<Transaction>, why: Malformed) {
    let bytes = wire::encode(&(1_u8, &transactions));
    assert_eq!(Payload::new(transactions).unwrap_err(), why);
    check_decode(&bytes, &malformed(why));
}

#[test]
fn dots_are_strictly_ascending() {
    let dot = |delta, op| Dot { delta, op };
    let (own, of) = (DotDelta::Own, DotDelta::Of(id(1)));
    let remove = |dots: &[Dot]| Op::Remove { key: key("k"), item: value("i"), dots: dots.to_vec() };
    let good = [dot(own, 0), dot(own, 3), dot(of, 0), dot(of, 1), dot(DotDelta::Of(id(2)), 0)];
    let good = payload_of(vec![remove(&good), remove(&[])]);
    check_decode(&good.encode(), &Ok(good));
    for bad in [[dot(of, 0), dot(own, 0)], [dot(own, 1), dot(own, 0)], [dot(of, 1), dot(of, 1)]] {
        let transaction = Transaction { ops: vec![remove(&bad)], events: Vec::new() };
        check_refused(vec![transaction], Malformed::NotCanonical { what: "dots" });
    }
}

#[test]
fn limits_count_over_the_whole_delta() {
    let ops = |count: u64| {
        let op = Op::Increment { key: key("k"), by: 1 };
        Transaction { ops: vec![op; size(count)], events: Vec::new() }
    };
    let half = OPS_PER_DELTA / 2;
    assert!(Payload::new(vec![ops(half), ops(half)]).is_ok());
    let over = Malformed::OverLimit { what: "operations", max: OPS_PER_DELTA };
    check_refused(vec![ops(half), ops(half + 1)], over);
    let events = |count: u64| {
        let event = AppEvent { name: String::new(), data: Vec::new() };
        Transaction { ops: Vec::new(), events: vec![event; size(count)] }
    };
    assert!(Payload::new(vec![events(half), events(half)]).is_ok());
    let over = Malformed::OverLimit { what: "events", max: OPS_PER_DELTA };
    check_refused(vec![events(half), events(half + 1)], over);
}

#[test]
fn keys_values_and_events_have_limits() {
    let longest = "k".repeat(size(KEY_BYTES));
    assert!(Key::new(&longest).is_ok());
    let over = Malformed::OverLimit { what: "key", max: KEY_BYTES };
    assert_eq!(Key::new(&format!("{longest}k")), Err(over));
    let largest = vec![0; size(VALUE_BYTES)];
    let payload = payload_of(vec![Op::Put { key: key("k"), value: Value::new(&largest).unwrap() }]);
    check_decode(&payload.encode(), &Ok(payload));
    let over = Malformed::OverLimit { what: "value", max: VALUE_BYTES };
    assert_eq!(Value::new(&[&largest[..], &[0]].concat()), Err(over.clone()));
    let too_large =
        [&[1, 1, 0, 0, 0, b'k'], &u32::try_from(VALUE_BYTES + 1).unwrap().to_le_bytes()[..]]
            .concat();
    check_decode(&raw(&[&too_large, &vec![0; size(VALUE_BYTES) + 1]]), &malformed(over));
    let event = |name: &str, data: &[u8]| {
        let event = AppEvent { name: name.to_owned(), data: data.to_vec() };
        vec![Transaction { ops: Vec::new(), events: vec![event] }]
    };
    assert!(Payload::new(event(&longest, &largest)).is_ok());
    let over = Malformed::OverLimit { what: "event name", max: KEY_BYTES };
    check_refused(event(&format!("{longest}k"), &[]), over);
    let over = Malformed::OverLimit { what: "event data", max: VALUE_BYTES };
    check_refused(event("", &[&largest[..], &[0]].concat()), over);
}
