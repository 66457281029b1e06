//! Calls as JSON-RPC 2.0 has them.

use mangrove_cluster::{Node, Plan, Port};
use serde_json::{Value, json};

use super::{post, say};
use crate::place;

/// What the specification shows, with methods that there are.
#[test]
fn the_examples_of_the_specification_are_answered_as_it_says() {
    let node = Node::start(&place(), Plan::new("node"));
    let limits = post(&node, r#"{"jsonrpc": "2.0", "method": "node.limits", "id": 1}"#).json();
    let limits = limits["result"].clone();
    assert_eq!(limits["keyBytes"], 1_024);
    // A call with params by name, and with an id of each kind.
    for id in [json!(3), json!("three"), json!(null), json!(-1.5)] {
        let call = json!({ "jsonrpc": "2.0", "method": "node.limits", "params": {}, "id": id });
        let answer = post(&node, &call.to_string());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "result": limits, "id": id }));
    }
    // A notification, and one of a method that there is none of.
    for method in ["node.limits", "foobar"] {
        let answer = post(&node, &json!({ "jsonrpc": "2.0", "method": method }).to_string());
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{method}");
    }
    for (body, status, code, id) in [
        (r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#, 200, -32601, json!("1")),
        (
            r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
            400,
            -32700,
            json!(null),
        ),
        (r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, 200, -32600, json!(null)),
        ("[]", 200, -32600, json!(null)),
        (
            r#"[{"jsonrpc": "2.0", "method": "sum"}, {"jsonrpc": "2.0", "method"]"#,
            400,
            -32700,
            json!(null),
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "node.limits", "params": {"x": 1}, "id": 9}"#,
            200,
            -32602,
            json!(9),
        ),
        (
            r#"{"jsonrpc": "2.0", "method": "node.limits", "params": [1], "id": 9}"#,
            200,
            -32602,
            json!(9),
        ),
    ] {
        let answer = post(&node, body);
        let json = answer.json();
        assert_eq!(
            (answer.status, &json["error"]["code"], &json["id"]),
            (status, &json!(code), &id),
            "{body}"
        );
        assert!(json["error"]["data"]["kind"].is_string(), "{json}");
        assert!(json.get("result").is_none(), "{json}");
    }
}

#[test]
fn a_batch_is_answered_call_by_call() {
    let node = Node::start(&place(), Plan::new("node"));
    let codes = |body: &str| {
        let answer = post(&node, body);
        assert_eq!(answer.status, 200, "{body}");
        let all = answer.json().as_array().unwrap().clone();
        all.iter().map(|it| it["error"]["code"].as_i64().unwrap_or(0)).collect::<Vec<_>>()
    };
    assert_eq!(codes("[1]"), [-32600]);
    assert_eq!(codes("[1,2,3]"), [-32600; 3]);
    let mixed = json!([
        { "jsonrpc": "2.0", "method": "node.limits", "id": "1" },
        { "jsonrpc": "2.0", "method": "node.limits" },
        { "foo": "boo" },
        { "jsonrpc": "2.0", "method": "foo.get", "params": { "name": "myself" }, "id": "5" },
        { "jsonrpc": "2.0", "method": "context.list", "id": "9" },
    ]);
    let mut found = codes(&mixed.to_string());
    found.sort_unstable();
    assert_eq!(found, [-32601, -32600, 0, 0]);
    let notifications =
        json!([{ "jsonrpc": "2.0", "method": "node.limits" }, { "jsonrpc": "2.0", "method": "x" }]);
    assert_eq!(post(&node, &notifications.to_string()).status, 204);
    let call = r#"{"jsonrpc":"2.0","method":"node.limits"}"#;
    let many = format!("[{}]", vec![call; 101].join(","));
    assert_eq!(post(&node, &many).kind(), "tooLarge");
}

#[test]
fn what_is_described_is_what_is_answered() {
    let node = Node::start(&place(), Plan::new("node"));
    let bearer = format!("Bearer {}", node.token());
    let served = say(&node, "GET /openrpc.json", &[("Authorization", &bearer)], b"").json();
    let told = node.rpc().call("rpc.discover", &json!({})).unwrap();
    assert_eq!(served, told);
    let methods = told["methods"].as_array().unwrap();
    assert!(methods.len() >= 38, "{}", methods.len());
    for method in methods {
        let name = method["name"].as_str().unwrap();
        let mut params = serde_json::Map::new();
        params.insert("noSuchParam".to_owned(), json!(1));
        let why = node.rpc().call(name, &Value::Object(params)).unwrap_err();
        assert_eq!(why.kind(), "invalidParams", "{name}: {why}");
        // Each param that is needed is missed by its name.
        let needed =
            method["params"].as_array().unwrap().iter().filter(|it| it["required"] == true);
        for param in needed.map(|it| it["name"].as_str().unwrap()) {
            let mut params = serde_json::Map::new();
            for other in method["params"].as_array().unwrap() {
                let other_name = other["name"].as_str().unwrap();
                if other["required"] == true && other_name != param {
                    params.insert(other_name.to_owned(), sample(&other["schema"], &told));
                }
            }
            let why = node.rpc().call(name, &Value::Object(params)).unwrap_err();
            assert_eq!(why.kind(), "invalidParams", "{name} without {param}: {why}");
            assert!(why.to_string().contains(param), "{name} without {param}: {why}");
        }
    }
}

/// Something that a schema allows.
fn sample(schema: &Value, document: &Value) -> Value {
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        return sample(document.pointer(path.trim_start_matches('#')).unwrap(), document);
    }
    if let Some(first) = schema.pointer("/oneOf/0").or_else(|| schema.pointer("/enum/0")) {
        return if first.is_object() { sample(first, document) } else { first.clone() };
    }
    match (schema.get("const"), schema.get("type").and_then(Value::as_str)) {
        (Some(value), _) => value.clone(),
        (_, Some("string")) => json!("x"),
        (_, Some("integer")) => json!(1),
        (_, Some("boolean")) => json!(false),
        (_, Some("array")) => json!([]),
        _ => json!({}),
    }
}

#[test]
fn what_a_node_writes_down_about_a_context_stays_and_is_its_own_business() {
    let place = place();
    let mut node = Node::start(&place, Plan::new("node"));
    let labels = json!({ "team": "blue", "app.example/kind": "notes" });
    let params = json!({ "name": "shared", "labels": labels });
    let made = node.rpc().call("context.create", &params).unwrap();
    let about = json!({ "context": made["context"] });
    node.kill();
    node.restart(Port::Same);
    let rpc = node.rpc();
    assert_eq!(rpc.call("context.get", &about).unwrap()["labels"], labels);
    assert_eq!(rpc.call("context.list", &json!({})).unwrap()[0]["labels"], labels);
    let other = Node::start(&place, Plan::new("other"));
    let ticket = rpc.invite(made["context"].as_str().unwrap()).unwrap().ticket;
    other.rpc().join(&ticket, 20).unwrap();
    assert_eq!(other.rpc().call("context.get", &about).unwrap()["labels"], json!({}));

    let many = (0..33).map(|at| (at.to_string(), json!(""))).collect::<serde_json::Map<_, _>>();
    let long = "x".repeat(129);
    for (labels, kind) in [
        (json!(many), "tooLarge"),
        (json!({ "a": long }), "tooLarge"),
        (json!({ "": "x" }), "invalidParams"),
        (json!({ "a": "\u{7}" }), "invalidParams"),
    ] {
        let refused = rpc.call("context.create", &json!({ "name": "other", "labels": labels }));
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), kind);
        assert!(refused.to_string().contains("labels"), "{refused}");
    }
    assert_eq!(rpc.call("context.list", &json!({})).unwrap().as_array().unwrap().len(), 1);
}
