//! The process ends at any moment: what it has acknowledged is there, and nothing is there by half.

use mangrove_sim::dice::Dice;
use mangrove_store::STEPS;

use crate::book;
use crate::child::{Acknowledged, CONTEXTS, Child};
use crate::house::{House, count};

/// Every process acknowledges at least so much before it ends.
const LEAST: u64 = 1_000;
/// So often a folder is used before the next one.
const LIVES: usize = 8;

/// How often; many more in `make trials`.
fn cycles() -> usize {
    std::env::var("TRIALS").map_or(60, |trials| trials.parse().unwrap())
}

/// Everything that was acknowledged is there, all tables agree, and at most the one commit of each context
/// that was in flight is there beyond that.
pub(crate) fn check(house: &House, acknowledged: &Acknowledged) -> Result<(), String> {
    let (writer, reader) = house.try_open().map_err(|why| why.to_string())?;
    for number in 1..=CONTEXTS {
        let found = count(&reader, book::context(number))?;
        let least = acknowledged.get(&number).map_or(0, |last| last + 1);
        if !(least..=least + 1).contains(&found) {
            return Err(format!("context {number} has {found} commits, {least} were acknowledged"));
        }
    }
    writer.close();
    Ok(())
}

fn live_and_die(durability: &str) {
    let (mut house, mut before) = (House::new(), Acknowledged::new());
    let (mut in_flight, mut total) = (0, 0);
    for cycle in 0..cycles() {
        if cycle % LIVES == 0 {
            (house, before) = (House::new(), Acknowledged::new());
        }
        let mut child = Child::writing(&house.path(), durability);
        child.acknowledged = std::mem::take(&mut before);
        let mut dice = Dice::new(cycle as u64, &[7]);
        child.read_more(LEAST + dice.below(500));
        // Two in five end at a place around the commit, which is in flight then.
        let child = match STEPS.get(cycle % 5) {
            Some(step) => {
                in_flight += 1;
                child.tell(&format!("{step}=abort"));
                child.end()
            }
            None => child.kill(),
        };
        assert!(child.count >= LEAST, "{:?}", child.complaints);
        assert_eq!(child.complaints, Vec::<String>::new());
        total += child.count;
        before = child.acknowledged;
        assert_eq!(check(&house, &before), Ok(()), "cycle {cycle}");
        // What was in flight and came through counts from now on.
        let (_writer, reader) = house.open();
        for number in 1..=CONTEXTS {
            let found = count(&reader, book::context(number)).unwrap();
            before.insert(number, found - 1);
        }
    }
    assert!(in_flight * 5 >= cycles(), "{in_flight} of {} ended in a commit", cycles());
    assert!(total >= LEAST * cycles() as u64);
}

#[test]
fn what_is_acknowledged_survives_the_end_of_the_process_at_any_moment() {
    live_and_die("fsync");
}

#[test]
fn a_buffered_store_survives_the_end_of_the_process_as_well() {
    live_and_die("buffered");
}

#[test]
fn the_check_notices_what_is_missing_or_too_much() {
    let house = House::new();
    let mut child = Child::writing(&house.path(), "fsync");
    child.read_more(LEAST);
    let mut acknowledged = child.kill().acknowledged;
    assert_eq!(check(&house, &acknowledged), Ok(()));
    let last = acknowledged.get_mut(&1).unwrap();
    *last += 2;
    assert!(check(&house, &acknowledged).is_err(), "one is missing");
    *acknowledged.get_mut(&1).unwrap() -= 5;
    assert!(check(&house, &acknowledged).is_err(), "there are too many");
}
