//! All chance in a run, from its seed: xoshiro256** behind the few questions that a simulator asks.

/// A stream of chance. Streams with different names never influence each other.
#[derive(Debug, Clone)]
pub struct Dice {
    state: [u64; 4],
}

impl Dice {
    /// The stream that a seed has under this name.
    pub fn new(seed: u64, name: &[u64]) -> Self {
        let mut mix = seed;
        for part in name {
            mix = split(&mut mix) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        Self { state: std::array::from_fn(|_| split(&mut mix)) }
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        let [first, second, third, fourth] = self.state;
        let result = second.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (third, fourth) = (third ^ first, fourth ^ second);
        let (second, first) = (second ^ third, first ^ fourth);
        let third = third ^ (self.second() << 17);
        self.state = [first, second, third, fourth.rotate_left(45)];
        result
    }

    const fn second(&self) -> u64 {
        let [_, second, ..] = self.state;
        second
    }

    /// A number below `bound`; 0 if there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A place in a list of this length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.index(of.len()))
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, fresh) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = fresh;
            }
        }
    }

    /// Fresh bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

const fn split(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_each_time_and_another_under_another_name() {
        let draw = |seed, name: &[u64]| {
            let mut dice = Dice::new(seed, name);
            (0..8).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, &[2, 3]), draw(1, &[2, 3]));
        assert_ne!(draw(1, &[2, 3]), draw(1, &[3, 2]));
        assert_ne!(draw(1, &[2]), draw(2, &[2]));
    }

    #[test]
    fn every_face_comes_up_and_none_beyond() {
        let mut dice = Dice::new(7, &[]);
        let mut seen = [0_u32; 6];
        for _ in 0..6_000 {
            seen[dice.index(6)] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
        assert!((0..100).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
