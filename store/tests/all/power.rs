//! The power fails: what was acknowledged is on the disk. And a disk that fails confirms nothing.

use std::process::Command;

use camino::Utf8Path;

use crate::child::{CONTEXTS, Child, PROGRAM};
use crate::crashes;
use crate::house::House;
use crate::observer::Observer;

const LEAST: u64 = 1_000;

fn cycles() -> usize {
    std::env::var("TRIALS").map_or(8, |trials| trials.parse().unwrap())
}

fn observed(observer: &Observer, folder: &Utf8Path, durability: &str, failpoints: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args([folder.as_str(), durability, &CONTEXTS.to_string(), "0"]);
    command.env("MANGROVE_FAILPOINTS", failpoints);
    observer.watch(&mut command);
    Child::start(command)
}

/// Writes for a while, loses power, and says whether everything that was acknowledged is there, and how many
/// bytes were lost.
fn lose_power(durability: &str, failpoints: &str, more: u64) -> (Result<(), String>, u64) {
    let (house, after, observer) = (House::new(), House::new(), Observer::new());
    let mut child = observed(&observer, &house.path(), durability, failpoints);
    child.read_more(LEAST + more);
    let child = child.kill();
    assert!(child.count >= LEAST, "{:?}", child.complaints);
    let lost = observer.after_power_loss(&house.path(), &after.path());
    (crashes::check(&after, &child.acknowledged), lost)
}

#[test]
fn what_is_acknowledged_survives_a_power_loss() {
    for cycle in 0..cycles() {
        let (checked, _) = lose_power("fsync", "", cycle as u64 % 8 * 311);
        assert_eq!(checked, Ok(()), "cycle {cycle}");
    }
}

#[test]
fn a_store_that_does_not_sync_is_found_out() {
    let (checked, lost) = lose_power("fsync", "store.skip_sync=true", 0);
    assert!(checked.is_err() && lost > 0, "{checked:?}, {lost} bytes lost");
    let (checked, lost) = lose_power("buffered", "", 0);
    assert!(checked.is_err() && lost > 0, "a buffered store does not promise this");
}

#[test]
fn after_a_sync_that_failed_nothing_is_acknowledged() {
    let (house, after, observer) = (House::new(), House::new(), Observer::new());
    let mut child = observed(&observer, &house.path(), "fsync", "");
    child.read_more(LEAST);
    observer.fail();
    // It ends by itself once nobody can write any more.
    let child = child.end();
    assert_eq!(child.complaints.len(), usize::from(CONTEXTS), "{:?}", child.complaints);
    assert!(child.complaints.iter().all(|why| why.starts_with("the store has failed")));
    observer.after_power_loss(&house.path(), &after.path());
    assert_eq!(crashes::check(&after, &child.acknowledged), Ok(()));
}
