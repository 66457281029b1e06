//! How contexts are, as people read it.

use serde_json::Value;

use crate::field;
use crate::human::{Cell, Column, Table, ago, bytes, printable, short, span, tail};
use crate::paint::{Look, Tone};

/// Contexts, a line each.
pub(crate) fn table(contexts: &[Value], look: Look) -> String {
    if contexts.is_empty() {
        return "there are no contexts\n".to_owned();
    }
    let mut table = Table::new([
        Column::long("NAME"),
        Column::words("CONTEXT"),
        Column::words("ROLE"),
        Column::numbers("MEMBERS"),
        Column::numbers("KEYS"),
        Column::words("STATE"),
        Column::words("SYNC"),
        Column::numbers("SIZE"),
    ]);
    for context in contexts {
        let (state, sync) = (field::text(context, "state"), sync_of(context));
        table.row([
            field::text(context, "name").into(),
            short(field::text(context, "context")).into(),
            or_dash(field::text(context, "role")).into(),
            field::number(context, "members").into(),
            field::number(context, "entities").into(),
            Cell::toned(tone(state), state),
            Cell::toned(tone(sync), sync),
            bytes(field::number(context, "bytes")).into(),
        ]);
    }
    table.text(look)
}

/// All that is known of one.
pub(crate) fn page(context: &Value, look: Look, now_ms: u64) -> String {
    let mut table = Table::new([Column::words(""), Column::long("")]);
    let mut row = |name: &str, cell: Cell| table.row([Cell::toned(Tone::Faint, name), cell]);
    let (state, sync) = (field::text(context, "state"), sync_of(context));
    row("name", field::text(context, "name").into());
    row("context", field::text(context, "context").into());
    row("role", or_dash(field::text(context, "role")).into());
    row("members", field::number(context, "members").into());
    row("state", Cell::toned(tone(state), state));
    row("sync", Cell::toned(tone(sync), sync));
    row("root", field::text(context, "root").into());
    row("keys", field::number(context, "entities").into());
    row("deltas", field::number(context, "deltas").into());
    row("disk", bytes(field::number(context, "bytes")).into());
    let labels = labels(context);
    if !labels.is_empty() {
        row("labels", labels.into());
    }
    row("here since", ago(field::number(context, "createdAt"), now_ms).into());
    let mut text = table.text(look);
    for line in waiting(context).into_iter().chain(why(context)) {
        text.push_str(&format!("{line}\n"));
    }
    let peers = peers(context);
    if !peers.is_empty() {
        text.push('\n');
        text.push_str(&peers_table(peers, look, now_ms));
    }
    text
}

/// What the node has written down about it.
fn labels(context: &Value) -> String {
    let labels = context.get("labels").and_then(Value::as_object).into_iter().flatten();
    let label = |(name, says): (&String, &Value)| {
        printable(&format!("{name}={}", says.as_str().unwrap_or_default()))
    };
    labels.map(label).collect::<Vec<_>>().join(", ")
}

/// What is not as it should be with a context: what it waits for, since when, and why. Nothing if all is well.
pub(crate) fn story(context: &Value, now_ms: u64) -> Vec<String> {
    let mut lines: Vec<String> = why(context).into_iter().chain(waiting(context)).collect();
    if let Some(left) = remaining(context) {
        lines.push(left);
    }
    let behind = peers(context)
        .iter()
        .filter(|peer| matches!(field::text(peer, "state"), "behind" | "unknown" | "syncing"));
    lines.extend(behind.map(|peer| of_peer(peer, now_ms)));
    lines
}

fn sync_of(context: &Value) -> &str {
    context.get("sync").map_or("", |sync| field::text(sync, "state"))
}

fn peers(context: &Value) -> &[Value] {
    context.get("sync").map(|sync| field::list(sync, "peers")).unwrap_or_default()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn tone(state: &str) -> Tone {
    match state {
        "ready" | "converged" => Tone::Good,
        "quarantined" => Tone::Bad,
        "left" | "offline" => Tone::Faint,
        _ => Tone::Warn,
    }
}

fn why(context: &Value) -> Option<String> {
    let (state, why) = (field::text(context, "state"), field::text(context, "why"));
    match (state, why) {
        ("ready" | "left", "") => None,
        (state, "") => Some(format!("it is {state}")),
        (state, why) => Some(format!("it is {state}: {}", printable(why))),
    }
}

fn waiting(context: &Value) -> Vec<String> {
    let line = |parked: &Value| {
        let count = field::number(parked, "count");
        let what = match field::text(parked, "reason") {
            "parent" => "others that come before them",
            "key" => "a key to read them by",
            "clock" => "their time to come: a clock is wrong here or where they were written",
            "version" => "a later version of this program",
            other => other,
        };
        let age = span(field::number(parked, "oldestAgeMs"));
        format!("{count} deltas wait for {}, for up to {age}", printable(what))
    };
    field::list(context, "parked").iter().map(line).collect()
}

fn remaining(context: &Value) -> Option<String> {
    let sync = context.get("sync")?;
    let left = sync.get("remaining")?.as_u64()?;
    Some(match sync.get("rate").and_then(Value::as_f64) {
        Some(rate) => format!("{left} deltas are still to come, at {rate:.0} a second"),
        None => format!("{left} deltas are still to come"),
    })
}

fn of_peer(peer: &Value, now_ms: u64) -> String {
    let (who, state) = (tail(field::text(peer, "peer")), printable(field::text(peer, "state")));
    let why = match field::text(peer, "why") {
        "" => String::new(),
        why => format!(": {}", printable(why)),
    };
    match peer.get("lastAt").and_then(Value::as_u64) {
        Some(at_ms) => format!("{who} is {state}{why}, heard of {}", ago(at_ms, now_ms)),
        None => format!("{who} is {state}{why}"),
    }
}

fn peers_table(peers: &[Value], look: Look, now_ms: u64) -> String {
    let mut table = Table::new([
        Column::words("PEER"),
        Column::words("SYNC"),
        Column::words("HEARD OF"),
        Column::long("WHY"),
    ]);
    for peer in peers {
        let state = field::text(peer, "state");
        let heard = peer.get("lastAt").and_then(Value::as_u64);
        table.row([
            field::text(peer, "peer").into(),
            Cell::toned(tone(state), state),
            heard.map_or_else(|| "never".to_owned(), |at_ms| ago(at_ms, now_ms)).into(),
            field::text(peer, "why").into(),
        ]);
    }
    table.text(look)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::paint::Paint;

    const LOOK: Look = Look { paint: Paint::Off, columns: None };

    #[test]
    fn what_is_well_has_no_story_and_what_is_not_says_why_and_since_when() {
        let well = json!({
            "state": "ready", "parked": [],
            "sync": { "state": "converged", "peers": [
                { "peer": "12D3KooWabcdefgh12345678", "state": "converged" },
                { "peer": "12D3KooWabcdefgh87654321", "state": "offline" },
            ] },
        });
        assert_eq!(story(&well, 0), [""; 0]);
        let ill = json!({
            "state": "quarantined", "why": "it panicked\n",
            "parked": [{ "reason": "key", "count": 3, "oldestAgeMs": 12_000 }],
            "sync": { "state": "syncing", "remaining": 7, "rate": 3.6, "peers": [
                { "peer": "12D3KooWabcdefgh12345678", "state": "syncing" },
            ] },
        });
        let expect = [
            "it is quarantined: it panicked\\n",
            "3 deltas wait for a key to read them by, for up to 12 s",
            "7 deltas are still to come, at 4 a second",
            "…12345678 is syncing",
        ];
        assert_eq!(story(&ill, 0), expect);
    }

    #[test]
    fn a_page_tells_all_of_a_context() {
        let context = json!({
            "context": "abcd", "name": "notes", "role": null, "members": 1, "root": "r",
            "deltas": 2, "entities": 1, "bytes": 10, "parked": [], "state": "ready",
            "createdAt": 1_000,
            "sync": { "state": "offline", "peers": [
                { "peer": "p", "state": "offline", "lastAt": null, "why": "away" },
            ] },
        });
        let text = page(&context, LOOK, 61_000);
        assert!(text.contains("role        -\n"), "{text}");
        assert!(text.contains("here since  1 min ago\n"), "{text}");
        assert!(
            text.ends_with("PEER  SYNC     HEARD OF  WHY\np     offline  never     away\n"),
            "{text}"
        );
        assert_eq!(table(&[], LOOK), "there are no contexts\n");
    }
}
