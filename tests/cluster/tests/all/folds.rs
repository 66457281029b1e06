//! The naive fold says what is meant, in whatever order, and the product's fold says the same.

use mangrove_cluster::naive::{Written, fold};
use mangrove_cluster::{Dump, Kind, Shown};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{Origin, Table, apply};
use mangrove_protocol::id::{DeltaId, PeerId};
use mangrove_protocol::op::{Dot, DotDelta, Key, Op, Payload, Transaction, Value};
use mangrove_protocol::root::Root;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn value(json: impl Into<serde_json::Value>) -> Value {
    Value::new(json.into().to_string().as_bytes()).unwrap()
}

fn put(at: &str, what: &str) -> Op {
    Op::Put { key: key(at), value: value(what) }
}

fn insert(at: &str, item: &str) -> Op {
    Op::Insert { key: key(at), item: value(item) }
}

/// A removal of inserts, each by its delta, or 0 for its own, and its place there.
fn remove(at: &str, item: &str, dots: &[(u8, u32)]) -> Op {
    let delta = |number| if number == 0 { DotDelta::Own } else { DotDelta::Of(id(number)) };
    let mut dots =
        dots.iter().map(|(number, op)| Dot { delta: delta(*number), op: *op }).collect::<Vec<_>>();
    dots.sort_unstable();
    dots.dedup();
    Op::Remove { key: key(at), item: value(item), dots }
}

fn id(number: u8) -> DeltaId {
    DeltaId::from_bytes([number; 32])
}

/// A delta by its number, which is also its author's, and its time.
fn written(number: u8, ms: u64, ops: &[Op]) -> Written {
    let author = PeerId::from_bytes([number; 32]);
    Written { delta: id(number), author, hlc: Hlc::new(ms, 0), ops: ops.to_vec() }
}

/// What these show of one entity: its value and the number of the delta that wrote it last.
#[track_caller]
fn check(written: &[Written], kind: Kind, expect: Option<(serde_json::Value, u8)>) {
    let shown = fold(written).entries.remove(&(kind, "k".to_owned()));
    let expect = expect.map(|(value, number)| {
        let author = PeerId::from_bytes([number; 32]).to_string();
        Shown { value, author, delta: id(number).to_string(), marks: None }
    });
    assert_eq!(shown, expect);
}

#[test]
fn a_register_shows_what_was_put_last() {
    let (old, new) = (written(1, 10, &[put("k", "old")]), written(2, 11, &[put("k", "new")]));
    check(&[old.clone(), new.clone()], Kind::Register, Some((json!("new"), 2)));
    check(&[new, old.clone()], Kind::Register, Some((json!("new"), 2)));
    let tie = written(3, 10, &[put("k", "tie")]);
    check(&[tie, old], Kind::Register, Some((json!("tie"), 3)));
    let twice = written(4, 10, &[put("k", "first"), put("k", "second")]);
    check(&[twice], Kind::Register, Some((json!("second"), 4)));
}

#[test]
fn a_register_is_gone_if_it_was_deleted_last() {
    let put = written(1, 10, &[put("k", "it")]);
    let delete = |number, ms| written(number, ms, &[Op::Delete { key: key("k") }]);
    check(&[put.clone(), delete(2, 11)], Kind::Register, None);
    check(&[put.clone(), delete(2, 9)], Kind::Register, Some((json!("it"), 1)));
    check(&[put, delete(2, 10)], Kind::Register, None);
}

#[test]
fn a_counter_adds_up_wraps_and_is_absent_at_zero() {
    let add =
        |number, by| written(number, u64::from(number), &[Op::Increment { key: key("k"), by }]);
    let reset = |number, by| written(number, u64::from(number), &[Op::Reset { key: key("k"), by }]);
    check(&[add(1, 5), add(2, -7)], Kind::Counter, Some((json!(-2), 2)));
    check(&[add(1, 5), reset(2, -5)], Kind::Counter, None);
    // Whoever deletes takes away what was seen, and no more.
    check(&[add(1, 5), add(3, 2), reset(2, -5)], Kind::Counter, Some((json!(2), 3)));
    let exact = 1_i64 << 53;
    check(&[add(1, exact)], Kind::Counter, Some((json!(exact), 1)));
    check(&[add(1, exact), add(2, 1)], Kind::Counter, Some((json!("9007199254740993"), 2)));
    check(&[add(1, -exact), add(2, -1)], Kind::Counter, Some((json!("-9007199254740993"), 2)));
    let wrapped = json!(i128::MIN.to_string());
    check(&[reset(1, i128::MAX), add(2, 1)], Kind::Counter, Some((wrapped, 2)));
}

#[test]
fn an_insert_stays_unless_a_removal_lists_it() {
    let inserts = written(1, 10, &[insert("k", "x"), insert("k", "y"), insert("k", "x")]);
    let both = json!(["x", "y"]);
    check(std::slice::from_ref(&inserts), Kind::Set, Some((both.clone(), 1)));
    let of_one = written(2, 11, &[remove("k", "x", &[(1, 0)])]);
    check(&[inserts.clone(), of_one], Kind::Set, Some((both.clone(), 2)));
    let of_all = written(2, 11, &[remove("k", "x", &[(1, 0), (1, 2)])]);
    check(&[inserts.clone(), of_all.clone()], Kind::Set, Some((json!(["y"]), 2)));
    // An insert that the removal had not seen wins, however old it is.
    let unseen = written(3, 1, &[insert("k", "x")]);
    check(&[inserts.clone(), of_all.clone(), unseen], Kind::Set, Some((both.clone(), 2)));
    // It cancels the insert of this key and item alone.
    let other = written(2, 11, &[remove("k", "y", &[(1, 0)]), remove("j", "x", &[(1, 0)])]);
    check(&[inserts.clone(), other], Kind::Set, Some((both, 2)));
    let rest = written(3, 12, &[remove("k", "y", &[(1, 1)])]);
    check(&[inserts, of_all, rest], Kind::Set, None);
}

#[test]
fn a_removal_may_come_before_its_insert_and_name_its_own_delta() {
    let early = written(1, 5, &[remove("k", "x", &[(2, 0)])]);
    let late = written(2, 6, &[insert("k", "x")]);
    check(&[early, late], Kind::Set, None);
    let own = written(3, 7, &[remove("k", "x", &[(0, 1)]), insert("k", "x"), insert("k", "x")]);
    check(&[own], Kind::Set, Some((json!(["x"]), 3)));
}

#[test]
fn kinds_and_keys_do_not_touch_each_other() {
    let ops =
        [put("k", "r"), insert("k", "s"), Op::Increment { key: key("k"), by: 1 }, put("", "e")];
    let found = fold(&[written(1, 1, &ops)]);
    let keys = found.entries.keys().map(|(kind, key)| (*kind, key.as_str())).collect::<Vec<_>>();
    let expect =
        [(Kind::Register, ""), (Kind::Register, "k"), (Kind::Counter, "k"), (Kind::Set, "k")];
    assert_eq!(keys, expect);
}

#[test]
fn bytes_that_are_no_json_are_shown_as_such() {
    let foreign = Op::Put { key: key("k"), value: Value::new(&[0xff, 0]).unwrap() };
    check(&[written(1, 1, &[foreign])], Kind::Register, Some((json!({ "$bytes": "/wA=" }), 1)));
}

/// What the product's fold makes of the same.
fn by_the_product(written: &[Written]) -> Dump {
    let (mut table, mut root) = (Table::default(), Root::empty());
    for it in written.iter().filter(|it| !it.ops.is_empty()) {
        let transaction = Transaction { ops: it.ops.clone(), events: Vec::new() };
        let payload = Payload::new(vec![transaction]).unwrap();
        let origin = Origin { delta: it.delta, author: it.author, hlc: it.hlc };
        apply(&mut table, &mut root, &origin, &payload);
    }
    crate::homes::shown(&table)
}

fn any_op() -> impl Strategy<Value = Op> {
    let name = || prop_oneof![Just("k"), Just("l")];
    let dots = vec((0_u8..6, 0_u32..4), 0..3);
    prop_oneof![
        (name(), "[ab]").prop_map(|(at, what)| put(at, &what)),
        name().prop_map(|at| Op::Delete { key: key(at) }),
        (name(), -2_i64..3).prop_map(|(at, by)| Op::Increment { key: key(at), by }),
        (name(), prop_oneof![Just(i128::MAX), -2_i128..3])
            .prop_map(|(at, by)| Op::Reset { key: key(at), by }),
        (name(), "[xy]").prop_map(|(at, item)| insert(at, &item)),
        (name(), "[xy]", dots).prop_map(|(at, item, dots)| remove(at, &item, &dots)),
    ]
}

/// Some deltas, in two orders.
fn any_two_orders() -> impl Strategy<Value = (Vec<Written>, Vec<Written>)> {
    let deltas = vec((0_u64..3, vec(any_op(), 0..5)), 1..6);
    let numbered = deltas.prop_map(|deltas| {
        let numbers = 1_u8..;
        let numbered = numbers.zip(deltas).map(|(number, (ms, ops))| written(number, ms, &ops));
        numbered.collect::<Vec<_>>()
    });
    numbered.prop_flat_map(|written| (Just(written.clone()), Just(written).prop_shuffle()))
}

proptest! {
    #[test]
    fn any_order_gives_the_same_and_a_repetition_changes_nothing(
        (written, shuffled) in any_two_orders(),
    ) {
        let expect = fold(&written);
        prop_assert_eq!(&fold(&shuffled), &expect);
        prop_assert_eq!(&fold(&[written, shuffled].concat()), &expect);
    }

    #[test]
    fn the_product_folds_to_the_same_in_any_order((written, shuffled) in any_two_orders()) {
        let expect = fold(&written);
        prop_assert_eq!(expect.same("naive", ("product", &by_the_product(&written))), Ok(()));
        prop_assert_eq!(expect.same("naive", ("product", &by_the_product(&shuffled))), Ok(()));
    }
}
