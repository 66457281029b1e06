//! Lanes: whose turn it is, when more than one waits.
//!
//! Everything that can happen to a machine belongs to a lane. Lanes are served in turn, each as often in a row
//! as its weight says, so that no lane waits for ever and none can crowd out the others.

use std::fmt;

/// What an event is about, as far as its turn goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// What the node tells itself: rare, and first.
    Control,
    /// What an application waits for.
    Api,
    /// Ends of work that no event began.
    Done,
    /// Deltas that were gossiped.
    Delta,
    /// What comes of comparing with peers.
    Sync,
    /// What peers ask of this node.
    Serve,
    /// What peers say of themselves.
    Gossip,
    /// What can wait.
    Idle,
}

impl Lane {
    /// All lanes, in the order in which they are visited.
    pub const ALL: [Self; 8] = [
        Self::Control,
        Self::Api,
        Self::Done,
        Self::Delta,
        Self::Sync,
        Self::Serve,
        Self::Gossip,
        Self::Idle,
    ];

    /// How often in a row each lane is served, in the order of [`Lane::ALL`].
    pub const WEIGHTS: [u32; 8] = [16, 8, 8, 8, 4, 2, 2, 1];

    /// Its place in [`Lane::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name, as metrics and dumps show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Api => "api",
            Self::Done => "done",
            Self::Delta => "delta",
            Self::Sync => "sync",
            Self::Serve => "serve",
            Self::Gossip => "gossip",
            Self::Idle => "idle",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose turn it is among `N` queues, by weight.
///
/// Whoever is visited may be served as often as its weight says before the next one is visited; one in which
/// nothing waits forfeits the rest of its turns.
#[derive(Debug, Clone)]
pub struct RoundRobin<const N: usize> {
    weights: [u32; N],
    at: usize,
    left: u32,
}

impl<const N: usize> RoundRobin<N> {
    /// Begins at the first queue. One of no weight is never served.
    pub const fn new(weights: [u32; N]) -> Self {
        let left = match weights.first() {
            Some(weight) => *weight,
            None => 0,
        };
        Self { weights, at: 0, left }
    }

    /// The queue to serve next, among those for which something waits; it has been served once more then.
    pub fn next(&mut self, waits: impl Fn(usize) -> bool) -> Option<usize> {
        // Once around, and once more for the one it began with, whose turns may have been used up.
        for _ in 0..=N {
            if self.left > 0 && waits(self.at) {
                self.left -= 1;
                return Some(self.at);
            }
            self.at = if self.at + 1 < N { self.at + 1 } else { 0 };
            self.left = self.weights.get(self.at).copied().unwrap_or_default();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn drain<const N: usize>(weights: [u32; N], queues: [&str; N]) -> String {
        let mut queues = queues.map(|queue| queue.chars().collect::<VecDeque<_>>());
        let mut turns = RoundRobin::new(weights);
        let mut served = String::new();
        while let Some(at) = turns.next(|at| !queues[at].is_empty()) {
            served.extend(queues[at].pop_front());
        }
        served
    }

    #[test]
    fn weights_one_and_two_give_a_d_e_b_f_c() {
        assert_eq!(drain([1, 2], ["abc", "def"]), "adebfc");
    }

    #[test]
    fn what_waits_alone_is_served_without_pause() {
        assert_eq!(drain([1, 2, 3], ["", "abcdef", ""]), "abcdef");
        assert_eq!(drain([1, 2], ["", ""]), "");
        assert_eq!(drain::<0>([], []), "");
    }

    #[test]
    fn when_everything_waits_each_round_serves_lanes_by_their_weight() {
        let mut turns = RoundRobin::new(Lane::WEIGHTS);
        let round = Lane::WEIGHTS.iter().sum::<u32>();
        for _ in 0..10 {
            let mut served = [0; Lane::ALL.len()];
            for _ in 0..round {
                served[turns.next(|_| true).unwrap()] += 1;
            }
            assert_eq!(served, Lane::WEIGHTS);
        }
    }

    #[test]
    fn lanes_stand_where_their_index_says() {
        for (at, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), at);
        }
    }

    proptest! {
        #[test]
        fn a_lane_waits_for_no_more_than_the_weights_of_the_others(
            which in 0..Lane::ALL.len(),
            before in 0_u32..200,
            others in proptest::array::uniform8(any::<bool>()),
        ) {
            let mut turns = RoundRobin::new(Lane::WEIGHTS);
            for _ in 0..before {
                turns.next(|at| at != which && others[at]);
            }
            let of_others = Lane::WEIGHTS.iter().sum::<u32>() - Lane::WEIGHTS[which];
            let mut waited = 0;
            while turns.next(|at| at == which || others[at]) != Some(which) {
                waited += 1;
                prop_assert!(waited <= of_others);
            }
        }

        #[test]
        fn something_is_served_whenever_something_waits(
            steps in proptest::collection::vec(proptest::array::uniform8(any::<bool>()), 1..200),
        ) {
            let mut turns = RoundRobin::new(Lane::WEIGHTS);
            for waiting in steps {
                let served = turns.next(|at| waiting[at]);
                prop_assert_eq!(served.is_some(), waiting.contains(&true));
                prop_assert!(served.is_none_or(|at| waiting[at]));
            }
        }
    }
}
