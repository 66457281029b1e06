//! Nodes that do not hear each other for a while become equal when they do again.

use std::sync::Arc;
use std::time::Duration;

use mangrove_cluster::{Acks, Cluster, Dump, Kind, Mode, Node, Plan, Proxy, Writers, edits};

use crate::place;

/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_node_that_stood_still_while_others_wrote_catches_up() {
    let mut cluster = Cluster::meet(&place(), Cluster::plans(3));
    let acks = Arc::new(Acks::default());
    cluster.rpc(2).apply(&cluster.context, &[edits::increment("sum", 1)]).unwrap();
    for round in 1..=3 {
        cluster.node(2).pause();
        let writers = Writers::new(&acks)
            .calling(cluster.rpc(0), &format!("a{round}-"), &cluster.context)
            .calling(cluster.rpc(1), &format!("b{round}-"), &cluster.context);
        acks.wait_for_all(acks.count() + 300, LONG);
        writers.stop();
        cluster.node(2).resume();
        cluster.rpc(2).apply(&cluster.context, &[edits::increment("sum", 1)]).unwrap();
        let dump = cluster.converge();
        acks.check(&dump).unwrap();
        assert_eq!(dump.entries[&(Kind::Counter, "sum".to_owned())].value, round + 1);
    }
    let dump = cluster.converge();
    cluster.stop_and_compare(&dump);
}

/// Two nodes that have met by way of a proxy. Each knows where the other listens, so once they have noticed
/// that this way leads nowhere they may find another.
struct Apart {
    cluster: Cluster,
    proxy: Proxy,
}

impl Apart {
    fn start() -> Self {
        let place = place();
        let there = Node::start(&place, Plan::new("there"));
        let proxy = Proxy::start(there.socket());
        let here = Node::start(&place, Plan::new("here"));
        assert_eq!(here.rpc().connect(&proxy.multiaddr(there.peer())).unwrap(), there.peer());
        let context = there.rpc().create("shared").unwrap();
        let ticket = there.rpc().invite(&context).unwrap().ticket;
        assert!(here.rpc().join(&ticket, 30).unwrap().synced);
        let cluster = Cluster { nodes: vec![here, there], context };
        cluster.converge();
        Self { cluster, proxy }
    }

    /// Whether both hold the same at this moment.
    fn is_equal(&self) -> bool {
        self.cluster.equal_roots(&[self.cluster.rpc(0), self.cluster.rpc(1)]).is_ok()
    }

    /// Both write while the proxy does this.
    fn write_while(&self, mode: Mode, round: u64, acks: &Arc<Acks>) {
        self.proxy.switch(mode);
        let context = &self.cluster.context;
        let writers = Writers::new(acks)
            .calling(self.cluster.rpc(0), &format!("here{round}-"), context)
            .calling(self.cluster.rpc(1), &format!("there{round}-"), context);
        acks.wait_for_all(acks.count() + 300, LONG);
        writers.stop();
    }

    /// It passes on again: all becomes equal, and nothing is lost.
    fn heal(&self, acks: &Acks) -> Dump {
        self.proxy.switch(Mode::Pass);
        let dump = self.cluster.converge();
        acks.check(&dump).unwrap();
        dump
    }
}

#[test]
fn while_the_way_between_two_nodes_stalls_both_are_written_to_and_then_both_have_all() {
    let mut apart = Apart::start();
    let acks = Arc::new(Acks::default());
    assert!(apart.proxy.passed_bytes() > 0, "they have met by way of the proxy");
    apart.write_while(Mode::Stall, 0, &acks);
    assert!(!apart.is_equal(), "they are apart");
    let dump = apart.heal(&acks);
    apart.cluster.stop_and_compare(&dump);
}

#[test]
fn a_way_that_stalls_is_cut_or_slow_again_and_again_costs_nothing_but_time() {
    let mut apart = Apart::start();
    let acks = Arc::new(Acks::default());
    let slow = Mode::Delay(Duration::from_millis(50));
    for (round, mode) in (0..).zip([slow, Mode::Cut, Mode::Stall, slow, Mode::Stall, Mode::Cut]) {
        apart.write_while(mode, round, &acks);
        apart.heal(&acks);
    }
    let dump = apart.heal(&acks);
    apart.cluster.stop_and_compare(&dump);
}
