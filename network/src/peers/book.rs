//! Where peers may be reached.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

use super::address::{tidied, transport};
use super::{Remembered, Rules, Source, Transport};

/// QUIC waits for so many failed dials in a row if TCP is known as well.
const FAILURES_BEFORE_QUIC: u32 = 2;

/// The addresses of peers.
#[derive(Debug, Clone)]
pub(super) struct Book {
    entries: BTreeMap<PeerId, Entry>,
    rules: Rules,
    /// Counts what happened, so that it is known what was last.
    turn: u64,
}

/// The addresses of a peer.
#[derive(Debug, Clone, Default)]
struct Entry {
    /// Never empty.
    known: Vec<Known>,
    /// When something new was heard of it.
    turn: u64,
    /// Whether it was connected in this life.
    is_met: bool,
}

/// An address.
#[derive(Debug, Clone)]
struct Known {
    address: Multiaddr,
    source: Source,
    turn: u64,
    /// When it was connected to last.
    reached: Option<u64>,
    /// How many dials since have failed.
    failures: u32,
    /// Whether another peer was found there. Where several addresses are dialled, the one that
    /// answers first decides, so such a one would hide those that are right.
    is_misleading: bool,
}

impl Book {
    /// An empty one.
    pub(super) const fn new(rules: Rules) -> Self {
        Self { entries: BTreeMap::new(), rules, turn: 0 }
    }

    /// Takes an address down, if it can be dialled and there is room. Says whether it is new. Peers
    /// that are to be kept are not forgotten for it.
    pub(super) fn learn(
        &mut self,
        peer: PeerId,
        address: Multiaddr,
        source: Source,
        is_kept: impl Fn(PeerId) -> bool,
    ) -> bool {
        let Some(address) = tidied(address, peer) else { return false };
        if !self.entries.contains_key(&peer) && !self.make_room(is_kept) {
            return false;
        }
        self.turn += 1;
        let entry = self.entries.entry(peer).or_default();
        let known = Known {
            address,
            source,
            turn: self.turn,
            reached: None,
            failures: 0,
            is_misleading: false,
        };
        entry.learn(known, self.rules.addresses_per_peer)
    }

    /// A peer was connected to at this address: it is right.
    pub(super) fn reach(&mut self, peer: PeerId, address: &Multiaddr) {
        self.turn += 1;
        let Some(address) = tidied(address.clone(), peer) else { return };
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        if let Some(known) = entry.known.iter_mut().find(|it| it.address == address) {
            known.reached = Some(self.turn);
            known.failures = 0;
            known.is_misleading = false;
        }
    }

    /// A peer is connected, or was until now.
    pub(super) fn meet(&mut self, peer: PeerId) {
        self.turn += 1;
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.turn = self.turn;
            entry.is_met = true;
        }
    }

    /// A peer could not be reached at these addresses.
    pub(super) fn fail(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        for address in addresses.iter().filter_map(|it| tidied(it.clone(), peer)) {
            let known = entry.known.iter_mut().find(|it| it.address == address);
            if let Some(known) = known {
                known.failures = known.failures.saturating_add(1);
            }
        }
    }

    /// Another peer was found at this address.
    pub(super) fn mistrust(&mut self, peer: PeerId, address: &Multiaddr) {
        let address = tidied(address.clone(), peer);
        let known = self.entries.get_mut(&peer).into_iter().flat_map(|entry| &mut entry.known);
        for known in known.filter(|it| Some(&it.address) == address.as_ref()) {
            known.is_misleading = true;
        }
    }

    /// What to dial after so many failed dials in a row: what was reached last comes first. If
    /// that is too much, what failed least goes, so that everything has its turn.
    pub(super) fn choose(&self, peer: PeerId, failures: u32) -> Vec<Multiaddr> {
        self.entries.get(&peer).map_or_else(Vec::new, |entry| {
            entry.choose(failures >= FAILURES_BEFORE_QUIC, self.rules.addresses_per_dial)
        })
    }

    /// Whether any address of a peer is known.
    pub(super) fn has(&self, peer: PeerId) -> bool {
        self.entries.contains_key(&peer)
    }

    /// How many addresses of a peer are known.
    pub(super) fn count(&self, peer: PeerId) -> usize {
        self.entries.get(&peer).map_or(0, |entry| entry.known.len())
    }

    /// Who is in it.
    pub(super) fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.entries.keys().copied()
    }

    /// What to remember: those that matter, those that were connected, the others; of each the latest
    /// first.
    pub(super) fn remembered(
        &self,
        is_dear: impl Fn(PeerId) -> bool,
        is_left_out: impl Fn(PeerId) -> bool,
    ) -> Vec<Remembered> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.retain(|(peer, _)| !is_left_out(**peer));
        let rank = |peer: &PeerId, entry: &Entry| (is_dear(*peer), entry.is_met, entry.turn);
        entries.sort_by_key(|(peer, entry)| Reverse(rank(peer, entry)));
        let remembered = |(peer, entry): (&PeerId, &Entry)| Remembered {
            peer: *peer,
            addresses: entry.choose(true, Remembered::MOST_ADDRESSES),
        };
        entries.into_iter().take(Remembered::MOST_PEERS).map(remembered).collect()
    }

    /// Forgets the peer that is missed least if the book is full: one that was never met, that does
    /// not answer, of which nothing was heard for long. Says whether there is room.
    fn make_room(&mut self, is_kept: impl Fn(PeerId) -> bool) -> bool {
        if self.entries.len() < self.rules.most_peers {
            return true;
        }
        let able = self.entries.iter().filter(|(peer, _)| !is_kept(**peer));
        let least = able.min_by_key(|(_, it)| (it.is_met, Reverse(it.is_failing()), it.turn));
        let least = least.map(|(peer, _)| *peer);
        least.is_some_and(|peer| self.entries.remove(&peer).is_some())
    }
}

impl Entry {
    fn learn(&mut self, new: Known, most: usize) -> bool {
        self.turn = new.turn;
        let source = new.source;
        let is_new = match self.known.iter_mut().find(|it| it.address == new.address) {
            Some(known) => {
                known.turn = new.turn;
                known.source = known.source.min(source);
                false
            }
            None => self.admit(new, most),
        };
        if source != Source::Manual {
            let share = (most / 2).max(1);
            while self.known.iter().filter(|it| it.source == source).count() > share {
                self.remove_weakest(|it| it.source == source);
            }
        }
        is_new
    }

    fn admit(&mut self, new: Known, most: usize) -> bool {
        if self.known.len() >= most {
            let firmness = new.source.firmness();
            let weakest = self.known.iter().map(|it| it.source.firmness()).min();
            if weakest.is_none_or(|weakest| weakest > firmness) {
                return false;
            }
            self.remove_weakest(|_| true);
        }
        self.known.push(new);
        true
    }

    /// Of the addresses that qualify, forgets the one that is least firm, fails most, is oldest.
    fn remove_weakest(&mut self, qualifies: impl Fn(&Known) -> bool) {
        let able = self.known.iter().enumerate().filter(|(_, it)| qualifies(it));
        let weakness = |it: &Known| (it.source.firmness(), Reverse(it.failures), it.turn);
        let weakest = able.min_by_key(|(_, it)| weakness(it)).map(|(at, _)| at);
        if let Some(at) = weakest {
            self.known.remove(at);
        }
    }

    fn choose(&self, with_quic: bool, most: usize) -> Vec<Multiaddr> {
        let is_tcp = |it: &Known| transport(&it.address) == Transport::Tcp;
        let mut chosen: Vec<_> = self.known.iter().filter(|it| !it.is_misleading).collect();
        if chosen.is_empty() {
            // Perhaps the right one is there again. One at a time, so that none hides another.
            chosen = self.known.iter().min_by_key(|it| it.failures).into_iter().collect();
        }
        let has_tcp = chosen.iter().any(|it| is_tcp(it));
        chosen.retain(|it| with_quic || !has_tcp || is_tcp(it));
        let rank = |it: &&Known| (Reverse(it.reached), transport(&it.address), it.source, it.turn);
        chosen.sort_by_key(|it| (it.failures, rank(it)));
        chosen.truncate(most);
        chosen.sort_by_key(rank);
        chosen.into_iter().map(|it| it.address.clone()).collect()
    }

    fn is_failing(&self) -> bool {
        self.known.iter().all(|it| it.failures > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{address, peer, quic, tcp};
    use super::*;

    fn book() -> Book {
        Book::new(Rules::default())
    }

    fn learn(book: &mut Book, n: u8, address: Multiaddr, source: Source) -> bool {
        book.learn(peer(n), address, source, |_| false)
    }

    #[test]
    fn what_was_reached_last_goes_first_then_tcp_then_by_source() {
        let mut book = book();
        for (n, source) in [(1, Source::Told), (2, Source::Cache), (3, Source::Manual)] {
            learn(&mut book, 1, quic(n), source);
            learn(&mut book, 1, tcp(n), source);
        }
        let all = [tcp(3), tcp(1), tcp(2), quic(3), quic(1), quic(2)];
        assert_eq!(book.choose(peer(1), 2), all);
        book.reach(peer(1), &tcp(2));
        book.reach(peer(1), &quic(2));
        let all = [quic(2), tcp(2), tcp(3), tcp(1), quic(3), quic(1)];
        assert_eq!(book.choose(peer(1), 2), all);
    }

    #[test]
    fn quic_waits_for_two_failed_dials_if_there_is_tcp() {
        let mut book = book();
        learn(&mut book, 1, quic(1), Source::Manual);
        assert_eq!(book.choose(peer(1), 0), [quic(1)]);
        learn(&mut book, 1, tcp(1), Source::Told);
        assert_eq!(book.choose(peer(1), 0), [tcp(1)]);
        assert_eq!(book.choose(peer(1), 1), [tcp(1)]);
        assert_eq!(book.choose(peer(1), 2), [tcp(1), quic(1)]);
    }

    #[test]
    fn an_address_where_another_peer_was_found_hides_none_that_is_right() {
        let mut book = book();
        learn(&mut book, 1, tcp(1), Source::Seen);
        learn(&mut book, 1, tcp(2), Source::Told);
        book.mistrust(peer(1), &tcp(1));
        assert_eq!(book.choose(peer(1), 0), [tcp(2)]);
        learn(&mut book, 1, tcp(1), Source::Mdns);
        assert_eq!(book.choose(peer(1), 5), [tcp(2)]);
        // If there is no other, each has its turn.
        book.mistrust(peer(1), &tcp(2));
        assert_eq!(book.choose(peer(1), 0), [tcp(1)]);
        book.fail(peer(1), &[tcp(1)]);
        assert_eq!(book.choose(peer(1), 0), [tcp(2)]);
        book.reach(peer(1), &tcp(1));
        assert_eq!(book.choose(peer(1), 0), [tcp(1)]);
    }

    #[test]
    fn every_address_of_many_has_its_turn() {
        let mut book = book();
        for n in 0..16 {
            learn(&mut book, 1, tcp(n), Source::Manual);
        }
        let first = book.choose(peer(1), 0);
        assert_eq!(first.len(), 8);
        book.fail(peer(1), &first);
        let second = book.choose(peer(1), 1);
        assert!(second.len() == 8 && second.iter().all(|it| !first.contains(it)));
    }

    #[test]
    fn a_peer_tells_eight_addresses_at_most_and_pushes_out_none_that_worked() {
        let mut book = book();
        for n in 0..6 {
            learn(&mut book, 1, tcp(n), Source::Bootstrap);
            learn(&mut book, 1, tcp(10 + n), Source::Seen);
        }
        for n in 20..40 {
            learn(&mut book, 1, tcp(n), Source::Told);
        }
        let mut firm = book.entries[&peer(1)].known.clone();
        firm.retain(|it| it.source.firmness() > 0);
        assert_eq!((firm.len(), book.count(peer(1))), (12, 16));
        let mut book = self::book();
        for n in 0..20 {
            assert!(learn(&mut book, 1, tcp(n), Source::Told));
        }
        assert_eq!(book.choose(peer(1), 0), (12..20).map(tcp).collect::<Vec<_>>());
        learn(&mut book, 1, tcp(12), Source::Manual);
        assert_eq!(book.entries[&peer(1)].known[0].source, Source::Manual);
    }

    #[test]
    fn what_the_user_says_finds_room_always() {
        let mut book = book();
        for n in 0..8 {
            learn(&mut book, 1, tcp(n), Source::Ticket);
            learn(&mut book, 1, tcp(20 + n), Source::Seen);
        }
        assert!(!learn(&mut book, 1, tcp(90), Source::Told));
        for n in 50..80 {
            assert!(learn(&mut book, 1, tcp(n), Source::Manual));
        }
        assert_eq!(book.count(peer(1)), 16);
        assert!(!learn(&mut book, 1, tcp(90), Source::Seen));
    }

    #[test]
    fn a_full_book_forgets_who_is_missed_least() {
        let mut book = Book::new(Rules { most_peers: 4, ..Rules::default() });
        for n in 1..=4 {
            learn(&mut book, n, tcp(n), Source::Mdns);
        }
        book.meet(peer(1));
        book.fail(peer(4), &[tcp(4)]);
        let is_kept = |it| it == peer(2);
        for (n, left) in [(5, [1, 2, 3, 5]), (6, [1, 2, 5, 6]), (7, [1, 2, 6, 7])] {
            assert!(book.learn(peer(n), tcp(n), Source::Mdns, is_kept));
            assert_eq!(book.peers().collect::<Vec<_>>(), left.map(peer));
        }
        assert!(!book.learn(peer(8), tcp(8), Source::Manual, |_| true));
        assert_eq!(book.peers().len(), 4);
    }

    #[test]
    fn an_address_is_known_once_with_or_without_its_peer() {
        let mut book = book();
        assert!(learn(&mut book, 1, tcp(1), Source::Mdns));
        let named = address(&format!("{}/p2p/{}", tcp(1), peer(1)));
        assert!(!learn(&mut book, 1, named.clone(), Source::Ticket));
        book.fail(peer(1), std::slice::from_ref(&named));
        assert!(book.entries[&peer(1)].is_failing());
        book.reach(peer(1), &named);
        assert!(!book.entries[&peer(1)].is_failing());
        assert_eq!(book.count(peer(1)), 1);
    }
}
