//! Nodes that are killed while they are written to lose nothing that they acknowledged.
//!
//! | variable | what | without it |
//! |---|---|---|
//! | `MANGROVE_KILL_CYCLES` | how often a node is killed | 20 |
//! | `MANGROVE_KILL_ACKS` | writes acknowledged in each cycle, at least | 60 |
//! | `MANGROVE_KILL_SEED` | which node, when and how | another one each time |

use std::sync::Arc;
use std::thread::park_timeout;
use std::time::Duration;

use mangrove_cluster::{
    Acks, Cluster, Dice, Kind, Node, Port, RpcError, Writers, edits, eventually,
};
use serde_json::json;

use crate::place;

/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(60);
/// A kill comes at a moment within this, after enough was acknowledged.
const SPREAD: Duration = Duration::from_millis(20);
/// Threads that write to each node.
const WRITERS: usize = 3;

/// How a node is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// At whatever moment.
    Signal,
    /// By itself, when a commit has been taken and not written.
    BeforeWrite,
    /// By itself, when a commit is durable and nobody has been told.
    AfterWrite,
}

impl Manner {
    /// Signals are the most natural, the others the most cruel.
    const WEIGHED: [Self; 4] = [Self::Signal, Self::Signal, Self::BeforeWrite, Self::AfterWrite];

    /// What makes a node kill itself so; nothing if somebody else has to.
    const fn failpoint(self) -> Option<&'static str> {
        match self {
            Self::Signal => None,
            Self::BeforeWrite => Some("store.before_write,once=abort"),
            Self::AfterWrite => Some("store.after_write,once=abort"),
        }
    }

    fn kill(self, node: &mut Node) {
        let Some(failpoint) = self.failpoint() else { return node.kill() };
        node.fail_at(failpoint);
        assert_eq!(node.wait_for_end(), None, "it ends by a signal");
    }
}

pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn killed_again_and_again_three_nodes_lose_nothing_that_was_acknowledged() {
    let cycles = number("MANGROVE_KILL_CYCLES").unwrap_or(20);
    let each = number("MANGROVE_KILL_ACKS").unwrap_or(60);
    let mut dice = Dice::new(number("MANGROVE_KILL_SEED"));
    println!("to repeat: MANGROVE_KILL_SEED={}", dice.seed());

    let mut cluster = Cluster::meet(&place(), Cluster::plans(3));
    let acks = Arc::new(Acks::default());
    let writers = cluster
        .nodes
        .iter()
        .fold(Writers::new(&acks), |writers, node| writers.at(node, &cluster.context, WRITERS));
    let mut in_flight = 0;
    for cycle in 0..cycles {
        acks.wait_for_all(acks.count() + each, LONG);
        park_timeout(dice.while_below(SPREAD));
        let manner = *dice.pick(&Manner::WEIGHED);
        let node = cluster.node_mut(usize::try_from(dice.below(3)).unwrap());
        let name = node.name().to_owned();
        let (doubtful, acked) = (acks.doubtful_of(&name), acks.count());
        manner.kill(node);
        node.restart(Port::Same);
        // It takes writes again, so each of its writers knows what became of the last one.
        acks.wait_for(&name, acks.acked_by(&name) + WRITERS as u64, LONG);
        let unanswered = acks.doubtful_of(&name) - doubtful;
        in_flight += u64::from(unanswered > 0);
        println!("cycle {cycle}: {name} by {manner:?} after {acked}, {unanswered} unanswered");
    }
    writers.stop();

    let dump = cluster.converge();
    let tally = acks.check(&dump).unwrap();
    println!("{cycles} kills, {in_flight} with a write in flight, {tally:?}");
    assert!(tally.acked as u64 >= cycles * each);
    assert!(
        in_flight * 5 >= cycles,
        "{in_flight} of {cycles} kills came while a write was in flight"
    );
    for found in cluster.stop_and_compare(&dump) {
        acks.check_deltas(&found).unwrap();
    }
    for node in &cluster.nodes {
        node.command(&["check", "--deep"]).succeeded();
    }
}

#[test]
fn a_request_that_a_kill_left_unanswered_is_done_once_however_often_it_is_made() {
    // Alone, so that nothing else is committed and the failpoint meets the request.
    let mut cluster = Cluster::meet(&place(), Cluster::plans(1));
    for (manner, was_done) in [(Manner::BeforeWrite, false), (Manner::AfterWrite, true)] {
        let params = json!({
            "context": cluster.context,
            "ops": [edits::increment("sum", 1)],
            "requestId": format!("{manner:?}"),
        });
        let rpc = cluster.rpc(0);
        let node = cluster.node_mut(0);
        node.fail_at(manner.failpoint().unwrap());
        let lost = rpc.apply_as(params.clone()).unwrap_err();
        assert!(matches!(lost, RpcError::Lost(_)), "{lost}");
        assert_eq!(node.wait_for_end(), None);
        node.restart(Port::Same);
        assert_eq!(rpc.apply_as(params.clone()).unwrap().duplicate, was_done);
        assert!(rpc.apply_as(params).unwrap().duplicate);
    }
    let dump = cluster.converge();
    assert_eq!(dump.entries[&(Kind::Counter, "sum".to_owned())].value, 2);
    cluster.stop_and_compare(&dump);
}

#[test]
fn nodes_that_are_all_killed_at_once_find_each_other_again() {
    let mut cluster = Cluster::meet(&place(), Cluster::plans(3));
    for node in &cluster.nodes {
        let others = cluster.nodes.iter().filter(|other| other.peer() != node.peer());
        let others = others.map(|other| other.peer().to_owned()).collect::<Vec<_>>();
        let file = node.home().join("peers.json");
        eventually("all others are written down", LONG, || {
            let text = std::fs::read_to_string(&file).map_err(|why| why.to_string())?;
            match others.iter().all(|peer| text.contains(peer)) {
                true => Ok(()),
                false => Err(text),
            }
        });
    }
    cluster.nodes.iter_mut().for_each(Node::kill);
    cluster.nodes.iter_mut().for_each(|node| node.restart(Port::Same));
    for at in 0..3 {
        let put = edits::put(&format!("after/{at}"), at);
        cluster.rpc(at).apply(&cluster.context, &[put]).unwrap();
    }
    let dump = cluster.converge();
    assert_eq!(dump.entries.len(), 3);
}
