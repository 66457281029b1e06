//! What peers did that they should not have, for whoever asks later.

use std::collections::BTreeMap;

use mangrove_protocol::id::PeerId;

/// Kinds of faults that are told apart for one peer.
const MOST_KINDS: usize = 16;

/// What a peer did, how often, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// A word for what it did.
    pub what: &'static str,
    /// How often.
    pub count: u64,
    /// When last, in milliseconds since 1970.
    pub last_at_ms: u64,
}

/// The faults of peers, of those that were recorded last.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    entries: BTreeMap<PeerId, Entry>,
    most_peers: usize,
    /// Counts what was recorded. The time of day may go backwards, this does not.
    turn: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    /// With the turn of the last one.
    faults: BTreeMap<&'static str, (u64, Fault)>,
    turn: u64,
}

impl Ledger {
    /// An empty one, for so many peers.
    pub(super) const fn new(most_peers: usize) -> Self {
        Self { entries: BTreeMap::new(), most_peers, turn: 0 }
    }

    /// Writes something down. When too many peers are in it, the one of whom nothing was heard for
    /// longest is forgotten, banned ones last.
    pub(super) fn record(
        &mut self,
        peer: PeerId,
        what: &'static str,
        at_ms: u64,
        is_banned: impl Fn(PeerId) -> bool,
    ) {
        self.turn += 1;
        let entry = self.entries.entry(peer).or_default();
        entry.record(what, at_ms, self.turn);
        if self.entries.len() > self.most_peers {
            let others = self.entries.iter().filter(|(other, _)| **other != peer);
            let oldest = others.min_by_key(|(other, entry)| (is_banned(**other), entry.turn));
            if let Some(oldest) = oldest.map(|(other, _)| *other) {
                self.entries.remove(&oldest);
            }
        }
    }

    /// What a peer did, by the word for it.
    pub(super) fn faults(&self, peer: PeerId) -> impl Iterator<Item = Fault> {
        let entry = self.entries.get(&peer).into_iter();
        entry.flat_map(|entry| entry.faults.values().map(|(_, fault)| *fault))
    }

    /// Who is in it.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.entries.keys().copied()
    }
}

impl Entry {
    fn record(&mut self, what: &'static str, at_ms: u64, turn: u64) {
        let none = Fault { what, count: 0, last_at_ms: 0 };
        let (fault_turn, fault) = self.faults.entry(what).or_insert((turn, none));
        *fault_turn = turn;
        fault.count = fault.count.saturating_add(1);
        fault.last_at_ms = at_ms;
        self.turn = turn;
        if self.faults.len() > MOST_KINDS {
            let oldest = self.faults.iter().min_by_key(|(_, (turn, _))| *turn);
            if let Some(oldest) = oldest.map(|(what, _)| *what) {
                self.faults.remove(oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::peer;
    use super::*;

    const KINDS: [&str; 20] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t",
    ];

    #[test]
    fn faults_are_counted_by_kind() {
        let mut ledger = Ledger::new(8);
        for at_ms in [5, 9, 7] {
            ledger.record(peer(1), "flood", at_ms, |_| false);
        }
        ledger.record(peer(1), "forged", 8, |_| false);
        let faults: Vec<_> = ledger.faults(peer(1)).collect();
        assert_eq!(
            faults,
            [
                Fault { what: "flood", count: 3, last_at_ms: 7 },
                Fault { what: "forged", count: 1, last_at_ms: 8 },
            ]
        );
        assert_eq!(ledger.faults(peer(2)).count(), 0);
    }

    #[test]
    fn the_least_recent_is_forgotten_and_the_banned_last() {
        let mut ledger = Ledger::new(3);
        let is_banned = |it| it == peer(1);
        for n in 1..=9 {
            ledger.record(peer(n), "flood", 0, is_banned);
        }
        assert_eq!(ledger.peers().collect::<Vec<_>>(), [peer(1), peer(8), peer(9)]);
        for n in 10..=12 {
            ledger.record(peer(n), "flood", 0, |it| it > peer(9));
        }
        assert_eq!(ledger.peers().collect::<Vec<_>>(), [peer(10), peer(11), peer(12)]);
        ledger.record(peer(13), "flood", 0, |_| true);
        assert_eq!(ledger.peers().collect::<Vec<_>>(), [peer(11), peer(12), peer(13)]);
    }

    #[test]
    fn a_peer_has_sixteen_kinds_of_faults_at_most() {
        let mut ledger = Ledger::new(1);
        for what in KINDS {
            ledger.record(peer(1), what, 0, |_| false);
            ledger.record(peer(1), "a", 0, |_| false);
        }
        let kept: Vec<_> = ledger.faults(peer(1)).map(|fault| fault.what).collect();
        assert_eq!(kept.len(), MOST_KINDS);
        assert!(kept.contains(&"a") && kept.contains(&"t") && !kept.contains(&"b"));
    }
}
