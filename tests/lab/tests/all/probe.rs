//! A process in a namespace that answers datagrams, and sends some.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use mangrove_lab::{Lab, Namespace, Process};
use serde_json::json;

const PYTHON: &str = "python3";
/// Whoever waits for so long waits for nothing.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// The group that probes can listen to.
pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 77, 3, 1);

/// A lab in which probes run; none where there cannot be one, and a line tells why.
#[expect(clippy::print_stderr, reason = "whoever runs a test has to see what it did not test")]
pub(crate) fn lab() -> Option<Lab> {
    if Command::new(PYTHON).arg("--version").output().is_err() {
        eprintln!("mangrove-lab: no probes: there is no `{PYTHON}` command");
        return None;
    }
    Lab::open()
}

/// A process in a namespace that answers datagrams, and sends some.
pub(crate) struct Probe {
    process: Process,
    port: OnceLock<u16>,
}

/// Datagrams to send.
#[derive(Clone, Copy)]
pub(crate) struct Pings {
    pub(crate) to: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) count: u32,
    /// How long to wait for an answer before the next is sent.
    pub(crate) interval_ms: f64,
    /// How long to wait for another answer when all are sent.
    pub(crate) patience_ms: u32,
}

/// What came back.
pub(crate) struct Answers {
    pub(crate) rtt_ms: Vec<f64>,
    /// Who answered.
    pub(crate) heard: Vec<Ipv4Addr>,
}

impl Probe {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        Self::with(namespace, &["0", ""])
    }

    /// Starts one that listens to the group too, at the port of another or at any, which is 0.
    pub(crate) fn in_group(namespace: &Namespace, port: u16) -> Self {
        Self::with(namespace, &[&port.to_string(), &GROUP.to_string()])
    }

    fn with(namespace: &Namespace, arguments: &[&str]) -> Self {
        let mut command = namespace.command(PYTHON);
        command.args(["-I", "-S", "-c", include_str!("probe.py")]).args(arguments);
        let process = Process::start(command, "probe").unwrap();
        Self { process, port: OnceLock::new() }
    }

    /// Where it answers; waits until it does.
    pub(crate) fn port(&self) -> u16 {
        *self.port.get_or_init(|| {
            let ready = self.process.wait_for("a port", LONG, |it| it.get("port").is_some());
            ready.unwrap()["port"].as_u64().unwrap().try_into().unwrap()
        })
    }

    pub(crate) fn ping(&self, pings: Pings) -> Answers {
        let Pings { to, port, count, interval_ms, patience_ms } = pings;
        let told = json!({
            "to": to, "port": port, "count": count,
            "interval_ms": interval_ms, "patience_ms": patience_ms,
        });
        self.process.tell(&told).unwrap();
        let told = self.process.wait_for("answers", LONG, |it| it.get("rtt_ms").is_some());
        let answers = told.unwrap();
        let list = |key: &str| answers[key].as_array().unwrap().iter();
        let rtt_ms = list("rtt_ms").map(|it| it.as_f64().unwrap()).collect();
        let heard = list("heard").map(|it| it.as_str().unwrap().parse().unwrap()).collect();
        Answers { rtt_ms, heard }
    }

    /// Whether `to` answers a datagram.
    pub(crate) fn reaches(&self, to: Ipv4Addr, port: u16, patience_ms: u32) -> bool {
        let pings = Pings { to, port, count: 1, interval_ms: 0.0, patience_ms };
        !self.ping(pings).rtt_ms.is_empty()
    }
}
