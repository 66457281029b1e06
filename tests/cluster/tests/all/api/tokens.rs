//! Who is let in, and to what.

use std::fs;
use std::time::Duration;

use mangrove_cluster::{Node, Plan, Port, edits, eventually};
use serde_json::{Value, json};

use super::{Answer, post, post_as, say};
use crate::place;

fn call(node: &Node, token: &str, method: &str, params: &Value) -> Answer {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    post_as(node, token, &call.to_string())
}

fn make(node: &Node, params: &Value) -> (String, String) {
    let made = node.rpc().call("token.create", params).unwrap();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

#[test]
fn a_token_opens_what_it_is_for_and_nothing_else() {
    let mut node = Node::start(&place(), Plan::new("node"));
    let [one, two] = ["one", "two"].map(|name| node.rpc().create(name).unwrap());
    let get = |context: &str| json!({ "context": context, "key": "k" });
    let put = |context: &str| json!({ "context": context, "ops": [edits::put("k", 1)] });
    let (_, read) = make(&node, &json!({ "access": "read" }));
    let (id, write) = make(&node, &json!({ "access": "write", "context": one }));
    let (_, admin) = make(&node, &json!({ "access": "admin", "context": one }));
    let check = |node: &Node| {
        for (token, method, params, expect) in [
            (&read, "state.get", get(&one), ""),
            (&read, "context.list", json!({}), ""),
            (&read, "state.apply", put(&one), "forbidden"),
            (&read, "token.list", json!({}), "forbidden"),
            (&read, "node.stop", json!({}), "forbidden"),
            (&write, "state.apply", put(&one), ""),
            (&write, "state.get", get("one"), ""),
            (&write, "state.get", get(&two), "forbidden"),
            (&write, "state.get", get("two"), "forbidden"),
            (&write, "state.get", get("nothing"), "forbidden"),
            (&write, "invite.create", json!({ "context": one }), "forbidden"),
            (&write, "node.peers", json!({}), "forbidden"),
            (&write, "node.status", json!({}), ""),
            (&admin, "invite.create", json!({ "context": one }), ""),
            (&admin, "context.create", json!({ "name": "three" }), "forbidden"),
            (&admin, "token.create", json!({ "access": "admin" }), "forbidden"),
            (&admin, "token.create", json!({ "access": "read", "context": two }), "forbidden"),
            (&admin, "token.list", json!({}), "forbidden"),
        ] {
            let answer = call(node, token, method, &params);
            assert_eq!((answer.status, answer.kind().as_str()), (200, expect), "{method} {params}");
        }
        let seen = call(node, &write, "context.list", &json!({})).json();
        let seen = seen["result"].as_array().unwrap().iter().map(|it| it["context"].clone());
        assert_eq!(seen.collect::<Vec<_>>(), [json!(one)], "no other is shown");
    };
    check(&node);
    assert_eq!(node.stop(), Some(143));
    node.restart(Port::Same);
    check(&node);

    // It is kept as a hash, for nobody else to read.
    let file = node.home().join("tokens.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(&id) && [&read, &write, &admin].iter().all(|it| !text.contains(*it)));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(node.log().iter().all(|line| !line.contains(&write)), "no token is logged");

    node.rpc().call("token.revoke", &json!({ "id": id })).unwrap();
    assert_eq!(call(&node, &write, "node.status", &json!({})).status, 401);
    let again = node.rpc().call("token.revoke", &json!({ "id": id })).unwrap_err();
    assert_eq!(again.kind(), "notFound");
    let listed = node.rpc().call("token.list", &json!({})).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[test]
fn a_token_runs_out() {
    let node = Node::start(&place(), Plan::new("node"));
    let (_, token) = make(&node, &json!({ "access": "read", "expiresInSecs": 1 }));
    eventually("it has run out", Duration::from_secs(20), || {
        match call(&node, &token, "node.status", &json!({})).status {
            401 => Ok(()),
            status => Err(format!("{status}")),
        }
    });
    let never = node.rpc().call("token.create", &json!({ "access": "read", "expiresInSecs": 0 }));
    assert_eq!(never.unwrap_err().kind(), "invalidParams");
}

#[test]
fn who_comes_without_a_token_or_by_another_name_is_not_let_in() {
    let place = place();
    let plan = Plan::new("node").set("server.hosts", "[\"node.example\"]");
    let node = Node::start(&place, plan);
    let bearer = format!("Bearer {}", node.token());
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "node.status" }).to_string();
    let with = |fields: &[(&str, &str)]| say(&node, "POST /rpc", fields, body.as_bytes());
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:99", "Node.Example:2770"] {
        assert_eq!(with(&[("Host", host), ("Authorization", &bearer)]).status, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:2770", "node.example.evil"] {
        assert_eq!(with(&[("Host", host), ("Authorization", &bearer)]).status, 421, "{host}");
    }
    for fields in [
        &[][..],
        &[("Authorization", "Bearer ")],
        &[("Authorization", "Bearer wrong")],
        &[("Authorization", "Basic d3Jvbmc=")],
    ] {
        let answer = with(fields);
        assert_eq!((answer.status, answer.kind().as_str()), (401, "unauthorized"), "{fields:?}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
    }
    // A token in an address is for those alone who cannot send a head.
    let line = format!("POST /rpc?token={}", node.token());
    assert_eq!(say(&node, &line, &[], body.as_bytes()).status, 401);
    for path in ["/ready", "/metrics", "/openrpc.json"] {
        assert_eq!(say(&node, &format!("GET {path}"), &[], b"").status, 401, "{path}");
    }
    assert_eq!(say(&node, "GET /health", &[], b"").status, 200);
    assert_eq!(say(&node, "GET /nothing", &[("Authorization", &bearer)], b"").status, 404);
    let long = " ".repeat(5 << 20);
    assert_eq!(say(&node, "POST /rpc", &[("Authorization", &bearer)], long.as_bytes()).status, 413);

    // Who guesses is made to wait, and who knows is not.
    let guesses = (0..40).map(|at| with(&[("Authorization", &format!("Bearer guess{at}"))]));
    let refused = guesses.filter(|answer| answer.status == 429).collect::<Vec<_>>();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|it| it.head.contains("retry-after: ")));
    assert_eq!(post(&node, &body).status, 200);
}
