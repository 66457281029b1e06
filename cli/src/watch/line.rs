//! An item of a feed, in one line for a person.

use serde_json::Value;

use crate::field;
use crate::human::{cut, printable, tail};
use crate::paint::{Look, Tone};

/// The item, as a line.
pub(super) fn of(item: &Value, look: Look) -> String {
    let event = item.get("event").unwrap_or(&Value::Null);
    let (tone, words) = match field::text(event, "type") {
        "change" => (Tone::Plain, change(event)),
        "member" => (Tone::Good, member(event)),
        "state" => (Tone::Faint, state(event)),
        "rebuilt" => (Tone::Warn, rebuilt(event)),
        "gap" => {
            let why = printable(field::text(event, "why"));
            (Tone::Warn, format!("gap: {why}: read what you need again"))
        }
        // There may be more in a later version.
        other => (Tone::Plain, format!("{other} {event}")),
    };
    let words = printable(&words);
    let shown = look.columns.map_or_else(|| words.clone(), |columns| cut(&words, columns));
    format!("{}\n", look.paint.paint(tone, &shown))
}

fn change(event: &Value) -> String {
    let author = match field::says(event, "local") {
        true => "this node".to_owned(),
        false => tail(field::text(event, "author")),
    };
    let changes = field::list(event, "changes").iter().map(changed);
    let emitted = field::list(event, "emitted").iter().map(|emitted| {
        let data = emitted.get("data").unwrap_or(&Value::Null);
        format!("{}! {data}", field::text(emitted, "name"))
    });
    let all = changes.chain(emitted).collect::<Vec<_>>();
    format!("{author}: {}", all.join(", "))
}

fn changed(change: &Value) -> String {
    let key = field::text(change, "key");
    match (field::text(change, "kind"), change.get("value")) {
        (_, None | Some(Value::Null)) => format!("{key} is gone"),
        ("set", Some(moved)) => {
            let signed = |sign: char, name: &str| {
                let items = field::list(moved, name).iter();
                items.map(|item| format!(" {sign}{item}")).collect::<String>()
            };
            format!("{key}{}{}", signed('+', "added"), signed('-', "removed"))
        }
        (_, Some(value)) => format!("{key} = {value}"),
    }
}

fn member(event: &Value) -> String {
    let (who, by) = (tail(field::text(event, "member")), tail(field::text(event, "by")));
    match field::text(event, "role") {
        "" => format!("member {who} is no member any more, by {by}"),
        role => format!("member {who} is {role}, by {by}"),
    }
}

fn state(event: &Value) -> String {
    let state = field::text(event, "state");
    match field::text(event, "why") {
        "" => format!("the context is {state}"),
        why => format!("the context is {state}: {why}"),
    }
}

fn rebuilt(event: &Value) -> String {
    match field::list(event, "void").len() {
        0 => "state was made anew: read what you need again".to_owned(),
        void => format!(
            "state was made anew: read what you need again; {void} deltas of this node count no more"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::paint::Paint;

    const LOOK: Look = Look { paint: Paint::Off, columns: None };

    #[track_caller]
    fn check(event: &Value, expect: &str) {
        let item = json!({ "context": "c", "cursor": "x", "event": event });
        assert_eq!(of(&item, LOOK), format!("{expect}\n"));
    }

    #[test]
    fn a_change_is_told_with_what_became_visible() {
        let author = "12D3KooWabcdefgh12345678";
        let changes = json!([
            { "kind": "register", "key": "a", "value": "x\u{9b}" },
            { "kind": "register", "key": "b", "value": null },
            { "kind": "counter", "key": "n", "value": 3 },
            { "kind": "set", "key": "s", "value": { "added": [1, "y"], "removed": [2] } },
        ]);
        let emitted = json!([{ "name": "ping", "data": { "at": 1 } }]);
        let event = json!({ "type": "change", "author": author, "local": false,
                            "changes": changes, "emitted": emitted });
        check(
            &event,
            "…12345678: a = \"x\\u{9b}\", b is gone, n = 3, s +1 +\"y\" -2, ping! {\"at\":1}",
        );
        let event = json!({ "type": "change", "author": author, "local": true,
                            "changes": [{ "kind": "register", "key": "k", "value": 1 }] });
        check(&event, "this node: k = 1");
    }

    #[test]
    fn everything_else_is_told_too() {
        let event = json!({ "type": "member", "member": "m", "role": "reader", "by": "b" });
        check(&event, "member m is reader, by b");
        let event = json!({ "type": "member", "member": "m", "role": null, "by": "b" });
        check(&event, "member m is no member any more, by b");
        check(&json!({ "type": "state", "state": "ready" }), "the context is ready");
        let event = json!({ "type": "state", "state": "quarantined", "why": "it\nfell" });
        check(&event, "the context is quarantined: it\\nfell");
        let event = json!({ "type": "gap", "why": "too old" });
        check(&event, "gap: too old: read what you need again");
        let event = json!({ "type": "rebuilt", "void": [] });
        check(&event, "state was made anew: read what you need again");
        check(&json!({ "type": "novel", "a": 1 }), "novel {\"a\":1,\"type\":\"novel\"}");
    }

    #[test]
    fn on_a_terminal_an_item_is_one_line() {
        let event = json!({ "type": "state", "state": "s".repeat(100) });
        let item = json!({ "event": event });
        let line = of(&item, Look { columns: Some(20), ..LOOK });
        assert_eq!(line, "the context is ssss…\n");
    }
}
