//! A process is listened to, stopped, measured and ended.

use std::process::Command;
use std::time::{Duration, Instant};

use mangrove_lab::Process;
use serde_json::{Value, json};

use crate::probe::LONG;

const SHORT: Duration = Duration::from_millis(200);

fn shell(script: &str) -> Process {
    let mut command = Command::new("bash");
    command.args(["-c", script]);
    Process::start(command, "shell").unwrap()
}

fn is(expect: &Value) -> impl Fn(&Value) -> bool {
    move |event| event == expect
}

#[test]
fn one_that_never_answers_is_reported_with_what_it_said() {
    let process = shell("echo '{\"n\":1}'; echo hello; echo why >&2; echo 2; read");
    process.wait_for("the last word", LONG, is(&json!(2))).unwrap();
    let missed = process.wait_for("a pong", SHORT, is(&json!("pong"))).unwrap_err();
    let report = format!("{missed:?}");
    let parts = ["`shell` has not given a pong in 200", "still there", "{\"n\":1}", "hello", "why"];
    parts.iter().for_each(|part| assert!(report.contains(part), "{part} in {report}"));
    assert!(report.contains("nobody has asked for: 1"), "{report}");
}

#[test]
fn one_that_ends_is_reported_at_once_with_its_last_words() {
    let process = shell("sleep 0.1; echo 'out of wood' >&2; exit 7");
    let missed = process.wait_for("a pong", LONG, |_| true).unwrap_err();
    assert_eq!(missed.ended.as_deref(), Some("exit code 7"));
    assert_eq!(missed.complaints, ["out of wood"]);
    assert_eq!(process.wait_for_end(LONG).unwrap(), Some(7));
}

#[test]
fn events_are_found_in_any_order_and_others_come_in_theirs() {
    let process = shell("for n in 1 2 3 4; do echo $n; echo text; done; read");
    process.wait_for("three", LONG, is(&json!(3))).unwrap();
    process.wait_for("one", LONG, is(&json!(1))).unwrap();
    assert_eq!(process.next(LONG), Some(json!(2)));
    assert_eq!(process.next(LONG), Some(json!(4)));
    assert_eq!(process.seen(), [1, 2, 3, 4].map(|n| json!(n)));
}

#[test]
fn one_that_is_told_something_hears_it_as_a_line() {
    let process = shell("cat");
    process.tell(&json!({"say": "a\nb"})).unwrap();
    assert_eq!(process.next(LONG), Some(json!({"say": "a\nb"})));
    process.end_input();
    assert_eq!(process.wait_for_end(LONG).unwrap(), Some(0));
    assert!(process.tell(&json!(1)).is_err());
}

#[test]
fn a_stopped_one_stands_still_until_it_is_continued() {
    let process = shell("while read line; do echo $line; done");
    process.stop_signal().unwrap();
    process.tell(&json!(1)).unwrap();
    let before = process.cpu_time().unwrap();
    assert_eq!(process.next(SHORT), None);
    assert_eq!(process.cpu_time().unwrap(), before);
    process.continue_signal().unwrap();
    assert_eq!(process.next(LONG), Some(json!(1)));
}

#[test]
fn what_it_uses_is_measured() {
    let process = shell("for ((n = 0; n < 200000; n++)); do :; done; echo 1; read");
    process.wait_for("the end of its work", LONG, |_| true).unwrap();
    assert!(process.cpu_time().unwrap() > Duration::ZERO);
    let (now, peak) = (process.resident_bytes().unwrap(), process.peak_resident_bytes().unwrap());
    assert!(now > 100_000 && now <= peak, "{now} {peak}");
    process.kill().unwrap();
    assert!(process.resident_bytes().is_err());
    assert_eq!(process.wait_for_end(LONG).unwrap(), None);
}

#[test]
fn a_dropped_one_ends_by_its_closed_input_even_if_it_was_stopped() {
    let process = shell("cat; echo last >&2");
    process.stop_signal().unwrap();
    let pid = process.pid();
    let began = Instant::now();
    drop(process);
    assert!(began.elapsed() < Duration::from_millis(1_900), "it was killed");
    assert!(!exists(pid));
}

#[test]
fn a_dropped_one_that_goes_on_is_killed_even_if_nobody_listens() {
    let process = shell("seq 100000; exec sleep 30");
    process.wait_for("a beginning", LONG, |_| true).unwrap();
    let pid = process.pid();
    drop(process);
    assert!(!exists(pid));
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    assert!(Process::start(Command::new("mangrove-no-such-program"), "nobody").is_err());
}

fn exists(pid: u32) -> bool {
    camino::Utf8Path::new("/proc").join(pid.to_string()).exists()
}
