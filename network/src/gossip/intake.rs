//! What is heard, up to the point where somebody else judges it: counted, measured, and shed where
//! it is too much.

use std::collections::BTreeMap;
use std::sync::Arc;

use libp2p::gossipsub::{MessageId, TopicHash};
use mangrove_config::network::Network;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::limits::GOSSIP_MESSAGE_BYTES;
use tokio::sync::mpsc;

use super::heard::{Heard, Judge, Judged, Rooms};
use super::tuning::MOST_TOPICS;
use crate::name;
use crate::quota::Quota;

/// What one peer may hand on in bytes, for each message a second that it may hand on.
const BYTES_PER_MESSAGE: u64 = 4 * 1024;
/// Which part of a second's worth may come at once. What others say waits behind it.
const AT_ONCE: u64 = 2;
const LEAST_AT_ONCE: u64 = 64;
/// How many seconds' worth of too much there may be before the peer is turned away.
const TOLERANCE: u64 = 10;
/// Messages that no honest peer would have handed on: at once, and every second.
const REJECTS: u64 = 64;
const REJECTS_PER_SECOND: u64 = 1;

/// Messages on their way to be judged.
#[derive(Debug)]
pub(crate) struct Intake {
    topics: BTreeMap<TopicHash, Topic>,
    peers: BTreeMap<PeerId, Measure>,
    per_second: u64,
    rooms: Arc<Rooms>,
    heard: mpsc::Sender<Heard>,
    opinions: mpsc::Sender<Judged>,
}

/// What a peer hands on, and what it hands on beyond what it may.
#[derive(Debug)]
struct Measure {
    messages: Quota,
    bytes: Quota,
    excess: Quota,
    excess_bytes: Quota,
    rejects: Quota,
}

/// Why a message is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shed {
    /// This node is not on the topic.
    Elsewhere,
    /// Its peer hands on too much.
    Quota,
    /// Its peer hands on so much that it is turned away.
    Flood,
    /// Too many are waiting to be judged.
    Full,
    /// Nobody judges any more.
    Closed,
}

/// A message that is not judged, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: Shed,
    /// The topic, if it is one of ours.
    pub(crate) topic: Option<Topic>,
}

/// What the mesh has brought.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) topic: TopicHash,
    pub(crate) from: PeerId,
    pub(crate) bytes: Vec<u8>,
}

impl Shed {
    /// A word for it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Quota => "quota",
            Self::Flood => "flood",
            Self::Full => "full",
            Self::Closed => "closed",
        }
    }

    /// Whether what the message said may be worth asking for.
    pub(crate) const fn is_missed(self) -> bool {
        matches!(self, Self::Quota | Self::Flood | Self::Full)
    }
}

impl Intake {
    /// An intake, where what is heard comes out, and where opinions do.
    pub(crate) fn new(settings: &Network) -> (Self, mpsc::Receiver<Heard>, mpsc::Receiver<Judged>) {
        let most = usize::try_from(settings.messages).unwrap_or(usize::MAX).max(1);
        let (heard, hearing) = mpsc::channel(most);
        let (opinions, judged) = mpsc::channel(most);
        let rooms = Rooms::new(settings.messages, settings.messages_mib << 20);
        let per_second = settings.messages_per_second;
        let (topics, peers) = (BTreeMap::new(), BTreeMap::new());
        (Self { topics, peers, per_second, rooms, heard, opinions }, hearing, judged)
    }

    /// From now on messages of this topic are judged. `false` if there are too many topics.
    pub(crate) fn join(&mut self, topic: Topic) -> bool {
        let hash = name::hash(topic);
        let has_room = self.topics.len() < MOST_TOPICS || self.topics.contains_key(&hash);
        if has_room {
            self.topics.insert(hash, topic);
        }
        has_room
    }

    /// From now on they are not.
    pub(crate) fn leave(&mut self, topic: Topic) {
        self.topics.remove(&name::hash(topic));
    }

    /// The topic of this name, if this node is on it.
    pub(crate) fn topic(&self, hash: &TopicHash) -> Option<Topic> {
        self.topics.get(hash).copied()
    }

    /// Hands a message on to be judged, or says why it is not.
    pub(crate) fn take(&mut self, message: Message, now_ms: u64) -> Result<(), Refused> {
        let topic = self.topic(&message.topic);
        let refused = |why| Refused { why, topic };
        let length = message.bytes.len() as u64;
        self.measure(message.from, length, now_ms).map_err(refused)?;
        let topic = topic.ok_or_else(|| refused(Shed::Elsewhere))?;
        let room = self.rooms.take(length).ok_or_else(|| refused(Shed::Full))?;
        let Message { id, from, bytes, .. } = message;
        let judge = Judge::new(id, from, room, self.opinions.clone());
        let heard = Heard { topic, from, bytes, judge };
        self.heard.try_send(heard).map_err(|why| match why {
            mpsc::error::TrySendError::Full(_) => refused(Shed::Full),
            mpsc::error::TrySendError::Closed(_) => refused(Shed::Closed),
        })
    }

    /// A message of this peer was rejected. `false` if that is more than can be borne.
    pub(crate) fn rejected(&mut self, from: PeerId, now_ms: u64) -> bool {
        let per_second = self.per_second;
        let measure = self.peers.entry(from).or_insert_with(|| Measure::new(per_second));
        measure.rejects.take(1, now_ms)
    }

    fn measure(&mut self, from: PeerId, bytes: u64, now_ms: u64) -> Result<(), Shed> {
        let per_second = self.per_second;
        let measure = self.peers.entry(from).or_insert_with(|| Measure::new(per_second));
        measure.check(bytes, now_ms)
    }

    /// Forgets what a peer that has left has handed on, unless it would come back to an empty page.
    pub(crate) fn forget_idle(&mut self, now_ms: u64) {
        self.peers.retain(|_, measure| !measure.is_idle(now_ms));
    }

    /// Messages that wait for an opinion, and how many may.
    pub(crate) fn depth(&self) -> (u64, u64) {
        (self.rooms.taken(), self.rooms.most())
    }
}

impl Measure {
    fn new(per_second: u64) -> Self {
        let bytes = per_second.saturating_mul(BYTES_PER_MESSAGE);
        let long = GOSSIP_MESSAGE_BYTES * 4;
        Self {
            messages: Quota::new(per_second, (per_second / AT_ONCE).max(LEAST_AT_ONCE)),
            bytes: Quota::new(bytes, (bytes / AT_ONCE).max(long)),
            excess: Quota::new(per_second, per_second.saturating_mul(TOLERANCE)),
            excess_bytes: Quota::new(bytes, bytes.saturating_mul(TOLERANCE).max(long)),
            rejects: Quota::new(REJECTS_PER_SECOND, REJECTS),
        }
    }

    fn check(&mut self, bytes: u64, now_ms: u64) -> Result<(), Shed> {
        let fits = self.messages.take(1, now_ms) && self.bytes.take(bytes, now_ms);
        if fits {
            return Ok(());
        }
        let tolerable = self.excess.take(1, now_ms) && self.excess_bytes.take(bytes, now_ms);
        Err(if tolerable { Shed::Quota } else { Shed::Flood })
    }

    fn is_idle(&mut self, now_ms: u64) -> bool {
        let Self { messages, bytes, excess, excess_bytes, rejects } = self;
        let all = [messages, bytes, excess, excess_bytes, rejects];
        all.into_iter().all(|quota| quota.is_idle(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::id::ContextId;

    use super::*;
    use crate::gossip::Opinion;

    fn topic(number: u8) -> Topic {
        Topic::of(ContextId::from_bytes([number; 32]))
    }

    fn message(topic: Topic, from: u8, bytes: usize) -> Message {
        let (id, topic) = (MessageId::new(b"name"), name::hash(topic));
        Message { id, topic, from: PeerId::from_bytes([from; 32]), bytes: vec![0; bytes] }
    }

    fn settings(messages: u64, messages_per_second: u64) -> Network {
        Network { messages, messages_per_second, ..Network::default() }
    }

    #[test]
    fn what_is_heard_elsewhere_is_not_judged() {
        let (mut intake, mut hearing, _judged) = Intake::new(&settings(10, 1_000));
        assert!(intake.join(topic(1)));
        let elsewhere = intake.take(message(topic(2), 1, 10), 0).unwrap_err();
        assert_eq!(elsewhere, Refused { why: Shed::Elsewhere, topic: None });
        intake.take(message(topic(1), 1, 256 * 1024), 0).unwrap();
        assert_eq!(hearing.try_recv().unwrap().topic, topic(1));
        intake.leave(topic(1));
        assert!(intake.take(message(topic(1), 1, 10), 0).is_err());
    }

    #[test]
    fn what_is_not_judged_in_time_is_shed_and_room_comes_back_with_opinions() {
        let (mut intake, mut hearing, mut judged) = Intake::new(&settings(2, 1_000));
        intake.join(topic(1));
        assert!((0..2).all(|_| intake.take(message(topic(1), 1, 10), 0).is_ok()));
        let full = intake.take(message(topic(1), 2, 10), 0).unwrap_err();
        assert_eq!(full, Refused { why: Shed::Full, topic: Some(topic(1)) });
        hearing.try_recv().unwrap().judge.settle(Opinion::Accept);
        assert_eq!(intake.depth(), (2, 2));
        drop(judged.try_recv().unwrap());
        assert!(intake.take(message(topic(1), 2, 10), 0).is_ok());
    }

    #[test]
    fn who_hands_on_too_much_is_shed_and_then_turned_away_and_others_are_not() {
        let (mut intake, _hearing, _judged) = Intake::new(&settings(65_536, 100));
        intake.join(topic(1));
        let outcomes = (0..1_300).map(|_| intake.take(message(topic(1), 1, 10), 0));
        let outcomes = outcomes.map(|it| it.err().map(|refused| refused.why)).collect::<Vec<_>>();
        assert!(outcomes[..64].iter().all(Option::is_none));
        assert!(outcomes[64..1_064].iter().all(|why| *why == Some(Shed::Quota)));
        assert!(outcomes[1_064..].iter().all(|why| *why == Some(Shed::Flood)));
        assert!(intake.take(message(topic(1), 2, 10), 0).is_ok());
        // At the pace that is allowed nothing is shed.
        let steady = |step: u64| intake.take(message(topic(1), 1, 10), 20_000 + step * 10).is_ok();
        assert!((0..1_000).all(steady));
    }

    #[test]
    fn what_nobody_honest_hands_on_is_borne_now_and_then() {
        let (mut intake, _hearing, _judged) = Intake::new(&settings(10, 100));
        let peer = PeerId::from_bytes([1; 32]);
        assert!((0..REJECTS).all(|_| intake.rejected(peer, 0)));
        assert!(!intake.rejected(peer, 0));
        assert!(intake.rejected(peer, 1_000));
    }

    #[test]
    fn peers_that_say_nothing_are_forgotten() {
        let (mut intake, _hearing, _judged) = Intake::new(&settings(10, 100));
        intake.join(topic(1));
        intake.take(message(topic(1), 1, 10), 0).unwrap();
        intake.forget_idle(0);
        assert_eq!(intake.peers.len(), 1);
        intake.forget_idle(60_000);
        assert_eq!(intake.peers.len(), 0);
    }
}
