//! Three nodes that are written to at once become equal, and soon.

use std::thread;
use std::time::{Duration, Instant};

use mangrove_cluster::{Cluster, Kind, Node, Pace, Rpc, edits, eventually};
use serde_json::{Value, json};

use crate::place;

/// Rounds of writes, each of which is timed. The worst of them counts: there are too few for a quantile.
const ROUNDS: u64 = 25;
/// From the last acknowledgement to equal roots everywhere.
const SOON: Duration = Duration::from_millis(300);
/// A round that takes longer has failed.
const NEVER: Duration = Duration::from_secs(30);

/// What the node called `name` writes in a round: what is its own, and what all of them write.
fn writes(name: &str, round: u64) -> Vec<Vec<Value>> {
    vec![
        vec![edits::put(&format!("own/{name}/{round}"), json!({ "by": name, "round": round }))],
        vec![edits::put("all", format!("{name} {round}")), edits::increment("sum", 1)],
        vec![edits::insert("seen", format!("{name} {round}"))],
        vec![edits::insert("now", name), edits::remove("now", name)],
        vec![edits::delete("all", Kind::Register), edits::put(&format!("late/{round}"), name)],
    ]
}

/// All nodes write at once; returns when the last one has been answered.
fn write(cluster: &Cluster, callers: &[Rpc], round: u64) {
    thread::scope(|scope| {
        for (node, rpc) in cluster.nodes.iter().zip(callers) {
            scope.spawn(move || {
                for ops in writes(node.name(), round) {
                    rpc.apply(&cluster.context, &ops).unwrap();
                }
            });
        }
    });
}

/// How long it takes until all roots are equal.
fn time_to_equal(cluster: &Cluster, callers: &[Rpc], round: u64) -> Duration {
    let (began, mut pace) = (Instant::now(), Pace::steady());
    loop {
        match cluster.equal_roots(callers) {
            Ok(_) => return began.elapsed(),
            Err(why) => assert!(began.elapsed() < NEVER, "round {round}: {why}"),
        }
        pace.wait();
    }
}

#[test]
fn what_three_write_at_once_is_equal_on_all_within_300_ms() {
    let mut cluster = Cluster::meet(&place(), Cluster::plans(3));
    let callers = cluster.nodes.iter().map(Node::rpc).collect::<Vec<_>>();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        write(&cluster, &callers, round);
        times.push(time_to_equal(&cluster, &callers, round));
    }
    times.sort_unstable();
    println!(
        "equal after: median {:?}, worst {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );

    let dump = cluster.converge();
    let value = |kind: Kind, key: &str| dump.entries[&(kind, key.to_owned())].value.clone();
    assert_eq!(value(Kind::Counter, "sum"), json!(3 * ROUNDS));
    assert_eq!(value(Kind::Set, "seen").as_array().unwrap().len() as u64, 3 * ROUNDS);
    for node in ["a", "b", "c"] {
        for round in 0..ROUNDS {
            let expect = json!({ "by": node, "round": round });
            assert_eq!(value(Kind::Register, &format!("own/{node}/{round}")), expect);
        }
    }
    let rooted = callers[0].root(&cluster.context).unwrap();
    assert_eq!(rooted.entities, dump.entries.len() as u64, "each entity that is shown is counted");
    cluster.stop_and_compare(&dump);
    assert!(times[times.len() - 1] <= SOON, "{times:?}");
}

#[test]
fn a_read_after_an_acknowledged_write_sees_it() {
    let cluster = Cluster::meet(&place(), Cluster::plans(3));
    for round in 0..30 {
        let rpc = cluster.rpc(round % 3);
        let applied = rpc.apply(&cluster.context, &[edits::put("k", round)]).unwrap();
        let got = rpc.get(&cluster.context, Kind::Register, "k").unwrap().entry.unwrap();
        assert_eq!((got.value, got.delta), (Some(json!(round)), applied.delta.clone()));
        assert_eq!(Some(got.version), applied.versions[0]);
    }
    let dump = cluster.converge();
    assert_eq!(dump.entries[&(Kind::Register, "k".to_owned())].value, json!(29));
}

#[test]
fn each_member_knows_all_members_and_a_member_that_is_removed_no_longer_follows() {
    let cluster = Cluster::meet(&place(), Cluster::plans(3));
    let mut expect = cluster.nodes.iter().map(|node| node.peer().to_owned()).collect::<Vec<_>>();
    expect.sort();
    for node in &cluster.nodes {
        // Who came in last is known to the others as soon as they have heard of it.
        let members = eventually("all members are known", NEVER, || {
            let members = node.rpc().members(&cluster.context).map_err(|why| why.to_string())?;
            let mut found = members.iter().map(|it| it.member.clone()).collect::<Vec<_>>();
            found.sort();
            if found == expect { Ok(members) } else { Err(format!("{found:?}")) }
        });
        assert!(members.iter().all(|it| it.is_self == (it.member == node.peer())), "{members:?}");
    }
    let (founder, removed) = (cluster.rpc(0), cluster.node(2));
    founder.remove_member(&cluster.context, removed.peer()).unwrap();
    founder.apply(&cluster.context, &[edits::put("after", "it is removed")]).unwrap();
    let callers = [cluster.rpc(0), cluster.rpc(1)];
    eventually("the rest is equal", NEVER, || cluster.equal_roots(&callers));
    eventually("it may not write", NEVER, || {
        let answer = removed.rpc().apply(&cluster.context, &[edits::put("after", "all the same")]);
        match answer {
            Err(why) if why.kind() == "forbidden" => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
    // What it had it may still show; what came later it must not have.
    if let Ok(seen) = removed.rpc().get(&cluster.context, Kind::Register, "after") {
        assert_eq!(seen.entry, None);
    }
}
