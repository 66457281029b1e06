//! A peer that is to be connected.

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::Multiaddr;

use super::chance::Chance;
use super::pace::Pace;
use super::{Rules, Why};

/// A dial of which nothing was heard for so long has failed.
const MOST_DIAL_MS: u64 = 15_000;

/// Round trips that a handshake takes, and some to spare.
const ROUND_TRIPS: u32 = 8;

/// What a peer is wanted for, and how the dialling goes.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    why: BTreeSet<Why>,
    pace: Pace,
    dialling: Option<Dialling>,
    /// How long a round trip took when it was last connected.
    rtt: Option<Duration>,
}

/// A dial that was begun.
#[derive(Debug, Clone)]
struct Dialling {
    gives_up_ms: u64,
    addresses: Vec<Multiaddr>,
    /// Whether the network has changed since, so that the dial says little about the peer.
    is_nudged: bool,
}

impl Wanted {
    /// Wanted from now on, for nothing yet.
    pub(super) const fn new(now_ms: u64) -> Self {
        Self { why: BTreeSet::new(), pace: Pace::new(now_ms), dialling: None, rtt: None }
    }

    /// It is wanted for this. If that is new, it is worth a try.
    pub(super) fn add(&mut self, why: Why, now_ms: u64, rules: &Rules) {
        if self.why.insert(why) {
            self.pace.hasten(now_ms, rules);
        }
    }

    /// It is not wanted for this. Says whether nothing else is left.
    pub(super) fn remove(&mut self, why: Why) -> bool {
        self.why.remove(&why);
        self.why.is_empty()
    }

    /// What it is wanted for.
    pub(super) fn why(&self) -> impl Iterator<Item = Why> {
        self.why.iter().copied()
    }

    /// It is being dialled.
    pub(super) fn begin(&mut self, addresses: Vec<Multiaddr>, now_ms: u64) {
        let gives_up_ms = now_ms.saturating_add(MOST_DIAL_MS);
        self.dialling = Some(Dialling { gives_up_ms, addresses, is_nudged: false });
        self.pace.begin(now_ms);
    }

    /// How long a dial may take that begins now.
    pub(super) fn patience(&self, now_ms: u64, rules: &Rules) -> Duration {
        let whole = Duration::from_millis(rules.patience_ms);
        if !self.pace.is_eager(now_ms, rules) {
            return whole;
        }
        let handshake = self.rtt.unwrap_or_default() * ROUND_TRIPS;
        handshake.max(Duration::from_millis(rules.eager_patience_ms)).min(whole)
    }

    /// The dial did not take place.
    pub(super) fn postpone(&mut self, now_ms: u64, rules: &Rules) {
        self.dialling = None;
        self.pace.postpone(now_ms, rules);
    }

    /// The dial has failed. Nothing changes if there was none.
    pub(super) fn fail(&mut self, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        let Some(dialling) = self.dialling.take() else { return };
        self.pace.fail(now_ms, rules, chance);
        if dialling.is_nudged {
            self.pace.nudge(now_ms, rules, chance);
        }
    }

    /// If nothing was heard of the dial for too long, it has failed: where it went.
    pub(super) fn expire(
        &mut self,
        now_ms: u64,
        rules: &Rules,
        chance: &mut Chance,
    ) -> Option<Vec<Multiaddr>> {
        let gives_up_ms = self.gives_up_ms().filter(|at_ms| *at_ms <= now_ms)?;
        let addresses = self.dialling.as_mut().map(|it| std::mem::take(&mut it.addresses));
        self.fail(gives_up_ms, rules, chance);
        addresses
    }

    /// It is connected.
    pub(super) fn connect(&mut self) {
        self.dialling = None;
    }

    /// A round trip to it takes so long.
    pub(super) const fn measure(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    /// It is not connected any more, after so long.
    pub(super) fn lose(&mut self, lived_ms: u64, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        self.pace.lose(lived_ms, now_ms, rules, chance);
    }

    /// There is news that make it worth a try.
    pub(super) fn hasten(&mut self, now_ms: u64, rules: &Rules) {
        self.pace.hasten(now_ms, rules);
    }

    /// The network has changed.
    pub(super) fn nudge(&mut self, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        match &mut self.dialling {
            Some(dialling) => dialling.is_nudged = true,
            None => self.pace.nudge(now_ms, rules, chance),
        }
    }

    /// When the dial has failed if nothing is heard of it. `None` if it is not being dialled.
    pub(super) fn gives_up_ms(&self) -> Option<u64> {
        self.dialling.as_ref().map(|it| it.gives_up_ms)
    }

    /// When to dial it next. `None` if it is being dialled.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.dialling.is_none().then_some(self.pace.next_ms())
    }

    /// How many dials in a row have failed.
    pub(super) const fn failures(&self) -> u32 {
        self.pace.failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(at_ms: u64) -> (Wanted, Rules, Chance) {
        let mut wanted = Wanted::new(0);
        wanted.begin(Vec::new(), at_ms);
        (wanted, Rules::default(), Chance::new(1))
    }

    #[test]
    fn a_dial_without_outcome_has_failed_after_fifteen_seconds() {
        let (mut wanted, rules, mut chance) = dialled(1_000);
        assert_eq!(wanted.next_ms(), None);
        assert_eq!(wanted.expire(15_999, &rules, &mut chance), None);
        assert_eq!(wanted.expire(60_000, &rules, &mut chance), Some(Vec::new()));
        assert_eq!(wanted.failures(), 1);
        assert!(wanted.next_ms().is_some_and(|next_ms| next_ms <= 17_000));
        assert_eq!(wanted.expire(60_000, &rules, &mut chance), None);
    }

    #[test]
    fn a_failure_of_no_dial_changes_nothing() {
        let (mut wanted, rules, mut chance) = dialled(0);
        wanted.fail(5, &rules, &mut chance);
        let next_ms = wanted.next_ms();
        wanted.fail(9, &rules, &mut chance);
        assert_eq!((wanted.failures(), wanted.next_ms()), (1, next_ms));
    }

    #[test]
    fn a_dial_that_the_network_changed_under_is_repeated_soon() {
        let (mut wanted, rules, mut chance) = dialled(500_000);
        wanted.nudge(500_100, &rules, &mut chance);
        assert_eq!(wanted.next_ms(), None);
        wanted.fail(510_000, &rules, &mut chance);
        assert!(wanted.next_ms().is_some_and(|next_ms| next_ms <= 510_250));
        assert_eq!(wanted.failures(), 1);
    }

    #[test]
    fn a_peer_is_wanted_until_its_last_reason_is_gone() {
        let mut wanted = Wanted::new(0);
        let rules = Rules::default();
        wanted.add(Why::Member, 0, &rules);
        wanted.add(Why::Bootstrap, 0, &rules);
        assert_eq!(wanted.why().collect::<Vec<_>>(), [Why::Bootstrap, Why::Member]);
        assert!(!wanted.remove(Why::Member));
        assert!(!wanted.remove(Why::Join));
        assert!(wanted.remove(Why::Bootstrap));
    }
}
