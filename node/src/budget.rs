//! How much may be in flight: so many things, and so many bytes of them.

use std::sync::Arc;

use parking_lot::Mutex;

/// What may be in flight at a time. Cheap to clone; the clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    things: usize,
    bytes: u64,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    things: usize,
    bytes: u64,
}

/// Leave for one thing to be in flight. Dropped, also by a panic, it is given back.
#[derive(Debug)]
pub struct Permit {
    bytes: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Budget {
    /// So many things, and so many bytes of them, of which there is at least one.
    pub fn new(things: usize, bytes: u64) -> Self {
        Self { things: things.max(1), bytes, taken: Arc::default() }
    }

    /// Whether something may still be begun.
    pub fn has_room(&self) -> bool {
        let taken = *self.taken.lock();
        taken.things < self.things && taken.bytes < self.bytes.max(1)
    }

    /// Takes leave for something that has to be begun, whether or not there is room: what one step begins is
    /// not known before the step. What is taken beyond the budget keeps the next step waiting for longer.
    pub fn take(&self, bytes: u64) -> Permit {
        let mut taken = self.taken.lock();
        taken.things += 1;
        taken.bytes = taken.bytes.saturating_add(bytes);
        Permit { bytes, taken: Arc::clone(&self.taken) }
    }

    /// How many things are in flight.
    pub fn things(&self) -> usize {
        self.taken.lock().things
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.things = taken.things.saturating_sub(1);
        taken.bytes = taken.bytes.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use super::*;

    #[test]
    fn there_is_room_until_things_or_bytes_run_out() {
        let budget = Budget::new(2, 100);
        let first = budget.take(99);
        assert!(budget.has_room());
        let second = budget.take(0);
        assert!(!budget.has_room(), "two things");
        drop(first);
        assert!(budget.has_room());
        let third = budget.take(100);
        drop(second);
        assert!(!budget.has_room(), "a hundred bytes");
        drop(third);
        assert!(budget.has_room());
        assert_eq!(budget.things(), 0);
    }

    #[test]
    fn a_permit_is_given_back_by_a_panic() {
        let budget = Budget::new(1, 1);
        let inner = budget.clone();
        let fallen = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let _permit = inner.take(1);
            panic!("planted");
        }));
        fallen.unwrap_err();
        assert!(budget.has_room());
    }

    #[test]
    fn what_is_larger_than_the_budget_is_begun_alone() {
        let budget = Budget::new(8, 10);
        let permit = budget.take(1_000);
        assert!(!budget.has_room());
        drop(permit);
        assert!(budget.has_room());
    }
}
