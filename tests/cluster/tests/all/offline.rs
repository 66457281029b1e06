//! A node restored from an old backup goes on offline, and what it has lost comes back from others.

use mangrove_cluster::{Cluster, Dump, Node, Plan, Port, Rpc, dump, edits};

use crate::place;

/// Writes so many registers, each called by `what`.
fn write(rpc: &Rpc, context: &str, what: &str, count: usize) {
    for number in 0..count {
        rpc.apply(context, &[edits::put(&format!("{what}/{number}"), number)]).unwrap();
    }
}

#[test]
fn what_a_restored_node_has_lost_comes_back_and_what_it_wrote_since_stays() {
    let place = place();
    let mut cluster = Cluster::meet(&place, Cluster::plans(2));
    let context = cluster.context.clone();
    let peer = cluster.node(0).peer().to_owned();
    write(&cluster.rpc(0), &context, "before", 40);
    cluster.converge();
    assert_eq!(cluster.node_mut(0).stop(), Some(143));
    cluster.node(0).command(&["backup", "copy"]).succeeded();
    cluster.node_mut(0).restart(Port::Same);
    write(&cluster.rpc(0), &context, "lost", 40);
    write(&cluster.rpc(1), &context, "other", 40);
    cluster.converge();

    // The home is lost, and the other one is away.
    cluster.node_mut(0).kill();
    assert_eq!(cluster.node_mut(1).stop(), Some(143));
    place.run(&["restore", "copy", "--home", "again"]).succeeded();
    let again = Node::start(&place, Plan::new("again"));
    assert_eq!(again.peer(), peer, "it is the same node");
    write(&again.rpc(), &context, "since", 40);
    let here = dump(&again.rpc(), &context).unwrap();
    let count = |dump: &Dump, what: &str| {
        dump.entries.keys().filter(|(_, key)| key.starts_with(&format!("{what}/"))).count()
    };
    assert_eq!(["before", "lost", "other", "since"].map(|it| count(&here, it)), [40, 0, 0, 40]);

    cluster.nodes[0] = again;
    cluster.node_mut(1).restart(Port::Same);
    cluster.connect();
    let dump = cluster.converge();
    assert_eq!(["before", "lost", "other", "since"].map(|it| count(&dump, it)), [40; 4]);
    write(&cluster.rpc(0), &context, "after", 10);
    write(&cluster.rpc(1), &context, "and", 10);
    let dump = cluster.converge();
    assert_eq!(["after", "and"].map(|it| count(&dump, it)), [10; 2]);
    cluster.stop_and_compare(&dump);
}
