//! `mangrove diag`: asks the running node how it is.

use clap::Subcommand;
use serde_json::Value;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::human::printable;
use crate::present::{Report, aligned};
use crate::running::diagnose;
use crate::session::Session;

/// Ask the running node how it is, by a socket in its home
///
/// This works also while the node is too busy to serve its API.
#[derive(Debug, clap::Args)]
pub(crate) struct DiagArgs {
    #[command(subcommand)]
    command: DiagCommand,
}

#[derive(Debug, Subcommand)]
enum DiagCommand {
    /// Show what waits where: lane by lane, and with -v event by event
    Queues,
    /// Change what is logged, until the node is restarted
    Log {
        /// A level, or a list of target=level between commas
        filter: String,
    },
    /// Make something fail on purpose, in builds made for that
    ///
    /// key(,sub:X|,p:F|,once)*(=value)?  Without a value the failpoint is cleared.
    Failpoint {
        /// What fails, when, and how
        spec: String,
    },
    /// Show addresses, peers, and what waits in the network
    Net,
    /// Show the contexts of this node
    Contexts,
    /// Show the actors of this node, and how they are
    Actors,
}

pub(crate) fn run(args: &DiagArgs, session: &Session) -> Result<Report, Failure> {
    let ask = |line: &str| -> Result<Value, Failure> {
        let text = diagnose(session, line)?;
        serde_json::from_str(&text).map_err(|why| {
            Failure::new(Kind::Internal, "the node's answer cannot be read").because(why)
        })
    };
    match &args.command {
        DiagCommand::Queues => {
            let json = ask("queues")?;
            Ok(Report::answer(queues(&json, session.verbose > 0), json))
        }
        DiagCommand::Log { filter } => {
            let json = ask(&format!("log {filter}"))?;
            Ok(Report::note(format!("logs {filter}, until the node is restarted\n"), json))
        }
        DiagCommand::Failpoint { spec } => {
            let json = ask(&format!("failpoint {spec}"))?;
            Ok(Report::note(table(&json, "failpoints", &["failpoint", "fired"]), json))
        }
        DiagCommand::Net => {
            let json = ask("net")?;
            Ok(Report::answer(net(&json), json))
        }
        DiagCommand::Contexts => {
            let json = ask("contexts")?;
            Ok(Report::answer(table(&json, "contexts", &["context", "state", "name"]), json))
        }
        DiagCommand::Actors => {
            let json = ask("actors")?;
            let columns = ["actor", "condition", "restarts", "why"];
            Ok(Report::answer(table(&json, "actors", &columns), json))
        }
    }
}

/// Lanes that were ever used, and if asked for what waits in them.
fn queues(json: &Value, with_events: bool) -> String {
    let columns = ["queue", "lane", "depth", "capacity", "peak", "dropped", "oldestAgeMs"];
    let used = |row: &&Value| row.get("peak").and_then(Value::as_u64) > Some(0);
    let used = rows(json, "queues").filter(used).collect::<Vec<_>>();
    let mut text = tabulate(used.iter().copied(), &columns);
    if used.is_empty() {
        text = "nothing has ever waited\n".to_owned();
    }
    let events = used.iter().flat_map(|row| rows(row, "events")).collect::<Vec<_>>();
    if with_events && !events.is_empty() {
        let columns = ["id", "ancestor", "label", "bytes", "ageMs", "context", "peer"];
        text.push('\n');
        text.push_str(&tabulate(events.into_iter(), &columns));
    }
    text
}

fn net(json: &Value) -> String {
    let mut text = String::new();
    for address in rows(json, "addresses").filter_map(Value::as_str) {
        text.push_str(&format!("listening  {address}\n"));
    }
    let peers = rows(json, "peers").map(|peer| {
        let first = peer.pointer("/connections/0");
        let field =
            |name: &str| first.and_then(|first| first.get(name)).map_or_else(String::new, cell);
        let who = peer.get("peer").map_or_else(String::new, cell);
        vec![who, field("direction"), field("transport"), field("address"), field("rttMs")]
    });
    let head = ["peer", "direction", "transport", "address", "rttMs"].map(str::to_uppercase);
    let peers = std::iter::once(head.to_vec()).chain(peers).collect::<Vec<_>>();
    text.push_str(&aligned(&peers));
    text.push('\n');
    text.push_str(&table(json, "queues", &["queue", "depth", "capacity", "peak"]));
    text
}

fn rows<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    json.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn table(json: &Value, name: &str, columns: &[&str]) -> String {
    tabulate(rows(json, name), columns)
}

fn tabulate<'a>(rows: impl Iterator<Item = &'a Value>, columns: &[&str]) -> String {
    let head = columns.iter().map(|column| column.to_uppercase()).collect::<Vec<_>>();
    let row = |row: &Value| {
        let cells = columns.iter().map(|column| row.get(column).map_or_else(String::new, cell));
        cells.collect::<Vec<_>>()
    };
    let table = std::iter::once(head).chain(rows.map(row)).collect::<Vec<_>>();
    aligned(&table)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_u64() && !number.is_i64() => format!("{float:.1}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
