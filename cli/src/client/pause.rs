//! Waiting between tries: longer each time.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Waits between tries.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(WAITS.0)
    }
}

impl Pause {
    /// Waits, and no longer than this. The next wait is twice as long.
    pub(crate) fn wait(&mut self, most: Duration) {
        let end = Instant::now() + self.next().min(most);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            park_timeout(left);
        }
    }

    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(WAITS.1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let mut pause = Pause::default();
        let waits = (0..9).map(|_| pause.next().as_millis()).collect::<Vec<_>>();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    }

    #[test]
    fn a_wait_ends_when_there_is_no_more_time() {
        let began = Instant::now();
        Pause(Duration::from_secs(60)).wait(Duration::from_millis(1));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
