//! When to try a peer again.

use super::Rules;
use super::chance::Chance;

/// A connection that ends sooner was no success: there are peers that accept and drop at once.
const STEADY_MS: u64 = 5_000;

/// How often pauses are doubled at most: enough for every longest pause.
const MOST_DOUBLINGS: u32 = 32;

/// The pauses between the dials of one peer: short for a while after it was lost or first wanted,
/// then ever longer.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// When it was lost or first wanted.
    since_ms: u64,
    /// When it was dialled last.
    tried_ms: Option<u64>,
    next_ms: u64,
    failures: u32,
    /// The failures since pauses grow.
    doublings: u32,
    /// Whether it was connected for long enough in this life.
    is_proven: bool,
}

impl Pace {
    /// Of a peer that is wanted from now on.
    pub(super) const fn new(now_ms: u64) -> Self {
        Self {
            since_ms: now_ms,
            tried_ms: None,
            next_ms: now_ms,
            failures: 0,
            doublings: 0,
            is_proven: false,
        }
    }

    /// When to dial next.
    pub(super) const fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// How many dials in a row have failed.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// It is being dialled.
    pub(super) const fn begin(&mut self, now_ms: u64) {
        self.tried_ms = Some(now_ms);
    }

    /// The dial has failed.
    pub(super) fn fail(&mut self, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        self.failures = self.failures.saturating_add(1);
        self.next_ms = now_ms.saturating_add(self.gap_ms(now_ms, rules, chance));
    }

    /// The last connection has ended. If it had lived for a while all is forgiven, else it counts
    /// as a failed dial.
    pub(super) fn lose(&mut self, lived_ms: u64, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        if lived_ms < STEADY_MS {
            return self.fail(now_ms, rules, chance);
        }
        // By chance, because the other side dials as well.
        let next_ms = now_ms.saturating_add(chance.up_to(rules.eager_gap_ms));
        *self = Self { next_ms, is_proven: true, ..Self::new(now_ms) };
    }

    /// There is news that make it worth a try: now, unless it was tried only just.
    pub(super) fn hasten(&mut self, now_ms: u64, rules: &Rules) {
        let tried = self.tried_ms.map_or(0, |at_ms| at_ms.saturating_add(rules.first_gap_ms));
        self.next_ms = self.next_ms.min(tried.max(now_ms));
    }

    /// The network has changed: soon, but not all peers at once.
    pub(super) fn nudge(&mut self, now_ms: u64, rules: &Rules, chance: &mut Chance) {
        let soon_ms = now_ms.saturating_add(chance.up_to(rules.eager_gap_ms));
        self.next_ms = self.next_ms.min(soon_ms);
    }

    /// Whether it is sought without growing pauses.
    pub(super) const fn is_eager(&self, now_ms: u64, rules: &Rules) -> bool {
        let eager_ms = if self.is_proven { rules.eager_ms } else { rules.stranger_eager_ms };
        now_ms.saturating_sub(self.since_ms) < eager_ms
    }

    /// What was begun did not take place: again before long, as if it had never begun.
    pub(super) const fn postpone(&mut self, now_ms: u64, rules: &Rules) {
        self.next_ms = now_ms.saturating_add(rules.first_gap_ms);
    }

    fn gap_ms(&mut self, now_ms: u64, rules: &Rules, chance: &mut Chance) -> u64 {
        if self.is_eager(now_ms, rules) {
            return rules.eager_gap_ms.saturating_add(chance.up_to(rules.eager_gap_ms));
        }
        let factor = 1_u64 << self.doublings;
        self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
        let whole_ms = rules.first_gap_ms.saturating_mul(factor).min(rules.most_gap_ms);
        whole_ms - chance.up_to(whole_ms / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses after failed dials, from `now_ms` until `until_ms`.
    fn gaps(pace: &mut Pace, now_ms: u64, until_ms: u64) -> Vec<u64> {
        let (rules, mut chance) = (Rules::default(), Chance::new(1));
        let mut at_ms = now_ms.max(pace.next_ms());
        let mut gaps = Vec::new();
        while at_ms < until_ms {
            pace.begin(at_ms);
            pace.fail(at_ms, &rules, &mut chance);
            gaps.push(pace.next_ms() - at_ms);
            at_ms = pace.next_ms();
        }
        gaps
    }

    fn lost(lived_ms: u64, now_ms: u64) -> Pace {
        let mut pace = Pace::new(0);
        pace.lose(lived_ms, now_ms, &Rules::default(), &mut Chance::new(2));
        pace
    }

    #[test]
    fn a_lost_peer_is_tried_eagerly_for_two_minutes() {
        let mut pace = lost(STEADY_MS, 10_000);
        assert!(pace.next_ms() <= 10_075);
        let eager = gaps(&mut pace, 10_000, 130_000);
        assert!(eager.iter().all(|gap| (75..=150).contains(gap)), "{eager:?}");
        assert!(eager.len() >= 800);
    }

    #[test]
    fn pauses_grow_afterwards_up_to_the_longest() {
        let mut pace = lost(STEADY_MS, 0);
        gaps(&mut pace, 0, 120_000);
        let slow = gaps(&mut pace, 120_000, 1_000_000);
        for (gap, whole) in slow.iter().zip([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
            assert!((whole / 2..=whole).contains(gap), "{gap} of {whole}");
        }
        let longest = slow.iter().skip(5);
        assert!(longest.clone().all(|gap| (15_000..=30_000).contains(gap)));
        assert!(
            longest.clone().any(|gap| *gap > 22_500) && longest.clone().any(|gap| *gap < 22_500)
        );
    }

    #[test]
    fn a_peer_that_was_never_reached_is_tried_eagerly_for_ten_seconds() {
        let mut pace = Pace::new(0);
        assert!(gaps(&mut pace, 0, 10_000).iter().all(|gap| *gap <= 500));
        assert!(gaps(&mut pace, 10_000, 200_000).len() < 15);
    }

    #[test]
    fn a_peer_that_accepts_and_drops_is_still_backed_off() {
        let (rules, mut chance) = (Rules::default(), Chance::new(3));
        let mut pace = Pace::new(0);
        gaps(&mut pace, 0, 300_000);
        let before = pace.failures();
        let now_ms = pace.next_ms();
        pace.lose(STEADY_MS - 1, now_ms, &rules, &mut chance);
        assert_eq!(pace.failures(), before + 1);
        assert!(pace.next_ms() - now_ms >= 15_000);
        pace.lose(STEADY_MS, now_ms, &rules, &mut chance);
        assert_eq!(pace.failures(), 0);
        assert!(pace.next_ms() - now_ms <= 250);
    }

    #[test]
    fn a_nudge_makes_due_and_forgives_nothing() {
        let rules = Rules::default();
        let mut pace = Pace::new(0);
        gaps(&mut pace, 0, 300_000);
        let (failures, now_ms) = (pace.failures(), pace.next_ms() - 10_000);
        pace.nudge(now_ms, &rules, &mut Chance::new(4));
        assert!((now_ms..=now_ms + 250).contains(&pace.next_ms()));
        assert_eq!(pace.failures(), failures);
        assert!(gaps(&mut pace, now_ms, now_ms + 1_000).iter().all(|gap| *gap >= 15_000));
    }

    #[test]
    fn news_do_not_make_a_peer_due_more_often_than_once_a_second() {
        let rules = Rules::default();
        let mut pace = Pace::new(0);
        gaps(&mut pace, 0, 300_000);
        let now_ms = pace.next_ms();
        pace.begin(now_ms);
        pace.fail(now_ms + 5, &rules, &mut Chance::new(5));
        pace.hasten(now_ms + 10, &rules);
        assert_eq!(pace.next_ms(), now_ms + 1_000);
        pace.hasten(now_ms + 5_000, &rules);
        assert_eq!(pace.next_ms(), now_ms + 1_000);
    }

    #[test]
    fn no_time_is_too_late_and_no_number_of_failures_too_great() {
        let (rules, mut chance) = (Rules::default(), Chance::new(6));
        let mut pace = Pace::new(0);
        for _ in 0..200 {
            pace.fail(u64::MAX - 1, &rules, &mut chance);
        }
        assert_eq!(pace.next_ms(), u64::MAX);
        assert_eq!(pace.failures(), 200);
    }
}
