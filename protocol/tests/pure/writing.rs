//! Own writes: each call is one thing, they gather into deltas, and nothing is said too early.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::limits::{OPS_PER_DELTA, VALUE_BYTES};
use mangrove_protocol::op::{Dot, DotDelta, Kind, Op};
use mangrove_protocol::replica::Bounds;
use mangrove_protocol::request::{Condition, Edit, Expect, Fault, Request, Version};
use mangrove_protocol::view::{
    Counters, Deltas, Items, Memory, Owns, Registers, Sets, View, every,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crank::{
    Crank, Pen, answers, arrival, call, config, named, on_condition, published, put, write,
};
use crate::make::{key, size, value};
use crate::tables;

const NODE: u8 = 50;

pub(crate) fn number(memory: &Memory, at: &str) -> i128 {
    memory.get::<Counters>(&key(at)).map_or(0, |row| row.sum)
}

fn text(memory: &Memory, at: &str) -> Option<String> {
    let value = memory.get::<Registers>(&key(at))?.value?;
    Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
}

fn members(memory: &Memory, at: &str) -> BTreeSet<String> {
    let items =
        every::<Items, _>(memory).filter(|((of, _), row)| *of == key(at) && row.is_visible());
    items.map(|((_, item), _)| String::from_utf8(item.as_bytes().to_vec()).unwrap()).collect()
}

fn deltas(memory: &Memory) -> usize {
    tables::applied(memory).len()
}

fn insert(at: &str, item: &str) -> Edit {
    Edit::Insert(key(at), value(item))
}

fn remove(at: &str, item: &str) -> Edit {
    Edit::Remove(key(at), value(item))
}

pub(crate) fn add(at: &str, by: i64) -> Edit {
    Edit::Increment(key(at), by)
}

pub(crate) fn delete(kind: Kind, at: &str) -> Edit {
    Edit::Delete(kind, key(at))
}

pub(crate) fn absent(kind: Kind, at: &str) -> Condition {
    Condition { kind, key: key(at), expect: Expect::Absent }
}

fn unchanged(kind: Kind, at: &str, since: Version) -> Condition {
    Condition { kind, key: key(at), expect: Expect::Version(since) }
}

/// Calls that wait while a commit is in flight, and their answers.
pub(crate) fn gathered(
    crank: &mut Crank,
    calls: &[Request],
) -> Vec<Result<mangrove_protocol::request::Written, Fault>> {
    crank.put(write(1_000, call(vec![add("busy", 1)])));
    assert!(crank.is_in_flight());
    for (to, request) in (0..).zip(calls) {
        assert!(crank.put(write(to, request.clone())).is_empty(), "nothing leaves meanwhile");
    }
    let out = crank.rest();
    let answers: BTreeMap<_, _> = answers(&out).into_iter().collect();
    assert_eq!(answers.len(), calls.len() + 1, "one answer each");
    tables::check(crank);
    (0..calls.len() as u64).map(|to| answers[&to].clone()).collect()
}

#[test]
fn waiting_calls_become_one_delta_and_each_sees_those_before_it() {
    let mut crank = Crank::of(NODE);
    let results = gathered(
        &mut crank,
        &[
            call(vec![put("k", "one")]),
            on_condition(vec![absent(Kind::Register, "k")], vec![put("k", "two"), add("n", 1)]),
            call(vec![add("n", 5)]),
            call(vec![insert("s", "a"), insert("s", "b")]),
            call(vec![delete(Kind::Counter, "n"), add("n", 2)]),
            call(vec![remove("s", "a")]),
        ],
    );
    let ids: BTreeSet<_> = results.iter().flatten().map(|written| written.delta).collect();
    assert_eq!(ids.len(), 1, "one delta");
    assert_eq!(deltas(&crank.memory), 2);
    assert_eq!(results[1], Err(Fault::Conflict { key: key("k") }));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    assert_eq!(text(&crank.memory, "k").as_deref(), Some("one"));
    assert_eq!(number(&crank.memory, "n"), 2, "a failed call adds nothing");
    assert_eq!(members(&crank.memory, "s"), BTreeSet::from(["b".to_owned()]));
}

#[test]
fn nothing_that_derives_from_a_commit_leaves_before_it_is_durable() {
    let mut crank = Crank::of(NODE);
    let leaked = |out: &[Effect]| !published(out).is_empty() || !answers(out).is_empty();
    assert!(!leaked(&crank.put(write(1, call(vec![put("k", "v")])))));
    assert!(!leaked(
        &crank.put(write(2, on_condition(vec![absent(Kind::Register, "k")], vec![put("k", "w")],)))
    ));
    assert!(!leaked(&crank.put(arrival(&[Pen::new(1, 1).write()]))));
    assert!(!leaked(&crank.put(Input::Tick)));
    let first = crank.land();
    assert_eq!(published(&first).len(), 1);
    assert_eq!(answers(&first).len(), 1);
    let out = crank.put(Input::Committed);
    assert!(!leaked(&out), "the refusal was judged in the next step, and leaves with it");
    let second = crank.rest();
    assert_eq!(answers(&second), [(2, &Err(Fault::Conflict { key: key("k") }))]);
}

#[test]
fn the_mesh_hears_before_the_ears() {
    let mut crank = Crank::of(NODE);
    let before = crank.memory.get::<Owns>(&()).unwrap().feed;
    crank.put(write(0, call(vec![put("k", "v")])));
    for to in 1..4 {
        crank.put(write(to, call(vec![put(&format!("k{to}"), "v")])));
    }
    crank.put(arrival(&[Pen::new(1, 1).write()]));
    crank.land();
    crank.put(Input::Committed);
    let rank = |effect: &Effect| match effect {
        Effect::Publish(_) => 0,
        Effect::Notify { .. } => 1,
        Effect::Reply { .. } => 2,
        other => panic!("{other:?} is held"),
    };
    let held = crank.land();
    assert!(held.is_sorted_by_key(rank), "{held:?}");
    let positions: Vec<_> = held
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify { position, .. } => Some(*position),
            _ => None,
        })
        .collect();
    assert_eq!(positions, [before + 1, before + 2]);
}

/// The versions that a call was told, against those that the rows have.
fn check_versions(crank: &Crank, versions: &[Option<Version>], of: &[(Kind, &str)]) {
    let memory = &crank.memory;
    let expect: Vec<_> = of.iter().map(|(kind, at)| Version::of(memory, *kind, &key(at))).collect();
    assert_eq!(versions, expect);
}

#[test]
fn a_call_is_told_the_version_that_it_gave() {
    let mut crank = Crank::of(NODE);
    crank.give(&[Pen::new(1, 30_000).write()]);
    let edits = vec![put("k", "v"), add("n", 1), insert("s", "a"), put("k", "w"), remove("s", "x")];
    let of = [
        (Kind::Register, "k"),
        (Kind::Counter, "n"),
        (Kind::Set, "s"),
        (Kind::Register, "k"),
        (Kind::Set, "s"),
    ];
    for _ in 0..3 {
        let written = crank.edit(edits.clone());
        check_versions(&crank, &written.versions, &of);
        assert!(written.versions.iter().all(Option::is_some));
    }
    for kind in [Kind::Register, Kind::Counter, Kind::Set] {
        for at in ["k", "n", "s", "never"] {
            let written = crank.edit(vec![delete(kind, at)]);
            check_versions(&crank, &written.versions, &[(kind, at)]);
        }
    }
    let emitted = crank.edit(vec![Edit::Emit("ping".to_owned(), vec![1])]);
    assert_eq!(emitted.versions, [None]);
}

#[test]
fn a_version_is_stale_after_another_write_of_the_same_delta() {
    for (kind, edit) in [
        (Kind::Register, put("k", "v")),
        (Kind::Counter, add("k", 0)),
        (Kind::Set, insert("k", "a")),
    ] {
        let mut crank = Crank::of(NODE);
        let results = gathered(&mut crank, &[call(vec![edit.clone()]), call(vec![edit.clone()])]);
        let version = |at: usize| results[at].as_ref().unwrap().versions[0].unwrap();
        assert_eq!(results[0].as_ref().unwrap().delta, results[1].as_ref().unwrap().delta);
        assert_ne!(version(0), version(1));
        check_versions(&crank, &[Some(version(1))], &[(kind, "k")]);
        let on = |version| on_condition(vec![unchanged(kind, "k", version)], vec![edit.clone()]);
        assert_eq!(crank.ask(on(version(0))), Err(Fault::Conflict { key: key("k") }));
        assert!(crank.ask(on(version(1))).is_ok());
        assert_eq!(crank.ask(on(version(1))), Err(Fault::Conflict { key: key("k") }), "used up");
    }
}

#[test]
fn a_version_is_stale_after_a_write_of_another_member() {
    let mut crank = Crank::of(NODE);
    let version = crank.edit(vec![add("n", 1)]).versions[0].unwrap();
    crank.give(&[Pen::new(1, 1).write()]);
    let request = on_condition(vec![unchanged(Kind::Counter, "n", version)], vec![add("n", 1)]);
    assert_eq!(crank.ask(request), Err(Fault::Conflict { key: key("n") }));
}

#[test]
fn absent_means_that_there_is_nothing_to_be_seen() {
    let mut crank = Crank::of(NODE);
    for (kind, edit, undo) in [
        (Kind::Register, put("a", "v"), delete(Kind::Register, "a")),
        (Kind::Counter, add("a", 3), delete(Kind::Counter, "a")),
        (Kind::Set, insert("a", "i"), delete(Kind::Set, "a")),
    ] {
        let only_new = on_condition(vec![absent(kind, "a")], vec![edit]);
        assert!(crank.ask(only_new.clone()).is_ok());
        assert_eq!(crank.ask(only_new.clone()), Err(Fault::Conflict { key: key("a") }));
        crank.edit(vec![undo]);
        assert!(crank.ask(only_new).is_ok(), "deleted is absent");
    }
    tables::check(&crank);
}

#[test]
fn a_call_happens_whole_or_not_at_all() {
    let mut crank = Crank::of(NODE);
    crank.edit(vec![put("b", "there")]);
    let before = (tables::visible(&crank.memory), crank.commits);
    let conditions = vec![absent(Kind::Register, "a"), absent(Kind::Register, "b")];
    let answer = crank.ask(on_condition(conditions, vec![put("a", "x"), add("n", 1)]));
    assert_eq!(answer, Err(Fault::Conflict { key: key("b") }), "the first that does not hold");
    let too_much = "x".repeat(size(VALUE_BYTES) + 1).into_bytes();
    for (long, limit) in [
        (Edit::Emit("x".repeat(2_000), Vec::new()), "keyBytes"),
        (Edit::Emit("x".to_owned(), too_much), "valueBytes"),
    ] {
        let answer = crank.ask(call(vec![put("a", "x"), long]));
        assert_eq!(answer, Err(Fault::TooLarge { limit }));
    }
    assert_eq!((tables::visible(&crank.memory), crank.commits), before);
}

#[test]
fn delete_takes_away_what_is_seen_and_nothing_else() {
    let mut crank = Crank::of(NODE);
    crank.edit(vec![put("k", "v"), add("k", 7), insert("k", "a"), insert("k", "b")]);
    let first = crank.memory.get::<Items>(&(key("k"), value("a"))).unwrap();
    crank.edit(vec![
        delete(Kind::Register, "k"),
        delete(Kind::Counter, "k"),
        delete(Kind::Set, "k"),
    ]);
    assert_eq!(text(&crank.memory, "k"), None);
    assert_eq!(number(&crank.memory, "k"), 0);
    assert_eq!(members(&crank.memory, "k"), BTreeSet::new());
    // Written at the same time elsewhere: not seen, so not deleted.
    let others =
        [Op::Increment { key: key("k"), by: 5 }, Op::Insert { key: key("k"), item: value("b") }];
    crank.give(&[Pen::new(1, 0).saying(others.to_vec()).write()]);
    assert_eq!(number(&crank.memory, "k"), 5);
    assert_eq!(members(&crank.memory, "k"), BTreeSet::from(["b".to_owned()]));
    assert_eq!(first.dots.len(), 1);
    tables::check(&crank);
}

#[test]
fn deleting_what_is_not_there_is_a_write_like_any_other() {
    let mut crank = Crank::of(NODE);
    for kind in [Kind::Register, Kind::Counter, Kind::Set] {
        assert!(crank.ask(call(vec![delete(kind, "nothing")])).is_ok(), "{kind}");
    }
    let answers = gathered(
        &mut crank,
        &[call(vec![delete(Kind::Set, "nothing")]), call(vec![put("k", "v")])],
    );
    assert!(answers.iter().all(Result::is_ok), "nobody pays for another's call: {answers:?}");
    assert_eq!(text(&crank.memory, "k").as_deref(), Some("v"));
    assert!(every::<Items, _>(&crank.memory).next().is_none());
}

#[test]
fn remove_takes_only_what_is_seen() {
    let mut crank = Crank::of(NODE);
    let theirs = Op::Insert { key: key("s"), item: value("a") };
    let unseen = Pen::new(1, 0).saying(vec![theirs.clone()]).write();
    let seen = Pen::new(2, 0).saying(vec![theirs]).write();
    crank.give(&[seen]);
    crank.edit(vec![insert("s", "a"), insert("s", "b")]);
    crank.edit(vec![remove("s", "a"), remove("s", "never")]);
    assert_eq!(members(&crank.memory, "s"), BTreeSet::from(["b".to_owned()]));
    crank.give(&[unseen]);
    let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert_eq!(members(&crank.memory, "s"), both, "add wins");
    tables::check(&crank);
}

#[test]
fn inserting_what_is_there_does_not_grow_its_row() {
    let mut crank = Crank::of(NODE);
    for _ in 0..20 {
        crank.edit(vec![insert("s", "a")]);
        let one = call(vec![insert("s", "a"), insert("s", "a")]);
        gathered(&mut crank, &[one.clone(), one, call(vec![insert("s", "a")])]);
    }
    let row = crank.memory.get::<Items>(&(key("s"), value("a"))).unwrap();
    assert_eq!((row.dots.len(), row.cancelled.len()), (1, 0));
    assert_eq!(crank.memory.get::<Sets>(&key("s")).unwrap().items, 1);
}

/// Nothing that others wrote may change how calls of one delta see each other.
#[test]
fn no_removal_by_another_member_stops_an_insert_that_is_not_written_yet() {
    let mut crank = Crank::of(NODE);
    let unborn = DotDelta::Of(DeltaId::from_bytes([0xff; 32]));
    let dots = (0..50).map(|op| Dot { delta: unborn, op }).collect();
    let hostile = Op::Remove { key: key("s"), item: value("a"), dots };
    crank.give(&[Pen::new(1, 0).saying(vec![hostile]).write()]);
    gathered(&mut crank, &[call(vec![insert("s", "a")]), call(vec![remove("s", "a")])]);
    assert_eq!(members(&crank.memory, "s"), BTreeSet::new());
}

#[test]
fn a_call_over_a_limit_is_told_which_and_others_do_not_suffer() {
    let mut crank = Crank::of(NODE);
    let ops = size(OPS_PER_DELTA);
    let big = || Edit::Put(key("big"), value(&"x".repeat(size(VALUE_BYTES))));
    let results = gathered(
        &mut crank,
        &[
            call(vec![put("k", "v")]),
            call(vec![add("n", 1); ops + 1]),
            call(vec![big(), big()]),
            call(Vec::new()),
            call((0..=ops).map(|_| Edit::Emit("e".to_owned(), Vec::new())).collect()),
            call(vec![add("n", 1)]),
        ],
    );
    assert_eq!(results[1], Err(Fault::TooLarge { limit: "opsPerDelta" }));
    assert_eq!(results[2], Err(Fault::TooLarge { limit: "deltaBytes" }));
    assert_eq!(results[3], Err(Fault::Empty));
    assert_eq!(results[4], Err(Fault::TooLarge { limit: "opsPerDelta" }));
    assert!(results[0].is_ok() && results[5].is_ok());
    assert_eq!(number(&crank.memory, "n"), 1);
    assert_eq!(text(&crank.memory, "k").as_deref(), Some("v"));
}

#[test]
fn a_call_that_does_not_fit_begins_the_next_delta() {
    let mut crank = Crank::of(NODE);
    let half = || call(vec![add("n", 1); size(OPS_PER_DELTA / 2)]);
    let results = gathered(&mut crank, &[half(), half(), half(), call(vec![add("n", 1)])]);
    let ids: Vec<_> = results.iter().map(|result| result.as_ref().unwrap().delta).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert_eq!(ids[2], ids[3], "the order of calls is kept");
    let big = |at: &str| Edit::Put(key(at), value(&"x".repeat(size(VALUE_BYTES))));
    let results = gathered(&mut crank, &[call(vec![big("a")]), call(vec![big("b")])]);
    assert_ne!(results[0].as_ref().unwrap().delta, results[1].as_ref().unwrap().delta);
    let full = gathered(&mut crank, &[call(vec![add("n", 1); size(OPS_PER_DELTA)])]);
    assert!(full[0].is_ok(), "exactly as many as allowed");
}

#[test]
fn a_set_larger_than_a_delta_is_not_deleted_at_once() {
    let mut crank = Crank::of(NODE);
    let ops = size(OPS_PER_DELTA);
    let items =
        |range: std::ops::Range<usize>| range.map(|at| insert("s", &at.to_string())).collect();
    crank.edit(items(0..ops));
    crank.edit(items(ops..ops + 1));
    let all = call(vec![delete(Kind::Set, "s")]);
    assert_eq!(crank.ask(all.clone()), Err(Fault::TooLarge { limit: "opsPerDelta" }));
    crank.edit(vec![remove("s", "0")]);
    crank.ask(all).unwrap();
    assert_eq!(members(&crank.memory, "s").len(), 0);
    tables::check(&crank);
}

#[test]
fn a_full_queue_says_busy_at_once() {
    let bounds = Bounds { writes: 3, ..Bounds::default() };
    let mut crank = Crank::new(mangrove_protocol::replica::Config { bounds, ..config(NODE) });
    crank.put(write(0, call(vec![add("n", 1)])));
    for to in 1..4 {
        assert!(crank.put(write(to, call(vec![add("n", 1)]))).is_empty());
    }
    let out = crank.put(write(4, call(vec![add("n", 1)])));
    assert_eq!(answers(&out), [(4, &Err(Fault::Busy))]);
    let out = crank.rest();
    assert_eq!(answers(&out).len(), 4);
    assert_eq!(number(&crank.memory, "n"), 4);
    assert!(crank.ask(call(vec![add("n", 1)])).is_ok());
}

/// In the year 10889 no stamp is left: everybody is told, those who asked twice as well.
#[test]
fn everybody_is_answered_even_when_nothing_can_be_written() {
    let mut crank = Crank::of(NODE);
    crank.put(arrival(&[Pen::new(1, 0).write()]));
    crank.now_ms = u64::MAX / 2;
    for to in 0..3 {
        crank.put(write(to, named("r", vec![add("n", 1)])));
    }
    let out = crank.rest();
    let exhausted = Err(Fault::Exhausted);
    assert_eq!(answers(&out), [(0, &exhausted), (1, &exhausted), (2, &exhausted)]);
}

#[test]
fn who_may_not_write_is_told_so() {
    let mut stranger = Crank::of(crate::crank::LAST_MEMBER + 1);
    assert_eq!(stranger.ask(call(vec![put("k", "v")])), Err(Fault::Forbidden));
    let mut unknowing = Crank::empty(config(NODE));
    assert_eq!(unknowing.ask(call(vec![put("k", "v")])), Err(Fault::Syncing));
    unknowing.give(&crate::crank::FOUNDING.deltas);
    assert!(unknowing.ask(call(vec![put("k", "v")])).is_ok());
    unknowing.feed(Input::Stop);
    assert_eq!(unknowing.ask(call(vec![put("k", "v")])), Err(Fault::Stopping));
    assert!(unknowing.replica.is_idle());
}

#[test]
fn a_write_knows_everything_that_is_applied() {
    let mut crank = Crank::of(NODE);
    let before = crank.memory.get::<Owns>(&()).unwrap().feed;
    let theirs = Pen::new(1, 20_000).write();
    crank.give_one(&theirs);
    let written = crank.edit(vec![put("k", "v")]);
    let delta = crank.memory.get::<Deltas>(&written.delta).unwrap();
    assert_eq!(delta.header().deps, [theirs.tip()]);
    assert!(delta.header().hlc > theirs.header().hlc);
    let next = crank.edit(vec![put("k", "w")]);
    let next = crank.memory.get::<Deltas>(&next.delta).unwrap();
    assert_eq!((next.header().deps.len(), next.header().prev), (0, written.delta));
    assert_eq!(written.cursor, before + 2, "what it wrote is not news to its caller");
}

/// What calls come to on a node alone, one after another: by the book.
#[derive(Debug, Default, Clone, PartialEq)]
struct Book {
    registers: BTreeMap<String, String>,
    counters: BTreeMap<String, i128>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

impl Book {
    fn holds(&self, kind: Kind, at: &str) -> bool {
        match kind {
            Kind::Register => self.registers.contains_key(at),
            Kind::Counter => self.counters.get(at).is_some_and(|sum| *sum != 0),
            Kind::Set => self.sets.get(at).is_some_and(|items| !items.is_empty()),
        }
    }

    fn enter(&mut self, edit: &Edit) {
        let words = |value: &mangrove_protocol::op::Value| {
            String::from_utf8(value.as_bytes().to_vec()).unwrap()
        };
        let Some((kind, at)) = edit.entity() else { return };
        let at = at.as_str().to_owned();
        match edit {
            Edit::Put(_, value) => drop(self.registers.insert(at, words(value))),
            Edit::Increment(_, by) => *self.counters.entry(at).or_default() += i128::from(*by),
            Edit::Insert(_, item) => drop(self.sets.entry(at).or_default().insert(words(item))),
            Edit::Remove(_, item) => drop(self.sets.entry(at).or_default().remove(&words(item))),
            Edit::Delete(..) => match kind {
                Kind::Register => drop(self.registers.remove(&at)),
                Kind::Counter => drop(self.counters.remove(&at)),
                Kind::Set => drop(self.sets.remove(&at)),
            },
            Edit::Emit(..) => {}
        }
    }

    fn shown(memory: &Memory) -> Self {
        let state = tables::visible(memory);
        let words = |value: &mangrove_protocol::op::Value| {
            String::from_utf8(value.as_bytes().to_vec()).unwrap()
        };
        let mut book = Self::default();
        for (at, (value, ..)) in &state.registers {
            book.registers
                .extend(value.as_ref().map(|value| (at.as_str().to_owned(), words(value))));
        }
        for (at, (sum, _)) in &state.counters {
            book.counters.insert(at.as_str().to_owned(), *sum);
        }
        for (at, item) in state.items.keys() {
            book.sets.entry(at.as_str().to_owned()).or_default().insert(words(item));
        }
        book.tidied()
    }

    fn tidied(mut self) -> Self {
        self.counters.retain(|_, sum| *sum != 0);
        self.sets.retain(|_, items| !items.is_empty());
        self
    }
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let kind = prop_oneof![Just(Kind::Register), Just(Kind::Counter), Just(Kind::Set)];
    (0..7_u8, 0..2_u8, 0..3_u8, kind).prop_map(|(what, at, item, kind)| {
        let (at, item) = (format!("k{at}"), format!("i{item}"));
        match what {
            0 => put(&at, &item),
            1 => delete(kind, &at),
            2 => add(&at, i64::from(item.as_bytes()[1]) - 49),
            3 | 4 => insert(&at, &item),
            5 => remove(&at, &item),
            _ => Edit::Emit(at, item.into_bytes()),
        }
    })
}

fn any_call() -> impl Strategy<Value = Request> {
    let kind = prop_oneof![Just(Kind::Register), Just(Kind::Counter), Just(Kind::Set)];
    let condition = proptest::option::of((kind, 0..2_u8));
    (condition, vec(any_edit(), 1..5)).prop_map(|(condition, edits)| {
        let conditions = condition.map(|(kind, at)| absent(kind, &format!("k{at}")));
        on_condition(conditions.into_iter().collect(), edits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn calls_come_to_what_they_would_one_after_another(
        steps in vec(vec(any_call(), 1..6), 1..5),
    ) {
        let (mut crank, mut book) = (Crank::of(NODE), Book::default());
        for calls in &steps {
            let results = gathered(&mut crank, calls);
            let mut last = BTreeMap::new();
            for (request, result) in calls.iter().zip(&results) {
                let holds = !request.conditions.iter().any(|it| book.holds(it.kind, it.key.as_str()));
                prop_assert_eq!(result.is_ok(), holds, "{:?}", request);
                let Ok(written) = result else { continue };
                request.edits.iter().for_each(|edit| book.enter(edit));
                for (edit, version) in request.edits.iter().zip(&written.versions) {
                    prop_assert_eq!(version.is_some(), edit.entity().is_some());
                    last.extend(edit.entity().map(|entity| (entity, *version)));
                }
            }
            *book.counters.entry("busy".to_owned()).or_default() += 1;
            book = book.tidied();
            prop_assert_eq!(&Book::shown(&crank.memory), &book);
            for ((kind, at), version) in last {
                prop_assert_eq!(Version::of(&crank.memory, kind, at), version);
            }
        }
    }
}
