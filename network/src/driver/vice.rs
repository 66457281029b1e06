//! What a peer may do now and then, and not all the time.

use mangrove_protocol::id::PeerId;

use super::Driver;
use crate::quota::Quota;

/// Something that is no fault by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vice {
    /// It asks for streams that it cannot have.
    Greedy,
    /// It joins and leaves topics.
    Restless,
    /// It takes messages too slowly.
    Slow,
    /// It wants more connections than it may have.
    Pushing,
}

impl Vice {
    /// How much of it is borne: every second, and at once.
    const fn quota(self) -> Quota {
        match self {
            Self::Greedy => Quota::new(10, 256),
            // Who meets us names all its topics.
            Self::Restless => Quota::new(100, 20_000),
            // The mesh says so with each heartbeat, and a second without that makes up for half of one.
            Self::Slow => Quota::new(1, 60),
            Self::Pushing => Quota::new(1, 64),
        }
    }

    /// How much of its measure it takes up each time.
    const fn cost(self) -> u64 {
        match self {
            Self::Slow => 2,
            Self::Greedy | Self::Restless | Self::Pushing => 1,
        }
    }
}

impl Driver {
    /// A peer does it once more. `false` if that is too often.
    pub(super) fn take(&mut self, vice: Vice, peer: PeerId) -> bool {
        let now_ms = self.now_ms();
        self.vices.entry((peer, vice)).or_insert_with(|| vice.quota()).take(vice.cost(), now_ms)
    }

    /// Forgets those who have bettered themselves.
    pub(super) fn forgive(&mut self) {
        let now_ms = self.now_ms();
        let peers = &self.peers;
        self.vices.retain(|(peer, _), quota| {
            // What does not get better by itself does by leaving.
            !quota.is_idle(now_ms) && peers.is_connected(*peer)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_slow_now_and_then_is_kept_and_who_stays_slow_is_not() {
        let mut quota = Vice::Slow.quota();
        assert!((0..1_000).all(|beat| quota.take(Vice::Slow.cost(), beat * 2_000)));
        let mut quota = Vice::Slow.quota();
        let borne = (0..1_000).take_while(|beat| quota.take(Vice::Slow.cost(), beat * 1_000));
        assert!((30..=60).contains(&borne.count()));
    }
}
