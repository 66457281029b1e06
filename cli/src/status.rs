//! `mangrove status`: how the node is, and each of its contexts.

use serde_json::{Value, json};

use crate::client::Client;
use crate::context::{story, table};
use crate::failure::Failure;
use crate::field;
use crate::human::{Cell, Column, Table, bytes, now_ms, printable, span};
use crate::paint::{Look, Tone};
use crate::present::Report;
use crate::session::Session;

pub(crate) fn run(session: &Session) -> Result<Report, Failure> {
    let client = Client::open(session)?;
    let status = client.call("node.status", &json!({}))?;
    if session.speaks_json() {
        return Ok(Report::answer("", status));
    }
    let contexts = client.call("context.list", &json!({}))?;
    let text = page(&status, field::items(&contexts), (session.look, now_ms()));
    Ok(Report::answer(text, status))
}

fn page(status: &Value, contexts: &[Value], (look, now_ms): (Look, u64)) -> String {
    let mut text = of_node(status, look);
    if contexts.is_empty() {
        text.push_str("\nno contexts: make one with `mangrove context create NAME`, or join one\n");
        return text;
    }
    text.push('\n');
    text.push_str(&table(contexts, look));
    for context in contexts {
        let name = printable(field::text(context, "name"));
        for line in story(context, now_ms) {
            text.push_str(&format!("{name}: {line}\n"));
        }
    }
    text
}

fn of_node(status: &Value, look: Look) -> String {
    let text = |name: &str| field::text(status, name).to_owned();
    let state = text("state");
    let tone = if state == "ready" { Tone::Good } else { Tone::Warn };
    let up = span(field::number(status, "uptimeMs"));
    let mut table = Table::new([Column::words(""), Column::long("")]);
    let mut row = |name: &str, cell: Cell| table.row([Cell::toned(Tone::Faint, name), cell]);
    row("node", text("peer").into());
    row("state", Cell::toned(tone, format!("{state}, for {up}")));
    row("version", text("version").into());
    row("mode", format!("{}, {}", text("mode"), text("durability")).into());
    row("disk", bytes(field::number(status, "homeBytes")).into());
    row("peers", format!("{} connected", field::number(status, "peers")).into());
    for address in field::list(status, "addresses").iter().filter_map(Value::as_str) {
        row("address", address.into());
    }
    table.text(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn a_page_says_how_the_node_is_and_what_its_contexts_wait_for() {
        let status = json!({
            "peer": "12D3KooWx", "version": "1.2.3", "uptimeMs": 61_000, "mode": "full", "peers": 2,
            "addresses": ["/ip4/1.2.3.4/tcp/1"], "durability": "fsync", "homeBytes": 2048,
            "state": "ready", "contexts": 1,
        });
        let context = json!({
            "context": "abcdefghijklmnop", "name": "notes", "role": "owner", "members": 2,
            "entities": 3, "deltas": 7, "bytes": 512, "state": "ready", "parked": [],
            "sync": { "state": "behind", "peers": [
                { "peer": "12D3KooWabcdefgh12345678", "state": "behind", "behind": true,
                  "lastAt": 99_000, "why": "it holds something else" },
            ] },
        });
        let look = Look { paint: Paint::Off, columns: None };
        let text = page(&status, &[context], (look, 100_000));
        let expect = "\
node     12D3KooWx
state    ready, for 1 min 1 s
version  1.2.3
mode     full, fsync
disk     2.0 KiB
peers    2 connected
address  /ip4/1.2.3.4/tcp/1

NAME   CONTEXT     ROLE   MEMBERS  KEYS  STATE  SYNC     SIZE
notes  abcdefghij  owner        2     3  ready  behind  512 B
notes: …12345678 is behind: it holds something else, heard of 1 s ago
";
        assert_eq!(text, expect);
        assert!(page(&status, &[], (look, 0)).contains("no contexts"));
    }
}
