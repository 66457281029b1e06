//! Pages of other origins, and callers in a hurry.

use mangrove_cluster::{Node, Plan};
use serde_json::json;

use super::socket::Socket;
use super::{post, say};
use crate::place;

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"node.limits"}"#;

#[test]
fn pages_of_listed_origins_may_call_and_no_others() {
    let listed = "https://app.example";
    let plan = Plan::new("node").set("server.origins", "[\"https://app.example\"]");
    let node = Node::start(&place(), plan);
    let bearer = format!("Bearer {}", node.token());
    let ask = |origin: &str| {
        let fields = [("Authorization", bearer.as_str()), ("Origin", origin)];
        say(&node, "POST /rpc", &fields, CALL)
    };
    let answer = ask(listed);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("access-control-allow-origin: https://app.example"), "{answer:?}");
    assert_eq!(ask(node.api()).status, 200, "a page of the node itself");
    for origin in ["https://evil.example", "null", "http://app.example"] {
        let answer = ask(origin);
        assert_eq!((answer.status, answer.kind().as_str()), (403, "forbidden"), "{origin}");
        assert!(!answer.head.contains("access-control-allow-origin"), "{answer:?}");
    }
    let asked = [
        ("Origin", listed),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    let answer = say(&node, "OPTIONS /rpc", &asked, b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("access-control-allow-headers"), "{answer:?}");
}

#[test]
fn who_asks_too_fast_is_told_when_to_come_back() {
    let plan = Plan::new("node").set("server.calls_per_token", "20");
    let node = Node::start(&place(), plan);
    // As many at once as in a second; then it takes a while.
    let slowed = (0..100).map(|_| post(&node, std::str::from_utf8(CALL).unwrap()));
    let slowed =
        slowed.into_iter().find(|answer| answer.status != 200).expect("somebody is slowed");
    assert_eq!((slowed.status, slowed.kind().as_str()), (429, "busy"), "{slowed:?}");
    assert!(slowed.head.contains("retry-after: 1"), "{slowed:?}");
    let wait_ms = slowed.json()["error"]["data"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=50).contains(&wait_ms), "{wait_ms}");

    // A token of its own has a pace of its own, and over a socket it is the same one.
    let node = Node::start(&place(), Plan::new("node").set("server.calls_per_token", "20"));
    let mut socket = Socket::open(&node, &node.token());
    let busy = (0..100).map(|_| socket.call("node.limits", &json!({})));
    assert!(busy.into_iter().any(|answer| answer == Err("busy".to_owned())));
    let mut batch =
        (0..100).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "node.limits" }));
    let batch = json!(batch.by_ref().collect::<Vec<_>>());
    socket.send(&batch.to_string());
    let answers = socket.answer();
    let kinds = answers.as_array().unwrap().iter().map(|it| it["error"]["data"]["kind"].clone());
    assert!(kinds.into_iter().all(|kind| kind == "busy"), "{answers}");
}
