//! A node that is told to stop while it is written to answers what it has taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mangrove_cluster::{Acks, Cluster, Port, Writers};
use rustix::process::Signal;

use crate::place;

/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(60);
/// What stopping may take, as it is set by default.
const DRAIN: Duration = Duration::from_secs(10);
/// Threads that write to the node.
const WRITERS: usize = 8;

#[test]
fn told_to_stop_under_load_a_node_answers_what_it_took_and_ends_with_143() {
    let mut cluster = Cluster::meet(&place(), Cluster::plans(2));
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).at(cluster.node(0), &cluster.context, WRITERS);
    for _ in 0..3 {
        acks.wait_for("a", acks.acked_by("a") + 200, LONG);
        let node = cluster.node_mut(0);
        let began = Instant::now();
        node.signal(Signal::TERM);
        assert_eq!(node.wait_for_end(), Some(143));
        let took = began.elapsed();
        assert!(took < DRAIN, "{took:?}");
        node.restart(Port::Same);
    }
    acks.wait_for("a", acks.acked_by("a") + WRITERS as u64, LONG);
    writers.stop();

    let refused = acks.refused_by("a");
    let is_expected = |kind: &str| ["stopping", "http 503"].contains(&kind);
    assert!(refused.keys().all(|kind| is_expected(kind)), "{refused:?}");
    let dump = cluster.converge();
    let tally = acks.check(&dump).unwrap();
    println!("{tally:?}, refused {refused:?}");
    // A connection may end just when something is sent on it. What was carried out was taken, and what was
    // taken is answered.
    assert_eq!(tally.doubtful_there, 0, "writes were carried out and not answered: {tally:?}");
    cluster.stop_and_compare(&dump);
}
