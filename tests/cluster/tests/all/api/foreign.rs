//! Clients that somebody else has written ask a node, unmodified.

use std::process::Command;

use mangrove_cluster::{Node, Plan};
use mangrove_lab::Foreign;

use crate::place;

/// The clients of one language: each is answered, and says so by its name.
fn ask(make: fn(&Foreign) -> Command, names: &[&str]) {
    let found = Foreign::find().unwrap();
    let is_ci = std::env::var_os("CI").is_some();
    assert!(found.is_some() || !is_ci, "in CI the foreign clients have to be there");
    let Some(foreign) = found else { return };
    let node = Node::start(&place(), Plan::new("node"));
    let context = node.rpc().create("shared").unwrap();
    let output = make(foreign).args([node.api(), &node.token(), &context]).output().unwrap();
    let [said, why] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success(), "{said}{why}");
    assert_eq!(said.lines().collect::<Vec<_>>(), names);
}

#[test]
fn clients_from_npm_are_answered() {
    ask(Foreign::js_client, &["jsonRpc2", "jayson", "ws", "rpcWebsockets", "openRpc"]);
}

#[test]
fn clients_from_pypi_are_answered() {
    let by = ["jsonrpcclient", "pjrpc", "websockets", "websocket_client", "prometheus"];
    let names = by.map(|name| format!("by_{name}"));
    ask(Foreign::py_client, &names.each_ref().map(String::as_str));
}
