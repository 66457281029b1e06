//! Whom we know, who is connected, whom to dial and when.
//!
//! [`Peers`] is told what happened and asked what to do; it does nothing itself. All times are
//! milliseconds of one clock that never goes back, unless they are said to be of the day.

mod address;
mod book;
mod chance;
mod gate;
mod ledger;
mod link;
#[cfg(test)]
mod model;
mod pace;
mod remembered;
mod rules;
mod source;
#[cfg(test)]
mod trial;
mod view;
mod wanted;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

use book::Book;
use chance::Chance;
use gate::Gate;
use ledger::Ledger;
use link::Links;
use wanted::Wanted;

pub(crate) use address::{can_be_dialled, transport};
pub use gate::Refusal;
pub use ledger::Fault;
pub(crate) use link::Link;
pub use link::{Direction, Transport};
pub(crate) use remembered::Remembered;
pub(crate) use rules::Rules;
pub use source::Source;
pub use view::{LinkView, PeerView};
pub use why::Why;

/// A dial to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dial {
    /// Whom.
    pub(crate) peer: PeerId,
    /// Where, in the order of preference; never empty.
    pub(crate) addresses: Vec<Multiaddr>,
    /// How long it may take.
    pub(crate) patience: Duration,
}

/// A connection that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Who was at the other end.
    pub(crate) peer: PeerId,
    /// Whether no other connection to that peer is left.
    pub(crate) last: bool,
}

/// All peers, seen from this one.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    me: PeerId,
    rules: Rules,
    chance: Chance,
    book: Book,
    gate: Gate,
    ledger: Ledger,
    links: Links,
    wanted: BTreeMap<PeerId, Wanted>,
}

impl Peers {
    /// Nobody is known to `me` yet. The seed decides what is left to chance.
    pub(crate) fn new(me: PeerId, rules: Rules, seed: u64) -> Self {
        Self {
            me,
            chance: Chance::new(seed),
            book: Book::new(rules.clone()),
            gate: Gate::default(),
            ledger: Ledger::new(rules.ledger_peers),
            links: Links::default(),
            wanted: BTreeMap::new(),
            rules,
        }
    }

    /// A peer may be at this address. Says whether that is new and worth remembering; addresses
    /// that cannot be dialled, of banned peers and of our own are not. A wanted peer is tried soon
    /// then.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        address: Multiaddr,
        source: Source,
        now_ms: u64,
    ) -> bool {
        if peer == self.me || self.gate.is_banned(peer) {
            return false;
        }
        let is_kept = |it| self.wanted.contains_key(&it) || self.links.has(it);
        let is_new = self.book.learn(peer, address, source, is_kept);
        if let Some(wanted) = self.wanted.get_mut(&peer).filter(|_| is_new) {
            wanted.hasten(now_ms, &self.rules);
        }
        is_new
    }

    /// A peer is to be connected, for this reason among others. Says whether it is wanted now: we
    /// ourselves never are, and no more than so many.
    pub(crate) fn want(&mut self, peer: PeerId, why: Why, now_ms: u64) -> bool {
        let has_room = self.wanted.len() < self.rules.most_peers;
        if peer == self.me || !(has_room || self.wanted.contains_key(&peer)) {
            return false;
        }
        let wanted = self.wanted.entry(peer).or_insert_with(|| Wanted::new(now_ms));
        wanted.add(why, now_ms, &self.rules);
        true
    }

    /// Whether there is any reason to be connected to a peer.
    pub(crate) fn is_wanted(&self, peer: PeerId) -> bool {
        self.wanted.contains_key(&peer)
    }

    /// How many peers are wanted for this reason.
    pub(crate) fn wanted_for(&self, why: Why) -> usize {
        self.wanted.values().filter(|wanted| wanted.why().any(|it| it == why)).count()
    }

    /// Who is turned away at this time, for good or for a while.
    pub(crate) fn turned_away(&self, now_ms: u64) -> impl Iterator<Item = PeerId> {
        let is_cooling =
            move |it: &PeerId| matches!(self.refusal(*it, now_ms), Some(Refusal::Cooling { .. }));
        let cooling = self.gate.cooling().filter(is_cooling);
        self.banned().chain(cooling)
    }

    /// A peer is not to be connected for this reason any more. Its connections stay.
    pub(crate) fn unwant(&mut self, peer: PeerId, why: Why) {
        if self.wanted.get_mut(&peer).is_some_and(|wanted| wanted.remove(why)) {
            self.wanted.remove(&peer);
        }
    }

    /// Turns a peer away for good. Returns the connections to close.
    pub(crate) fn ban(&mut self, peer: PeerId) -> Vec<u64> {
        self.gate.ban(peer);
        self.connections(peer).collect()
    }

    /// Lets a peer in again. Says whether it was banned.
    pub(crate) fn unban(&mut self, peer: PeerId) -> bool {
        self.gate.unban(peer)
    }

    /// Who is turned away for good.
    pub(crate) fn banned(&self) -> impl Iterator<Item = PeerId> {
        self.gate.banned()
    }

    /// Turns a peer away for a while, longer each time. Returns until when.
    pub(crate) fn cool(&mut self, peer: PeerId, now_ms: u64) -> u64 {
        self.gate.cool(peer, now_ms, &self.rules)
    }

    /// Why a peer is turned away, if it is.
    pub(crate) fn refusal(&self, peer: PeerId, now_ms: u64) -> Option<Refusal> {
        self.gate.refusal(peer, now_ms)
    }

    /// A connection was made. Says whether it is the only one to its peer.
    pub(crate) fn connected(&mut self, link: Link, now_ms: u64) -> bool {
        let peer = link.peer;
        // Where the other side dialled from is a port that nobody listens on.
        if link.direction == Direction::Outbound {
            self.learn(peer, link.address.clone(), Source::Seen, now_ms);
            self.book.reach(peer, &link.address);
        }
        self.book.meet(peer);
        if let Some(wanted) = self.wanted.get_mut(&peer) {
            wanted.connect();
        }
        self.links.add(link, now_ms)
    }

    /// A connection has ended. `None` if it is not known.
    pub(crate) fn disconnected(&mut self, id: u64, now_ms: u64) -> Option<Lost> {
        let ended = self.links.remove(id, now_ms)?;
        let peer = ended.peer;
        if let Some(lived_ms) = ended.lived_ms {
            self.book.meet(peer);
            if let Some(wanted) = self.wanted.get_mut(&peer) {
                wanted.lose(lived_ms, now_ms, &self.rules, &mut self.chance);
            }
        }
        Some(Lost { peer, last: ended.lived_ms.is_some() })
    }

    /// A dial has failed at these addresses.
    pub(crate) fn failed(&mut self, peer: PeerId, addresses: &[Multiaddr], now_ms: u64) {
        self.book.fail(peer, addresses);
        if let Some(wanted) = self.wanted.get_mut(&peer) {
            wanted.fail(now_ms, &self.rules, &mut self.chance);
        }
    }

    /// A dial did not take place: there was no room, or another one is under way.
    pub(crate) fn postponed(&mut self, peer: PeerId, now_ms: u64) {
        if let Some(wanted) = self.wanted.get_mut(&peer) {
            wanted.postpone(now_ms, &self.rules);
        }
    }

    /// Another peer answers at this address.
    pub(crate) fn misled(&mut self, peer: PeerId, address: &Multiaddr) {
        self.book.mistrust(peer, address);
    }

    /// A round trip over a connection took so long.
    pub(crate) fn measured(&mut self, id: u64, rtt: Duration) {
        let peer = self.links.measure(id, rtt);
        if let Some(wanted) = peer.and_then(|peer| self.wanted.get_mut(&peer)) {
            wanted.measure(rtt);
        }
    }

    /// The network has changed: whoever could not be reached may be reachable now.
    pub(crate) fn nudge(&mut self, now_ms: u64) {
        for (peer, wanted) in &mut self.wanted {
            if !self.links.has(*peer) {
                wanted.nudge(now_ms, &self.rules, &mut self.chance);
            }
        }
    }

    /// A peer did what it should not have, at this time of the day.
    pub(crate) fn record(&mut self, peer: PeerId, fault: &'static str, at_unix_ms: u64) {
        self.ledger.record(peer, fault, at_unix_ms, |it| self.gate.is_banned(it));
    }

    /// What a peer did that it should not have.
    pub(crate) fn faults(&self, peer: PeerId) -> impl Iterator<Item = Fault> {
        self.ledger.faults(peer)
    }

    /// Whom to dial now, at most `room` of them, who waits longest first. They count as being
    /// dialled until they are connected, have failed, or nothing was heard of it for 15 s.
    pub(crate) fn due(&mut self, now_ms: u64, room: usize) -> Vec<Dial> {
        self.expire(now_ms);
        let planned = self.wanted.iter();
        let planned = planned.filter_map(|(peer, it)| Some((self.next_dial_ms(*peer, it)?, *peer)));
        let mut due: Vec<_> = planned.filter(|(at_ms, _)| *at_ms <= now_ms).collect();
        due.sort_unstable();
        due.truncate(room);
        due.into_iter().filter_map(|(_, peer)| self.begin(peer, now_ms)).collect()
    }

    /// When [`Self::due`] may have something next, as far as is known now; in the past if it had
    /// too little room.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        let times = self.wanted.iter();
        times.filter_map(|(id, it)| it.gives_up_ms().or_else(|| self.next_dial_ms(*id, it))).min()
    }

    /// The connection to open streams on: not relayed, over TCP, with short round trips.
    pub(crate) fn best(&self, peer: PeerId) -> Option<u64> {
        self.links.best(peer)
    }

    /// The connections to a peer.
    pub(crate) fn connections(&self, peer: PeerId) -> impl Iterator<Item = u64> {
        self.links.of(peer).map(|open| open.link.id)
    }

    /// For how long a peer has been connected, if it is, and who made the oldest connection.
    pub(crate) fn connected_for(&self, peer: PeerId, now_ms: u64) -> Option<(u64, Direction)> {
        let oldest = self.links.of(peer).min_by_key(|open| open.since_ms)?;
        Some((now_ms.saturating_sub(oldest.since_ms), oldest.link.direction))
    }

    /// Whether there is a connection to a peer.
    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.links.has(peer)
    }

    /// How many peers are connected.
    pub(crate) fn connected_peers(&self) -> usize {
        self.links.peers().len()
    }

    /// How many connections there are.
    pub(crate) fn links(&self) -> usize {
        self.links.len()
    }

    /// Everybody of whom anything is known, by id.
    pub(crate) fn roll(&self, now_ms: u64) -> Vec<PeerView> {
        let mut all: BTreeSet<_> = self.book.peers().collect();
        all.extend(self.wanted.keys().copied());
        all.extend(self.links.peers());
        all.extend(self.gate.banned());
        all.extend(self.gate.cooling());
        all.extend(self.ledger.peers());
        all.into_iter().map(|peer| self.view(peer, now_ms)).collect()
    }

    /// What a later life should know: a bounded part of the addresses, without banned peers.
    pub(crate) fn remembered(&self) -> Vec<Remembered> {
        let is_dear = |it| self.wanted.contains_key(&it) || self.links.has(it);
        self.book.remembered(is_dear, |it| self.gate.is_banned(it))
    }

    /// What an earlier life knew.
    pub(crate) fn recall(&mut self, remembered: Vec<Remembered>, now_ms: u64) {
        // The last one learned counts as the latest.
        for Remembered { peer, addresses } in remembered.into_iter().rev() {
            for address in addresses {
                self.learn(peer, address, Source::Cache, now_ms);
            }
        }
    }

    /// Dials of which nothing was heard for too long have failed.
    fn expire(&mut self, now_ms: u64) {
        for (peer, wanted) in &mut self.wanted {
            if let Some(addresses) = wanted.expire(now_ms, &self.rules, &mut self.chance) {
                self.book.fail(*peer, &addresses);
            }
        }
    }

    fn begin(&mut self, peer: PeerId, now_ms: u64) -> Option<Dial> {
        let wanted = self.wanted.get_mut(&peer)?;
        let addresses = self.book.choose(peer, wanted.failures());
        wanted.begin(addresses.clone(), now_ms);
        Some(Dial { peer, addresses, patience: wanted.patience(now_ms, &self.rules) })
    }

    /// When a wanted peer is to be dialled. `None` if it cannot or need not be.
    fn next_dial_ms(&self, peer: PeerId, wanted: &Wanted) -> Option<u64> {
        let can_dial = self.book.has(peer) && !self.links.has(peer);
        let opens_ms = self.gate.opens_ms(peer).filter(|_| can_dial)?;
        wanted.next_ms().map(|next_ms| next_ms.max(opens_ms))
    }

    fn view(&self, peer: PeerId, now_ms: u64) -> PeerView {
        let wanted = self.wanted.get(&peer);
        let is_connected = self.links.has(peer);
        let failures = wanted.filter(|_| !is_connected).map_or(0, Wanted::failures);
        PeerView {
            peer,
            connections: self.links.of(peer).map(LinkView::from).collect(),
            why: wanted.into_iter().flat_map(Wanted::why).collect(),
            known_addresses: self.book.count(peer),
            failures,
            is_dialled: wanted.is_some_and(|it| it.gives_up_ms().is_some()),
            next_dial_ms: wanted.and_then(|it| self.next_dial_ms(peer, it)),
            refusal: self.refusal(peer, now_ms),
            faults: self.faults(peer).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::trial::{link, peer, quic, tcp};
    use super::*;

    /// What peer 0 sees: that it wants peer 1, whose address it knows.
    fn wanting() -> Peers {
        let mut peers = nobody();
        peers.want(peer(1), Why::Member, 0);
        peers.learn(peer(1), tcp(1), Source::Ticket, 0);
        peers
    }

    fn nobody() -> Peers {
        Peers::new(peer(0), Rules::default(), 7)
    }

    fn outbound(id: u64, n: u8) -> Link {
        Link { direction: Direction::Outbound, ..link(id, n) }
    }

    fn view(peers: &Peers, n: u8) -> PeerView {
        peers.roll(0).into_iter().find(|view| view.peer == peer(n)).unwrap()
    }

    #[test]
    fn a_wanted_peer_is_dialled_as_soon_as_its_address_is_known() {
        let mut peers = nobody();
        assert!(peers.want(peer(1), Why::Join, 0));
        assert_eq!((peers.wake_at(), peers.due(0, 9)), (None, Vec::new()));
        assert!(peers.learn(peer(1), tcp(1), Source::Ticket, 5));
        assert_eq!(peers.wake_at(), Some(0));
        let patience = Duration::from_millis(1_250);
        let dial = Dial { peer: peer(1), addresses: vec![tcp(1)], patience };
        assert_eq!(peers.due(5, 9), [dial]);
        assert_eq!(peers.due(5, 9), []);
        peers.unwant(peer(1), Why::Member);
        assert_eq!(peers.wake_at(), Some(15_005));
        peers.unwant(peer(1), Why::Join);
        assert_eq!(peers.wake_at(), None);
    }

    #[test]
    fn news_of_a_wanted_peer_end_a_long_pause() {
        let mut peers = wanting();
        for _ in 0..200 {
            let now_ms = peers.wake_at().unwrap();
            peers.due(now_ms, 1);
            peers.failed(peer(1), &[tcp(1)], now_ms);
        }
        let long_ms = peers.wake_at().unwrap();
        assert!(!peers.learn(peer(1), tcp(1), Source::Mdns, long_ms - 9_000));
        assert_eq!(peers.wake_at(), Some(long_ms));
        peers.learn(peer(1), tcp(2), Source::Mdns, long_ms - 9_000);
        assert_eq!(peers.wake_at(), Some(long_ms - 9_000));
        assert_eq!(view(&peers, 1).failures, 200);
    }

    #[test]
    fn we_are_never_learned_nor_wanted() {
        let mut peers = nobody();
        assert!(!peers.learn(peer(0), tcp(1), Source::Manual, 0));
        assert!(!peers.want(peer(0), Why::Manual, 0));
        assert_eq!(peers.roll(0), []);
    }

    #[test]
    fn a_banned_peer_is_neither_learned_nor_dialled_until_it_is_unbanned() {
        let mut peers = wanting();
        peers.connected(link(4, 1), 0);
        peers.connected(link(5, 1), 0);
        assert_eq!(peers.ban(peer(1)), [4, 5]);
        peers.disconnected(4, 10_000);
        peers.disconnected(5, 10_000);
        assert!(!peers.learn(peer(1), tcp(2), Source::Manual, 10_000));
        assert_eq!((peers.wake_at(), peers.due(99_000, 9)), (None, Vec::new()));
        assert_eq!((peers.remembered(), peers.banned().collect()), (vec![], vec![peer(1)]));
        assert!(peers.unban(peer(1)));
        assert_eq!(peers.due(99_000, 9).len(), 1);
    }

    #[test]
    fn a_cooling_peer_is_dialled_when_its_time_is_over() {
        let mut peers = wanting();
        let until_ms = peers.cool(peer(1), 0);
        assert_eq!((peers.wake_at(), peers.due(until_ms - 1, 9).len()), (Some(until_ms), 0));
        assert_eq!(view(&peers, 1).refusal, Some(Refusal::Cooling { until_ms }));
        assert_eq!(peers.due(until_ms, 9).len(), 1);
    }

    #[test]
    fn where_we_dialled_is_learned_and_where_we_were_dialled_from_is_not() {
        let mut peers = nobody();
        peers.connected(link(1, 1), 0);
        peers.connected(outbound(2, 2), 0);
        assert_eq!(view(&peers, 1).known_addresses, 0);
        assert_eq!(view(&peers, 2).known_addresses, 1);
    }

    #[test]
    fn a_peer_that_accepts_and_drops_at_once_is_dialled_ever_more_rarely() {
        let (mut peers, mut dials) = (wanting(), 0);
        while let Some(now_ms) = peers.wake_at().filter(|now_ms| *now_ms < 600_000) {
            dials += peers.due(now_ms, 1).len();
            peers.connected(outbound(now_ms, 1), now_ms);
            peers.disconnected(now_ms, now_ms + 100);
        }
        assert!((20..80).contains(&dials), "{dials}");
    }

    #[test]
    fn after_a_loss_a_peer_is_dialled_twice_a_second_for_two_minutes() {
        let mut peers = wanting();
        peers.connected(link(1, 1), 0);
        let lost_ms = 10_000;
        assert_eq!(peers.disconnected(1, lost_ms), Some(Lost { peer: peer(1), last: true }));
        let mut failed_ms = lost_ms;
        while failed_ms < lost_ms + 120_000 {
            let now_ms = peers.wake_at().unwrap();
            assert!(now_ms - failed_ms <= 500, "{failed_ms} {now_ms}");
            assert_eq!(peers.due(now_ms, 1).len(), 1);
            failed_ms = now_ms + 30;
            peers.failed(peer(1), &[tcp(1)], failed_ms);
        }
    }

    #[test]
    fn a_nudge_makes_all_due_within_a_quarter_of_a_second() {
        let mut peers = nobody();
        for n in 1..=20 {
            peers.want(peer(n), Why::Member, 0);
            peers.learn(peer(n), tcp(n), Source::Mdns, 0);
        }
        while peers.wake_at().unwrap() < 300_000 {
            let now_ms = peers.wake_at().unwrap();
            for dial in peers.due(now_ms, 99) {
                peers.failed(dial.peer, &dial.addresses, now_ms);
            }
        }
        let failures = view(&peers, 1).failures;
        peers.nudge(300_000);
        assert_eq!(view(&peers, 1).failures, failures);
        let due = [300_050, 300_250].map(|now_ms| peers.due(now_ms, 99).len());
        assert!(due[0] < 20 && due[0] + due[1] == 20, "{due:?}");
    }

    #[test]
    fn with_room_for_one_all_have_their_turn() {
        let mut peers = nobody();
        let mut dials = BTreeMap::new();
        for n in 1..=30 {
            peers.want(peer(n), Why::Member, 0);
            peers.learn(peer(n), tcp(n), Source::Mdns, 0);
        }
        // Each would like to be dialled about three times a second, all together twenty can be.
        for now_ms in (0..9_000).step_by(50) {
            for dial in peers.due(now_ms, 1) {
                *dials.entry(dial.peer).or_insert(0) += 1;
                peers.failed(dial.peer, &dial.addresses, now_ms);
            }
        }
        let (least, most) = (dials.values().min().unwrap(), dials.values().max().unwrap());
        assert_eq!(dials.len(), 30);
        assert!(most - least <= 3, "{least} {most}");
    }

    #[test]
    fn what_is_remembered_is_recalled_in_the_same_order() {
        let mut peers = nobody();
        for n in 1..=5 {
            for address in [tcp(n), quic(n), tcp(50 + n), tcp(60 + n), tcp(70 + n)] {
                peers.learn(peer(n), address, Source::Mdns, 0);
            }
        }
        for (id, n) in [(1, 3), (2, 2), (3, 4)] {
            peers.connected(outbound(id, n), 0);
        }
        peers.disconnected(2, 10);
        peers.disconnected(3, 20);
        let remembered = peers.remembered();
        let order: Vec<_> = remembered.iter().map(|it| it.peer).collect();
        assert_eq!(order, [3, 4, 2, 5, 1].map(peer));
        assert!(remembered.iter().all(|it| it.addresses.len() == 4));
        let mut later = nobody();
        later.recall(remembered, 0);
        let recalled: Vec<_> = later.remembered().iter().map(|it| it.peer).collect();
        assert_eq!(recalled, order);
        assert_eq!(view(&later, 3).known_addresses, 4);
    }

    #[test]
    fn the_roll_tells_how_and_why() {
        let mut peers = wanting();
        peers.want(peer(1), Why::Bootstrap, 0);
        peers.connected(outbound(1, 1), 3);
        peers.measured(1, Duration::from_millis(9));
        peers.record(peer(2), "flood", 1_700_000_000_000);
        let (one, two) = (view(&peers, 1), view(&peers, 2));
        assert_eq!(
            (one.why.as_slice(), one.next_dial_ms),
            (&[Why::Bootstrap, Why::Member][..], None)
        );
        let connection = &one.connections[0];
        assert_eq!((connection.since_ms, connection.rtt), (3, Some(Duration::from_millis(9))));
        assert_eq!((two.faults.len(), two.faults[0].count), (1, 1));
    }
}
