//! What the running node says of itself.

use serde_json::{Value, json};

use super::Finding;
use crate::client::Client;
use crate::context::story;
use crate::exit::Kind;
use crate::field;
use crate::human::{now_ms, printable, short};
use crate::session::Session;

/// Deltas that wait for longer than this are no passing matter.
const PATIENCE_MS: u64 = 30_000;

pub(super) fn look(session: &Session) -> Vec<Finding> {
    let client = match Client::open(session) {
        Ok(client) => client,
        // A home may well lie there without its node.
        Err(failure) if failure.kind() == Kind::NotReachable => {
            let finding = Finding::warn("node", failure.message());
            return vec![match failure.advice() {
                Some(hint) => finding.hint(hint),
                None => finding,
            }];
        }
        Err(failure) => return vec![Finding::failed("node", &failure)],
    };
    let status = match client.call("node.status", &json!({})) {
        Ok(status) => status,
        Err(failure) => return vec![Finding::failed("api", &failure)],
    };
    let what = format!("the node answers at {}", client.url());
    let mut findings = vec![Finding::ok("api", what)];
    findings.push(readiness(&client));
    findings.push(addresses(&status));
    match client.call("context.list", &json!({})) {
        Ok(contexts) => {
            let contexts = field::items(&contexts);
            findings.push(peers(&status, contexts));
            findings.extend(contexts.iter().map(|context| of_context(context, now_ms())));
        }
        Err(failure) => findings.push(Finding::failed("contexts", &failure)),
    }
    findings
}

fn readiness(client: &Client) -> Finding {
    match client.get("/ready") {
        Ok((200, _)) => Finding::ok("ready", "the node can be used"),
        Ok((503, told)) => {
            let reasons = field::list(&told, "reasons").iter().filter_map(Value::as_str);
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            Finding::bad("ready", format!("the node cannot be used: {reasons}"))
                .hint("see its log, and `mangrove diag actors`")
        }
        Ok((status, _)) => {
            Finding::warn("ready", format!("whether it is ready is answered with HTTP {status}"))
        }
        Err(failure) => Finding::failed("ready", &failure),
    }
}

fn addresses(status: &Value) -> Finding {
    let all = field::list(status, "addresses").iter().filter_map(Value::as_str);
    let (near, far): (Vec<_>, Vec<_>) = all.partition(|address| is_near(address));
    match (near.as_slice(), far.as_slice()) {
        ([], []) => Finding::bad("addresses", "peers can reach the node nowhere")
            .hint("see `mangrove config show`: network.listen"),
        (_, []) => Finding::warn("addresses", "only nodes on this machine can reach this one")
            .hint("see `mangrove config show`: network.listen"),
        (_, far) => Finding::ok("addresses", format!("peers can reach it at {}", far.join(", "))),
    }
}

fn is_near(address: &str) -> bool {
    address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/")
}

fn peers(status: &Value, contexts: &[Value]) -> Finding {
    let connected = field::number(status, "peers");
    let shared = contexts.iter().filter(|context| field::number(context, "members") > 1).count();
    match (connected, shared) {
        (0, 0) => Finding::ok("peers", "no peer is connected, and no context is shared"),
        (0, shared) => {
            let what = format!("no peer is connected, and {shared} contexts are shared");
            Finding::warn("peers", what)
                .hint("do the others run? Reach one: mangrove connect MULTIADDR")
        }
        (connected, _) => Finding::ok("peers", format!("{connected} peers are connected")),
    }
}

fn of_context(context: &Value, now_ms: u64) -> Finding {
    let id = field::text(context, "context");
    let name = match field::text(context, "name") {
        "" => short(id).to_owned(),
        name => printable(name),
    };
    let sync = context.get("sync").map_or("", |sync| field::text(sync, "state"));
    let told = story(context, now_ms).join("; ");
    let what = |words: &str| match told.as_str() {
        "" => format!("{name} {words}"),
        told => format!("{name} {words}: {told}"),
    };
    let show = format!("see `mangrove context show {}`", short(id));
    match (field::text(context, "state"), sync) {
        ("quarantined", _) => Finding::bad("context", what("is out of use"))
            .hint(format!("make it anew: mangrove context rebuild {}", short(id))),
        _ if waits_long(context) => {
            Finding::warn("context", what("has deltas that wait")).hint(waiting_hint(context, show))
        }
        ("ready", "converged") => Finding::ok("context", what("is equal everywhere")),
        ("ready", "offline") if field::number(context, "members") <= 1 => {
            Finding::ok("context", what("is here alone"))
        }
        ("ready", "offline") => Finding::warn("context", what("can be compared with nobody"))
            .hint("do the others run, and can they be reached?"),
        ("left", _) => Finding::ok("context", what("was left, and can be read")),
        ("ready", _) => Finding::warn("context", what("is not equal everywhere yet")).hint(show),
        (_, _) => Finding::warn("context", what("is not ready yet")).hint(show),
    }
}

fn waits_long(context: &Value) -> bool {
    let mut parked = field::list(context, "parked").iter();
    parked.any(|parked| field::number(parked, "oldestAgeMs") > PATIENCE_MS)
}

fn waiting_hint(context: &Value, show: String) -> String {
    let parked = field::list(context, "parked").iter();
    let mut reasons = parked.map(|parked| field::text(parked, "reason"));
    match reasons.find(|reason| matches!(*reason, "clock" | "version")) {
        Some("clock") => {
            "compare the clocks of the machines, and keep them right: NTP does".to_owned()
        }
        Some(_) => "use the newer program, as the others do".to_owned(),
        None => show,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn check(context: &Value, level: Level, words: &str) {
        let found = of_context(context, 0);
        assert_eq!(found.level, level, "{found:?}");
        assert!(found.what.contains(words), "{found:?}");
        assert_eq!(found.hint.is_some(), level != Level::Ok, "{found:?}");
    }

    #[test]
    fn contexts_are_well_when_they_are_equal_or_alone() {
        let context = |state: &str, sync: &str, members: u64| {
            json!({ "context": "abcdefghijkl", "name": "notes", "state": state, "members": members,
                    "parked": [], "sync": { "state": sync, "peers": [] } })
        };
        check(&context("ready", "converged", 2), Level::Ok, "notes is equal everywhere");
        check(&context("ready", "offline", 1), Level::Ok, "alone");
        check(&context("ready", "offline", 2), Level::Warn, "nobody");
        check(&context("ready", "behind", 2), Level::Warn, "not equal");
        check(&context("joining", "unknown", 2), Level::Warn, "not ready yet: it is joining");
        check(&context("left", "offline", 2), Level::Ok, "was left");
        check(&context("quarantined", "offline", 2), Level::Bad, "out of use");
    }

    #[test]
    fn what_waits_for_long_is_told_with_what_it_waits_for() {
        let context = |reason: &str, age_ms: u64| {
            json!({ "context": "abcdefghijkl", "state": "ready", "members": 2,
                    "sync": { "state": "converged", "peers": [] },
                    "parked": [{ "reason": reason, "count": 1, "oldestAgeMs": age_ms }] })
        };
        check(&context("parent", 1_000), Level::Ok, "abcdefghij is equal everywhere");
        check(&context("parent", 60_000), Level::Warn, "wait");
        let hint = |reason| of_context(&context(reason, 60_000), 0).hint.unwrap_or_default();
        assert!(hint("clock").contains("clocks") && hint("version").contains("newer"));
    }

    #[test]
    fn a_node_that_nobody_reaches_is_told() {
        let level = |all: &[&str]| addresses(&json!({ "addresses": all })).level;
        assert_eq!(level(&[]), Level::Bad);
        assert_eq!(level(&["/ip4/127.0.0.1/tcp/1"]), Level::Warn);
        assert_eq!(level(&["/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1"]), Level::Ok);
        let level = |connected: u64, members: u64| {
            peers(&json!({ "peers": connected }), &[json!({ "members": members })]).level
        };
        assert_eq!((level(0, 1), level(0, 2), level(3, 2)), (Level::Ok, Level::Warn, Level::Ok));
    }
}
