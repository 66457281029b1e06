//! How one node is, and whom it turns away.

use super::book::Book;
use super::book::Form::{Both, Json, Text};
use crate::run::Place;
use crate::running::Running;

/// Peers that are nowhere.
const STRANGERS: [&str; 2] = [
    "12D3KooWR3ARxuJN7uYr4LJMZDubuMYUxDxCG7Vqom3xTuGKHFP4",
    "12D3KooWPbrWiBbDuuxWu65p31jkzEhUj38MHpkUUXU4mpUw9VE4",
];

#[test]
fn what_is_said_of_a_node_is_what_is_kept() {
    let place = Place::new();
    // Otherwise it has as many actors for contexts as the machine has cores.
    let node = Running::start(&place, &["--set", "node.context_threads=1"]);
    let mut book = Book::new(&place);
    for (name, peer) in ["stranger", "other"].into_iter().zip(STRANGERS) {
        book.call(name, peer);
    }
    book.rows(&[(Both, "status"), (Both, "status --home nowhere")]);
    node.text(&["context", "create", "garden"]);
    book.rows(&[
        (Both, "status"),
        // However full the disk is on which this runs.
        (Both, "doctor --set store.min_free_mib=0"),
        (Both, "doctor --home nowhere"),
        (Text, "ban {stranger}"),
        (Json, "ban {other}"),
        (Both, "ban me"),
        (Text, "unban {stranger}"),
        (Json, "unban {other}"),
        (Both, "unban {stranger}"),
    ]);
    book.rows(&[
        (Both, "diag queues"),
        (Both, "diag queues --home nowhere"),
        (Both, "diag log warn"),
        (Both, "diag log loud"),
        (Text, "diag failpoint a,once=7"),
        (Json, "diag failpoint a"),
        (Both, "diag failpoint a,sometimes=1"),
        (Both, "diag net"),
        (Both, "diag net --home nowhere"),
        (Both, "diag contexts"),
        (Both, "diag contexts --home nowhere"),
        (Both, "diag actors"),
        (Both, "diag actors --home nowhere"),
    ]);
    book.check();
}
