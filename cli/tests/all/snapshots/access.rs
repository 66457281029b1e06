//! Who may come in, and what lets programs use the API.

use serde_json::Value;

use super::book::Book;
use super::book::Form::{Both, Json, Text};
use crate::run::Place;
use crate::running::Running;

/// Calls the two things that are listed `first` and `second`.
fn call_both(book: &mut Book<'_>, listed: &Value, field: &str) {
    let all = listed.as_array().unwrap().iter().filter_map(|it| it.get(field));
    let all = all.filter_map(Value::as_str).collect::<Vec<_>>();
    assert_eq!(all.len(), 2, "{listed}");
    for (name, id) in ["first", "second"].into_iter().zip(all) {
        book.call(name, id);
    }
}

#[test]
fn what_is_said_of_invites_and_tokens_is_what_is_kept() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "garden"]);
    let mut book = Book::new(&place);
    // Two of each that are alike, since they stand in the order of their ids.
    book.rows(&[
        (Text, "invite garden --role reader --uses 3"),
        (Json, "invite garden --role reader --uses 3"),
        (Both, "invite nothing"),
        (Both, "invite garden --expires soon"),
        (Both, "invite list garden"),
        (Both, "invite list nothing"),
        (Both, "member list garden"),
        (Both, "member list nothing"),
    ]);
    call_both(&mut book, &node.json(&["invite", "list", "garden"]), "invite");
    book.rows(&[
        (Text, "invite close garden {first}"),
        (Json, "invite close garden {second}"),
        (Both, "invite close garden {first}"),
        (Both, "invite close nothing {first}"),
        (Text, "invite list garden"),
        (Text, "token create --context garden --expires 12h"),
        (Json, "token create --context garden --expires 12h"),
        (Both, "token create --expires soon"),
        (Both, "token create --context nothing"),
        (Both, "token list"),
    ]);
    call_both(&mut book, &node.json(&["token", "list"]), "id");
    place.write("reader", node.text(&["token", "create"]));
    book.rows(&[
        (Both, "token list --token-file reader"),
        (Text, "token revoke {first}"),
        (Json, "token revoke {second}"),
        (Both, "token revoke {first}"),
    ]);
    book.check();
}
