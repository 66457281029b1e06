//! Commands by which two nodes come to share a context.

use serde_json::Value;

use crate::run::Place;
use crate::running::{Running, eventually};

#[test]
fn a_node_is_invited_joins_writes_and_is_removed() {
    let places = [Place::new(), Place::new()];
    let [one, two] = [0, 1].map(|at| Running::start(&places[at], &[]));
    one.text(&["context", "create", "notes"]);
    one.text(&["put", "notes", "a", "1"]);
    let ticket = one.text(&["invite", "notes", "--expires", "1h", "--uses", "2"]);
    let listed = one.json(&["invite", "list", "notes"]);
    assert_eq!((&listed[0]["uses"], &listed[0]["role"]), (&2.into(), &"writer".into()));
    assert!(one.text(&["invite", "list", "notes"]).contains("0 of 2"));

    let joined = two.json(&["join", ticket.trim(), "--name", "local", "--wait"]);
    assert_eq!((&joined["role"], &joined["synced"]), (&"writer".into(), &true.into()), "{joined}");
    assert_eq!(two.text(&["get", "local", "a"]), "1\n");
    two.text(&["put", "local", "b", "2"]);
    eventually("what was written there is here", || {
        one.run(&["get", "notes", "b"]).stdout == "2\n"
    });

    let [first, second] = [&one, &two].map(|node| node.ready["peer"].as_str().unwrap().to_owned());
    let members = one.json(&["member", "list", "notes"]);
    assert_eq!(members.as_array().unwrap().len(), 2);
    let text = one.text(&["member", "list", "notes"]);
    assert!(
        text.contains(&first) && text.contains(&second) && text.contains("this node"),
        "{text}"
    );
    let peers = one.json(&["peers"]);
    assert_eq!(peers[0]["peer"], second.as_str());
    assert!(one.text(&["peers"]).contains(&second));
    eventually("both say that they are equal", || {
        let is_equal = |node: &Running<'_>, name: &str| {
            let info = node.json(&["context", "show", name]);
            info.pointer("/sync/state").and_then(Value::as_str) == Some("converged")
        };
        is_equal(&one, "notes") && is_equal(&two, "local")
    });

    let text = one.text(&["member", "role", "notes", &second, "reader"]);
    assert!(text.starts_with(&format!("{second} is reader from now on\n")), "{text}");
    eventually("whoever reads alone cannot write", || {
        two.run(&["put", "local", "c", "3"]).code == Some(5)
    });
    let removed = one.json(&["member", "remove", "notes", &second, "--yes"]);
    assert!(removed["delta"].is_string() && removed["falls"].is_array(), "{removed}");
    let again = one.refuses(&["member", "remove", "notes", &second, "--yes"]);
    assert_eq!(again, (Some(4), "notFound".to_owned()));

    // Nobody comes in again by what one who was removed may know of.
    assert_eq!(one.text(&["invite", "list", "notes"]), "no invites are open\n");
    one.text(&["invite", "notes"]);
    let listed = one.json(&["invite", "list", "notes"]);
    let invite = listed[0]["invite"].as_str().unwrap();
    assert_eq!(one.text(&["invite", "close", "notes", invite]), format!("closed {invite}\n"));
    assert_eq!(one.text(&["invite", "list", "notes"]), "no invites are open\n");
}

#[test]
fn a_node_leaves_and_keeps_what_it_has() {
    let places = [Place::new(), Place::new()];
    let [one, two] = [0, 1].map(|at| Running::start(&places[at], &[]));
    one.text(&["context", "create", "notes"]);
    one.text(&["put", "notes", "a", "1"]);
    let ticket = one.text(&["invite", "notes"]);
    two.text(&["join", ticket.trim(), "--wait"]);
    assert!(two.text(&["context", "leave", "notes", "--yes"]).starts_with("left notes"));
    eventually("it is left", || two.json(&["context", "show", "notes"])["state"] == "left");
    assert_eq!(two.text(&["get", "notes", "a"]), "1\n");
    assert_ne!(two.run(&["put", "notes", "a", "2"]).code, Some(0));
    two.text(&["context", "forget", "notes", "--yes"]);
    assert_eq!(two.text(&["context", "list"]), "there are no contexts\n");
}

#[test]
fn peers_are_connected_to_and_turned_away() {
    let places = [Place::new(), Place::new()];
    let [one, two] = [0, 1].map(|at| Running::start(&places[at], &[]));
    assert_eq!(one.text(&["peers"]), "no peers are connected\n");
    let address = two.ready["addresses"][0].as_str().unwrap();
    let peer = two.ready["peer"].as_str().unwrap();
    assert_eq!(one.json(&["connect", address])["peer"], peer);
    assert!(one.text(&["peers"]).contains(peer));
    assert_eq!(one.text(&["ban", peer]), format!("{peer} is turned away from now on\n"));
    eventually("it is gone", || one.json(&["peers"]).as_array().is_some_and(Vec::is_empty));
    assert_eq!(one.text(&["unban", peer]), format!("{peer} is let in again\n"));
    let nowhere = ["connect", "/ip4/127.0.0.1/tcp/1"];
    assert_eq!(one.refuses(&nowhere), (Some(3), "unreachable".to_owned()));
}
