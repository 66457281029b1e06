//! Many seeds, what they lived through together, and whether that was enough to prove anything.

use std::fmt;

use crate::bug::Bug;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::trace::Detail;
use crate::verdict::{Failure, Outcome, Violation};
use crate::world;

/// What came of a campaign.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Seeds that were run, each of them twice.
    pub seeds: u64,
    /// What they lived through.
    pub tally: Tally,
    /// The seeds that broke a promise.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Takes in the outcome of one more seed.
    pub fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.tally.merge(&outcome.tally);
        self.failures.extend(outcome.failure);
    }

    /// Takes in another report.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.tally.merge(&other.tally);
        self.failures.extend(other.failures);
    }

    /// What it has not lived through often enough.
    pub fn shortfalls(&self) -> Vec<Shortfall> {
        let short = |(what, per_thousand): &(&'static str, u64)| {
            let least = (per_thousand * self.seeds) / 1_000;
            let found = self.tally.count(what);
            let short = least >= CHANCE && found < least;
            short.then_some(Shortfall { what, found, least })
        };
        LEAST.iter().filter_map(short).collect()
    }
}

/// Something that a campaign has not lived through often enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// What.
    pub what: &'static str,
    /// How often it happened.
    pub found: u64,
    /// How often it must.
    pub least: u64,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} times, and {} are needed", self.what, self.found, self.least)
    }
}

/// Runs a seed, without looking whether it runs the same way again.
pub fn run_once(seed: u64, bug: Option<Bug>, detail: Detail) -> Outcome {
    world::run(Settings::draw(seed), bug, detail)
}

/// Runs a seed twice: the runs must be the same, event for event.
pub fn run(seed: u64, bug: Option<Bug>) -> Outcome {
    let mut first = run_once(seed, bug, Detail::Hash);
    let second = run_once(seed, bug, Detail::Hash);
    if first.failure.is_none() && first.hash != second.hash {
        let violation = Violation::new("D1", "two runs of the same seed differ");
        first.failure = Some(Failure { seed, bug, at_ms: 0, node: None, violation });
    }
    first
}

/// The first of these seeds that finds a bug.
pub fn hunt(bug: Bug, seeds: impl IntoIterator<Item = u64>) -> Option<Failure> {
    seeds.into_iter().find_map(|seed| run_once(seed, Some(bug), Detail::Hash).failure)
}

/// What is needed less often than this may be missed by chance, and is not judged: much of it comes in heaps.
const CHANCE: u64 = 20;

/// How often a thousand seeds must live through something, for their silence to mean anything: about
/// a third of what they do. A campaign that has lost a fault, or a workload, falls short.
const LEAST: &[(&str, u64)] = &[
    // What is asked for and done.
    ("runs", 1_000),
    ("calls confirmed", 70_000),
    ("calls confirmed again", 2_500),
    ("calls refused: busy", 20_000),
    ("calls refused: clock", 500),
    ("calls refused: conflict", 6_000),
    ("deltas delivered", 500_000),
    ("deltas delivered again", 12_000),
    ("merges of three or more", 8_000),
    ("three heads or more", 40_000),
    ("ten waiting or more", 30_000),
    // How lives end and begin.
    ("reboots: crash", 300),
    ("reboots: graceful", 250),
    ("reboots: power loss", 450),
    ("reboots: wipe", 250),
    ("killed after the grace period", 80),
    ("crashes during a start", 20),
    ("ended between commit and publish", 500),
    ("ended before a commit was written", 40),
    ("commits made ahead", 200),
    ("ended with a commit made ahead", 4),
    ("published again after a start", 700),
    ("unsynced tail lost", 200),
    ("unsynced tail kept in part", 200),
    ("syncs failed", 200),
    ("incarnation: rolled back", 50),
    ("incarnation: unclean", 250),
    ("nodes that forgot and caught up", 300),
    ("runs in which only a core recovers", 120),
    // What links do.
    ("frames lost", 70_000),
    ("frames duplicated", 20_000),
    ("frames refused: corrupt", 1_500),
    ("frames misdelivered", 4_000),
    ("answers cut short", 1_900),
    ("sessions begun", 65_000),
    ("frames of sessions", 350_000),
    ("answers in part", 40_000),
    ("streams broken", 8_000),
    ("connections ended", 100),
    ("offences of crooked nodes", 300),
    ("crooked: ends that are nowhere", 80),
    ("crooked: said twice", 150),
    ("crooked: silent", 200),
    ("offences written down", 3_000),
    ("links cut: partition", 300),
    ("links cut: one way", 300),
    ("links cut: half open", 300),
    ("partitions healed with both sides written", 700),
    // What members decide about each other, and what comes of it.
    ("decisions asked for", 2_300),
    ("decisions refused", 900),
    ("decided: grant", 100),
    ("decided: set role", 170),
    ("decided: remove", 150),
    ("decided: leave", 50),
    ("decided: enlist", 110),
    ("roles lowered", 70),
    ("roles raised", 100),
    ("acts: rotate", 400),
    ("acts: seal", 400),
    ("acts: close", 130),
    ("keys learnt late", 40),
    ("incarnation: another role", 100),
    ("incarnation: closed", 60),
    ("states made anew", 500),
    ("confirmed writes that count no more", 50),
    ("nodes that are no members at the end", 200),
    ("replicas at the end", 20),
    // What hostile members do, and what becomes of it.
    ("tricks: act above its role", 150),
    ("tricks: back-dated log", 120),
    ("tricks: close", 150),
    ("tricks: fork of governance", 150),
    ("tricks: garbage act", 200),
    ("tricks: misnamed parent", 100),
    ("tricks: parent under an unknown right", 250),
    ("tricks: soon act", 150),
    ("tricks: sybil", 150),
    ("tricks: unequal seals", 130),
    ("tricks: unknown act", 200),
    ("forks noticed", 1_200),
    ("parked: parent", 40_000),
    ("parked: clock", 2_500),
    ("parked: key", 800),
    ("parked: version", 1_000),
    ("void: clock", 70),
    ("void: sealed", 100),
    ("void: unreadable", 100),
    ("void: cut off", 3_000),
    ("refused: cut off", 3_000),
    ("refused: loose", 20_000),
    ("refused: parking full", 7_000),
    ("refused: stranger", 500),
    ("refused: wrong context", 800),
    ("refused: not continuing", 250),
    ("refused: too many logs", 1_200),
    ("refused: too many tips", 25),
];
