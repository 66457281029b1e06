//! In what order calls of one batch take effect.

use mangrove_cluster::{Node, Plan, edits};
use serde_json::{Value, json};

use super::post;
use crate::place;

#[test]
fn calls_of_one_batch_that_touch_the_same_context_take_effect_in_order() {
    let node = Node::start(&place(), Plan::new("node"));
    let contexts = ["one", "two"].map(|name| node.rpc().create(name).unwrap());
    for round in 0..20 {
        let mut calls = Vec::new();
        for step in 0..12 {
            for (at, context) in contexts.iter().enumerate() {
                let value = round * 100 + step;
                // By its id, by its name, and by how its id begins.
                let named = [context.as_str(), ["one", "two"][at], &context[..12]][step % 3];
                calls.push(json!({
                    "jsonrpc": "2.0",
                    "id": format!("put/{at}/{step}"),
                    "method": "state.apply",
                    "params": { "context": context, "ops": [edits::put("k", value)] },
                }));
                calls.push(json!({
                    "jsonrpc": "2.0",
                    "id": format!("get/{at}/{step}"),
                    "method": "state.get",
                    "params": { "context": named, "key": "k" },
                }));
            }
        }
        let answers = post(&node, &Value::Array(calls).to_string()).json();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 48);
        for at in 0..2 {
            for step in 0..12 {
                let id = format!("get/{at}/{step}");
                let answer = answers.iter().find(|it| it["id"] == *id).unwrap();
                let found = &answer["result"]["entry"]["value"];
                assert_eq!(found, &json!(round * 100 + step), "{answer}");
            }
        }
    }
}

#[test]
fn a_context_that_a_batch_founds_is_there_for_what_comes_after() {
    let node = Node::start(&place(), Plan::new("node"));
    let calls = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "context.create", "params": { "name": "new" } },
        { "jsonrpc": "2.0", "id": 2, "method": "state.apply",
          "params": { "context": "new", "ops": [edits::put("k", 1)] } },
        { "jsonrpc": "2.0", "id": 3, "method": "context.rename", "params": { "context": "new", "name": "old" } },
        { "jsonrpc": "2.0", "id": 4, "method": "state.get", "params": { "context": "old", "key": "k" } },
        { "jsonrpc": "2.0", "id": 5, "method": "context.forget", "params": { "context": "old" } },
        { "jsonrpc": "2.0", "id": 6, "method": "state.get", "params": { "context": "old", "key": "k" } },
    ]);
    let answers = post(&node, &calls.to_string()).json();
    let of =
        |id: u64| answers.as_array().unwrap().iter().find(|it| it["id"] == id).unwrap().clone();
    assert_eq!(of(4)["result"]["entry"]["value"], 1, "{answers}");
    assert_eq!(of(6)["error"]["data"]["kind"], "notFound", "{answers}");
    assert!((1..=5).all(|id| of(id).get("error").is_none()), "{answers}");
}
