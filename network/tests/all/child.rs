//! A peer in a process of its own.

use std::process::Command;

use mangrove_lab::Process;
use mangrove_network::Multiaddr;
use mangrove_protocol::id::PeerId;
use serde_json::{Value, json};

use crate::node::{PATIENCE, keys};

pub(crate) struct Child {
    pub(crate) process: Process,
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
}

impl Child {
    /// A peer of the test profile that listens on loopback.
    pub(crate) fn start(number: u8) -> Self {
        Self::within(command(number, "test", "/ip4/127.0.0.1/tcp/0"), number)
    }

    /// A peer that is started by this command.
    pub(crate) fn within(command: Command, number: u8) -> Self {
        let process = Process::start(command, &format!("peer-{number}")).unwrap();
        let is_ready = |event: &Value| event["event"] == "ready" || event["event"] == "error";
        let ready = process.wait_for("it is ready", PATIENCE, is_ready).unwrap();
        let address = ready["addresses"][0].as_str().unwrap().parse().unwrap();
        Self { process, peer: keys(number).peer(), address }
    }

    pub(crate) fn tell(&self, order: &Value) {
        self.process.tell(order).unwrap();
    }

    /// Waits until it says that something happened.
    pub(crate) fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.process.wait_for(what, PATIENCE, is_it).unwrap()
    }

    /// How often it holds something against a peer.
    pub(crate) fn faults(&self, peer: PeerId) -> Value {
        self.tell(&json!({"do": "overview"}));
        let overview = self.until("the overview", |event| event["event"] == "overview");
        let peer = peer.to_string();
        let peers = overview["peers"].as_array().unwrap();
        let found = peers.iter().find(|it| it["peer"] == peer);
        found.map_or(Value::Null, |it| it["faults"].clone())
    }
}

/// What starts a peer.
pub(crate) fn command(number: u8, profile: &str, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove-network-child"));
    command.args([&number.to_string(), profile, listen]);
    command
}
