//! Nodes that meet: peers, those who come into a context, and those who keep it for others.

use mangrove_lab::Process;
use serde_json::Value;

use super::book::Book;
use super::book::Form::{Both, Json, Text};
use crate::run::Place;
use crate::running::{Running, SOON, eventually};

/// Another node, in the home `Y` of a place.
struct Another {
    /// It runs for as long as this is kept.
    _process: Process,
    peer: String,
    address: String,
}

impl Another {
    fn start(place: &Place, args: &[&str]) -> Self {
        let mut command = place.command();
        command.args(["run", "--home", "Y", "--json", "--no-mdns", "--api", "127.0.0.1:0"]);
        command.args(["--listen", "/ip4/127.0.0.1/tcp/0"]).args(args);
        let process = Process::start(command, "another").unwrap();
        let is_ready = |it: &Value| it.get("event").and_then(Value::as_str) == Some("ready");
        let ready = process.wait_for("that it is ready", SOON, is_ready).unwrap();
        let text = |at: &str| ready.pointer(at).and_then(Value::as_str).unwrap().to_owned();
        Self { peer: text("/peer"), address: text("/addresses/0"), _process: process }
    }
}

#[test]
fn what_is_said_of_peers_and_members_is_what_is_kept() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let another = Another::start(&place, &[]);
    let mut book = Book::new(&place);
    book.call("address", &another.address);
    book.call("peer", &another.peer);
    book.rows(&[
        (Text, "peers"),
        (Both, "connect {address}"),
        (Both, "connect /ip4/127.0.0.1/tcp/1"),
        (Both, "connect here"),
    ]);
    eventually("it is known how far it is", || {
        node.json(&["peers"]).pointer("/0/rttMs").is_some_and(Value::is_number)
    });
    book.rows(&[(Both, "peers"), (Both, "peers --home nowhere")]);
    for (context, ticket) in [("garden", "ticket"), ("shed", "other"), ("attic", "unused")] {
        node.text(&["context", "create", context]);
        book.call(ticket, node.text(&["invite", context]).trim());
    }
    book.rows(&[
        (Json, "join {ticket} --name plot --wait --home Y"),
        (Text, "join {other} --wait --home Y"),
        (Both, "join nonsense --home Y"),
    ]);
    eventually("there is nothing to exchange", || {
        let run = node.run(&["context", "sync", "garden", "--json"]);
        let number = |name: &str| run.json().get(name).and_then(Value::as_u64);
        run.code == Some(0) && (number("received"), number("sent")) == (Some(0), Some(0))
    });
    book.rows(&[
        (Both, "context sync garden"),
        (Both, "context sync attic"),
        (Both, "context sync nothing"),
        (Text, "member role garden {peer} reader"),
        (Json, "member role garden {peer} writer"),
        (Both, "member role garden {peer} king"),
        (Both, "member role garden me reader"),
        (Both, "member remove garden {peer}"),
        (Text, "member remove garden {peer} --yes"),
        (Json, "member remove shed {peer} --yes"),
        (Both, "member remove garden {peer} --yes"),
    ]);
    book.check();
}

#[test]
fn what_is_said_of_replicas_is_what_is_kept() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let owner = node.ready.get("peer").and_then(Value::as_str).unwrap();
    let allow = format!("replica.allow=[\"{owner}\"]");
    let keeper = Another::start(&place, &["--mode", "replica", "--set", &allow]);
    node.text(&["connect", &keeper.address]);
    for context in ["garden", "shed"] {
        node.text(&["context", "create", context]);
    }
    let mut book = Book::new(&place);
    book.call("replica", &keeper.peer);
    book.rows(&[
        (Text, "context enlist garden"),
        (Json, "context enlist shed"),
        (Both, "context enlist nothing"),
        (Both, "context enlist garden 0"),
        (Text, "context delist garden {replica}"),
        (Json, "context delist shed {replica}"),
        (Both, "context delist garden {replica}"),
        (Both, "context delist garden me"),
    ]);
    book.check();
}
