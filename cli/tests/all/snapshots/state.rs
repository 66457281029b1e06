//! What is written to a context, read from it, and told of it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::book::Book;
use super::book::Form::{self, Both, Json, Text};
use crate::run::{Place, Run};
use crate::running::Running;

/// Two operations, and two of which the second is none.
const OPS: &str = "\
{\"op\":\"put\",\"key\":\"fern\",\"value\":1}
{\"op\":\"increment\",\"key\":\"hits\",\"by\":2}
";
const BAD: &str = "\
{\"op\":\"put\",\"key\":\"fern\",\"value\":1}
{\"op\":\"dance\"}
";

/// What is watched, and how many lines of it are read.
const WATCH: (&str, usize) = ("watch garden", 3);

#[test]
fn what_is_said_of_state_is_what_is_kept() {
    let place = Place::new();
    place.write("ops", OPS);
    place.write("bad", BAD);
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "garden"]);
    let mut book = Book::new(&place);
    book.rows(&[
        (Text, "put garden rose red"),
        (Json, "put garden rose white"),
        (Text, "put garden lily {\"colour\":\"white\"}"),
        (Both, "put nothing rose red"),
        (Both, "get garden rose"),
        (Both, "get garden tulip"),
        (Both, "get nothing rose"),
        (Both, "scan garden"),
        (Text, "scan garden tu"),
        (Both, "scan garden --keys --limit 1"),
        (Both, "scan nothing"),
        (Text, "increment garden hits"),
        (Json, "increment garden hits 41"),
        (Both, "increment garden hits many"),
        (Both, "increment nothing hits"),
        (Text, "insert garden tags thorny"),
        (Json, "insert garden tags fragrant"),
        (Both, "insert nothing tags thorny"),
        (Both, "get garden tags --kind set"),
        (Text, "remove garden tags thorny"),
        (Json, "remove garden tags fragrant"),
        (Both, "remove nothing tags thorny"),
        (Text, "delete garden lily"),
        (Json, "delete garden hits --kind counter"),
        (Both, "delete nothing lily"),
        (Text, "apply garden ops"),
        (Json, "apply garden ops"),
        (Both, "apply garden bad"),
        (Both, "apply garden missing"),
    ]);
    watch(&mut book, Text, &node);
    watch(&mut book, Json, &node);
    book.rows(&[
        (Both, "watch nothing"),
        (Both, "history garden --limit 3"),
        (Text, "history garden --limit 3 --graph"),
        (Both, "history nothing"),
    ]);
    book.check();
}

/// Watches, until whoever reads it goes away.
fn watch(book: &mut Book<'_>, form: Form, node: &Running<'_>) {
    let (row, lines) = WATCH;
    let mut command = book.command(form, row);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = String::new();
    for _ in 0..lines {
        assert!(reader.read_line(&mut stdout).unwrap() > 0, "{stdout}");
    }
    drop(reader);
    // It notices when it has more to say, which it has of what changes alone.
    node.text(&["increment", "garden", "readers"]);
    let run = Run::from(child.wait_with_output().unwrap());
    book.add((form, row), Run { stdout, ..run });
}
