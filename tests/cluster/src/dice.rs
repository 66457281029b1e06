//! Chance that can be repeated.

use std::time::{Duration, SystemTime};

/// Chance that can be repeated: the same seed gives the same throws.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// Dice of this seed; without one, of a seed that nobody has chosen.
    pub fn new(seed: Option<u64>) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seed = seed.unwrap_or_else(|| u64::from(now.subsec_nanos()) ^ now.as_secs());
        Self { seed, state: seed }
    }

    /// What the throws can be repeated with.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Splitmix64. That some numbers come up a little more often does no harm here.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)).checked_rem(bound).unwrap_or_default()
    }

    /// One of some things.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len() as u64);
        of.get(usize::try_from(at).unwrap()).unwrap()
    }

    /// A while shorter than `bound`.
    pub fn while_below(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(bound.as_micros()).unwrap()))
    }
}
