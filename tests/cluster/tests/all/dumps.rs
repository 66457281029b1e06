//! Everything that a context shows, and how two of them differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mangrove_cluster::{Dump, Kind, Rpc, Shown, dump};
use serde_json::{Value, json};

use crate::pretend::{Pretend, Registers, Reply};

/// A node that keeps registers, and has some.
fn node(count: usize) -> (Pretend, Arc<Registers>) {
    let rows = Arc::new(Registers::default());
    for number in 0..count {
        rows.set(&format!("k{number:04}"), number);
    }
    let kept = Arc::clone(&rows);
    (Pretend::start(move |method, params| Reply::Result(kept.read(method, params))), rows)
}

#[test]
fn a_dump_is_whole_however_many_pages_it_takes() {
    for count in [0, 1, 99, 100, 101, 200, 345] {
        let (node, _) = node(count);
        let found = dump(&Rpc::new(&node.door), "c").unwrap();
        let keys = found.entries.keys().map(|(_, key)| key.clone());
        assert!(keys.eq((0..count).map(|number| format!("k{number:04}"))), "{count}: {found}");
    }
}

#[test]
fn what_differs_is_told_by_kind_and_key_and_how_often() {
    let [(one, rows), (other, _)] = [node(150), node(150)];
    let take = |node: &Pretend| dump(&Rpc::new(&node.door), "c").unwrap();
    take(&one).same("one", ("other", &take(&other))).unwrap();
    rows.set("k0123", "else");
    rows.forget("k0042");
    let told = take(&one).same("one", ("other", &take(&other))).unwrap_err().to_string();
    assert!(
        told.starts_with("2 of 150 entities differ\n  register `k0042`\n    one: absent"),
        "{told}"
    );
    assert!(told.contains("register `k0123`\n    one: \"else\" by a"), "{told}");
}

#[test]
fn one_altered_value_author_delta_or_mark_is_a_difference() {
    let shown = Shown {
        value: json!(1),
        author: "a".to_owned(),
        delta: "d".to_owned(),
        marks: Some(("v".to_owned(), json!("h"))),
    };
    let of = |shown: &Shown| {
        let entries = [((Kind::Set, "k".to_owned()), shown.clone())];
        Dump { root: Some("r".to_owned()), entries: entries.into() }
    };
    let same = of(&shown);
    let check = |other: Dump, expect: bool| {
        assert_eq!(same.same("l", ("r", &other)).is_ok(), expect, "{other}");
    };
    check(of(&shown), true);
    check(of(&Shown { value: json!(2), ..shown.clone() }), false);
    check(of(&Shown { author: "b".to_owned(), ..shown.clone() }), false);
    check(of(&Shown { delta: "e".to_owned(), ..shown.clone() }), false);
    check(of(&Shown { marks: Some(("w".to_owned(), json!("h"))), ..shown.clone() }), false);
    check(of(&Shown { marks: None, ..shown.clone() }), true);
    check(Dump { root: Some("s".to_owned()), ..of(&shown) }, false);
    check(Dump { root: None, ..of(&shown) }, true);
    check(Dump::default(), false);
}

#[test]
fn a_context_that_changes_meanwhile_is_read_again() {
    let rows = Arc::new(Registers::default());
    let (kept, reads) = (Arc::clone(&rows), AtomicU64::new(0));
    let node = Pretend::start(move |method, params| {
        // It is written to between the pages of the first attempt.
        if method == "state.scan" && reads.fetch_add(1, Ordering::SeqCst) == 1 {
            kept.set("new", 1);
        }
        Reply::Result(kept.read(method, params))
    });
    assert_eq!(dump(&Rpc::new(&node.door), "c").unwrap().entries.len(), 1);
}

#[test]
fn pages_that_contradict_themselves_are_no_dump() {
    let check = |change: fn(&mut Value), expect: &str| {
        let rows = Registers::default();
        (0..150).for_each(|number| rows.set(&format!("k{number:04}"), number));
        let node = Pretend::start(move |method, params| {
            let mut answer = rows.read(method, params);
            if method == "state.scan" && params["kind"] == "register" {
                change(&mut answer);
            }
            Reply::Result(answer)
        });
        let why = dump(&Rpc::new(&node.door), "c").unwrap_err().to_string();
        assert!(why.contains(expect), "{why}");
    };
    check(|page| page["entries"][3]["key"] = "k0000".into(), "does not belong there");
    check(|page| page["entries"][3]["kind"] = "set".into(), "does not belong there");
    check(|page| page["entries"][3]["kind"] = "doc".into(), "`kind` is unknown");
    check(|page| page["next"] = "k0000".into(), "`next` is not the last key");
    check(|page| page["entries"][3]["version"] = Value::Null, "`version` is not a text");
}
