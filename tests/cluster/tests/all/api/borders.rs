//! Pages of other origins, callers in a hurry, and what is said of requests.

use std::io::Read;

use mangrove_cluster::{Node, Plan, eventually};
use serde_json::json;

use super::socket::Socket;
use super::{Answer, PATIENCE, begin, door, post, say};
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

#[test]
fn a_request_has_a_name_in_its_answer_and_in_the_log_and_a_token_is_in_neither() {
    let node = Node::start(&place(), Plan::new("node").set("log.filter", "debug"));
    let context = node.rpc().create("shared").unwrap();
    let name = |answer: &Answer| {
        let line = answer.head.lines().find_map(|line| line.strip_prefix("x-request-id: "));
        line.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    };
    let health = || say(&node, "GET /health", &[], b"");
    assert_ne!(name(&health()), name(&health()), "each has its own");
    assert!(!name(&say(&node, "GET /nowhere", &[], b"")).is_empty());

    let (bearer, token) = (format!("Bearer {}", node.token()), node.token());
    let brought = [("X-Request-Id", "mine-7"), ("Authorization", &bearer)];
    let call =
        r#"{"jsonrpc":"2.0","id":"c9","method":"state.root","params":{"context":"nothing"}}"#;
    let answer = say(&node, "POST /rpc", &brought, call.as_bytes());
    assert_eq!(name(&answer), "mine-7");
    assert_eq!(answer.kind(), "notFound");
    let feed = format!("GET /v1/contexts/{context}/feed?after=start&prefix=secret&token={token}");
    let mut feed = begin(&node, &format!("{feed} HTTP/1.1\r\nHost: {}\r\n\r\n", door(&node)));
    feed.read_exact(&mut [0; 64]).unwrap();
    drop(feed);
    let logged = |text: &str| node.log().iter().filter(|line| line.contains(text)).count();
    eventually("both are logged", PATIENCE, || match (logged("mine-7"), logged("/feed")) {
        (0, _) | (_, 0) => Err(format!("{:?}", node.log())),
        _ => Ok(()),
    });
    let refused = node.log().into_iter().find(|line| line.contains("c9")).unwrap();
    assert!(refused.contains("mine-7") && refused.contains("state.root"), "{refused}");
    assert_eq!((logged(&token), logged("prefix=")), (0, 0), "nothing but the path is logged");
}
