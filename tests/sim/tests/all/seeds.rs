//! A short campaign with fixed seeds, and what is promised of seeds.

use mangrove_sim::campaign::{self, Report};
use mangrove_sim::trace::Detail;

/// Enough for the minimums of a campaign to be judged.
const SEEDS: u64 = 60;

#[test]
fn a_short_campaign_breaks_no_promise_and_lives_through_enough() {
    let mut report = Report::default();
    for seed in 1..=SEEDS {
        report.add(campaign::run(seed, None));
    }
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let shortfalls = report.shortfalls();
    let shortfalls: Vec<_> = shortfalls.iter().map(ToString::to_string).collect();
    assert_eq!(shortfalls, Vec::<String>::new());
}

#[test]
fn an_empty_campaign_cannot_pass() {
    let report = Report { seeds: SEEDS, ..Report::default() };
    assert!(report.shortfalls().len() > 30);
}

#[test]
fn a_seed_is_one_run_and_another_seed_is_another() {
    let hash = |seed| campaign::run_once(seed, None, Detail::Hash).hash;
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}
