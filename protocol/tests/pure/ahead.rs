//! Steps made ahead: on what the commit on its way leaves behind, and held back behind it.

use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::op::Kind;
use mangrove_protocol::replica::Bounds;
use mangrove_protocol::request::{Condition, Expect, Fault, Request};

use crate::crank::{
    Crank, Pen, answers, arrival, boundless, call, config, named, on_condition, published, put,
    write,
};
use crate::make::key;
use crate::writing::{add, number};

const NODE: u8 = 51;

fn crank(writes_ahead: usize) -> Crank {
    let bounds = Bounds { writes_ahead, ..boundless() };
    Crank::new(mangrove_protocol::replica::Config { bounds, ..config(NODE) })
}

fn ask(crank: &mut Crank, from: u64, requests: impl IntoIterator<Item = Request>) {
    for (to, request) in (from..).zip(requests) {
        assert!(!leaks(&crank.put(write(to, request))), "it waits");
    }
}

fn leaks(out: &[Effect]) -> bool {
    !published(out).is_empty() || !answers(out).is_empty()
}

fn puts(count: usize) -> impl Iterator<Item = Request> {
    (0..count).map(|at| call(vec![put(&format!("k{at}"), "v")]))
}

fn told(out: &[Effect]) -> Vec<u64> {
    answers(out).iter().map(|(to, _)| *to).collect()
}

#[test]
fn the_next_commit_sees_what_the_one_on_its_way_leaves_behind_and_leaves_after_it() {
    let mut crank = crank(2);
    ask(&mut crank, 1, [call(vec![put("k", "v"), add("n", 5)])]);
    let absent = Condition { kind: Kind::Register, key: key("k"), expect: Expect::Absent };
    ask(&mut crank, 2, [on_condition(vec![absent], vec![put("k", "w")]), call(vec![add("n", 1)])]);
    assert!(!leaks(&crank.put(Input::Ahead)), "nothing of it is durable");
    let first = crank.land();
    assert_eq!((published(&first).len(), told(&first)), (1, vec![1]));
    assert!(!leaks(&crank.put(Input::Committed)));
    let second = crank.land();
    assert_eq!(published(&second).len(), 1);
    let [(2, Err(Fault::Conflict { .. })), (3, Ok(_))] = answers(&second)[..] else {
        panic!("{second:?}");
    };
    crank.put(Input::Committed);
    assert_eq!(number(&crank.memory, "n"), 6);
    assert!(crank.replica.is_idle());
}

#[test]
fn what_needs_no_commit_leaves_with_the_one_on_its_way() {
    let mut crank = crank(2);
    let increment = || named("once", vec![add("n", 1)]);
    ask(&mut crank, 1, [increment()]);
    ask(&mut crank, 2, [increment(), increment()]);
    assert!(!leaks(&crank.put(Input::Ahead)), "what they ask for again is not durable yet");
    let out = crank.land();
    let [(1, Ok(first)), (2, Ok(second)), (3, Ok(third))] = answers(&out)[..] else {
        panic!("{out:?}");
    };
    assert_eq!((first.duplicate, second.duplicate, third.duplicate), (false, true, true));
    assert_eq!((first.delta, first.delta), (second.delta, third.delta));
    crank.put(Input::Committed);
    assert!(!crank.is_in_flight() && crank.replica.is_idle());
}

#[test]
fn nothing_is_made_ahead_for_a_few_nor_twice_nor_when_something_else_is_due() {
    let mut crank = crank(3);
    ask(&mut crank, 0, puts(3));
    assert!(!crank.replica.may_go_ahead(crank.now_ms), "two wait");
    crank.put(Input::Ahead);
    assert_eq!(crank.flights(), 1);
    ask(&mut crank, 3, puts(1));
    let soon = crank.now_ms;
    crank.now_ms += 3_600_000;
    crank.put(Input::Ahead);
    assert_eq!(crank.flights(), 1, "a heartbeat is due, and tells of what is durable alone");
    crank.now_ms = soon;
    crank.put(Input::Ahead);
    assert_eq!(crank.flights(), 2);
    ask(&mut crank, 4, puts(9));
    crank.put(Input::Ahead);
    assert_eq!(crank.flights(), 2, "one is ahead");
    crank.land();
    crank.put(Input::Committed);
    assert_eq!(crank.flights(), 2, "and the next one ahead of that");
    crank.put(Input::Stop);
    crank.land();
    crank.put(Input::Committed);
    assert_eq!(crank.flights(), 1, "at the end nothing is made ahead");
    crank.rest();
    assert!(crank.replica.is_idle());
}

#[test]
fn many_who_wait_are_taken_in_two_halves_each_in_its_order() {
    let mut crank = crank(4);
    ask(&mut crank, 0, puts(1));
    ask(&mut crank, 1, puts(19));
    crank.put(Input::Ahead);
    assert_eq!(told(&crank.land()), [0]);
    crank.put(Input::Committed);
    assert_eq!(told(&crank.land()), (1..=10).collect::<Vec<_>>(), "half of twenty");
    // The others had their turn while that was written; those who were answered ask again.
    ask(&mut crank, 20, puts(10));
    crank.put(Input::Committed);
    assert_eq!(told(&crank.land()), (11..=19).collect::<Vec<_>>());
    crank.put(Input::Committed);
    assert_eq!(told(&crank.land()), (20..=29).collect::<Vec<_>>());
}

#[test]
fn what_others_wrote_has_its_turn_in_a_step_made_ahead() {
    let mut crank = crank(1);
    ask(&mut crank, 1, puts(1));
    let theirs = Pen::new(1, 1).write();
    crank.put(arrival(std::slice::from_ref(&theirs)));
    ask(&mut crank, 2, puts(1));
    crank.put(Input::Ahead);
    crank.land();
    crank.put(Input::Committed);
    let second = crank.land();
    let [own] = published(&second)[..] else { panic!("{second:?}") };
    assert!(own.header().deps.iter().any(|tip| tip.id == theirs.id()), "it is on top of theirs");
}

#[test]
fn what_was_made_ahead_is_gone_with_the_process_and_nobody_was_told_of_it() {
    let mut crank = crank(1);
    ask(&mut crank, 1, [call(vec![add("n", 1)])]);
    ask(&mut crank, 2, [call(vec![add("n", 10)])]);
    crank.put(Input::Ahead);
    assert_eq!(told(&crank.land()), [1]);
    crank.reboot();
    crank.rest();
    assert_eq!(number(&crank.memory, "n"), 1);
    crank.edit(vec![add("n", 100)]);
    assert_eq!(number(&crank.memory, "n"), 101);
    crate::tables::check(&crank);
}
