//! Who asks too fast is made to wait.

use std::collections::BTreeMap;
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;
/// Those who are remembered. Beyond them whoever may go on soonest is forgotten.
const MOST: usize = 4_096;

/// What each of some may do at a time, and how much of it was done: of each, until when that counts.
#[derive(Debug)]
pub(crate) struct Throttle<Who> {
    /// How much later each one lets the next be. Nothing counts if that is 0.
    each_ns: u64,
    /// How far ahead somebody may be.
    ahead_ns: u64,
    until_ns: BTreeMap<Who, u64>,
}

impl<Who: Ord + Clone> Throttle<Who> {
    /// So many at once, and as many a second after that. 0 a second is no limit.
    pub(crate) fn new(at_once: u64, a_second: u64) -> Self {
        let each_ns = SECOND_NS.checked_div(a_second).unwrap_or(0);
        let ahead_ns = each_ns.saturating_mul(at_once.saturating_sub(1));
        Self { each_ns, ahead_ns, until_ns: BTreeMap::new() }
    }

    /// For how long somebody has to wait before one more.
    pub(crate) fn wait(&self, who: &Who, now_ns: u64) -> Option<Duration> {
        let until_ns = self.until_ns.get(who).copied().unwrap_or_default();
        let over_ns = until_ns.saturating_sub(now_ns.saturating_add(self.ahead_ns));
        (over_ns > 0).then(|| Duration::from_nanos(over_ns))
    }

    /// Somebody does so many more.
    pub(crate) fn count(&mut self, who: &Who, many: u64, now_ns: u64) {
        if self.each_ns == 0 {
            return;
        }
        if !self.until_ns.contains_key(who) && self.until_ns.len() >= MOST {
            self.forget(now_ns);
        }
        let until_ns = self.until_ns.entry(who.clone()).or_insert(now_ns);
        let more_ns = self.each_ns.saturating_mul(many);
        *until_ns = (*until_ns).max(now_ns).saturating_add(more_ns);
    }

    /// Does one more, or says for how long to wait before that.
    pub(crate) fn take(&mut self, who: &Who, now_ns: u64) -> Result<(), Duration> {
        match self.wait(who, now_ns) {
            Some(wait) => Err(wait),
            None => {
                self.count(who, 1, now_ns);
                Ok(())
            }
        }
    }

    fn forget(&mut self, now_ns: u64) {
        self.until_ns.retain(|_, until_ns| *until_ns > now_ns);
        if self.until_ns.len() >= MOST {
            let soonest = self.until_ns.iter().min_by_key(|(_, until_ns)| **until_ns);
            let soonest = soonest.map(|(who, _)| who.clone());
            soonest.and_then(|who| self.until_ns.remove(&who));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_fast_waits_and_nobody_else_does() {
        let mut throttle = Throttle::new(20, 1);
        for _ in 0..20 {
            assert_eq!(throttle.take(&"bad", 5), Ok(()));
        }
        assert_eq!(throttle.take(&"bad", 5), Err(Duration::from_secs(1)));
        assert_eq!(throttle.take(&"good", 5), Ok(()));
        assert_eq!(throttle.take(&"bad", 5 + SECOND_NS), Ok(()));
        assert!(throttle.take(&"bad", 5 + SECOND_NS).is_err());
        throttle.count(&"bad", 10, 5 + SECOND_NS);
        assert_eq!(throttle.wait(&"bad", 5 + SECOND_NS), Some(Duration::from_secs(11)));
    }

    #[test]
    fn none_a_second_is_no_limit() {
        let mut throttle = Throttle::new(0, 0);
        assert!((0..1_000).all(|_| throttle.take(&1, 7) == Ok(())));
    }

    #[test]
    fn as_many_are_remembered_as_may_be() {
        let mut throttle = Throttle::new(1, 1);
        (0..10_000).for_each(|who| throttle.count(&who, 1, 0));
        assert_eq!(throttle.until_ns.len(), MOST);
    }
}
