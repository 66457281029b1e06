//! The caller's book: whom it hired on which call.

use std::collections::{BTreeMap, BTreeSet};

use super::CALL_MS;
use super::call::Nonce;
use crate::id::PeerId;

/// Calls that are open at a time.
pub const CALLS: usize = 64;
/// Peers that one call hires, those included that failed afterwards.
pub const PEERS_PER_CALL: usize = 256;

/// The open calls of this node, by nonce.
#[derive(Debug, Default)]
pub struct Hiring {
    calls: BTreeMap<Nonce, Open>,
}

#[derive(Debug)]
struct Open {
    wanted: u64,
    deadline_ms: u64,
    /// At work, or on the way there.
    hired: BTreeSet<PeerId>,
    /// Hired once, and nothing came of it.
    failed: BTreeSet<PeerId>,
}

impl Hiring {
    /// Begins a call for so many replicas, on which peers are hired for [`CALL_MS`] from now. Whether
    /// it did: not if the nonce is in use, or if there are [`CALLS`] of which none is over.
    pub fn open(&mut self, nonce: Nonce, wanted: u64, now_ms: u64) -> bool {
        if self.calls.len() >= CALLS {
            self.calls.retain(|_, call| !call.is_over(now_ms));
        }
        if self.calls.len() >= CALLS || self.calls.contains_key(&nonce) {
            return false;
        }
        let deadline_ms = now_ms.saturating_add(CALL_MS);
        let (hired, failed) = (BTreeSet::new(), BTreeSet::new());
        self.calls.insert(nonce, Open { wanted, deadline_ms, hired, failed });
        true
    }

    /// Whether to hire a peer that offers itself, which is written down at once: each once, within the
    /// time of the call, and no more than are wanted.
    pub fn offer(&mut self, peer: PeerId, nonce: &Nonce, now_ms: u64) -> bool {
        let Some(call) = self.calls.get_mut(nonce) else { return false };
        if call.is_over(now_ms) || call.is_full() || call.failed.contains(&peer) {
            return false;
        }
        call.hired.insert(peer)
    }

    /// A peer that was hired did not take the context: another may, it may not.
    pub fn failed(&mut self, peer: PeerId, nonce: &Nonce) {
        let Some(call) = self.calls.get_mut(nonce) else { return };
        if call.hired.remove(&peer) {
            call.failed.insert(peer);
        }
    }

    /// Until when peers are hired on a call.
    pub fn deadline_ms(&self, nonce: &Nonce) -> Option<u64> {
        self.calls.get(nonce).map(|call| call.deadline_ms)
    }

    /// Ends a call. Who was hired on it and has not failed.
    pub fn close(&mut self, nonce: &Nonce) -> BTreeSet<PeerId> {
        self.calls.remove(nonce).map(|call| call.hired).unwrap_or_default()
    }
}

impl Open {
    const fn is_over(&self, now_ms: u64) -> bool {
        now_ms > self.deadline_ms
    }

    fn is_full(&self) -> bool {
        let hired = self.hired.len();
        hired as u64 >= self.wanted || hired + self.failed.len() >= PEERS_PER_CALL
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: u64 = 1_000;
    const CALL: Nonce = [1; 16];
    const OTHER: Nonce = [2; 16];

    const fn peer(seed: u8) -> PeerId {
        PeerId::from_bytes([seed; 32])
    }

    fn calling(wanted: u64) -> Hiring {
        let mut hiring = Hiring::default();
        assert!(hiring.open(CALL, wanted, NOW_MS));
        hiring
    }

    #[test]
    fn no_more_are_hired_than_are_wanted_and_each_once() {
        let mut hiring = calling(2);
        let mut offer = |seed| hiring.offer(peer(seed), &CALL, NOW_MS);
        assert_eq!([1, 1, 2, 3, 2].map(&mut offer), [true, false, true, false, false]);
        assert_eq!(hiring.close(&CALL), [peer(1), peer(2)].into());
        assert!(!calling(0).offer(peer(1), &CALL, NOW_MS));
    }

    #[test]
    fn who_fails_leaves_its_place_to_another() {
        let mut hiring = calling(1);
        assert!(hiring.offer(peer(1), &CALL, NOW_MS));
        hiring.failed(peer(2), &CALL);
        assert!(!hiring.offer(peer(2), &CALL, NOW_MS), "who was not hired leaves no place");
        hiring.failed(peer(1), &CALL);
        assert!(!hiring.offer(peer(1), &CALL, NOW_MS));
        assert!(hiring.offer(peer(2), &CALL, NOW_MS));
        hiring.failed(peer(1), &CALL);
        assert!(!hiring.offer(peer(3), &CALL, NOW_MS), "nobody fails twice");
        assert_eq!(hiring.close(&CALL), [peer(2)].into());
    }

    #[test]
    fn nobody_is_hired_without_an_open_call() {
        let mut hiring = calling(9);
        assert_eq!(hiring.deadline_ms(&CALL), Some(NOW_MS + CALL_MS));
        assert!(hiring.offer(peer(1), &CALL, NOW_MS + CALL_MS));
        assert!(!hiring.offer(peer(2), &CALL, NOW_MS + CALL_MS + 1));
        assert!(!hiring.offer(peer(2), &OTHER, NOW_MS));
        hiring.close(&CALL);
        assert!(!hiring.offer(peer(2), &CALL, NOW_MS));
        assert_eq!((hiring.deadline_ms(&CALL), hiring.close(&CALL)), (None, [].into()));
    }

    #[test]
    fn calls_do_not_mix_and_a_nonce_is_good_for_one() {
        let mut hiring = calling(1);
        assert!(!hiring.open(CALL, 9, NOW_MS));
        assert!(hiring.open(OTHER, 1, NOW_MS));
        assert!(hiring.offer(peer(1), &CALL, NOW_MS) && hiring.offer(peer(1), &OTHER, NOW_MS));
        hiring.failed(peer(1), &OTHER);
        assert!(!hiring.offer(peer(2), &CALL, NOW_MS));
    }

    #[test]
    fn calls_and_those_who_fail_them_are_bounded() {
        let mut hiring = Hiring::default();
        for seed in (0..).take(CALLS) {
            assert!(hiring.open([seed; 16], 1, NOW_MS));
        }
        assert!(!hiring.open([0xff; 16], 1, NOW_MS + CALL_MS));
        assert!(hiring.open([0xff; 16], 1, NOW_MS + CALL_MS + 1));
        let mut hiring = calling(1);
        let number = |at: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&at.to_le_bytes());
            PeerId::from_bytes(bytes)
        };
        for at in 0..PEERS_PER_CALL {
            assert!(hiring.offer(number(at), &CALL, NOW_MS));
            hiring.failed(number(at), &CALL);
        }
        assert!(!hiring.offer(number(PEERS_PER_CALL), &CALL, NOW_MS));
    }

    proptest! {
        #[test]
        fn whatever_happens_no_more_are_at_work_than_are_wanted(
            wanted in 0..4_u64, steps in vec((0..8_u8, any::<bool>()), 0..60),
        ) {
            let (mut hiring, mut at_work, mut ever) = (calling(wanted), vec![], vec![]);
            for (seed, offers) in steps {
                if !offers {
                    hiring.failed(peer(seed), &CALL);
                    at_work.retain(|hired| *hired != peer(seed));
                } else if hiring.offer(peer(seed), &CALL, NOW_MS) {
                    prop_assert!(!ever.contains(&peer(seed)));
                    at_work.push(peer(seed));
                    ever.push(peer(seed));
                }
                prop_assert!(at_work.len() as u64 <= wanted);
            }
            prop_assert_eq!(hiring.close(&CALL), at_work.into_iter().collect());
        }
    }
}
