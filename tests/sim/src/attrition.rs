//! How nodes go down and come back.

use crate::dice::Dice;

/// A way to go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reboot {
    /// Told to stop, with time to finish what is in hand.
    Graceful,
    /// The process ends at once.
    Crash,
    /// The machine ends at once.
    PowerLoss,
    /// The process ends at once and its storage is gone.
    CrashAndWipe,
}

/// How often which.
#[derive(Debug, Clone, Copy)]
pub struct Attrition {
    /// Never more than this many are down at once.
    pub max_dead: usize,
    /// Weight of [`Reboot::Graceful`].
    pub prob_graceful: u64,
    /// Weight of [`Reboot::Crash`].
    pub prob_crash: u64,
    /// Weight of [`Reboot::PowerLoss`].
    pub prob_power: u64,
    /// Weight of [`Reboot::CrashAndWipe`].
    pub prob_wipe: u64,
    /// How long a node stays down, at least and at most.
    pub recovery_delay_ms: (u64, u64),
    /// How long a node may take to stop, at least and at most.
    pub grace_period_ms: (u64, u64),
}

impl Attrition {
    pub(crate) fn draw(dice: &mut Dice, nodes: usize) -> Self {
        let mut weight = || dice.pick(&[0, 1, 1, 4]).copied().unwrap_or_default();
        Self {
            prob_graceful: weight(),
            prob_crash: weight(),
            prob_power: weight(),
            prob_wipe: weight(),
            max_dead: dice.index(nodes) + 1,
            recovery_delay_ms: *dice
                .pick(&[(0, 50), (100, 4_000), (9_000, 30_000)])
                .unwrap_or(&(0, 1)),
            grace_period_ms: *dice.pick(&[(0, 5), (50, 500), (2_000, 5_000)]).unwrap_or(&(0, 1)),
        }
    }

    /// The next way to go down. Weights that are all zero mean a crash.
    pub fn choose(&self, dice: &mut Dice) -> Reboot {
        let weights = [
            (Reboot::Graceful, self.prob_graceful),
            (Reboot::Crash, self.prob_crash),
            (Reboot::PowerLoss, self.prob_power),
            (Reboot::CrashAndWipe, self.prob_wipe),
        ];
        let total = weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = dice.below(total);
        for (reboot, weight) in weights {
            if drawn < weight {
                return reboot;
            }
            drawn -= weight;
        }
        Reboot::Crash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(weights: [u64; 4]) -> Vec<Reboot> {
        let [prob_graceful, prob_crash, prob_power, prob_wipe] = weights;
        let attrition = Attrition {
            max_dead: 1,
            prob_graceful,
            prob_crash,
            prob_power,
            prob_wipe,
            recovery_delay_ms: (0, 0),
            grace_period_ms: (0, 0),
        };
        let mut dice = Dice::new(3, &[]);
        (0..400).map(|_| attrition.choose(&mut dice)).collect()
    }

    #[test]
    fn weights_are_shares_and_none_means_a_crash() {
        assert!(chosen([0; 4]).iter().all(|reboot| *reboot == Reboot::Crash));
        assert!(chosen([0, 0, 7, 0]).iter().all(|reboot| *reboot == Reboot::PowerLoss));
        let mixed = chosen([3, 0, 0, 1]);
        let graceful = mixed.iter().filter(|reboot| **reboot == Reboot::Graceful).count();
        assert!((250..350).contains(&graceful), "{graceful} of 400");
        assert!(!mixed.contains(&Reboot::Crash));
    }
}
