//! `mangrove history`: what was written to a context.

mod graph;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::limits::PAGE_ENTRIES;
use serde_json::{Value, json};

use self::graph::Graph;
use crate::client::Client;
use crate::failure::Failure;
use crate::field;
use crate::human::{Cell, Column, Table, ago, now_ms, printable, short, tail};
use crate::paint::{Look, Tone};
use crate::present::Report;
use crate::session::Session;

/// Deltas that are shown to a person, if nothing else is said. A program gets as many as fit a page.
const SHOWN: u64 = 100;

/// Print the deltas of a context, the last one first
///
/// A delta is what one member wrote at once. Its parents are what that member had seen.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// Print so many at most: 100 unless something else is said, and with --json 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Draw which deltas had seen which
    #[arg(long)]
    graph: bool,
}

pub(crate) fn run(args: &HistoryArgs, session: &Session) -> Result<Report, Failure> {
    let usual = if session.speaks_json() { PAGE_ENTRIES } else { SHOWN };
    let limit = args.limit.unwrap_or(usual);
    let (deltas, next) = collect(&Client::open(session)?, &args.context, limit)?;
    let text = match args.graph {
        true => drawn(&deltas, session.look, now_ms()),
        false => table(&deltas, session.look, now_ms()),
    };
    let is_more = next.is_string();
    let report = Report::answer(text, json!({ "deltas": deltas, "next": next }));
    Ok(match is_more {
        true => report.remark(format!("there are more than {limit}: see them with --limit N\n")),
        false => report,
    })
}

/// As many deltas as are wanted, a page at a time, and what to go on before.
fn collect(client: &Client, context: &str, limit: u64) -> Result<(Vec<Value>, Value), Failure> {
    let mut deltas = Vec::new();
    let mut before = Value::Null;
    loop {
        let left = limit.saturating_sub(deltas.len() as u64);
        let params =
            json!({ "context": context, "before": before, "limit": left.min(PAGE_ENTRIES) });
        let mut page = client.call("history.list", &params)?;
        let found = page.get_mut("deltas").and_then(Value::as_array_mut);
        let found = found.map(std::mem::take).unwrap_or_default();
        let is_empty = found.is_empty();
        deltas.extend(found);
        before = page.get("next").cloned().unwrap_or_default();
        if is_empty || before.is_null() || deltas.len() as u64 >= limit {
            return Ok((deltas, before));
        }
    }
}

fn table(deltas: &[Value], look: Look, now_ms: u64) -> String {
    if deltas.is_empty() {
        return "there is nothing\n".to_owned();
    }
    let mut table = Table::new([
        Column::words("DELTA"),
        Column::words("WRITTEN"),
        Column::words("BY"),
        Column::numbers("SEQ"),
        Column::numbers("PARENTS"),
        Column::long("WHAT"),
    ]);
    for delta in deltas {
        let (tone, what) = what(delta);
        table.row([
            Cell::toned(tone, short(field::text(delta, "delta"))),
            written(delta, now_ms).into(),
            author(delta).into(),
            field::number(delta, "seq").into(),
            (field::list(delta, "parents").len() as u64).into(),
            Cell::toned(tone, what),
        ]);
    }
    table.text(look)
}

fn drawn(deltas: &[Value], look: Look, now_ms: u64) -> String {
    let mut graph = Graph::default();
    let mut text = String::new();
    for delta in deltas {
        let parents = field::list(delta, "parents").iter().filter_map(Value::as_str);
        let rows = graph.add(field::text(delta, "delta"), parents);
        let (tone, what) = what(delta);
        let id = look.paint.paint(tone, &printable(short(field::text(delta, "delta"))));
        let (when, who) = (written(delta, now_ms), author(delta));
        text.push_str(&format!("{}  {id}  {when}  {who}  {what}\n", rows.node));
        for row in rows.links {
            text.push_str(&format!("{row}\n"));
        }
    }
    if text.is_empty() { "there is nothing\n".to_owned() } else { text }
}

fn written(delta: &Value, now_ms: u64) -> String {
    match field::text(delta, "hlc").parse() {
        Ok(bits) => ago(Hlc::from_bits(bits).ms(), now_ms),
        Err(_) => "-".to_owned(),
    }
}

fn author(delta: &Value) -> String {
    match field::says(delta, "local") {
        true => "this node".to_owned(),
        false => tail(field::text(delta, "author")),
    }
}

/// What there is to be said of a delta, and how loudly.
fn what(delta: &Value) -> (Tone, String) {
    match (field::text(delta, "void"), field::text(delta, "plane")) {
        ("", "data") => (Tone::Plain, "data".to_owned()),
        ("", plane) => (Tone::Good, printable(plane)),
        (void, _) => (Tone::Faint, format!("void: {}", printable(void))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    const LOOK: Look = Look { paint: Paint::Off, columns: None };

    fn deltas() -> Vec<Value> {
        let hlc = |ms| Hlc::new(ms, 0).bits().to_string();
        vec![
            json!({ "delta": "ccccccccccccc", "author": "me", "seq": 2, "parents": ["a", "b"],
                    "hlc": hlc(59_000), "plane": "data", "void": null, "local": true }),
            json!({ "delta": "b", "author": "12D3KooWabcdefgh12345678", "seq": 1, "parents": ["a"],
                    "hlc": hlc(1_000), "plane": "data", "void": "its author was removed", "local": false }),
            json!({ "delta": "a", "author": "me", "seq": 1, "parents": [], "hlc": hlc(1),
                    "plane": "governance", "void": null, "local": true }),
        ]
    }

    #[test]
    fn deltas_stand_with_who_wrote_them_and_whether_they_count() {
        let expect = "\
DELTA       WRITTEN    BY         SEQ  PARENTS  WHAT
cccccccccc  2 s ago    this node    2        2  data
b           1 min ago  …12345678    1        1  void: its author was removed
a           1 min ago  this node    1        0  governance
";
        assert_eq!(table(&deltas(), LOOK, 61_000), expect);
        assert_eq!(table(&[], LOOK, 0), "there is nothing\n");
    }

    #[test]
    fn a_drawing_shows_which_had_seen_which() {
        let expect = "\
*  cccccccccc  2 s ago  this node  data
|\\
| *  b  1 min ago  …12345678  void: its author was removed
|/
*  a  1 min ago  this node  governance
";
        assert_eq!(drawn(&deltas(), LOOK, 61_000), expect);
    }
}
