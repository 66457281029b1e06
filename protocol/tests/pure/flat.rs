//! What a replica keeps in memory does not grow with what is stored, and all that it says can be
//! shown.

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::effect::Input;
use mangrove_protocol::graph::{Cause, Void};
use mangrove_protocol::id::{DeltaId, EpochId};
use mangrove_protocol::replica::Config;
use mangrove_protocol::request::Fault;

use crate::crank::{Crank, NOW_MS, Pen, boundless, chain, config, some_key, write};
use crate::dag::any_past;
use crate::make::{key, value};
use crate::tables;

const NODE: u8 = 50;

/// How long a replica's description of itself is. It is derived from all its fields and shows every
/// entry of every collection, so whatever is kept per delta shows here.
fn description(crank: &Crank) -> usize {
    format!("{:?}", crank.replica).len()
}

#[test]
fn a_replica_keeps_nothing_per_delta() {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
    let logs: Vec<_> = (1..4)
        .map(|author| {
            let put = |at| mangrove_protocol::op::Op::Put { key: some_key(at), value: value("v") };
            chain(Pen::new(author, 0).saying(vec![put(author.into())]), 6_700)
        })
        .collect();
    let mut sizes = Vec::new();
    for some in 0..67 {
        for log in &logs {
            crank.give(&log[some * 100..(some + 1) * 100]);
        }
        crank.edit(vec![crate::crank::put("own", "v")]);
        sizes.push(description(&crank));
    }
    // Numbers get longer as they grow; nothing else may.
    let (first, last) = (sizes[0], sizes[66]);
    assert!(last < first + 100, "from {first} to {last} bytes");
    assert_eq!(tables::applied(&crank.memory).len(), 20_100 + 67);
}

#[test]
fn a_replica_keeps_nothing_per_request_that_was_answered() {
    let mut crank = Crank::of(NODE);
    crank.edit(vec![crate::crank::put("k", "v")]);
    let first = description(&crank);
    for to in 0..500 {
        let request = crate::crank::named(&to.to_string(), vec![crate::crank::put("k", "v")]);
        let out = crank.feed(write(to, request));
        let ids = crate::crank::published(&out).iter().map(|delta| delta.id()).collect();
        crank.feed(Input::Published(ids));
    }
    let last = description(&crank);
    assert!(last < first + 200, "from {first} to {last} bytes");
}

fn check_words<T: std::fmt::Display>(all: &[T]) {
    let words: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), all.len(), "each says something of its own: {words:?}");
    for text in words {
        assert!(text.len() > 8 && !text.contains("::") && !text.contains('{'), "{text}");
        assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
    }
}

#[test]
fn every_reason_has_words() {
    check_words(&[Void::Clock, Void::CutOff, Void::Sealed, Void::Unreadable]);
    let causes = [
        Cause::Parent(DeltaId::ZERO),
        Cause::Key(EpochId::ZERO),
        Cause::Clock(Hlc::new(NOW_MS, 0)),
        Cause::Version,
    ];
    check_words(&causes);
    assert_eq!(causes.map(|cause| cause.name()), ["parent", "key", "clock", "version"]);
    check_words(&[
        Fault::Busy,
        Fault::Conflict { key: key("k") },
        Fault::RequestReused,
        Fault::TooLarge { limit: "deltaBytes" },
        Fault::Empty,
        Fault::Clock { off_ms: 7 },
        Fault::Forbidden,
        Fault::Syncing,
        Fault::Stopping,
        Fault::Exhausted,
    ]);
}

/// Pasts that did not hold what they are meant to hold would prove nothing.
#[test]
fn generated_pasts_hold_everything() {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut voids, mut causes) =
        (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let (mut most_heads, mut most, mut forked) = (0, 0, 0);
    for _ in 0..30 {
        let past = any_past(200).new_tree(&mut runner).unwrap().current();
        let fate = past.fate();
        voids.extend(fate.voids.values().map(ToString::to_string));
        causes.extend(fate.parked.values().map(Cause::name));
        most = most.max(fate.applied.len());
        let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
        crank.give(&past.deltas);
        most_heads = most_heads.max(tables::heads(&crank.memory).len());
        let tips = crank.replica.stored().0;
        forked += tips.values().filter(|tips| tips.len() > 1).count();
        assert!(!fate.state.items.is_empty() || fate.applied.len() < 60);
    }
    assert_eq!((voids.len(), causes.len()), (3, 3), "{voids:?} {causes:?}");
    assert!(most > 100 && most_heads > 8 && forked > 20, "{most} {most_heads} {forked}");
}
