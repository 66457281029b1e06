//! How often each peer may do something.

use std::collections::BTreeMap;

use mangrove_protocol::id::PeerId;

/// Peers that are remembered. Beyond them nobody new may, until some have been idle.
const MOST_PEERS: usize = 4_096;

/// How often each peer may do something: a few times at once, and then once in a while.
#[derive(Debug)]
pub(crate) struct Pace {
    at_once: u64,
    every_ms: u64,
    /// Of each peer, when it will have done nothing lately.
    idle_ms: BTreeMap<PeerId, u64>,
}

impl Pace {
    /// So many times at once, and then once in so long.
    pub(crate) const fn new(at_once: u64, every_ms: u64) -> Self {
        Self { at_once, every_ms, idle_ms: BTreeMap::new() }
    }

    /// Whether a peer may do it now, which it is then taken to do.
    pub(crate) fn take(&mut self, peer: PeerId, now_ms: u64) -> bool {
        if !self.idle_ms.contains_key(&peer) && self.idle_ms.len() >= MOST_PEERS {
            self.idle_ms.retain(|_, idle_ms| *idle_ms > now_ms);
            if self.idle_ms.len() >= MOST_PEERS {
                return false;
            }
        }
        let idle_ms = self.idle_ms.entry(peer).or_insert(now_ms);
        let next_ms = (*idle_ms).max(now_ms).saturating_add(self.every_ms);
        let may = next_ms - now_ms <= self.at_once.saturating_mul(self.every_ms);
        if may {
            *idle_ms = next_ms;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u64) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        PeerId::from_bytes(bytes)
    }

    #[test]
    fn a_few_at_once_and_then_at_a_pace_each_for_itself() {
        let mut pace = Pace::new(3, 100);
        let taken = |pace: &mut Pace, times: usize, now_ms| {
            (0..times).filter(|_| pace.take(peer(1), now_ms)).count()
        };
        assert_eq!(taken(&mut pace, 9, 1_000), 3);
        assert_eq!(taken(&mut pace, 9, 1_099), 0);
        assert_eq!(taken(&mut pace, 9, 1_100), 1);
        assert_eq!(taken(&mut pace, 9, 1_350), 2);
        assert!(pace.take(peer(2), 1_350));
        assert_eq!(taken(&mut pace, 9, 60_000), 3);
    }

    #[test]
    fn peers_are_bounded_and_idle_ones_are_forgotten() {
        let mut pace = Pace::new(1, 100);
        assert!((0..MOST_PEERS as u64).all(|number| pace.take(peer(number), 0)));
        assert!(!pace.take(peer(u64::MAX), 99));
        assert!(pace.take(peer(u64::MAX), 100));
        assert_eq!(pace.idle_ms.len(), 1);
    }
}
