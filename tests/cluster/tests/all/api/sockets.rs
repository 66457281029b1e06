//! Calls and subscriptions over a WebSocket.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use mangrove_cluster::{Node, Plan, Port, edits};
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;

use super::door;
use super::socket::Socket;
use crate::place;

/// So long nothing comes, if nothing is to come.
const WHILE: Duration = Duration::from_millis(300);

fn start() -> (Node, String) {
    let node = Node::start(&place(), Plan::new("node"));
    let context = node.rpc().create("shared").unwrap();
    (node, context)
}

fn put(context: &str, key: &str, value: impl Into<Value>) -> Value {
    json!({ "context": context, "ops": [edits::put(key, value)] })
}

/// What an entry says has changed: keys and values.
fn changes(item: &Value) -> Vec<(String, Value)> {
    let all = item["event"]["changes"].as_array().unwrap();
    all.iter().map(|it| (it["key"].as_str().unwrap().to_owned(), it["value"].clone())).collect()
}

#[test]
fn who_is_let_in_and_how_a_socket_ends() {
    let (mut node, _) = start();
    let (url, token) = (format!("ws://{}/ws", door(&node)), node.token());
    assert_eq!(Socket::dial(&node, &url, None).err(), Some(401));
    assert_eq!(Socket::dial(&node, &url, Some("wrong")).err(), Some(401));
    assert_eq!(Socket::dial(&node, &format!("{url}?token=wrong"), None).err(), Some(401));
    let mut by_address = Socket::dial(&node, &format!("{url}?token={token}"), None).unwrap();
    assert_eq!(by_address.call("node.status", &json!({})).unwrap()["peer"], json!(node.peer()));
    assert!(node.log().iter().all(|line| !line.contains(&token)), "no token is logged");

    let made = node.rpc().call("token.create", &json!({ "access": "read" })).unwrap();
    let mut revoked = Socket::open(&node, made["token"].as_str().unwrap());
    revoked.call("context.list", &json!({})).unwrap();
    let forbidden = revoked.call("context.create", &json!({ "name": "mine" }));
    assert_eq!(forbidden, Err("forbidden".to_owned()));
    node.rpc().call("token.revoke", &json!({ "id": made["id"] })).unwrap();
    assert_eq!(revoked.ends(), CloseCode::Policy);

    let mut binary = Socket::open(&node, &token);
    binary.send_bytes(b"{}");
    assert_eq!(binary.ends(), CloseCode::Unsupported);
    assert_eq!(node.stop(), Some(143));
    assert_eq!(by_address.ends(), CloseCode::Away);
}

#[test]
fn calls_that_touch_one_context_take_effect_in_the_order_sent() {
    const CALLS: u64 = 200;
    let (node, context) = start();
    let mut socket = Socket::open(&node, &node.token());
    let first = socket.begin("state.apply", &put(&context, "k", 0));
    for number in 1..CALLS {
        socket.begin("state.apply", &put(&context, "k", number));
    }
    let read = socket.begin("state.get", &json!({ "context": context, "key": "k" }));
    let mut answers = BTreeMap::new();
    for _ in first..=read {
        let answer = socket.answer();
        answers.insert(answer["id"].as_u64().unwrap(), answer);
    }
    assert_eq!(answers.len() as u64, CALLS + 1, "each is answered once");
    let place = |id: &u64| {
        let result = &answers[id]["result"];
        (result["cursor"].is_string(), result["seq"].as_u64().unwrap())
    };
    let writes = (first..read).map(|id| place(&id)).collect::<Vec<_>>();
    assert!(writes.is_sorted() && writes.iter().all(|(has_cursor, _)| *has_cursor), "{writes:?}");
    assert_eq!(answers[&read]["result"]["entry"]["value"], json!(CALLS - 1), "it sees all of them");
}

#[test]
fn what_is_no_call_is_answered_and_the_socket_goes_on() {
    let (node, context) = start();
    let before = node.rpc().call("state.root", &json!({ "context": context })).unwrap();
    let mut socket = Socket::open(&node, &node.token());
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let deep =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{{\"a\":{deep}}}}}");
    for (text, code) in [
        ("{", -32700),
        ("", -32700),
        ("[]", -32600),
        ("1", -32600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"node.status\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}", -32601),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"node.status\",\"params\":{\"a\":1}}", -32602),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"feed.unsubscribe\",\"params\":{\"subscription\":\"x\"}}",
            -32003,
        ),
    ] {
        socket.send(text);
        let answer = socket.answer();
        assert_eq!(answer["error"]["code"], json!(code), "{text}: {answer}");
    }
    socket.send(&deep);
    assert!(socket.answer()["error"]["code"].as_i64().unwrap() < 0);
    // To a notification there is no answer, and it takes effect.
    socket.send(&json!({ "jsonrpc": "2.0", "method": "no.such" }).to_string());
    let batch = json!([
        { "jsonrpc": "2.0", "id": "a", "method": "state.root", "params": { "context": context } },
        { "jsonrpc": "2.0", "method": "state.root", "params": { "context": context } },
    ]);
    socket.send(&batch.to_string());
    let answers = socket.answer();
    assert_eq!(answers.as_array().unwrap().len(), 1, "{answers}");
    assert_eq!(answers[0]["result"], before, "nothing has changed");
}

#[test]
fn a_subscription_tells_from_where_it_was_asked_to_until_it_is_closed() {
    let (node, context) = start();
    let rpc = node.rpc();
    let apply = |key: &str| rpc.call("state.apply", &put(&context, key, key)).unwrap();
    apply("a/1");
    let cursor = apply("a/2")["cursor"].clone();
    apply("a/3");
    let mut socket = Socket::open(&node, &node.token());
    let mut subscribe = |after: Option<&Value>, prefix: &str| {
        let mut from = json!({ "context": context });
        if let Some(after) = after {
            from["after"] = after.clone();
        }
        let params = json!({ "contexts": [from], "prefix": prefix });
        let made = socket.call("feed.subscribe", &params).unwrap();
        made["subscription"].as_str().unwrap().to_owned()
    };
    let all = subscribe(Some(&json!("start")), "");
    let later = subscribe(Some(&cursor), "a/");
    let now = subscribe(None, "");
    let none = subscribe(Some(&json!("start")), "b/");
    let written = apply("a/4");
    let mut seen = BTreeMap::<String, Vec<String>>::new();
    let mut last = BTreeMap::new();
    while seen.values().map(Vec::len).sum::<usize>() < 7 {
        let told = socket.told();
        let (by, item) =
            (told["params"]["subscription"].as_str().unwrap(), &told["params"]["item"]);
        assert_eq!(item["context"], json!(context));
        if item["event"]["type"] == "change" {
            let keys = changes(item).into_iter().map(|(key, _)| key);
            seen.entry(by.to_owned()).or_default().extend(keys);
            last.insert(by.to_owned(), item["cursor"].clone());
        }
    }
    assert_eq!(seen[&all], ["a/1", "a/2", "a/3", "a/4"]);
    assert_eq!(seen[&later], ["a/3", "a/4"]);
    assert_eq!(seen[&now], ["a/4"]);
    assert!(!seen.contains_key(&none), "its keys begin otherwise");
    assert!([&all, &later, &now].iter().all(|by| last[*by] == written["cursor"]), "{last:?}");
    for by in [&all, &later, &none] {
        socket.call("feed.unsubscribe", &json!({ "subscription": by })).unwrap();
    }
    let again = socket.call("feed.unsubscribe", &json!({ "subscription": all }));
    assert_eq!(again, Err("notFound".to_owned()));
    apply("a/5");
    assert_eq!(changes(&socket.item()), [("a/5".to_owned(), json!("a/5"))]);
    assert!(socket.is_silent(WHILE), "the others are closed");
}

#[test]
fn who_loads_and_then_subscribes_misses_nothing_and_hears_nothing_twice() {
    const WRITES: usize = 300;
    let (node, context) = start();
    let (rpc, about) = (node.rpc(), context.clone());
    let write = move || {
        for number in 0..WRITES {
            rpc.call("state.apply", &put(&about, &format!("k{}", number % 7), number)).unwrap();
        }
    };
    thread::scope(|scope| {
        scope.spawn(write);
        load_and_subscribe(&node, &context, WRITES as u64);
    });
}

fn load_and_subscribe(node: &Node, context: &str, writes: u64) {
    let mut socket = Socket::open(node, &node.token());
    // In the middle of it.
    thread::park_timeout(Duration::from_millis(100));
    let page = socket.call("state.scan", &json!({ "context": context })).unwrap();
    let mut state = BTreeMap::new();
    for entry in page["entries"].as_array().unwrap() {
        state.insert(entry["key"].as_str().unwrap().to_owned(), entry["value"].as_u64().unwrap());
    }
    let after = json!({ "context": context, "after": page["cursor"] });
    socket.call("feed.subscribe", &json!({ "contexts": [after] })).unwrap();
    let mut next = state.values().max().map_or(0, |it| it + 1);
    while next < writes {
        let item = socket.item();
        if item["event"]["type"] != "change" {
            continue;
        }
        for (key, value) in changes(&item) {
            assert_eq!(value, json!(next), "one after the other, each once");
            state.insert(key, next);
            next += 1;
        }
    }
    let page = socket.call("state.scan", &json!({ "context": context })).unwrap();
    for entry in page["entries"].as_array().unwrap() {
        assert_eq!(json!(state[entry["key"].as_str().unwrap()]), entry["value"]);
    }
}

#[test]
fn a_feed_goes_on_by_cursor_after_its_node_was_killed() {
    const ROUNDS: u64 = 3;
    const EACH: u64 = 40;
    let (mut node, context) = start();
    let (mut next, mut after) = (0, json!("start"));
    for round in 0..ROUNDS {
        let rpc = node.rpc();
        for number in round * EACH..(round + 1) * EACH {
            rpc.call("state.apply", &put(&context, "k", number)).unwrap();
        }
        let mut socket = Socket::open(&node, &node.token());
        let from = json!({ "context": context, "after": after });
        socket.call("feed.subscribe", &json!({ "contexts": [from] })).unwrap();
        // Some of them are heard only after the next start.
        while next < round * EACH + EACH / 2 {
            let item = socket.item();
            after = item["cursor"].clone();
            if item["event"]["type"] == "change" {
                assert_eq!(changes(&item), [("k".to_owned(), json!(next))]);
                next += 1;
            }
        }
        node.kill();
        node.restart(Port::Same);
    }
    assert_eq!(next, ROUNDS * EACH - EACH / 2);
}

#[test]
fn who_is_present_is_seen_by_those_who_asked_to_and_is_gone_with_the_socket() {
    let (node, context) = start();
    let mut seer = Socket::open(&node, &node.token());
    let about = json!({ "contexts": [{ "context": context }], "presence": true });
    seer.call("feed.subscribe", &about).unwrap();
    let mut present = Socket::open(&node, &node.token());
    let params = json!({ "context": context, "state": { "cursor": 3 } });
    present.call("presence.set", &params).unwrap();
    let told = loop {
        let told = seer.told();
        if told["method"] == "presence.event" {
            break told;
        }
    };
    assert_eq!(told["params"]["member"], json!(node.peer()));
    assert_eq!(told["params"]["state"], json!({ "cursor": 3 }));
    let all = seer.call("presence.get", &json!({ "context": context })).unwrap();
    assert_eq!(all[0]["state"], json!({ "cursor": 3 }));
    drop(present);
    mangrove_cluster::eventually("gone", Duration::from_secs(10), || {
        let all = node.rpc().call("presence.get", &json!({ "context": context })).unwrap();
        if all == json!([]) { Ok(()) } else { Err(all.to_string()) }
    });
    let long = json!({ "context": context, "state": "x".repeat(17 * 1024) });
    assert_eq!(seer.call("presence.set", &long), Err("tooLarge".to_owned()));
}
