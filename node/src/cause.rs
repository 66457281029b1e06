//! Which event led to which.
//!
//! Every event has a number of its own, and remembers that of the event during which it was sent. Who sends
//! does not say so: the driver notes what it is about, around each step and around whatever was begun by one.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Span;

/// The number of an event, in the order in which this process met them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u64);

static LAST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static CURRENT: RefCell<Option<(EventId, Span)>> = const { RefCell::new(None) };
}

impl EventId {
    /// The next one.
    pub(crate) fn next() -> Self {
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The event that this thread is about, if any.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(|current| current.as_ref().map(|(id, _)| *id))
    }

    /// The span in which the first of the events was sent that led to what this thread is about. Spans of those
    /// between are not kept: there may be any number of them.
    pub(crate) fn root() -> Span {
        CURRENT.with_borrow(|current| match current {
            Some((_, root)) => root.clone(),
            None => Span::current(),
        })
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Does something on account of this event, to which something in this span has led.
    pub(crate) fn during<T>(self, root: &Span, act: impl FnOnce() -> T) -> T {
        let _back = Back(CURRENT.replace(Some((self, root.clone()))));
        act()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Puts back what the thread was about, also when it panics.
struct Back(Option<(EventId, Span)>);

impl Drop for Back {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn what_a_thread_is_about_ends_with_it_also_by_a_panic() {
        let (outer, inner) = (EventId::next(), EventId::next());
        assert!(outer < inner);
        let none = Span::none();
        outer.during(&none, || {
            catch_unwind(|| inner.during(&Span::none(), || panic!("planted"))).unwrap_err();
            assert_eq!(EventId::current(), Some(outer));
            assert_eq!(inner.during(&none, EventId::current), Some(inner));
        });
        assert_eq!(EventId::current(), None);
    }
}
