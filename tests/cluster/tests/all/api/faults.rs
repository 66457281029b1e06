//! Whatever is wrong with a call is said, by name, and changes nothing.

use mangrove_cluster::{Node, Plan};
use serde_json::{Value, json};

use super::{post, say};
use crate::place;

/// For each method params that it takes.
fn good(context: &str, peer: &str) -> Vec<(&'static str, Value)> {
    let c = || json!({ "context": context });
    let with = |more: Value| {
        let mut all = c();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    vec![
        ("context.create", json!({ "name": "x", "labels": { "team": "blue" } })),
        ("context.delist", with(json!({ "replica": peer }))),
        ("context.enlist", with(json!({ "count": 1 }))),
        ("context.forget", c()),
        ("context.get", c()),
        ("context.join", json!({ "ticket": "t", "name": "x", "waitSecs": 1 })),
        ("context.leave", c()),
        ("context.list", json!({})),
        ("context.rebuild", c()),
        ("context.rename", with(json!({ "name": "x" }))),
        ("context.sync", c()),
        ("diag.queues", json!({})),
        ("feed.read", with(json!({ "after": "start", "prefix": "a", "limit": 1 }))),
        ("feed.subscribe", json!({ "contexts": [c()], "prefix": "a", "presence": true })),
        ("feed.unsubscribe", json!({ "subscription": "s" })),
        ("history.get", with(json!({ "delta": "d" }))),
        ("history.list", with(json!({ "before": "b", "limit": 1 }))),
        ("invite.close", with(json!({ "invite": "i" }))),
        ("invite.create", with(json!({ "role": "reader", "expiresInSecs": 60, "uses": 1 }))),
        ("invite.list", c()),
        ("member.list", c()),
        ("member.remove", with(json!({ "member": peer }))),
        ("member.setRole", with(json!({ "member": peer, "role": "reader" }))),
        ("node.backup", json!({ "dir": "d" })),
        ("node.ban", json!({ "peer": peer })),
        ("node.connect", json!({ "address": "a" })),
        ("node.limits", json!({})),
        ("node.peers", json!({})),
        ("node.status", json!({})),
        ("node.stop", json!({})),
        ("node.unban", json!({ "peer": peer })),
        ("presence.get", c()),
        ("presence.set", with(json!({ "state": 1 }))),
        ("rpc.discover", json!({})),
        (
            "state.apply",
            with(json!({
                "ops": [{ "op": "put", "key": "k", "value": 1 }], "conditions": [], "requestId": "r",
            })),
        ),
        ("state.get", with(json!({ "key": "k", "kind": "register" }))),
        ("state.getMany", with(json!({ "keys": ["k"], "kind": "register" }))),
        ("state.root", c()),
        (
            "state.scan",
            with(json!({
                "prefix": "k", "kind": "register", "after": "k", "limit": 1, "reverse": true, "keysOnly": true,
            })),
        ),
        ("token.create", json!({ "context": context, "access": "read", "expiresInSecs": 60 })),
        ("token.list", json!({})),
        ("token.revoke", json!({ "id": "i" })),
    ]
}

/// A value that this is none of, unless it may be anything.
fn otherwise(value: &Value) -> Value {
    match value {
        Value::String(_) => json!({ "not": ["a", "text"] }),
        Value::Number(_) => json!("not a number"),
        Value::Bool(_) => json!("not yes or no"),
        Value::Array(_) | Value::Object(_) | Value::Null => json!("neither list nor object"),
    }
}

/// Every call with one thing wrong, and what has to be named then.
fn faults(method: &str, good: &Value) -> Vec<(Value, String)> {
    let mut all = Vec::new();
    let mut unknown = good.clone();
    unknown["noSuchParam"] = json!(1);
    all.push((unknown, "noSuchParam".to_owned()));
    for (name, value) in good.as_object().unwrap() {
        let mut wrong = good.clone();
        // A state is whatever an application says.
        if (method, name.as_str()) != ("presence.set", "state") {
            wrong[name] = otherwise(value);
            all.push((wrong.clone(), name.clone()));
        }
        if value.is_number() && method != "presence.set" {
            for number in ["-1", "1.5", "18446744073709551616", "1e300"] {
                wrong[name] = serde_json::from_str(number).unwrap();
                all.push((wrong.clone(), name.clone()));
            }
        }
    }
    all
}

fn call(node: &Node, method: &str, params: &Value) -> Value {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = post(node, &call.to_string());
    assert_eq!(answer.status, 200, "{method} {params}");
    answer.json()
}

fn start() -> (Node, String, Value) {
    let node = Node::start(&place(), Plan::new("node"));
    let context = node.rpc().create("kept").unwrap();
    node.rpc()
        .call(
            "state.apply",
            &json!({
                "context": context, "ops": [{ "op": "put", "key": "k", "value": 1 }],
            }),
        )
        .unwrap();
    let root = node.rpc().call("state.root", &json!({ "context": context })).unwrap();
    (node, context, root)
}

#[track_caller]
fn is_unharmed(node: &Node, context: &str, root: &Value) {
    let now = node.rpc().call("state.root", &json!({ "context": context })).unwrap();
    assert_eq!(now, *root, "nothing has changed");
    assert_eq!(node.rpc().call("node.status", &json!({})).unwrap()["state"], "ready");
    assert_eq!(node.rpc().call("context.list", &json!({})).unwrap().as_array().unwrap().len(), 1);
}

#[test]
fn every_param_of_every_method_is_looked_at() {
    let (node, context, root) = start();
    let bearer = format!("Bearer {}", node.token());
    let document = say(&node, "GET /openrpc.json", &[("Authorization", &bearer)], b"").json();
    let good = good(&context, node.peer());
    let described = document["methods"].as_array().unwrap();
    let names = described.iter().map(|it| it["name"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(good.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "none is left out");
    for ((method, good), described) in good.iter().zip(described) {
        let params = described["params"].as_array().unwrap();
        assert_eq!(params.len(), good.as_object().unwrap().len(), "{method}: all params are tried");
        for (wrong, name) in faults(method, good) {
            let answer = call(&node, method, &wrong);
            assert_eq!(
                answer["error"]["data"]["kind"], "invalidParams",
                "{method} {wrong}: {answer}"
            );
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains(&name), "{method} {wrong}: {message} names no {name}");
        }
        for param in params.iter().filter(|param| param["required"] == true) {
            let name = param["name"].as_str().unwrap();
            let mut missing = good.clone();
            missing.as_object_mut().unwrap().remove(name);
            let answer = call(&node, method, &missing);
            assert_eq!(
                answer["error"]["data"]["kind"], "invalidParams",
                "{method} {missing}: {answer}"
            );
            assert!(answer["error"]["message"].as_str().unwrap().contains(name), "{answer}");
        }
    }
    is_unharmed(&node, &context, &root);
}

#[test]
fn what_is_empty_long_or_deep_is_refused_or_harmless() {
    let (node, context, root) = start();
    let deep = serde_json::from_str::<Value>(&format!("{}1{}", "[".repeat(80), "]".repeat(80)));
    for (method, good) in good(&context, node.peer()) {
        // What takes no text changes what it is asked to change.
        let texts = good.as_object().unwrap().iter().filter(|(_, value)| value.is_string());
        let texts = texts.map(|(name, _)| name.clone()).collect::<Vec<_>>();
        for name in texts {
            // Any text that is short enough is a good id of a request.
            if name == "requestId" {
                continue;
            }
            for text in [String::new(), "x".repeat(100_000), "\u{0}\u{7f}\u{202e}".to_owned()] {
                let mut odd = good.clone();
                odd[&name] = json!(text);
                let answer = call(&node, method, &odd);
                let kind = answer["error"]["data"]["kind"].as_str().unwrap_or_default();
                assert_ne!(kind, "internal", "{method} {name}: {answer}");
                let is_look =
                    ["feed.read", "history.list", "state.scan", "state.get", "state.getMany"];
                let is_harmless = !kind.is_empty() || is_look.contains(&method) || text.is_empty();
                assert!(is_harmless, "{method} takes a {name} of {} bytes: {answer}", text.len());
            }
        }
    }
    let apply = |value: &Value| json!({ "context": context, "ops": [{ "op": "put", "key": "k", "value": value }] });
    let answer = call(&node, "state.apply", &apply(&deep.unwrap()));
    assert!(answer["error"]["code"].as_i64().unwrap() < 0, "{answer}");
    for op in [
        json!({}),
        json!({ "op": "no" }),
        json!({ "op": "put", "key": "k" }),
        json!({ "op": "put", "key": 1, "value": 1 }),
    ] {
        let answer = call(&node, "state.apply", &json!({ "context": context, "ops": [op] }));
        assert_eq!(answer["error"]["data"]["kind"], "invalidParams", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("ops"), "{answer}");
    }
    is_unharmed(&node, &context, &root);
}

#[test]
fn garbage_over_http_is_answered_and_harms_nothing() {
    let (node, context, root) = start();
    let bearer = format!("Bearer {}", node.token());
    let fields = [("Authorization", bearer.as_str())];
    let long = vec![b' '; 17 * 1024 * 1024];
    for (line, body, status) in [
        ("POST /rpc", &b"\xff\xfe"[..], 400),
        ("POST /rpc", b"", 400),
        ("POST /rpc", b"{\"jsonrpc\":", 400),
        ("POST /rpc", &long, 413),
        ("GET /no/such/path", b"", 404),
        ("GET /v1/contexts/none/feed", b"", 404),
        ("GET /v1/contexts/kept/feed?after=nonsense", b"", 400),
        ("GET /ws", b"", 400),
    ] {
        let answer = say(&node, line, &fields, body);
        assert_eq!(answer.status, status, "{line}: {answer:?}");
    }
    let ids = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "state.root", "params": { "context": context } },
        { "jsonrpc": "2.0", "id": 1, "method": "state.root", "params": { "context": context } },
    ]);
    let answer = post(&node, &ids.to_string()).json();
    assert!(answer.to_string().contains("error"), "an id twice in a batch: {answer}");
    let many = (0..101).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "node.limits" }));
    let answer = post(&node, &Value::Array(many.collect()).to_string()).json();
    assert!(answer["error"]["code"].as_i64().is_some_and(|code| code < 0), "{answer}");
    is_unharmed(&node, &context, &root);
}
