//! How often something is looked at that cannot tell when it changes.

use std::thread::park_timeout;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(2);
const LAST: Duration = Duration::from_millis(50);

/// How often something is looked at that cannot tell when it changes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    next: Duration,
    last: Duration,
}

impl Pace {
    /// After 2 ms, then ever later, until it is every 50 ms.
    pub const fn slowing() -> Self {
        Self { next: FIRST, last: LAST }
    }

    /// Every 2 ms: for what is measured.
    pub const fn steady() -> Self {
        Self { next: FIRST, last: FIRST }
    }

    /// Waits until it is time to look again.
    pub fn wait(&mut self) {
        park_timeout(self.next);
        self.next = (self.next * 2).min(self.last);
    }
}
