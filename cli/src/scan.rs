//! `mangrove scan`: reads entities by their keys.

use mangrove_protocol::limits::PAGE_ENTRIES;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::human::{Column, Table, printable};
use crate::paint::Look;
use crate::present::Report;
use crate::session::Session;
use crate::value::EntityKind;

/// Entities that are shown to a person, if nothing else is said. A program gets as many as fit a page.
const SHOWN: u64 = 100;

/// Print keys and their values, in the order of the keys
#[derive(Debug, clap::Args)]
pub(crate) struct ScanArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// How the keys begin
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Print so many at most: 100 unless something else is said, and with --json 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print keys alone
    #[arg(long)]
    keys: bool,
    /// What they are
    #[arg(long, value_enum, default_value_t)]
    kind: EntityKind,
}

pub(crate) fn run(args: &ScanArgs, session: &Session) -> Result<Report, Failure> {
    let usual = if session.speaks_json() { PAGE_ENTRIES } else { SHOWN };
    let limit = args.limit.unwrap_or(usual);
    let found = collect(&Client::open(session)?, args, limit)?;
    let entries = field::list(&found, "entries");
    let text = match args.keys {
        true => {
            entries.iter().map(|it| format!("{}\n", printable(field::text(it, "key")))).collect()
        }
        false => values(entries, session.look),
    };
    let is_more = found.get("next").is_some_and(Value::is_string);
    let report = Report::answer(text, found);
    Ok(match is_more {
        true => report.remark(format!("there are more than {limit}: see them with --limit N\n")),
        false => report,
    })
}

/// As many entities as are wanted, a page at a time. Who wants more than a page gets them as one: with where the feed
/// was before the first.
fn collect(client: &Client, args: &ScanArgs, limit: u64) -> Result<Value, Failure> {
    let mut found = Value::Null;
    let mut after = None;
    let mut left = limit;
    loop {
        let params = json!({
            "context": args.context,
            "prefix": args.prefix,
            "kind": args.kind.name(),
            "keysOnly": args.keys,
            "limit": left.min(PAGE_ENTRIES),
            "after": after,
        });
        let page = client.call("state.scan", &params)?;
        let entries = field::list(&page, "entries").len() as u64;
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        left = left.saturating_sub(entries);
        join(&mut found, page)?;
        if after.is_none() || left == 0 || entries == 0 {
            return Ok(found);
        }
    }
}

/// Adds a page to those before it.
fn join(found: &mut Value, mut page: Value) -> Result<(), Failure> {
    if found.is_null() {
        *found = page;
        return Ok(());
    }
    let next = page.get("next").cloned().unwrap_or_default();
    let more = page.get_mut("entries").and_then(Value::as_array_mut).map(std::mem::take);
    let garbled = || Failure::new(Kind::Internal, "the node's answer is no page of entities");
    let entries = found.get_mut("entries").and_then(Value::as_array_mut).ok_or_else(garbled)?;
    entries.extend(more.ok_or_else(garbled)?);
    if let Some(found) = found.as_object_mut() {
        found.insert("next".to_owned(), next);
    }
    Ok(())
}

fn values(entries: &[Value], look: Look) -> String {
    let mut table = Table::new([Column::words("KEY"), Column::long("VALUE")]);
    for entry in entries {
        let value = entry.get("value").unwrap_or(&Value::Null);
        table.row([field::text(entry, "key").into(), value.to_string().into()]);
    }
    if table.is_empty() { "there is nothing\n".to_owned() } else { table.text(look) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    #[test]
    fn pages_become_one_that_begins_where_the_first_does() {
        let page = |keys: &[&str], next: Option<&str>, cursor: &str| {
            let entries = keys.iter().map(|key| json!({ "key": key })).collect::<Vec<_>>();
            json!({ "entries": entries, "next": next, "cursor": cursor, "state": "ready" })
        };
        let mut found = Value::Null;
        join(&mut found, page(&["a", "b"], Some("b"), "1")).unwrap();
        join(&mut found, page(&["c"], None, "2")).unwrap();
        assert_eq!(found, page(&["a", "b", "c"], None, "1"));
        assert!(join(&mut found, json!([])).is_err());
    }

    #[test]
    fn values_stand_beside_their_keys() {
        let look = Look { paint: Paint::Off, columns: None };
        let entries = [json!({ "key": "a", "value": "x" }), json!({ "key": "long", "value": [1] })];
        assert_eq!(values(&entries, look), "KEY   VALUE\na     \"x\"\nlong  [1]\n");
        assert_eq!(values(&[], look), "there is nothing\n");
    }
}
