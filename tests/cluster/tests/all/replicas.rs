//! Replicas as processes: hired by the API, killed, and giving back what they keep.

use std::time::Duration;

use mangrove_cluster::{Node, Plan, Port, Rpc, Scan, Wrong, dump, edits, eventually};
use serde_json::{Value, json};

use crate::place;

const SOON: Duration = Duration::from_secs(60);
/// How long a new member waits until all is there.
const JOINING_SECS: u64 = 30;

/// Deltas that a node holds of a context.
fn deltas(rpc: &Rpc, context: &str) -> Result<u64, Wrong> {
    rpc.root(context).map(|root| root.deltas).map_err(|why| Wrong::from(why.to_string()))
}

fn hold_the_same(one: &Rpc, other: &Rpc, context: &str) {
    eventually("they hold the same", SOON, || {
        match (deltas(one, context)?, deltas(other, context)?) {
            (ours, theirs) if ours == theirs => Ok(()),
            (ours, theirs) => Err(Wrong::from(format!("{ours} and {theirs} deltas"))),
        }
    });
}

fn kind(answer: Result<Value, mangrove_cluster::RpcError>) -> String {
    answer.unwrap_err().kind().to_owned()
}

#[test]
fn a_replica_is_hired_survives_a_kill_and_gives_a_member_what_it_keeps() {
    let place = place();
    let mut owner = Node::start(&place, Plan::new("owner"));
    let mut member = Node::start(&place, Plan::new("member"));
    let allow = format!("replica.allow=[\"{}\"]", owner.peer());
    let plan = Plan::new("keeper").arg("--mode").arg("replica").arg("--set").arg(&allow);
    let mut keeper = Node::start(&place, plan);
    let context = owner.rpc().create("kept").unwrap();
    let ticket = owner.rpc().invite(&context).unwrap().ticket;
    assert!(member.rpc().join(&ticket, JOINING_SECS).unwrap().synced);
    assert_eq!(member.stop(), Some(143));

    let status = keeper.rpc().call("node.status", &json!({})).unwrap();
    assert_eq!(status["mode"], "replica");
    for (method, params) in [
        ("context.create", json!({ "name": "own" })),
        ("context.join", json!({ "ticket": ticket })),
    ] {
        assert_eq!(kind(keeper.rpc().call(method, &params)), "forbidden", "{method}");
    }

    keeper.rpc().connect(owner.address()).unwrap();
    let hired = owner.rpc().call("context.enlist", &json!({ "context": context, "count": 1 }));
    assert_eq!(hired.unwrap(), json!({ "replicas": [keeper.peer()] }));
    for number in 0..50 {
        owner.rpc().apply(&context, &[edits::put(&format!("key/{number}"), number)]).unwrap();
    }
    hold_the_same(&owner.rpc(), &keeper.rpc(), &context);
    keeper.kill();
    keeper.restart(Port::Same);
    let shown = dump(&owner.rpc(), &context).unwrap();
    assert_eq!(owner.stop(), Some(143));

    // It shows nothing of what it keeps.
    let page = keeper.rpc().scan(&context, &Scan::default()).unwrap();
    assert_eq!(page.entries, []);
    let info = keeper.rpc().call("context.get", &json!({ "context": context })).unwrap();
    assert_eq!((&info["name"], &info["role"]), (&Value::Null, &Value::Null), "{info}");
    let write = json!({ "context": context, "ops": [edits::put("a", 1)] });
    assert_eq!(kind(keeper.rpc().call("state.apply", &write)), "forbidden");

    // The member has nobody else to learn it from.
    member.restart(Port::Fresh);
    member.rpc().connect(keeper.address()).unwrap();
    eventually("all of it", SOON, || {
        let found = dump(&member.rpc(), &context).map_err(|why| Wrong::from(why.to_string()))?;
        shown.same("owner", ("member", &found))
    });
}

#[test]
fn what_makes_no_sense_is_named_and_who_may_not_is_told_so() {
    let place = place();
    let owner = Node::start(&place, Plan::new("owner"));
    let member = Node::start(&place, Plan::new("member"));
    let context = owner.rpc().create("kept").unwrap();
    let ticket = owner.rpc().invite(&context).unwrap().ticket;
    assert!(member.rpc().join(&ticket, JOINING_SECS).unwrap().synced);
    let refused = |node: &Node, method: &str, more: Value| {
        let mut params = json!({ "context": context });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let why = node.rpc().call(method, &params).unwrap_err();
        (why.kind().to_owned(), why.to_string())
    };
    for (method, more, field) in [
        ("context.enlist", json!({ "count": 0 }), "count"),
        ("context.enlist", json!({ "count": 1_000 }), "count"),
        ("context.enlist", json!({}), "count"),
        ("context.delist", json!({ "replica": "nobody" }), "replica"),
    ] {
        let (kind, why) = refused(&owner, method, more);
        assert_eq!(kind, "invalidParams", "{method}: {why}");
        assert!(why.contains(field), "{method}: {why}");
    }
    let nobody = json!({ "replica": member.peer() });
    assert_eq!(refused(&member, "context.enlist", json!({ "count": 1 })).0, "forbidden");
    assert_eq!(refused(&member, "context.delist", nobody.clone()).0, "forbidden");
    assert_eq!(refused(&owner, "context.delist", nobody).0, "conflict");
}
