//! News: what becomes of peers, topics and addresses, in the order in which it is of use.
//!
//! None of it is ever lost. What nobody has fetched yet is kept by subject, the newer in the place of
//! the older, so that it takes no more room than there are peers, topics and addresses.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::Multiaddr;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;

/// Peers that are named with what was missed on a topic.
const WITNESSES: usize = 4;

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A peer that was not connected is.
    Connected(PeerId),
    /// The last connection to a peer has ended.
    Disconnected(PeerId),
    /// A peer has joined or left topics that this node is on.
    Topics {
        /// Who.
        peer: PeerId,
        /// What it has joined.
        joined: Vec<Topic>,
        /// What it has left.
        left: Vec<Topic>,
    },
    /// Messages were shed. Some of these peers have handed them on, and can be asked.
    Missed {
        /// On this topic.
        topic: Topic,
        /// Who has handed them on.
        from: Vec<PeerId>,
        /// How many.
        count: u64,
    },
    /// This node can now be reached here.
    Listening(Multiaddr),
    /// It no longer can.
    NotListening(Multiaddr),
}

/// News that nobody has fetched yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Who was connected the last time anybody was told.
    told: BTreeSet<PeerId>,
    peers: BTreeMap<PeerId, Changes>,
    missed: BTreeMap<Topic, (BTreeSet<PeerId>, u64)>,
    addresses: BTreeMap<Multiaddr, bool>,
}

/// What has changed about a peer.
#[derive(Debug, Default)]
struct Changes {
    /// Whether it was disconnected in between.
    was_lost: bool,
    is_connected: bool,
    topics: BTreeMap<Topic, bool>,
}

impl Outbox {
    pub(crate) fn connected(&mut self, peer: PeerId) {
        self.changes(peer).is_connected = true;
    }

    pub(crate) fn disconnected(&mut self, peer: PeerId) {
        let was_told = self.told.contains(&peer);
        let changes = self.changes(peer);
        changes.is_connected = false;
        changes.was_lost |= was_told;
        changes.topics.clear();
        if !was_told {
            // It came and went before anybody could have known.
            self.peers.remove(&peer);
        }
    }

    pub(crate) fn topic(&mut self, peer: PeerId, topic: Topic, joined: bool) {
        self.changes(peer).topics.insert(topic, joined);
    }

    pub(crate) fn missed(&mut self, topic: Topic, from: PeerId) {
        let (peers, count) = self.missed.entry(topic).or_default();
        *count += 1;
        if peers.len() < WITNESSES {
            peers.insert(from);
        }
    }

    /// Forgets what was missed on a topic that this node has left.
    pub(crate) fn left(&mut self, topic: Topic) {
        self.missed.remove(&topic);
    }

    pub(crate) fn listening(&mut self, address: Multiaddr, is_listening: bool) {
        self.addresses.insert(address, is_listening);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.missed.is_empty() && self.addresses.is_empty()
    }

    /// The next thing to tell.
    pub(crate) fn next(&mut self) -> Option<News> {
        if let Some((address, is_listening)) = self.addresses.pop_first() {
            let news = if is_listening { News::Listening } else { News::NotListening };
            return Some(news(address));
        }
        while let Some((peer, changes)) = self.peers.pop_first() {
            if let Some(news) = self.of_peer(peer, changes) {
                return Some(news);
            }
        }
        let (topic, (from, count)) = self.missed.pop_first()?;
        Some(News::Missed { topic, from: from.into_iter().collect(), count })
    }

    /// The next thing to tell of a peer. The rest stays.
    fn of_peer(&mut self, peer: PeerId, mut changes: Changes) -> Option<News> {
        if changes.was_lost {
            changes.was_lost = false;
            self.told.remove(&peer);
            if changes.is_connected {
                self.peers.insert(peer, changes);
            }
            return Some(News::Disconnected(peer));
        }
        if changes.is_connected && self.told.insert(peer) {
            if !changes.topics.is_empty() {
                self.peers.insert(peer, changes);
            }
            return Some(News::Connected(peer));
        }
        let of = |wanted: bool| {
            let topics = changes.topics.iter().filter(|(_, joined)| **joined == wanted);
            topics.map(|(topic, _)| *topic).collect::<Vec<_>>()
        };
        let (joined, left) = (of(true), of(false));
        let is_news = !joined.is_empty() || !left.is_empty();
        is_news.then_some(News::Topics { peer, joined, left })
    }

    fn changes(&mut self, peer: PeerId) -> &mut Changes {
        let is_connected = self.told.contains(&peer);
        let unchanged = || Changes { is_connected, ..Changes::default() };
        self.peers.entry(peer).or_insert_with(unchanged)
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::id::ContextId;

    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn topic(number: u8) -> Topic {
        Topic::of(ContextId::from_bytes([number; 32]))
    }

    fn all(outbox: &mut Outbox) -> Vec<News> {
        let news = std::iter::from_fn(|| outbox.next()).collect();
        assert!(outbox.is_empty());
        news
    }

    #[test]
    fn a_peer_that_comes_back_unseen_is_told_as_gone_and_back() {
        let mut outbox = Outbox::default();
        outbox.connected(peer(1));
        assert_eq!(all(&mut outbox), [News::Connected(peer(1))]);
        outbox.disconnected(peer(1));
        outbox.connected(peer(1));
        outbox.disconnected(peer(1));
        outbox.connected(peer(1));
        outbox.topic(peer(1), topic(1), true);
        let joined = News::Topics { peer: peer(1), joined: vec![topic(1)], left: vec![] };
        let back = [News::Disconnected(peer(1)), News::Connected(peer(1)), joined];
        assert_eq!(all(&mut outbox), back);
    }

    #[test]
    fn a_peer_that_came_and_went_unseen_is_not_told() {
        let mut outbox = Outbox::default();
        outbox.connected(peer(1));
        outbox.topic(peer(1), topic(1), true);
        outbox.disconnected(peer(1));
        assert_eq!(all(&mut outbox), []);
    }

    #[test]
    fn topics_of_a_connection_that_ended_are_not_told() {
        let mut outbox = Outbox::default();
        outbox.connected(peer(1));
        outbox.topic(peer(1), topic(1), true);
        assert_eq!(all(&mut outbox).len(), 2);
        outbox.topic(peer(1), topic(2), true);
        outbox.disconnected(peer(1));
        assert_eq!(all(&mut outbox), [News::Disconnected(peer(1))]);
    }

    #[test]
    fn the_last_word_on_a_topic_is_told() {
        let mut outbox = Outbox::default();
        outbox.connected(peer(1));
        all(&mut outbox);
        outbox.topic(peer(1), topic(1), true);
        outbox.topic(peer(1), topic(1), false);
        let left = News::Topics { peer: peer(1), joined: vec![], left: vec![topic(1)] };
        assert_eq!(all(&mut outbox), [left]);
    }

    #[test]
    fn what_was_missed_is_told_once_with_a_few_who_can_be_asked() {
        let mut outbox = Outbox::default();
        for number in 0..100 {
            outbox.missed(topic(1), peer(number));
        }
        let from = (0..4).map(peer).collect();
        assert_eq!(all(&mut outbox), [News::Missed { topic: topic(1), from, count: 100 }]);
        outbox.missed(topic(1), peer(1));
        outbox.left(topic(1));
        assert!(outbox.is_empty());
    }
}
