//! Numbers that nobody can align with by accident, from a seed.

/// A stream of numbers (splitmix64): the same seed gives the same stream. Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `most`, which may come out itself.
    pub(super) fn up_to(&mut self, most: u64) -> u64 {
        let drawn = self.next();
        most.checked_add(1).map_or(drawn, |count| drawn % count)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_stays_in_bounds() {
        let (mut one, mut other) = (Chance::new(7), Chance::new(7));
        let drawn: Vec<_> = (0..1_000).map(|_| one.up_to(9)).collect();
        assert!(drawn.iter().all(|it| *it == other.up_to(9)));
        assert_eq!(drawn.iter().min(), Some(&0));
        assert_eq!(drawn.iter().max(), Some(&9));
        assert_eq!(one.up_to(0), 0);
        one.up_to(u64::MAX);
    }
}
