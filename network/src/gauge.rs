//! How full a queue is, how full it has been, and a word of warning before it overflows.

use crate::overview::Queue;

/// The share of its capacity at which a queue is said to fill up, and at which it no longer is.
const HIGH_PERCENT: u64 = 80;
const LOW_PERCENT: u64 = 50;

/// How full a queue is.
#[derive(Debug)]
pub(crate) struct Gauge {
    now: Queue,
    is_warned: bool,
    shed: u64,
    told: u64,
}

/// Something about a queue that is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warning {
    /// It fills up.
    Filling,
    /// It has been relieved.
    Relieved,
}

impl Gauge {
    pub(crate) const fn new(name: &'static str, capacity: u64) -> Self {
        let now = Queue { name, depth: 0, peak: 0, capacity };
        Self { now, is_warned: false, shed: 0, told: 0 }
    }

    /// Notes how much waits.
    pub(crate) fn note(&mut self, depth: u64) -> Option<Warning> {
        self.now.depth = depth;
        self.now.peak = self.now.peak.max(depth);
        let percent = depth.saturating_mul(100) / self.now.capacity.max(1);
        let was_warned = self.is_warned;
        self.is_warned = percent >= if was_warned { LOW_PERCENT } else { HIGH_PERCENT };
        match (was_warned, self.is_warned) {
            (false, true) => Some(Warning::Filling),
            (true, false) => Some(Warning::Relieved),
            _ => None,
        }
    }

    /// Notes that something did not fit.
    pub(crate) const fn shed(&mut self) {
        self.shed += 1;
    }

    /// How much did not fit since this was last asked.
    pub(crate) const fn shed_since(&mut self) -> u64 {
        let since = self.shed - self.told;
        self.told = self.shed;
        since
    }

    /// How it stands.
    pub(crate) const fn queue(&self) -> Queue {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_warns_once_before_it_overflows_and_once_when_it_is_relieved() {
        let mut gauge = Gauge::new("messages", 10);
        let depths = [0, 7, 8, 10, 6, 8, 5, 4, 1, 8];
        let said = depths.map(|depth| gauge.note(depth));
        let (filling, relieved) = (Some(Warning::Filling), Some(Warning::Relieved));
        let expect = [None, None, filling, None, None, None, None, relieved, None, filling];
        assert_eq!(said, expect);
        assert_eq!((gauge.queue().peak, gauge.queue().depth), (10, 8));
    }

    #[test]
    fn what_did_not_fit_is_told_once() {
        let mut gauge = Gauge::new("messages", 10);
        gauge.shed();
        gauge.shed();
        assert_eq!((gauge.shed_since(), gauge.shed_since()), (2, 0));
    }
}
