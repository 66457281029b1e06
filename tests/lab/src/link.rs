//! A link between two namespaces that delays and loses, as the world's links do.

use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;
use serde_json::{Value, json};

use crate::subnet::Subnet;
use crate::{Namespace, Process, tool};

/// What [`crate::Lab::emulate`] needs beyond what a lab needs.
pub(crate) const NEEDED: &str = "python3 and /dev/net/tun";

const SCRIPT: &str = include_str!("../link.py");
const PYTHON: &str = "python3";
const TUN: &str = "/dev/net/tun";
/// An answer takes milliseconds, except on a machine that is busy with everything else.
const ANSWER: Duration = Duration::from_secs(20);

/// What a link does to every packet, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// How long a packet is on its way.
    pub delay: Duration,
    /// How much longer or shorter than that it may take. Packets never overtake each other, so on a
    /// busy link most take about as long as the slowest.
    pub jitter: Duration,
    /// The share of packets that are lost, from 0 to 1.
    pub loss: f64,
    /// How much it carries in a second, if not as much as it can. What would have to queue up for
    /// more than a quarter of a second is dropped.
    pub rate_kib: Option<u32>,
    /// What decides which packets are lost.
    pub seed: u64,
}

/// What has become of the packets of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// From the first namespace to the second.
    pub there: Flow,
    /// From the second namespace to the first.
    pub back: Flow,
}

/// What has become of the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that were delivered; those that are neither this nor one of the next are on their way.
    pub delivered: u64,
    /// Packets that were lost by chance.
    pub lost: u64,
    /// Packets that had to go because too many were on their way.
    pub dropped: u64,
    /// Bytes that were delivered.
    pub bytes: u64,
}

/// A link between two namespaces that delays and loses. It ends when it is dropped.
///
/// A process carries its packets, which have up to 1,500 bytes, and keeps their order.
#[derive(Debug)]
pub struct Link {
    carrier: Process,
    subnet: Subnet,
}

/// What keeps links from working here, if anything does.
pub(crate) fn missing() -> Option<String> {
    if !Utf8Path::new(TUN).exists() {
        return Some(format!("there is no {TUN}"));
    }
    tool::find(PYTHON, "--version").err()
}

impl Link {
    pub(crate) fn new(
        subnet: Subnet,
        a: &Namespace,
        b: &Namespace,
        conditions: Conditions,
    ) -> io::Result<Self> {
        if let Some(why) = missing() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let interface = subnet.interface('l');
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-S", "-c", SCRIPT, a.name(), b.name(), &interface]);
        let link = Self { carrier: Process::start(command, "link")?, subnet };
        link.answer("ready")?;
        link.set(conditions)?;
        link.subnet.join(a, &interface)?;
        link.subnet.join(b, &interface)?;
        Ok(link)
    }

    /// Changes what it does from now on, also to the order of chances, which starts anew.
    ///
    /// Packets that are on their way arrive as they would have.
    pub fn set(&self, conditions: Conditions) -> io::Result<()> {
        let Conditions { delay, jitter, loss, rate_kib, seed } = conditions;
        self.carrier.tell(&json!({
            "do": "set",
            "delay_ms": delay.as_secs_f64() * 1e3,
            "jitter_ms": jitter.as_secs_f64() * 1e3,
            "loss": loss,
            "rate_kib": rate_kib,
            "seed": seed,
        }))?;
        self.answer("set").map(|_| ())
    }

    /// The address that `namespace` has on it, if it is one of its ends.
    pub fn address_of(&self, namespace: &Namespace) -> Option<Ipv4Addr> {
        self.subnet.address_of(namespace)
    }

    /// Takes the address of `namespace` away and gives it another, which is returned.
    pub fn change_address(&self, namespace: &Namespace) -> io::Result<Ipv4Addr> {
        self.subnet.change_address(namespace)
    }

    /// What has become of the packets so far.
    pub fn counters(&self) -> io::Result<Counters> {
        self.carrier.tell(&json!({ "do": "count" }))?;
        let counted = self.answer("counted")?;
        Ok(Counters { there: flow(counted.get("there")), back: flow(counted.get("back")) })
    }

    /// Waits for an answer; returns what stands at `key` of it.
    fn answer(&self, key: &str) -> io::Result<Value> {
        let answered = self.carrier.wait_for(key, ANSWER, |event| event.get(key).is_some());
        let take = |mut event: Value| event.get_mut(key).map(Value::take).unwrap_or_default();
        answered.map(take).map_err(io::Error::other)
    }
}

fn flow(counted: Option<&Value>) -> Flow {
    let find = |key: &str| counted?.get(key)?.as_u64();
    let number = |key| find(key).unwrap_or_default();
    Flow {
        sent: number("sent"),
        delivered: number("delivered"),
        lost: number("lost"),
        dropped: number("dropped"),
        bytes: number("bytes"),
    }
}
