//! Commands that need no node, and those that start and stop one.

use mangrove_lab::Process;

use super::book::Book;
use super::book::Form::{self, Both, Json, Text};
use crate::run::{Place, Run};
use crate::running::{SOON, eventually};

/// A node in the home `V`, which says nothing but that it is ready.
const RUN: &str =
    "run --home V --no-mdns --api 127.0.0.1:0 --listen /ip4/127.0.0.1/tcp/0 --set log.filter=error";

#[test]
fn what_is_said_of_homes_and_settings_is_what_is_kept() {
    let place = Place::new();
    let mut book = Book::new(&place);
    book.rows(&[
        (Text, "init"),
        (Json, "init --name ada --home Y"),
        (Both, "init"),
        (Both, "init --encrypt --home Z"),
        (Both, "config show"),
        (Both, "config show --set log.filter=loud"),
        (Both, "config path"),
        (Both, "config path --frob"),
        (Both, "config check"),
        (Both, "config check --set server.lissten=127.0.0.1:0"),
        (Both, "config set log.filter debug"),
        (Both, "config set log.filter loud"),
        (Both, "config set log.filter debug --home nowhere"),
    ]);
    place.write("file", "this is no folder");
    book.rows(&[
        (Both, "limits"),
        (Both, "limits --frob"),
        (Both, "version"),
        (Both, "version --frob"),
        (Both, "completions bash"),
        (Both, "completions tcsh"),
        (Both, "man pages"),
        (Both, "man file"),
        (Both, "blob put garden rose file"),
        (Both, "blob get garden rose"),
        (Both, "blob list garden"),
        (Both, "blob remove garden rose"),
        (Both, "blob status garden"),
    ]);
    book.check();
}

/// Runs a node until it is ready, and stops it.
fn run_and_stop(book: &mut Book<'_>, form: Form) {
    let process = Process::start(book.command(form, RUN), "node").unwrap();
    eventually("it is ready", || process.said().iter().any(|line| line.contains("/p2p/")));
    book.rows(&[(form, "stop --home V")]);
    let code = process.wait_for_end(SOON).unwrap();
    let stdout = process.said().iter().map(|line| format!("{line}\n")).collect();
    // Its log differs each time, and is no part of the page.
    book.add((form, RUN), Run { code, signal: None, stdout, stderr: String::new() });
}

#[test]
fn what_is_said_of_a_node_that_runs_and_of_its_home_after_it_is_what_is_kept() {
    let place = Place::new();
    let mut book = Book::new(&place);
    run_and_stop(&mut book, Text);
    run_and_stop(&mut book, Json);
    book.rows(&[
        (Both, "run --home nowhere --mode reader"),
        (Both, "run --home nowhere --api 0.0.0.0:0"),
        (Both, "stop --home V"),
        (Both, "backup B --home V"),
        (Both, "backup B --home nowhere"),
        (Both, "backup V --home V"),
        (Text, "restore B --home R"),
        (Json, "restore B --home S"),
        (Both, "restore B --home R"),
        (Both, "restore nothing --home T"),
        (Both, "check --home V"),
        (Both, "check --deep --home V"),
        (Both, "check --home nowhere"),
    ]);
    book.check();
}
