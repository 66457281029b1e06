//! How often something may fall before it is given up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// More falls than this within [`WITHIN`] are too many.
pub(crate) const MOST: usize = 3;
/// For how long a fall is remembered.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// The falls of one actor.
#[derive(Debug, Default)]
pub(crate) struct Strikes(VecDeque<Instant>);

impl Strikes {
    /// Notes a fall; whether it may get up once more.
    pub(crate) fn fell(&mut self, now: Instant) -> bool {
        self.0.retain(|then| now.saturating_duration_since(*then) < WITHIN);
        self.0.push_back(now);
        self.0.len() <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_fall_within_a_minute_is_one_too_many() {
        let start = Instant::now();
        let check = |seconds: &[u64], expect: &[bool]| {
            let mut strikes = Strikes::default();
            let found = seconds.iter().map(|at| strikes.fell(start + Duration::from_secs(*at)));
            assert_eq!(found.collect::<Vec<_>>(), expect, "{seconds:?}");
        };
        check(&[0, 1, 2, 59], &[true, true, true, false]);
        check(&[0, 1, 2, 60], &[true, true, true, true]);
        check(&[0, 30, 60, 90, 120, 150], &[true; 6]);
        check(&[0, 0, 0, 0], &[true, true, true, false]);
    }
}
