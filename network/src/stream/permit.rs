//! Permits: how many streams there may be at a time, with one peer and with all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use mangrove_protocol::id::PeerId;

/// Permits of one kind. They are given where streams come about and come back where streams end,
/// which may be any thread.
#[derive(Debug)]
pub(crate) struct Permits {
    most: u64,
    most_per_peer: u64,
    given: AtomicU64,
    peers: DashMap<PeerId, u64>,
}

/// What a stream holds while it is open.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    peer: PeerId,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The peer has all it may have.
    ByPeer,
    /// All peers together have.
    ByAll,
}

impl Permits {
    pub(crate) fn new(most: u64, most_per_peer: u64) -> Arc<Self> {
        let (given, peers) = (AtomicU64::new(0), DashMap::new());
        Arc::new(Self { most, most_per_peer, given, peers })
    }

    /// A permit for one stream with a peer.
    pub(crate) fn take(self: &Arc<Self>, peer: PeerId) -> Result<Permit, Taken> {
        let one_more = |given: u64| (given < self.most).then_some(given + 1);
        let given = self.given.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        given.map_err(|_| Taken::ByAll)?;
        let mut of_peer = self.peers.entry(peer).or_insert(0);
        if *of_peer >= self.share() {
            drop(of_peer);
            self.given.fetch_sub(1, Ordering::AcqRel);
            return Err(Taken::ByPeer);
        }
        *of_peer += 1;
        Ok(Permit { permits: Arc::clone(self), peer })
    }

    /// What one peer may have: less when little is left, so that a few do not take it all.
    fn share(&self) -> u64 {
        let left = self.most.saturating_sub(self.given());
        self.most_per_peer.min((left / 4).max(2))
    }

    /// Permits that are given.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Entry::Occupied(mut of_peer) = self.permits.peers.entry(self.peer) {
            match of_peer.get() {
                0 | 1 => drop(of_peer.remove()),
                _ => *of_peer.get_mut() -= 1,
            }
        }
        self.permits.given.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn there_are_so_many_for_a_peer_and_so_many_in_all() {
        let permits = Permits::new(3, 2);
        let mut held = vec![permits.take(peer(1)).unwrap(), permits.take(peer(1)).unwrap()];
        assert_eq!(permits.take(peer(1)).unwrap_err(), Taken::ByPeer);
        held.push(permits.take(peer(2)).unwrap());
        assert_eq!(permits.take(peer(3)).unwrap_err(), Taken::ByAll);
        assert_eq!(permits.given(), 3);
    }

    #[test]
    fn what_comes_back_can_be_given_again_and_leaves_nothing() {
        let permits = Permits::new(3, 2);
        for _ in 0..10 {
            let held = [permits.take(peer(1)).unwrap(), permits.take(peer(1)).unwrap()];
            drop(held);
        }
        assert_eq!((permits.given(), permits.peers.len()), (0, 0));
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let permits = Permits::new(2, 1);
        let held = permits.take(peer(1)).unwrap();
        assert!((0..10).all(|_| permits.take(peer(1)).is_err()));
        drop(held);
        assert_eq!((permits.given(), permits.peers.len()), (0, 0));
    }

    #[test]
    fn a_few_peers_do_not_take_all_there_are() {
        let permits = Permits::new(64, 16);
        let mut held = Vec::new();
        for number in 0..10 {
            held.extend(std::iter::from_fn(|| permits.take(peer(number)).ok()));
        }
        assert!(permits.take(peer(99)).is_ok(), "{} are given", permits.given());
    }

    #[test]
    fn permits_come_and_go_on_many_threads() {
        let permits = Permits::new(5, 2);
        let come_and_go = |number: u8| {
            for round in 0..2_000_u16 {
                let held = permits.take(peer((u16::from(number) + round).to_le_bytes()[0] % 3));
                assert!(permits.given() <= 5);
                drop(held);
            }
        };
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || come_and_go(number));
            }
        });
        assert_eq!((permits.given(), permits.peers.len()), (0, 0));
    }
}
