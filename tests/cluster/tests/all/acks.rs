//! Writes that were acknowledged are looked for, each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mangrove_cluster::{Acks, Dump, Rpc, Tally, Writers, dump};
use serde_json::{Value, json};

use crate::pretend::{Pretend, Registers, Reply};

const SOON: Duration = Duration::from_secs(20);

/// A node that keeps registers; each write is answered as `answer` says, which is given its number.
fn node(answer: fn(u64, &Registers, &Value) -> Reply) -> (Pretend, Arc<Registers>) {
    let rows = Arc::new(Registers::default());
    let (kept, writes) = (Arc::clone(&rows), AtomicU64::new(0));
    let node = Pretend::start(move |method, params| match method {
        "state.apply" => answer(writes.fetch_add(1, Ordering::SeqCst), &kept, params),
        _ => Reply::Result(kept.read(method, params)),
    });
    (node, rows)
}

fn read(node: &Pretend) -> Dump {
    dump(&Rpc::new(&node.door), "c").unwrap()
}

#[test]
fn each_acknowledged_write_that_is_lost_or_altered_is_found() {
    let (node, rows) = node(|_, rows, params| Reply::Result(rows.apply(params)));
    let acks = Arc::new(Acks::default());
    let rpc = || Rpc::new(&node.door);
    let writers = Writers::new(&acks).calling(rpc(), "a", "c").calling(rpc(), "a", "c");
    acks.wait_for("a", 250, SOON);
    writers.stop();
    let expect = Tally {
        acked: usize::try_from(acks.count()).unwrap(),
        doubtful_there: 0,
        doubtful_gone: 0,
    };
    assert_eq!(acks.check(&read(&node)), Ok(expect));
    assert!(expect.acked >= 250 && acks.acked_by("a") == acks.count() && acks.in_flight("a") == 0);

    let keys = read(&node).entries.into_keys().map(|(_, key)| key).collect::<Vec<_>>();
    rows.forget(&keys[7]);
    let lost = acks.check(&read(&node)).unwrap_err().to_string();
    assert!(lost.starts_with("acknowledged and lost: 1\n") && lost.contains(&keys[7]), "{lost}");
    rows.set(&keys[7], "else");
    let altered = acks.check(&read(&node)).unwrap_err().to_string();
    assert!(altered.starts_with("not as acknowledged: 1\n"), "{altered}");
    rows.set("acks/nobody/1", 1);
    let invented = acks.check(&read(&node)).unwrap_err().to_string();
    assert!(invented.contains("written by nobody: 1\n"), "{invented}");
}

#[test]
fn a_write_that_was_never_answered_may_be_there_or_not() {
    let (node, _) = node(|number, rows, params| match number % 4 {
        // Every other one of those that are not answered was carried out.
        1 => Reply::Silence,
        3 => {
            rows.apply(params);
            Reply::Silence
        }
        _ => Reply::Result(rows.apply(params)),
    });
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).calling(Rpc::new(&node.door), "a", "c");
    acks.wait_for("a", 20, SOON);
    writers.stop();
    let tally = acks.check(&read(&node)).unwrap();
    assert!(tally.doubtful_there >= 9 && tally.doubtful_gone >= 9, "{tally:?}");
    assert_eq!(acks.doubtful_of("a"), (tally.doubtful_there + tally.doubtful_gone) as u64);
}

#[test]
fn who_is_told_to_come_again_comes_again_with_the_same_write() {
    let (node, _) = node(|number, rows, params| match number % 2 {
        0 => Reply::Error(json!({
            "code": -32000,
            "message": "later",
            "data": { "kind": "busy", "retryAfterMs": 1 },
        })),
        _ => Reply::Result(rows.apply(params)),
    });
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).calling(Rpc::new(&node.door), "a", "c");
    acks.wait_for("a", 20, SOON);
    writers.stop();
    acks.check(&read(&node)).unwrap();
    assert!(acks.refused_by("a")["busy"] >= 20);
}

#[test]
fn writers_wait_for_a_node_that_is_gone_and_go_on_when_it_is_back() {
    let (node, _) = node(|_, rows, params| Reply::Result(rows.apply(params)));
    let access = node.door.access().unwrap();
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).calling(Rpc::new(&node.door), "a", "c");
    acks.wait_for("a", 10, SOON);
    node.door.close();
    let gone = acks.count();
    node.door.open(access);
    acks.wait_for_all(gone + 10, SOON);
    writers.stop();
    acks.check(&read(&node)).unwrap();
}

#[test]
#[should_panic(expected = "writers met with")]
fn an_answer_that_must_not_come_is_not_passed_over() {
    let (node, _) = node(|_, _, _| {
        Reply::Error(json!({
            "code": -32011,
            "message": "the disk is broken",
            "data": { "kind": "storage" },
        }))
    });
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).calling(Rpc::new(&node.door), "a", "c");
    mangrove_cluster::eventually("a surprise", SOON, || match acks.surprises().len() {
        0 => Err("none"),
        _ => Ok(()),
    });
    writers.stop();
}
