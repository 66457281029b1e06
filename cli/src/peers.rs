//! `mangrove peers`, `connect`, `ban` and `unban`: who is connected, and who may be.

use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::Failure;
use crate::field;
use crate::human::{Cell, Column, Table, printable};
use crate::paint::{Look, Tone};
use crate::present::Report;
use crate::session::Session;

/// Connect to a peer
///
/// Contexts that both have are compared at once.
#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// Where it is, such as /ip4/192.0.2.7/tcp/2771, with or without /p2p/PEER
    #[arg(value_name = "MULTIADDR")]
    address: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PeerArgs {
    /// The peer's id, such as 12D3KooW…
    peer: String,
}

pub(crate) fn list(session: &Session) -> Result<Report, Failure> {
    let found = Client::open(session)?.call("node.peers", &json!({}))?;
    Ok(Report::answer(table(field::items(&found), session.look), found))
}

pub(crate) fn connect(args: &ConnectArgs, session: &Session) -> Result<Report, Failure> {
    let done = Client::open(session)?.call("node.connect", &json!({ "address": args.address }))?;
    let text = format!("connected to {}\n", printable(field::text(&done, "peer")));
    Ok(Report::note(text, done))
}

pub(crate) fn ban(args: &PeerArgs, session: &Session) -> Result<Report, Failure> {
    let done = Client::open(session)?.call("node.ban", &json!({ "peer": args.peer }))?;
    Ok(Report::note(format!("{} is turned away from now on\n", printable(&args.peer)), done))
}

pub(crate) fn unban(args: &PeerArgs, session: &Session) -> Result<Report, Failure> {
    let done = Client::open(session)?.call("node.unban", &json!({ "peer": args.peer }))?;
    Ok(Report::note(format!("{} is let in again\n", printable(&args.peer)), done))
}

fn table(peers: &[Value], look: Look) -> String {
    if peers.is_empty() {
        return "no peers are connected\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("PEER"),
        Column::words("WAY"),
        Column::numbers("RTT"),
        Column::numbers("CONTEXTS"),
        Column::words("FAULTS"),
        Column::long("ADDRESS"),
    ]);
    for peer in peers {
        let faults = faults(peer);
        let tone = if faults == "-" { Tone::Plain } else { Tone::Warn };
        table.row([
            field::text(peer, "peer").into(),
            way(peer).into(),
            rtt(peer).into(),
            field::number(peer, "contexts").into(),
            Cell::toned(tone, faults),
            field::text(peer, "address").into(),
        ]);
    }
    table.text(look)
}

/// How the connection was made: `tcp in`, `quic out, relayed`.
fn way(peer: &Value) -> String {
    let (transport, direction) = (field::text(peer, "transport"), field::text(peer, "direction"));
    let relayed = if field::says(peer, "relayed") { ", relayed" } else { "" };
    format!("{transport} {direction}{relayed}")
}

fn rtt(peer: &Value) -> String {
    let ms = peer.get("rttMs").and_then(Value::as_f64);
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"))
}

fn faults(peer: &Value) -> String {
    let fault =
        |fault: &Value| format!("{} {}", field::number(fault, "count"), field::text(fault, "what"));
    let all = field::list(peer, "faults").iter().map(fault).collect::<Vec<_>>();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn peers_stand_with_how_they_came_and_what_they_did() {
        let look = Look { paint: Paint::Off, columns: None };
        let peers = [
            json!({
                "peer": "p1", "address": "/ip4/1.2.3.4/tcp/1", "direction": "in",
                "transport": "tcp", "relayed": false, "rttMs": 1.26, "contexts": 2, "faults": [],
            }),
            json!({
                "peer": "p2", "address": "/a", "direction": "out", "transport": "quic",
                "relayed": true, "rttMs": null, "contexts": 0,
                "faults": [{ "what": "bad delta", "count": 3, "lastAt": 1 }],
            }),
        ];
        let expect = "\
PEER  WAY                   RTT  CONTEXTS  FAULTS       ADDRESS
p1    tcp in             1.3 ms         2  -            /ip4/1.2.3.4/tcp/1
p2    quic out, relayed       -         0  3 bad delta  /a
";
        assert_eq!(table(&peers, look), expect);
        assert_eq!(table(&[], look), "no peers are connected\n");
    }
}
