//! Commands that go on for long: watching, and writing much.

use std::io::Write;
use std::process::Stdio;

use mangrove_lab::Process;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::run::{Place, Run};
use crate::running::{Running, SOON};

/// Watches a context of the node in the home `X`.
fn watch(place: &Place, args: &[&str]) -> Process {
    let mut command = place.command();
    command.args(["watch", "c", "--home", "X", "--json"]).args(args);
    Process::start(command, "watch").unwrap()
}

/// Waits until a key has become this, in one item.
#[track_caller]
fn sees(watching: &Process, key: &str, value: &Value) -> Value {
    let wanted = |item: &Value| {
        let change = item.pointer("/event/changes/0");
        let field = |name: &str| change.and_then(|change| change.get(name));
        field("key") == Some(&key.into()) && field("value") == Some(value)
    };
    watching.wait_for(&format!("{key} = {value}"), SOON, wanted).unwrap()
}

#[test]
fn what_happens_is_told_once_also_over_a_restart() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    node.text(&["put", "c", "before", "0"]);
    let watching = watch(&place, &[]);
    let first = sees(&watching, "before", &json!(0));
    assert!(first["cursor"].is_string() && first["context"].is_string(), "{first}");
    node.text(&["put", "c", "live", "1"]);
    sees(&watching, "live", &json!(1));
    node.process.kill().unwrap();
    drop(node);
    let node = Running::start(&place, &[]);
    node.text(&["put", "c", "after", "2"]);
    let last = sees(&watching, "after", &json!(2));
    let keys = watching.seen();
    let keys = keys.iter().filter_map(|item| item.pointer("/event/changes/0/key"));
    assert_eq!(keys.collect::<Vec<_>>(), ["before", "live", "after"], "none twice, none missed");
    assert!(watching.complaints().iter().any(|line| line.contains("trying again")));

    // Who comes back later goes on after a cursor.
    node.text(&["put", "c", "later", "3"]);
    let cursor = last["cursor"].as_str().unwrap();
    let resumed = watch(&place, &["--after", cursor, "--quiet"]);
    sees(&resumed, "later", &json!(3));
    assert_eq!(resumed.seen().len(), 1);
    let pid = Pid::from_raw(i32::try_from(resumed.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(resumed.wait_for_end(SOON).unwrap(), None, "the signal ends it");
    assert_eq!(resumed.complaints(), [""; 0]);
}

#[test]
fn a_watch_is_about_what_was_asked_for_and_ends_with_the_context() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    node.text(&["put", "c", "old", "0"]);
    let prefixed = watch(&place, &["wanted/"]);
    let fresh = watch(&place, &["--after", "now"]);
    // Both listen once the first of what they want has come.
    let mut at = 0;
    loop {
        at += 1;
        node.text(&["put", "c", "wanted/k", &at.to_string()]);
        let listens = |it: &Process| it.seen().iter().any(|it| it["event"]["type"] == "change");
        if listens(&prefixed) && listens(&fresh) {
            break;
        }
        assert!(at < 1_000, "{:?}", fresh.said());
    }
    node.text(&["put", "c", "other", "1"]);
    sees(&fresh, "other", &json!(1));
    node.text(&["put", "c", "wanted/last", "1"]);
    sees(&prefixed, "wanted/last", &json!(1));
    let told = |it: &Process, key: &str| it.said().iter().any(|line| line.contains(key));
    assert!(!told(&prefixed, "\"other\"") && !told(&fresh, "\"old\""));
    node.text(&["context", "forget", "c", "--yes"]);
    assert_eq!(fresh.wait_for_end(SOON).unwrap(), Some(4));
}

#[test]
fn a_person_is_told_a_line_each_and_a_reader_that_goes_away_ends_it() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    node.text(&["put", "c", "greeting", "hi"]);
    let mut command = place.command();
    command.args(["watch", "c", "--home", "X"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("greeting") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut reader, &mut line).unwrap() > 0);
    }
    assert_eq!(line, "this node: greeting = \"hi\"\n");
    drop(reader);
    node.text(&["put", "c", "greeting", "bye"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn operations_are_applied_from_a_pipe_once_each_also_over_a_restart() {
    let place = Place::new();
    let node = Running::start(&place, &[]);
    node.text(&["context", "create", "c"]);
    let mut command = place.command();
    command.args(["apply", "c", "-", "--batch", "10", "--home", "X", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let line = "{\"op\":\"increment\",\"key\":\"n\",\"by\":1}\n";
    input.write_all(line.repeat(25).as_bytes()).unwrap();
    let counted = |node: &Running<'_>| node.run(&["get", "c", "n", "--kind", "counter"]).stdout;
    let began = std::time::Instant::now();
    while counted(&node) != "20\n" {
        assert!(began.elapsed() < SOON, "{}", counted(&node));
    }
    node.process.kill().unwrap();
    drop(node);
    input.write_all(line.repeat(25).as_bytes()).unwrap();
    drop(input);
    let node = Running::start(&place, &[]);
    let run = Run::from(child.wait_with_output().unwrap()).succeeded();
    let told = run.json();
    assert_eq!((&told["batches"], &told["ops"]), (&5.into(), &50.into()), "{told}");
    assert_eq!(counted(&node), "50\n");
    assert!(told["cursor"].is_string(), "{told}");
}
