//! Calling a node, and being sure of what came of it.

use std::net::TcpListener;
use std::time::Duration;

use mangrove_cluster::{Access, Door, Kind, Rpc, RpcError, Scan, edits, eventually};
use serde_json::{Value, json};

use crate::pretend::{Pretend, Registers, Reply, TOKEN};

const SOON: Duration = Duration::from_secs(20);

fn echo() -> Pretend {
    Pretend::start(|method, params| Reply::Result(json!([method, params])))
}

#[test]
fn calls_of_one_caller_share_a_connection_and_callers_do_not() {
    let node = echo();
    let rpc = Rpc::new(&node.door);
    for number in 0..5 {
        let params = json!({ "number": number });
        assert_eq!(rpc.call("a.b", &params).unwrap(), json!(["a.b", params]));
    }
    assert_eq!(node.connections(), 1);
    rpc.another().call("a.b", &Value::Null).unwrap();
    assert_eq!(node.connections(), 2);
}

#[test]
fn a_connection_that_ended_meanwhile_is_not_used_again() {
    let body = r#"{"jsonrpc":"2.0","id":1,"result":7}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let node = Pretend::start(move |method, _| match method {
        "first" => Reply::Last(answer.clone()),
        _ => Reply::Result(json!(8)),
    });
    let rpc = Rpc::new(&node.door);
    assert_eq!(rpc.call("first", &Value::Null).unwrap(), json!(7));
    eventually("that it hangs up", SOON, || match node.ended() {
        1 => Ok(()),
        count => Err(format!("{count} connections have ended")),
    });
    assert_eq!(rpc.call("second", &Value::Null).unwrap(), json!(8));
    assert_eq!(node.connections(), 2);
}

#[test]
fn a_node_that_moved_is_found_again() {
    let (before, after) = (echo(), Pretend::start(|_, _| Reply::Result(json!("moved"))));
    let rpc = Rpc::new(&before.door);
    rpc.call("x", &Value::Null).unwrap();
    before.door.close();
    assert!(matches!(rpc.call("x", &Value::Null), Err(RpcError::Unreachable(_))));
    before.door.open(after.door.access().unwrap());
    assert_eq!(rpc.call("x", &Value::Null).unwrap(), json!("moved"));
}

#[test]
fn a_refusal_is_told_with_all_that_a_caller_can_act_on() {
    let node = Pretend::start(|method, _| match method {
        "busy" => Reply::Error(json!({
            "code": -32000,
            "message": "too much waits",
            "data": { "kind": "busy", "hint": "try again", "retryAfterMs": 150, "more": 1 },
        })),
        "closed" => Reply::Raw(
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        ),
        _ => {
            let body = r#"{"error":{"code":-32001,"message":"no","data":{"kind":"unauthorized"}}}"#;
            let head = "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked";
            let (first, rest) = body.split_at(10);
            let length = rest.len();
            Reply::Raw(format!("{head}\r\n\r\na\r\n{first}\r\n{length:X}\r\n{rest}\r\n0\r\n\r\n"))
        }
    });
    let rpc = Rpc::new(&node.door);
    let refused = |method: &str| rpc.call(method, &Value::Null).unwrap_err();
    let busy = refused("busy");
    let busy = busy.refusal().unwrap();
    assert_eq!((busy.status, busy.code, busy.kind.as_str()), (200, -32000, "busy"));
    assert_eq!(
        (busy.message.as_str(), busy.hint.as_deref()),
        ("too much waits", Some("try again"))
    );
    assert_eq!(busy.retry_after, Some(Duration::from_millis(150)));
    assert_eq!(busy.data["more"], 1);
    let closed = refused("closed");
    assert_eq!(closed.kind(), "http 503");
    assert_eq!(closed.refusal().unwrap().retry_after, Some(Duration::from_secs(2)));
    let unknown = refused("x");
    assert_eq!((unknown.kind(), unknown.refusal().unwrap().status), ("unauthorized", 401));
    assert_eq!(node.connections(), 1, "a refusal ends no connection");
}

#[test]
fn what_was_not_answered_is_told_apart_from_what_was_not_sent() {
    let node = Pretend::start(|method, _| match method {
        "half" => Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_owned()),
        _ => Reply::Silence,
    });
    let rpc = Rpc::new(&node.door);
    for method in ["none", "half"] {
        let lost = rpc.call(method, &Value::Null).unwrap_err();
        assert!(matches!(lost, RpcError::Lost(_)), "{lost:?}");
    }
    // Somebody listens and never answers.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::at(Access { address, token: TOKEN.to_owned() });
    let rpc = Rpc::new(&door).patient(Duration::from_millis(50));
    assert!(matches!(rpc.call("x", &Value::Null), Err(RpcError::Lost(_))));
    drop(listener);
    let rpc = Rpc::new(&door);
    assert!(matches!(rpc.call("x", &Value::Null), Err(RpcError::Unreachable(_))));
}

#[test]
fn an_answer_that_breaks_the_contract_is_not_taken_for_one() {
    let raw = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() - 2 + 1)
    };
    let answers = [
        r#"{"jsonrpc":"2.0","id":77,"result":ID}"#,
        r#"{"jsonrpc":"1.0","id":ID,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":ID}"#,
        r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"no kind"}}"#,
        "[ID",
    ];
    for answer in answers {
        let text = raw(answer);
        let node = Pretend::start(move |_, _| Reply::Raw(text.clone()));
        let misshapen = Rpc::new(&node.door).call("x", &Value::Null).unwrap_err();
        assert!(matches!(misshapen, RpcError::Misshapen { .. }), "{answer}: {misshapen:?}");
    }
    let node = Pretend::start(|_, _| Reply::Result(json!({ "context": 7 })));
    let misshapen = Rpc::new(&node.door).create("x").unwrap_err().to_string();
    assert!(misshapen.contains("context.create") && misshapen.contains("`context`"), "{misshapen}");
}

#[test]
fn params_are_those_of_the_contract() {
    let node = Pretend::start(|method, params| {
        Reply::Error(json!({
            "code": -32602,
            "message": format!("{method} {params}"),
            "data": { "kind": "invalidParams" },
        }))
    });
    let rpc = Rpc::new(&node.door);
    let sent = |refused: RpcError| refused.refusal().unwrap().message.clone();
    let check = |refused: RpcError, method: &str, params: Value| {
        assert_eq!(sent(refused), format!("{method} {params}"));
    };
    check(rpc.create("n").unwrap_err(), "context.create", json!({ "name": "n" }));
    let join = json!({ "ticket": "t", "waitSecs": 3 });
    check(rpc.join("t", 3).unwrap_err(), "context.join", join);
    let ops = [edits::put("k", 1), edits::delete("k", Kind::Set), edits::increment("n", -2)];
    let apply = json!({ "context": "c", "ops": [
        { "op": "put", "key": "k", "value": 1 },
        { "op": "delete", "key": "k", "kind": "set" },
        { "op": "increment", "key": "n", "by": -2 },
    ] });
    check(rpc.apply("c", &ops).unwrap_err(), "state.apply", apply);
    let get = json!({ "context": "c", "key": "k", "kind": "counter" });
    check(rpc.get("c", Kind::Counter, "k").unwrap_err(), "state.get", get);
    check(rpc.scan("c", &Scan::default()).unwrap_err(), "state.scan", json!({ "context": "c" }));
    let scan = Scan { prefix: Some("p"), kind: Some(Kind::Set), after: Some("a"), limit: Some(9) };
    let params = json!({ "context": "c", "prefix": "p", "kind": "set", "after": "a", "limit": 9 });
    check(rpc.scan("c", &scan).unwrap_err(), "state.scan", params);
    check(rpc.status().unwrap_err(), "node.status", json!({}));
    let remove = json!({ "context": "c", "member": "m" });
    check(rpc.remove_member("c", "m").unwrap_err(), "member.remove", remove);
}

#[test]
fn a_write_is_answered_with_all_that_the_contract_says() {
    let rows = Registers::default();
    let node = Pretend::start(move |_, params| Reply::Result(rows.apply(params)));
    let rpc = Rpc::new(&node.door);
    let applied = rpc.apply("c", &[edits::put("k", 1)]).unwrap();
    assert_eq!((applied.delta.as_str(), applied.seq), ("delta-of-k", 1));
    assert_eq!(applied.versions, [Some("v".to_owned())]);
    assert!(!applied.duplicate);
}
