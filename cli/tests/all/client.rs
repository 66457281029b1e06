//! Commands that ask one node: contexts, state, tokens, and how the node is.

use std::fs;

use serde_json::{Value, json};

use crate::run::Place;
use crate::running::Running;

#[test]
fn contexts_are_founded_listed_shown_renamed_and_deleted() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    assert_eq!(node.text(&["context", "list"]), "there are no contexts\n");
    assert!(node.text(&["status"]).contains("no contexts"));
    let made = node.json(&["context", "create", "notes"]);
    let id = made["context"].as_str().unwrap();
    assert_eq!(made, json!({ "context": id }));
    let text = node.text(&["context", "create", "with a ticket", "--invite", "reader"]);
    let (first, ticket) = text.split_once('\n').unwrap();
    assert!(first.starts_with("founded with a ticket: ") && ticket.len() > 60, "{text}");

    let listed = node.json(&["context", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    for named in ["notes", id, id.get(..8).unwrap()] {
        let shown = node.json(&["context", "show", named]);
        assert_eq!((&shown["context"], &shown["name"]), (&id.into(), &"notes".into()), "{named}");
    }
    let text = node.text(&["context", "list"]);
    let row = text.lines().find(|line| line.starts_with("notes")).unwrap();
    assert!(
        text.starts_with("NAME") && row.contains(id.get(..10).unwrap()) && row.contains("owner"),
        "{text}"
    );
    let text = node.text(&["context", "show", "notes"]);
    assert!(text.contains(id) && text.contains("root"), "{text}");
    let text = node.text(&["status"]);
    assert!(text.contains("ready, for") && text.contains("notes"), "{text}");
    let status = node.json(&["status"]);
    assert_eq!((&status["contexts"], &status["state"]), (&2.into(), &"ready".into()));
    assert_eq!(status["peer"], node.ready["peer"]);

    assert_eq!(node.text(&["context", "rename", "notes", "letters"]), "notes is letters\n");
    assert_eq!(node.json(&["context", "rename", "letters", "papers"]), json!({}));
    assert_eq!(node.json(&["context", "rebuild", "papers"]), json!({}));
    let text = node.text(&["context", "forget", "papers", "--yes"]);
    assert_eq!(text, "deleted papers on this node\n");
    assert_eq!(node.refuses(&["context", "show", id]), (Some(4), "notFound".to_owned()));
}

#[test]
fn state_is_written_and_read() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let text = node.text(&["put", "c", "greeting", "hello"]);
    assert!(text.starts_with("put greeting: it has version "), "{text}");
    assert_eq!(node.text(&["get", "c", "greeting"]), "\"hello\"\n");
    let found = node.json(&["get", "c", "greeting"]);
    let fields = (&found["entry"]["key"], &found["entry"]["value"], &found["state"]);
    assert_eq!(fields, (&"greeting".into(), &"hello".into(), &"ready".into()));

    let values: [(&[&str], &str); 7] = [
        (&["-7"], "-7"),
        (&["1"], "1"),
        (&["1", "--string"], "\"1\""),
        (&["--string", "null"], "\"null\""),
        (&["{\"b\": [1, 2.50], \"a\": null}"], "{\"a\":null,\"b\":[1,2.5]}"),
        (&["{no json"], "\"{no json\""),
        (&[""], "\"\""),
    ];
    for (args, value) in values {
        let put = [&["put", "c", "v"], args].concat();
        let applied = node.json(&put);
        assert!(applied["versions"][0].is_string() && applied["delta"].is_string(), "{applied}");
        assert_eq!(node.text(&["get", "c", "v"]), format!("{value}\n"), "{args:?}");
    }

    node.text(&["increment", "c", "hits"]);
    node.text(&["increment", "c", "hits", "41"]);
    node.text(&["increment", "c", "hits", "-2"]);
    assert_eq!(node.text(&["get", "c", "hits", "--kind", "counter"]), "40\n");
    node.text(&["insert", "c", "tags", "b"]);
    node.text(&["insert", "c", "tags", "1"]);
    node.text(&["insert", "c", "tags", "1", "--string"]);
    node.text(&["remove", "c", "tags", "1"]);
    let tags = node.json(&["get", "c", "tags", "--kind", "set"]);
    assert_eq!(tags["entry"]["value"], json!(["1", "b"]));

    assert_eq!(node.text(&["scan", "c"]), "KEY       VALUE\ngreeting  \"hello\"\nv         \"\"\n");
    assert_eq!(node.text(&["scan", "c", "gr", "--keys"]), "greeting\n");
    assert_eq!(node.text(&["scan", "c", "--kind", "counter"]), "KEY   VALUE\nhits  40\n");
    assert_eq!(node.text(&["scan", "c", "nothing"]), "there is nothing\n");
    let keys = node.json(&["scan", "c", "--keys", "--limit", "1"]);
    assert_eq!(
        (&keys["entries"][0]["key"], &keys["next"]),
        (&"greeting".into(), &"greeting".into())
    );

    assert_eq!(node.run(&["delete", "c", "greeting", "--quiet"]).succeeded().stdout, "");
    assert_eq!(node.refuses(&["get", "c", "greeting"]), (Some(4), "notFound".to_owned()));
    node.text(&["delete", "c", "hits", "--kind", "counter"]);
    assert_eq!(node.run(&["get", "c", "hits", "--kind", "counter"]).code, Some(4));
}

#[test]
fn a_scan_goes_on_over_pages_and_says_when_there_is_more() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let ops = (0..1_200).map(|at| {
        let op = json!({ "op": "put", "key": format!("k{at:04}"), "value": at });
        format!("{op}\n")
    });
    place.write("ops", ops.collect::<String>());
    assert_eq!(node.text(&["apply", "c", "ops"]), "applied 1,200 operations in 2 batches\n");
    let found = node.json(&["scan", "c", "--limit", "1100"]);
    let entries = found["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &found["next"]), (1_100, &"k1099".into()));
    let sorted = entries.iter().enumerate().all(|(at, entry)| entry["value"] == at);
    assert!(sorted, "{found}");
    let all = node.json(&["scan", "c", "--limit", "5000", "--keys"]);
    assert_eq!((all["entries"].as_array().unwrap().len(), &all["next"]), (1_200, &Value::Null));
    let run = node.run(&["scan", "c"]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 101));
    assert_eq!(run.stderr, "there are more than 100: see them with --limit N\n");
    assert_eq!(node.run(&["scan", "c", "--quiet"]).succeeded().stdout.lines().count(), 101);
}

#[test]
fn tokens_are_made_listed_and_revoked_and_suffice_for_what_they_are_for() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "one"]);
    node.text(&["context", "create", "two"]);
    assert_eq!(node.text(&["token", "list"]), "no tokens were made\n");
    let token = node.text(&["token", "create", "--context", "one", "--access", "write"]);
    assert!(token.starts_with("mgt_") && token.lines().count() == 1, "{token}");
    place.write("T", &token);
    let made = node.json(&["token", "create", "--expires", "12h"]);
    let listed = node.json(&["token", "list"]);
    let mine = listed.as_array().unwrap().iter().find(|it| it["access"] == "write").unwrap();
    let id = mine["id"].as_str().unwrap();
    assert!(!listed.to_string().contains(token.trim()), "{listed}");
    let other = listed.as_array().unwrap().iter().find(|it| it["id"] == made["id"]).unwrap();
    assert!(other["expiresAt"].is_u64() && other["access"] == "read", "{other}");
    let text = node.text(&["token", "list"]);
    assert!(text.starts_with("TOKEN") && text.contains(id), "{text}");

    let with = |args: &[&str]| node.run(&[args, &["--token-file", "T", "--json"]].concat());
    with(&["put", "one", "k", "v"]).succeeded();
    for args in [&["put", "two", "k", "v"][..], &["token", "list"], &["invite", "one"]] {
        let run = with(args);
        assert_eq!((run.code, run.error_kind().as_str()), (Some(5), "forbidden"), "{args:?}");
    }
    assert_eq!(node.text(&["token", "revoke", id]), format!("revoked {id}\n"));
    let run = with(&["get", "one", "k"]);
    assert_eq!((run.code, run.error_kind().as_str()), (Some(5), "unauthorized"));
    let hint = run.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("--token-file"), "{hint}");
    assert_eq!(node.refuses(&["token", "revoke", id]), (Some(4), "notFound".to_owned()));
}

#[test]
fn a_node_can_be_named_by_where_its_api_is() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    fs::copy(place.path("X/api.token"), place.path("T")).unwrap();
    let address = node.api().strip_prefix("http://").unwrap().to_owned();
    for api in [node.api(), &format!("{}/", node.api()), &address] {
        let args = ["--api", api, "--token-file", "T", "status", "--json", "--home", "none"];
        assert_eq!(place.run(&args).succeeded().json()["peer"], node.ready["peer"], "{api}");
    }
    let run = place.run(&["status", "--api", node.api(), "--home", "none"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--token-file F"), "{}", run.stderr);
    let run = place.run(&["status", "--api", "ftp://x", "--token-file", "T"]);
    assert_eq!(run.code, Some(2));
    let run = place.run(&["limits", "--api", node.api(), "--token-file", "T"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("asks no node"), "{}", run.stderr);
    // Nobody listens at port 1.
    let run = place.run(&["status", "--api", "127.0.0.1:1", "--token-file", "T", "--json"]);
    assert_eq!((run.code, run.error_kind().as_str()), (Some(3), "unreachable"));
    let stop = ["stop", "--api", node.api(), "--token-file", "T", "--home", "none"];
    assert_eq!(place.run(&stop).succeeded().stdout, "stopping\n");
    assert_eq!(node.end().0, Some(0));
}

#[test]
fn histories_are_told_and_drawn() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let last = node.json(&["put", "c", "a", "1"])["delta"].clone();
    let found = node.json(&["history", "c"]);
    let deltas = found["deltas"].as_array().unwrap();
    assert_eq!((&deltas[0]["delta"], &deltas[0]["local"]), (&last, &true.into()));
    assert_eq!(found["next"], Value::Null);
    let one = node.json(&["history", "c", "--limit", "1"]);
    assert!(one["deltas"].as_array().unwrap().len() == 1 && one["next"].is_string(), "{one}");
    let text = node.text(&["history", "c"]);
    assert!(text.starts_with("DELTA") && text.contains("governance"), "{text}");
    assert_eq!(text.lines().count(), deltas.len() + 1);
    let drawn = node.text(&["history", "c", "--graph"]);
    assert_eq!(drawn.lines().filter(|line| line.contains('*')).count(), deltas.len(), "{drawn}");
}
