//! The connections there are, and which of several is the best.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p::Multiaddr;
use mangrove_protocol::id::PeerId;

/// Who made a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The other side.
    Inbound,
    /// We.
    Outbound,
}

impl Direction {
    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// What a connection runs over: what is preferred comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// QUIC.
    Quic,
}

impl Transport {
    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }
}

/// A connection, as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number; no other connection of this life has it.
    pub(crate) id: u64,
    /// Who is at the other end.
    pub(crate) peer: PeerId,
    /// Where that is.
    pub(crate) address: Multiaddr,
    /// Who made it.
    pub(crate) direction: Direction,
    /// What it runs over.
    pub(crate) transport: Transport,
    /// Whether it goes through a third peer.
    pub(crate) relayed: bool,
}

/// A connection that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) link: Link,
    pub(super) since_ms: u64,
    pub(super) rtt: Option<Duration>,
}

/// A connection that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) peer: PeerId,
    /// For how long the peer was connected without a break, if no other connection to it is left.
    pub(super) lived_ms: Option<u64>,
}

/// All connections that are open. Their number is bounded where they are accepted.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    open: BTreeMap<u64, Open>,
    peers: BTreeMap<PeerId, Presence>,
}

/// A peer that is connected.
#[derive(Debug, Clone)]
struct Presence {
    since_ms: u64,
    /// Never empty.
    ids: BTreeSet<u64>,
}

impl Links {
    /// A connection was made. Says whether it is the only one to its peer.
    pub(super) fn add(&mut self, link: Link, now_ms: u64) -> bool {
        self.remove(link.id, now_ms);
        let new = || Presence { since_ms: now_ms, ids: BTreeSet::new() };
        let presence = self.peers.entry(link.peer).or_insert_with(new);
        let is_first = presence.ids.is_empty();
        presence.ids.insert(link.id);
        self.open.insert(link.id, Open { link, since_ms: now_ms, rtt: None });
        is_first
    }

    /// A connection has ended. `None` if there was no such connection.
    pub(super) fn remove(&mut self, id: u64, now_ms: u64) -> Option<Ended> {
        let peer = self.open.remove(&id)?.link.peer;
        let presence = self.peers.get_mut(&peer)?;
        presence.ids.remove(&id);
        if !presence.ids.is_empty() {
            return Some(Ended { peer, lived_ms: None });
        }
        let lived_ms = now_ms.saturating_sub(presence.since_ms);
        self.peers.remove(&peer);
        Some(Ended { peer, lived_ms: Some(lived_ms) })
    }

    /// A round trip took so long. Says to whom.
    pub(super) fn measure(&mut self, id: u64, rtt: Duration) -> Option<PeerId> {
        let open = self.open.get_mut(&id)?;
        open.rtt = Some(rtt);
        Some(open.link.peer)
    }

    /// The connection to open streams on: not relayed, over TCP, with short round trips.
    pub(super) fn best(&self, peer: PeerId) -> Option<u64> {
        let rank = |it: &&Open| {
            let rtt = it.rtt.unwrap_or(Duration::MAX);
            (it.link.relayed, it.link.transport, rtt, it.link.id)
        };
        self.of(peer).min_by_key(rank).map(|it| it.link.id)
    }

    /// The connections to a peer, by number.
    pub(super) fn of(&self, peer: PeerId) -> impl Iterator<Item = &Open> {
        let ids = self.peers.get(&peer).into_iter().flat_map(|it| &it.ids);
        ids.filter_map(|id| self.open.get(id))
    }

    /// Whether there is a connection to a peer.
    pub(super) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Who is connected.
    pub(super) fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{link, peer};
    use super::*;

    #[test]
    fn a_peer_is_connected_from_its_first_connection_to_its_last() {
        let mut links = Links::default();
        assert!(links.add(link(1, 7), 100));
        assert!(!links.add(link(2, 7), 200));
        assert!(links.add(link(3, 8), 300));
        assert_eq!((links.len(), links.peers().len()), (3, 2));
        assert_eq!(links.remove(1, 400), Some(Ended { peer: peer(7), lived_ms: None }));
        assert!(links.has(peer(7)));
        assert_eq!(links.remove(2, 500), Some(Ended { peer: peer(7), lived_ms: Some(400) }));
        assert!(!links.has(peer(7)));
        assert_eq!(links.remove(2, 500), None);
        assert_eq!(links.best(peer(7)), None);
    }

    #[test]
    fn a_number_stands_for_one_connection() {
        let mut links = Links::default();
        links.add(link(1, 7), 0);
        assert!(links.add(link(1, 8), 0));
        assert_eq!((links.len(), links.has(peer(7)), links.best(peer(8))), (1, false, Some(1)));
    }

    #[test]
    fn the_best_connection_is_direct_then_tcp_then_quick_then_old() {
        let mut links = Links::default();
        let check = |links: &Links, expect| assert_eq!(links.best(peer(7)), Some(expect));
        links.add(Link { relayed: true, ..link(1, 7) }, 0);
        links.measure(1, Duration::from_millis(1));
        check(&links, 1);
        links.add(Link { transport: Transport::Quic, ..link(2, 7) }, 0);
        links.measure(2, Duration::from_millis(1));
        check(&links, 2);
        links.add(link(4, 7), 0);
        links.add(link(3, 7), 0);
        check(&links, 3);
        links.measure(4, Duration::from_millis(90));
        check(&links, 4);
        links.measure(3, Duration::from_millis(80));
        check(&links, 3);
        links.measure(3, Duration::from_millis(90));
        check(&links, 3);
        links.measure(9, Duration::ZERO);
    }
}
