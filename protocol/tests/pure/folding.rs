//! State is a function of the set of deltas, whatever the order and whoever is hostile.

use std::collections::BTreeSet;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{self, AbsoluteDot, Applied, Change, Origin, Table, Visible};
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::op::{AppEvent, Dot, DotDelta, Key, Kind, Op, Payload, Transaction, Value};
use mangrove_protocol::root::{self, Root};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{key, keys, payload_of, value};
use crate::model::State;

/// The delta with this number: its id says nothing about when it was written.
fn delta(number: u8) -> DeltaId {
    DeltaId::from_bytes(*blake3::hash(&[number]).as_bytes())
}

fn origin(number: u8, ms: u64) -> Origin {
    Origin { delta: delta(number), author: keys(number % 3).peer(), hlc: Hlc::new(ms, 0) }
}

/// A context as one node sees it.
#[derive(Default)]
struct Node {
    table: Table,
    root: Root,
}

impl Node {
    /// Applies a delta and checks, against a comparison of before and after, what is said of it.
    fn apply(&mut self, (origin, payload): &(Origin, Payload)) -> Applied {
        let before = State::shown(&self.table);
        let applied = fold::apply(&mut self.table, &mut self.root, origin, payload);
        assert_eq!(applied.changes, before.changes(&State::shown(&self.table)));
        let events: Vec<_> = payload.events().cloned().collect();
        assert_eq!(applied.emitted, events);
        assert_eq!(self.root, root::of(self.table.leaves()), "the root is kept up to date");
        applied
    }
}

/// Folds the deltas in this order and checks every visible thing against the definition.
fn check_order<'a>(deltas: &[(Origin, Payload)], order: impl IntoIterator<Item = &'a usize>) {
    let mut node = Node::default();
    for &at in order {
        node.apply(&deltas[at]);
    }
    let state = State::of(deltas);
    assert_eq!(State::shown(&node.table), state);
    assert_eq!(node.root.digest(), state.root().digest());
    check_memory(deltas, &node.table);
}

/// What is remembered of removals: all that is still to be stopped, nothing that nobody removed, and
/// nothing that only its own delta did, which will not insert anything later.
fn check_memory(deltas: &[(Origin, Payload)], table: &Table) {
    let mut listed = BTreeSet::new();
    for (origin, payload) in deltas {
        for (_, op) in payload.ops() {
            let Op::Remove { key, item, dots } = op else { continue };
            let of_others = dots.iter().filter_map(|dot| match dot.delta {
                DotDelta::Of(delta) if delta != origin.delta => {
                    Some(AbsoluteDot { delta, op: dot.op })
                }
                _ => None,
            });
            listed.extend(of_others.map(|dot| (key, item, dot)));
        }
    }
    let mut remembered = BTreeSet::new();
    for (key, items) in table.items() {
        for (item, row) in items {
            assert!(row.dots.is_disjoint(&row.cancelled));
            assert!(!row.is_empty(), "empty rows are dropped");
            remembered.extend(row.cancelled.iter().map(|dot| (key, item, *dot)));
        }
    }
    assert!(remembered.is_subset(&listed));
    let come: BTreeSet<_> = deltas.iter().map(|(origin, _)| origin.delta).collect();
    let to_come = listed.iter().filter(|(.., dot)| !come.contains(&dot.delta));
    assert!(to_come.copied().all(|dot| remembered.contains(&dot)));
}

/// Checks all orders of a few deltas, numbered as they stand and written at the same moment unless
/// told.
fn check_all_orders(payloads: &[(u64, Vec<Op>)]) -> State {
    let deltas: Vec<_> = (0..)
        .zip(payloads)
        .map(|(number, (ms, ops))| (origin(number, *ms), payload_of(ops.clone())))
        .collect();
    let mut order: Vec<_> = (0..deltas.len()).collect();
    permute(&mut order, 0, &mut |order| check_order(&deltas, order));
    State::of(&deltas)
}

fn permute(order: &mut [usize], from: usize, visit: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return visit(order);
    }
    for at in from..order.len() {
        order.swap(from, at);
        permute(order, from + 1, visit);
        order.swap(from, at);
    }
}

fn put(text: &str) -> Op {
    Op::Put { key: key("k"), value: value(text) }
}

fn clear() -> Op {
    Op::Delete { key: key("k") }
}

fn add(by: i64) -> Op {
    Op::Increment { key: key("k"), by }
}

fn insert(item: &str) -> Op {
    Op::Insert { key: key("k"), item: value(item) }
}

/// Removes inserts given as (delta number or own, op index).
fn remove(item: &str, dots: &[(Option<u8>, u32)]) -> Op {
    let mut dots: Vec<_> = dots
        .iter()
        .map(|&(number, op)| {
            let delta = number.map_or(DotDelta::Own, |number| DotDelta::Of(delta(number)));
            Dot { delta, op }
        })
        .collect();
    dots.sort_unstable();
    Op::Remove { key: key("k"), item: value(item), dots }
}

fn check_register(payloads: &[(u64, Vec<Op>)], expect: Option<&str>) {
    let state = check_all_orders(payloads);
    assert_eq!(state.registers[&key("k")].0, expect.map(value));
}

fn check_items(payloads: &[(u64, Vec<Op>)], expect: &[&str]) {
    let state = check_all_orders(payloads);
    let items: Vec<_> = state.items.keys().map(|(_, item)| item.clone()).collect();
    let expect: Vec<_> = expect.iter().map(|item| value(item)).collect();
    assert_eq!(items, expect);
}

#[test]
fn the_last_writer_wins() {
    check_register(&[(1, vec![put("a")]), (2, vec![put("b")])], Some("b"));
    check_register(&[(2, vec![put("a")]), (1, vec![put("b")])], Some("a"));
    check_register(&[(1, vec![put("a")]), (2, vec![clear()])], None);
    check_register(&[(1, vec![clear()]), (2, vec![put("b")])], Some("b"));
}

#[test]
fn of_two_writes_in_one_delta_the_later_wins() {
    check_register(&[(1, vec![put("a"), put("b")])], Some("b"));
    check_register(&[(1, vec![put("a"), clear()])], None);
    check_register(&[(1, vec![clear(), put("a")]), (0, vec![put("z")])], Some("a"));
}

#[test]
fn equal_clocks_are_decided_by_the_hash() {
    let all: Vec<_> = ["a", "b", "c"].iter().map(|text| (5, vec![put(text)])).collect();
    let highest = (0..3).max_by_key(|number| delta(*number)).unwrap();
    check_register(&all, Some(["a", "b", "c"][usize::from(highest)]));
}

#[test]
fn a_tombstone_keeps_an_earlier_write_from_coming_back() {
    let mut node = Node::default();
    node.apply(&(origin(1, 9), payload_of(vec![clear()])));
    let applied = node.apply(&(origin(2, 8), payload_of(vec![put("late")])));
    assert!(applied.changes.is_empty());
    assert_eq!(node.root, Root::empty());
}

#[test]
fn counters_add_up_and_wrap() {
    let check = |payloads: &[(u64, Vec<Op>)], expect| {
        let state = check_all_orders(payloads);
        assert_eq!(state.counters[&key("k")].0, expect);
    };
    let reset = |by| Op::Reset { key: key("k"), by };
    check(&[(1, vec![add(5), add(7)]), (1, vec![add(-2)])], 10);
    check(&[(1, vec![add(i64::MAX)]), (2, vec![add(i64::MAX)])], i128::from(i64::MAX) * 2);
    check(&[(1, vec![add(5)]), (2, vec![reset(-5)]), (2, vec![add(3)])], 3);
    check(&[(1, vec![reset(i128::MAX)]), (2, vec![add(1)])], i128::MIN);
    check(&[(1, vec![add(5)]), (2, vec![reset(-5)])], 0);
}

#[test]
fn a_counter_of_zero_leaves_no_trace_in_the_root() {
    let state = check_all_orders(&[(1, vec![add(5)]), (2, vec![add(-5)])]);
    assert_eq!(state.root(), Root::empty());
}

#[test]
fn a_concurrent_insert_wins_over_a_removal() {
    let (seen, unseen) = ((1, vec![insert("i")]), (2, vec![insert("i")]));
    let removal = (2, vec![remove("i", &[(Some(0), 0)])]);
    check_items(&[seen.clone(), removal.clone()], &[]);
    check_items(&[seen, removal, unseen], &["i"]);
}

#[test]
fn an_insert_may_come_after_its_removal() {
    let insertion = (1, vec![insert("i"), insert("j")]);
    check_items(&[insertion.clone(), (2, vec![remove("i", &[(Some(0), 0)])])], &["j"]);
    let twice = (3, vec![remove("i", &[(Some(0), 0)])]);
    check_items(&[insertion, (2, vec![remove("i", &[(Some(0), 0)])]), twice], &["j"]);
}

#[test]
fn a_delta_may_remove_what_it_inserts() {
    check_items(&[(1, vec![insert("i"), remove("i", &[(None, 0)])])], &[]);
    check_items(&[(1, vec![insert("i"), remove("i", &[(None, 0)]), insert("i")])], &["i"]);
    check_items(&[(1, vec![insert("i"), insert("i"), remove("i", &[(None, 0)])])], &["i"]);
    // A dot is listed or it is not; where in the delta makes no difference.
    check_items(&[(1, vec![remove("i", &[(None, 1)]), insert("i")])], &[]);
    check_items(&[(1, vec![insert("i"), insert("i"), remove("i", &[(None, 0), (None, 1)])])], &[]);
}

#[test]
fn a_removal_cancels_only_its_own_item_and_key() {
    let inserts = (1, vec![insert("i"), insert("j")]);
    check_items(&[inserts.clone(), (2, vec![remove("i", &[(Some(0), 1)])])], &["i", "j"]);
    check_items(&[inserts.clone(), (2, vec![remove("x", &[(Some(0), 0)])])], &["i", "j"]);
    let Op::Remove { item, dots, .. } = remove("i", &[(Some(0), 0)]) else { unreachable!() };
    let elsewhere = Op::Remove { key: key("l"), item, dots };
    check_items(&[inserts, (2, vec![elsewhere])], &["i", "j"]);
}

#[test]
fn a_removal_may_list_what_never_was() {
    let nonsense = [(None, 0), (None, 9), (Some(0), 7), (Some(1), 0), (Some(99), 3)];
    check_items(&[(1, vec![insert("i")]), (1, vec![remove("i", &nonsense)])], &["i"]);
}

#[test]
fn removing_nothing_is_a_write_but_no_change() {
    let state = check_all_orders(&[(1, vec![remove("i", &[])]), (2, vec![insert("i")])]);
    assert_eq!(state.sets[&key("k")].1.writes, 2);
}

fn check_changes(before: &[Op], ops: Vec<Op>, expect: &[(Kind, &str, Visible)]) {
    let mut node = Node::default();
    for (number, op) in (100..).zip(before) {
        node.apply(&(origin(number, 1), payload_of(vec![op.clone()])));
    }
    let applied = node.apply(&(origin(0, 5), payload_of(ops)));
    let expect = expect.iter().map(|(kind, text, became)| Change {
        kind: *kind,
        key: key(text),
        became: became.clone(),
    });
    assert_eq!(applied.changes, expect.collect::<Vec<_>>());
}

#[test]
fn changes_are_net_and_in_canonical_order() {
    let at = |text: &str, op: Op| match op {
        Op::Put { value, .. } => Op::Put { key: key(text), value },
        other => other,
    };
    let became = |text: &str| Visible::Value(Some(value(text)));
    check_changes(
        &[],
        vec![insert("i"), add(1), at("b", put("1")), at("a", put("2")), at("b", put("3"))],
        &[
            (Kind::Register, "a", became("2")),
            (Kind::Register, "b", became("3")),
            (Kind::Counter, "k", Visible::Count(1)),
            (Kind::Set, "k", Visible::Items { added: vec![value("i")], removed: vec![] }),
        ],
    );
    check_changes(&[put("a")], vec![put("b"), put("a")], &[]);
    check_changes(&[put("a")], vec![clear()], &[(Kind::Register, "k", Visible::Value(None))]);
    check_changes(&[], vec![clear()], &[]);
    check_changes(&[add(4)], vec![add(1), add(-1)], &[]);
    check_changes(&[insert("i")], vec![insert("i")], &[]);
    check_changes(
        &[insert("i"), insert("j")],
        vec![
            remove("i", &[(Some(100), 0)]),
            remove("j", &[(Some(101), 0)]),
            insert("j"),
            insert("h"),
        ],
        &[(Kind::Set, "k", Visible::Items { added: vec![value("h")], removed: vec![value("i")] })],
    );
}

#[test]
fn transactions_apply_as_one_and_events_follow_in_order() {
    let event = |name: &str| AppEvent { name: name.to_owned(), data: vec![1] };
    let payload = Payload::new(vec![
        Transaction { ops: vec![put("a")], events: vec![event("x"), event("y")] },
        Transaction { ops: vec![], events: vec![event("z")] },
        Transaction { ops: vec![put("b")], events: vec![] },
    ]);
    let applied = Node::default().apply(&(origin(1, 1), payload.unwrap()));
    assert_eq!(applied.emitted, [event("x"), event("y"), event("z")]);
    assert_eq!(applied.changes.len(), 1);
    assert_eq!(Node::default().apply(&(origin(1, 1), Payload::merge())), Applied::default());
}

const DELTAS: u8 = 9;

fn any_place() -> impl Strategy<Value = (Key, Value)> {
    let text = |of: [&'static str; 2]| prop::sample::select(of.to_vec());
    (text(["k", "l"]), text(["i", "j"])).prop_map(|(name, item)| (key(name), value(item)))
}

/// Operations on few entities, so that they meet; removals that list deltas before and after them,
/// themselves, and ones that never come.
fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    let which = prop_oneof![1 => Just(None), 3 => (0..=DELTAS).prop_map(Some)];
    let dot = (which, 0_u32..4).prop_map(|(number, op)| Dot {
        delta: number.map_or(DotDelta::Own, |number| DotDelta::Of(delta(number))),
        op,
    });
    let dots = proptest::collection::btree_set(dot, 0..6);
    let op =
        (any_place(), 0..8, dots, any::<i8>()).prop_map(
            |((key, item), what, dots, by)| match what {
                0 => Op::Put { key, value: item },
                1 => Op::Delete { key },
                2 => Op::Increment { key, by: i64::from(by) },
                3 => Op::Reset { key, by: i128::from(by) << 120 },
                4..6 => Op::Insert { key, item },
                _ => Op::Remove { key, item, dots: dots.into_iter().collect() },
            },
        );
    vec(op, 1..5)
}

fn any_deltas() -> impl Strategy<Value = Vec<(Origin, Payload)>> {
    vec((0_u64..3, any_ops()), 1..usize::from(DELTAS)).prop_map(|deltas| {
        let numbered = (0..).zip(deltas);
        numbered.map(|(number, (ms, ops))| (origin(number, ms), payload_of(ops))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_order_ends_in_the_state_that_the_set_defines(
        (deltas, orders) in any_deltas().prop_flat_map(|deltas| {
            let order: Vec<_> = (0..deltas.len()).collect();
            (Just(deltas), vec(Just(order).prop_shuffle(), 4))
        }),
    ) {
        for order in &orders {
            check_order(&deltas, order);
        }
        let backwards: Vec<_> = (0..deltas.len()).rev().collect();
        check_order(&deltas, &backwards);
    }

    #[test]
    fn altering_one_value_alters_the_root(
        deltas in any_deltas(),
        at in any::<prop::sample::Index>(),
    ) {
        let state = State::of(&deltas);
        let live: Vec<_> =
            state.registers.iter().filter(|(_, (value, ..))| value.is_some()).collect();
        prop_assume!(!live.is_empty());
        let key = live[at.index(live.len())].0.clone();
        let mut altered = state.clone();
        altered.registers.get_mut(&key).unwrap().0 = Some(value("altered"));
        prop_assert_ne!(altered.root().digest(), state.root().digest());
    }
}
