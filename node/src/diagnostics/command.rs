//! What can be asked, and what is answered.

use std::sync::Arc;

use mangrove_config::failpoint::{self, Spec};
use mangrove_network::{LinkView, Network, Overview, PeerView, Queue};
use serde_json::{Value, json};

use crate::directory::Directory;
use crate::inbox::Gauges;
use crate::warden::Standing;

/// What changes what is logged: takes a filter, or says why not.
pub type LogFilter = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

const HELP: &str = "\
queues [text]   what waits where, event by event
log FILTER      changes what is logged until the node is restarted
failpoint SPEC  makes something fail, in builds that can: key(,sub:X|,p:F|,once)*(=value)?
failpoints      what is made to fail, and how often it did
net             addresses, peers, and what waits in the network
contexts        the contexts of this node
actors          the actors of this node, and how they are
stop            stops the node
";

/// Everything that can be asked about.
pub(crate) struct Asked {
    pub(crate) gauges: Gauges,
    pub(crate) standing: Standing,
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    pub(crate) log: LogFilter,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What was asked for.
    Given(String),
    /// Why not, as JSON: `kind`, `message` and `hint`.
    Refused(String),
}

impl Answer {
    pub(super) fn refused(why: impl Into<String>, hint: &str) -> Self {
        let why: String = why.into();
        let refused = json!({ "kind": "invalidParams", "message": why, "hint": hint });
        Self::Refused(refused.to_string())
    }

    /// What was asked about does not answer.
    pub(super) fn busy() -> Self {
        let refused = json!({
            "kind": "busy",
            "message": "what was asked about does not answer",
            "hint": "try again; if that does not help, see the log",
        });
        Self::Refused(refused.to_string())
    }

    fn json(value: &Value) -> Self {
        Self::Given(value.to_string())
    }

    /// As it goes over the socket.
    pub(super) fn framed(&self) -> String {
        let (word, body) = match self {
            Self::Given(body) => ("OK", body),
            Self::Refused(body) => ("ERR", body),
        };
        format!("{word} {}\n{body}\n", body.len())
    }
}

impl Asked {
    /// Answers a line.
    pub(super) async fn answer(&self, line: &str) -> Answer {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("queues", "") => Answer::json(&self.gauges.dump().json()),
            ("queues", "text") => Answer::Given(self.gauges.dump().text()),
            ("log", filter) => self.log(filter),
            ("failpoint", spec) => set_failpoint(spec),
            ("failpoints", "") => Answer::json(&failpoints()),
            ("net", "") => self.net().await,
            ("contexts", "") => Answer::json(&self.contexts()),
            ("actors", "") => Answer::json(&self.actors()),
            ("stop", "") => {
                self.standing.stop();
                Answer::json(&json!({ "pid": std::process::id() }))
            }
            ("help", "") => Answer::Given(HELP.to_owned()),
            ("queues" | "failpoints" | "net" | "contexts" | "actors" | "stop" | "help", _) => {
                Answer::refused(format!("`{word}` takes no `{rest}`"), "ask for `help`")
            }
            _ => Answer::refused(format!("`{word}` is not known"), "ask for `help`"),
        }
    }

    fn log(&self, filter: &str) -> Answer {
        match (self.log)(filter) {
            Ok(()) => {
                tracing::info!(filter, "what is logged was changed");
                Answer::json(&json!({ "filter": filter }))
            }
            Err(why) => Answer::refused(why, "a level, or a list of target=level"),
        }
    }

    async fn net(&self) -> Answer {
        match self.network.overview().await {
            Some(overview) => Answer::json(&overview_json(&overview)),
            None => {
                let refused = json!({
                    "kind": "stopping",
                    "message": "the network has ended",
                    "hint": "the node is stopping",
                });
                Answer::Refused(refused.to_string())
            }
        }
    }

    fn contexts(&self) -> Value {
        let contexts = self.directory.all().into_iter().map(|entry| {
            let facts = entry.facts();
            let (context, name) = (entry.context().to_string(), facts.called());
            json!({ "context": context, "name": name.map(|name| &**name), "state": facts.state.name() })
        });
        json!({ "contexts": contexts.collect::<Vec<_>>() })
    }

    fn actors(&self) -> Value {
        let actors = self.standing.actors().into_iter();
        let actors = actors.map(|actor| {
            let (condition, why) = actor.condition.told();
            let name = &*actor.name;
            json!({ "actor": name, "condition": condition, "why": why, "restarts": actor.restarts })
        });
        json!({ "state": self.standing.phase().name(), "actors": actors.collect::<Vec<_>>() })
    }
}

fn set_failpoint(spec: &str) -> Answer {
    let set = spec.parse::<Spec>().and_then(|spec| failpoint::global().set(spec));
    match set {
        Ok(()) => {
            tracing::warn!(spec, "a failpoint was set");
            Answer::json(&failpoints())
        }
        Err(why) => Answer::refused(why.to_string(), "key(,sub:X|,p:F|,once)*(=value)?"),
    }
}

fn failpoints() -> Value {
    let set = failpoint::global().list().into_iter();
    let set = set.map(|(spec, fired)| json!({ "failpoint": spec.to_string(), "fired": fired }));
    json!({ "failpoints": set.collect::<Vec<_>>() })
}

fn overview_json(overview: &Overview) -> Value {
    let queue = |queue: &Queue| {
        json!({
            "queue": queue.name,
            "depth": queue.depth,
            "capacity": queue.capacity,
            "peak": queue.peak,
        })
    };
    json!({
        "addresses": overview.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "peers": overview.peers.iter().map(peer_json).collect::<Vec<_>>(),
        "queues": overview.queues.iter().map(queue).collect::<Vec<_>>(),
    })
}

fn peer_json(peer: &PeerView) -> Value {
    let connection = |link: &LinkView| {
        json!({
            "address": link.address.to_string(),
            "direction": link.direction.label(),
            "transport": link.transport.label(),
            "relayed": link.relayed,
            "rttMs": link.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
        })
    };
    let faults = peer.faults.iter();
    let faults =
        faults.map(|it| json!({ "what": it.what, "count": it.count, "lastAt": it.last_at_ms }));
    json!({
        "peer": peer.peer.to_string(),
        "connections": peer.connections.iter().map(connection).collect::<Vec<_>>(),
        "why": peer.why.iter().map(|why| why.label()).collect::<Vec<_>>(),
        "knownAddresses": peer.known_addresses,
        "failures": peer.failures,
        "dialled": peer.is_dialled,
        "refused": peer.refusal.map(|refusal| refusal.label()),
        "faults": faults.collect::<Vec<_>>(),
    })
}
