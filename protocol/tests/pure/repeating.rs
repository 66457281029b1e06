//! Requests that carry an id happen once, however often and whenever they are repeated.

use mangrove_protocol::op::Kind;
use mangrove_protocol::replica::memory::REQUEST_MEMORY_MS;
use mangrove_protocol::request::{Fault, Request};
use mangrove_protocol::view::{RequestAges, Requests, every};

use crate::crank::{Crank, answers, call, named, put, write};
use crate::tables;
use crate::writing::{absent, add, delete, gathered, number};

const NODE: u8 = 50;

#[test]
fn a_repeated_request_gets_the_answer_of_the_first() {
    let mut crank = Crank::of(NODE);
    let request = named("r", vec![add("n", 1)]);
    // While it waits, twice; while it is in flight; after the commit; after a restart.
    crank.put(write(0, call(vec![put("busy", "")])));
    crank.put(write(1, request.clone()));
    crank.put(write(2, request.clone()));
    crank.commit();
    crank.put(write(3, request.clone()));
    let out = crank.rest();
    let mut all: Vec<_> =
        answers(&out).iter().map(|(to, it)| (*to, (*it).clone().unwrap())).collect();
    all.push((4, crank.ask(request.clone()).unwrap()));
    crank.reboot();
    all.push((5, crank.ask(request).unwrap()));
    let first = &all[0].1;
    assert_eq!(all.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    for (to, written) in &all {
        assert_eq!(written.duplicate, *to != 1, "{to}");
        assert_eq!((written.delta, written.seq), (first.delta, first.seq));
        assert_eq!((written.cursor, &written.versions), (first.cursor, &first.versions));
    }
    assert_eq!(number(&crank.memory, "n"), 1);
    let other = named("r", vec![add("n", 2)]);
    assert_eq!(crank.ask(other), Err(Fault::RequestReused));
    tables::check(&crank);
}

#[test]
fn a_request_id_of_another_call_is_refused_while_that_one_waits() {
    let mut crank = Crank::of(NODE);
    let mut elsewhere = named("r", vec![add("n", 4)]);
    elsewhere.id.as_mut().unwrap().scope = "another app".to_owned();
    let calls = [
        named("r", vec![add("n", 1)]),
        named("r", vec![add("n", 2)]),
        elsewhere,
        Request { conditions: vec![absent(Kind::Set, "s")], ..named("r", vec![add("n", 1)]) },
    ];
    let results = gathered(&mut crank, &calls);
    let reused = Err(Fault::RequestReused);
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!((&results[1], &results[3]), (&reused, &reused));
    assert_eq!(number(&crank.memory, "n"), 5);
}

#[test]
fn a_request_that_failed_may_be_tried_again() {
    let mut crank = Crank::of(NODE);
    crank.edit(vec![put("k", "v")]);
    let request = Request {
        conditions: vec![absent(Kind::Register, "k")],
        ..named("r", vec![put("k", "w")])
    };
    assert!(crank.ask(request.clone()).is_err());
    crank.edit(vec![delete(Kind::Register, "k")]);
    assert!(!crank.ask(request).unwrap().duplicate);
}

#[test]
fn an_answer_is_forgotten_after_a_day() {
    let mut crank = Crank::of(NODE);
    let request = named("r", vec![add("n", 1)]);
    crank.ask(request.clone()).unwrap();
    crank.now_ms += REQUEST_MEMORY_MS;
    assert!(crank.ask(request.clone()).unwrap().duplicate, "to the millisecond");
    crank.now_ms += 1;
    assert!(!crank.ask(request.clone()).unwrap().duplicate);
    assert_eq!(number(&crank.memory, "n"), 2);
    // Its second answer is remembered as long as the first was, and nothing is left of either.
    crank.edit(vec![put("k", "v")]);
    crank.now_ms += REQUEST_MEMORY_MS / 2;
    assert!(crank.ask(request).unwrap().duplicate);
    crank.now_ms += REQUEST_MEMORY_MS;
    crank.edit(vec![put("k", "v")]);
    assert_eq!(every::<Requests, _>(&crank.memory).count(), 0);
    assert_eq!(every::<RequestAges, _>(&crank.memory).count(), 0);
}
