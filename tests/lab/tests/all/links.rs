//! An emulated link delays and loses as it was told.

use std::time::Duration;

use mangrove_lab::{Conditions, Counters, Lab, Link, Namespace};

use crate::probe::{self, Pings, Probe};

/// A link, and a probe at each of its ends.
struct Site {
    // In the order of taking down.
    here: Probe,
    there: Probe,
    link: Link,
    _a: Namespace,
    b: Namespace,
}

impl Site {
    /// None where there cannot be one.
    fn with(conditions: Conditions) -> Option<Self> {
        let lab = probe::lab().filter(Lab::can_emulate)?;
        let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
        let link = lab.emulate(&a, &b, conditions).unwrap();
        Some(Self { here: Probe::start(&a), there: Probe::start(&b), link, _a: a, b })
    }

    /// Round trips in milliseconds, sorted.
    fn ping(&self, count: u32, interval_ms: f64, patience_ms: u32) -> Vec<f64> {
        let (to, port) = (self.link.address_of(&self.b).unwrap(), self.there.port());
        let pings = Pings { to, port, count, interval_ms, patience_ms };
        let mut round_trips = self.here.ping(pings).rtt_ms;
        round_trips.sort_by(f64::total_cmp);
        round_trips
    }

    fn counters(&self) -> Counters {
        self.link.counters().unwrap()
    }
}

#[test]
fn a_link_delays_by_what_was_said_until_something_else_is_said() {
    let conditions = Conditions { delay: Duration::from_millis(30), ..Conditions::default() };
    let Some(site) = Site::with(conditions) else { return };
    let check = |least_ms: f64| {
        let round_trips = site.ping(21, 5.0, 10_000);
        assert_eq!(round_trips.len(), 21);
        let median = round_trips[10];
        assert!((least_ms..least_ms + 20.0).contains(&median), "{median}");
        assert!(round_trips[0] >= least_ms, "{round_trips:?}");
    };
    check(60.0);
    site.link.set(Conditions { delay: Duration::from_millis(5), ..conditions }).unwrap();
    check(10.0);
}

#[test]
fn a_link_varies_its_delay_by_what_was_said() {
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(15));
    let conditions = Conditions { delay, jitter, seed: 3, ..Conditions::default() };
    let Some(site) = Site::with(conditions) else { return };
    let round_trips = site.ping(30, 20.0, 10_000);
    let (least, most) = (round_trips[0], round_trips[29]);
    assert!((10.0..40.0).contains(&least) && most > 40.0, "{round_trips:?}");
}

#[test]
fn a_link_loses_about_what_was_said_and_the_same_for_the_same_seed() {
    let conditions = Conditions { loss: 0.2, seed: 7, ..Conditions::default() };
    let Some(site) = Site::with(conditions) else { return };
    let check = || {
        let before = site.counters().there;
        let answered = site.ping(600, 0.1, 300).len();
        let after = site.counters().there;
        assert_eq!(after.sent - before.sent, 600);
        let lost = after.lost - before.lost;
        // Of 600, five standard deviations around a mean of 384 and of 120.
        assert!((325..=443).contains(&answered), "{answered} answers");
        assert!((71..=169).contains(&lost), "{lost} lost");
        lost
    };
    let first = check();
    site.link.set(conditions).unwrap();
    assert_eq!(check(), first);
}

#[test]
fn a_link_carries_no_more_than_its_rate_and_drops_what_would_queue_for_long() {
    // A datagram of 100 bytes has 128 with its headers: 64 KiB carry 512 of them in a second.
    let conditions = Conditions { rate_kib: Some(64), ..Conditions::default() };
    let Some(site) = Site::with(conditions) else { return };
    let round_trips = site.ping(500, 0.0, 500);
    let counted = site.counters().there;
    assert!(counted.dropped > 0, "{counted:?}");
    assert_eq!(counted.delivered + counted.dropped, counted.sent);
    let most = round_trips[round_trips.len() - 1];
    assert!((150.0..700.0).contains(&most), "{most}");
}

#[test]
fn an_end_of_a_link_can_change_its_address() {
    let Some(site) = Site::with(Conditions::default()) else { return };
    let before = site.link.address_of(&site.b).unwrap();
    assert_ne!(site.link.change_address(&site.b).unwrap(), before);
    assert_eq!(site.ping(1, 0.0, 10_000).len(), 1);
}
