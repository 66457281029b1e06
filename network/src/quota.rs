//! How much of something there may be in how much time.

/// A measure that drains at a steady pace, and overflows when it is filled faster than that.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    per_second: u64,
    /// What may come at once.
    burst: u64,
    /// What has come and not yet drained, in thousandths.
    level: u64,
    at_ms: u64,
}

impl Quota {
    /// Room for `burst` at once and for `per_second` in the long run.
    pub(crate) const fn new(per_second: u64, burst: u64) -> Self {
        Self { per_second, burst, level: 0, at_ms: 0 }
    }

    /// Whether there is room for this much. If so, it is taken.
    pub(crate) fn take(&mut self, amount: u64, now_ms: u64) -> bool {
        self.drain(now_ms);
        let level = self.level.saturating_add(amount.saturating_mul(1_000));
        let fits = level <= self.burst.saturating_mul(1_000);
        if fits {
            self.level = level;
        }
        fits
    }

    /// Whether everything has drained.
    pub(crate) fn is_idle(&mut self, now_ms: u64) -> bool {
        self.drain(now_ms);
        self.level == 0
    }

    fn drain(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.level = self.level.saturating_sub(passed.saturating_mul(self.per_second));
        self.at_ms = self.at_ms.max(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_fits_and_then_the_pace_counts() {
        let mut quota = Quota::new(10, 5);
        assert!((0..5).all(|_| quota.take(1, 0)));
        assert!(!quota.take(1, 0));
        assert!(quota.take(1, 100));
        assert!(!quota.take(1, 150));
        assert!(quota.take(5, 10_000));
        assert!(!quota.is_idle(10_000));
        assert!(quota.is_idle(11_000));
    }

    #[test]
    fn what_does_not_fit_takes_nothing() {
        let mut quota = Quota::new(1, 5);
        assert!(!quota.take(6, 0));
        assert!(quota.take(5, 0));
    }

    #[test]
    fn a_clock_that_stands_gives_no_room() {
        let mut quota = Quota::new(1, 1);
        assert!(quota.take(1, 5_000));
        assert!(!quota.take(1, 4_000));
        assert!(!quota.take(1, 5_999));
        assert!(quota.take(1, 6_000));
    }
}
