//! Contexts of one node, from their founding to their end.

use super::book::Book;
use super::book::Form::{Both, Json, Text};
use crate::run::Place;
use crate::running::{Running, eventually};

#[test]
fn what_is_said_of_contexts_is_what_is_kept() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    let mut book = Book::new(&place);
    book.call("long", &"x".repeat(129));
    book.rows(&[
        (Text, "context create garden"),
        (Text, "context create shed --invite reader"),
        (Json, "context create orchard"),
        (Both, "context create {long}"),
        (Text, "context rename shed barn"),
        (Json, "context rename barn shed"),
        (Both, "context rename nothing barn"),
        (Text, "context leave shed --yes"),
        (Json, "context leave orchard --yes"),
        (Both, "context leave garden"),
        (Both, "context leave nothing --yes"),
        (Text, "context forget shed --yes"),
        (Json, "context forget orchard --yes"),
        (Both, "context forget garden"),
        (Both, "context forget shed --yes"),
    ]);
    node.text(&["put", "garden", "rose", "red"]);
    // One alone, since several stand in the order of their ids.
    let listed = || node.json(&["context", "list"]).as_array().map(Vec::len);
    eventually("one is left", || listed() == Some(1));
    book.rows(&[
        (Both, "context list"),
        (Both, "context list --home nowhere"),
        (Both, "context show garden"),
        (Both, "context show nothing"),
        (Text, "context rebuild garden"),
    ]);
    let state = || node.json(&["context", "show", "garden"]).get("state").cloned();
    eventually("it is made anew", || state() == Some("ready".into()));
    book.rows(&[(Json, "context rebuild garden"), (Both, "context rebuild nothing")]);
    book.check();
}
