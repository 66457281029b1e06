//! The hybrid logical clock: wall time where clocks agree, order of causes where they do not.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

/// How far a stamp may lead a local clock, in milliseconds, before it has to wait.
pub const MAX_AHEAD_MS: u64 = 60_000;

const COUNTER_BITS: u32 = 16;
const LAST_MS: u64 = u64::MAX >> COUNTER_BITS;

/// A stamp: 48 bits of Unix milliseconds above 16 bits that count within one of them.
///
/// Stamps order first by time, then by counter, and so does the number that holds them.
#[derive(
    Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Hlc(u64);

impl Hlc {
    /// Before every other stamp.
    pub const ZERO: Self = Self(0);
    /// Nothing can be stamped after this one.
    pub const LAST: Self = Self(u64::MAX);

    /// The stamp of this millisecond and counter; a time past 48 bits counts as the last one.
    pub const fn new(ms: u64, counter: u16) -> Self {
        let ms = if ms > LAST_MS { LAST_MS } else { ms };
        Self(ms << COUNTER_BITS | counter as u64)
    }

    /// The stamp held by this number.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that holds it.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Its Unix time in milliseconds.
    pub const fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// Its place within its millisecond.
    pub const fn counter(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// The smallest stamp that is above this one and not before `now_ms`; `None` where 48 bits of
    /// milliseconds end.
    pub const fn after(self, now_ms: u64) -> Option<Self> {
        if now_ms > LAST_MS {
            return None;
        }
        if now_ms > self.ms() {
            return Some(Self::new(now_ms, 0));
        }
        // A full counter carries into the next millisecond by itself.
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The time on the local clock from which on it is believed.
    pub const fn believed_from_ms(self) -> u64 {
        self.ms().saturating_sub(MAX_AHEAD_MS)
    }

    /// Whether it leads a local clock that shows `now_ms` by more than is allowed.
    pub const fn is_ahead(self, now_ms: u64) -> bool {
        self.ms() > now_ms.saturating_add(MAX_AHEAD_MS)
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.counter())
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hlc({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_after(from: Hlc, now_ms: u64, expect: Option<Hlc>) {
        assert_eq!(from.after(now_ms), expect, "{from} after {now_ms}");
    }

    #[test]
    fn a_clock_never_stands_still_or_runs_back() {
        check_after(Hlc::new(10, 7), 20, Some(Hlc::new(20, 0)));
        check_after(Hlc::new(10, 7), 10, Some(Hlc::new(10, 8)));
        check_after(Hlc::new(10, 7), 5, Some(Hlc::new(10, 8)));
        check_after(Hlc::new(10, u16::MAX), 10, Some(Hlc::new(11, 0)));
        check_after(Hlc::new(LAST_MS, 0), 0, Some(Hlc::new(LAST_MS, 1)));
        check_after(Hlc::LAST, 0, None);
        check_after(Hlc::ZERO, LAST_MS, Some(Hlc::new(LAST_MS, 0)));
        check_after(Hlc::ZERO, LAST_MS + 1, None);
    }

    #[test]
    fn only_more_than_a_minute_is_ahead() {
        let stamp = Hlc::new(MAX_AHEAD_MS + 5, 0);
        assert!(!stamp.is_ahead(5));
        assert!(stamp.is_ahead(4));
        assert!(!Hlc::LAST.is_ahead(u64::MAX));
    }

    #[test]
    fn a_stamp_prints_as_time_and_counter() {
        assert_eq!(Hlc::new(1_767_225_600_000, 3).to_string(), "1767225600000.3");
        assert_eq!(Hlc::new(u64::MAX, 0).ms(), LAST_MS);
    }

    proptest! {
        #[test]
        fn the_next_stamp_is_the_smallest_allowed(bits: u64, now_ms in 0..=LAST_MS) {
            let from = Hlc::from_bits(bits);
            prop_assume!(from != Hlc::LAST);
            let next = from.after(now_ms).unwrap();
            prop_assert!(next > from && next.ms() >= now_ms);
            let before = Hlc::from_bits(next.bits() - 1);
            prop_assert!(before <= from || before.ms() < now_ms);
            prop_assert_eq!(Hlc::new(from.ms(), from.counter()), from);
        }
    }
}
