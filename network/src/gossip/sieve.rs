//! What is not even looked at: messages of topics that this node is not on, or that are too long, and
//! topics whose names are none of ours.
//!
//! The mesh keeps what passes here for minutes, whether or not anybody asked for it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use libp2p::gossipsub::{DataTransform, Message, RawMessage, TopicHash, TopicSubscriptionFilter};
use mangrove_protocol::limits::GOSSIP_MESSAGE_BYTES;
use parking_lot::RwLock;

/// Characters of a topic's name.
const NAME: usize = 52;

/// The topics that this node is on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sieve(Arc<RwLock<BTreeSet<TopicHash>>>);

impl Sieve {
    /// What comes on this topic passes from now on.
    pub(crate) fn open(&self, topic: TopicHash) {
        self.0.write().insert(topic);
    }

    /// It does not any more.
    pub(crate) fn close(&self, topic: &TopicHash) {
        self.0.write().remove(topic);
    }
}

impl DataTransform for Sieve {
    fn inbound_transform(&self, raw: RawMessage) -> Result<Message, io::Error> {
        if raw.data.len() as u64 > GOSSIP_MESSAGE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
        }
        if !self.0.read().contains(&raw.topic) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "nobody here is on its topic"));
        }
        let RawMessage { source, data, sequence_number, topic, .. } = raw;
        Ok(Message { source, data, sequence_number, topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, io::Error> {
        Ok(data)
    }
}

/// Topics that peers may be on: those that have names as ours do. Others would be a way to have
/// anything kept here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OurNames;

impl TopicSubscriptionFilter for OurNames {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        let name = topic.as_str();
        name.len() == NAME && name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'2'..=b'7'))
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::gossip::Topic;
    use mangrove_protocol::id::ContextId;

    use super::*;
    use crate::name;

    fn message(topic: &TopicHash, bytes: usize) -> RawMessage {
        RawMessage {
            source: None,
            data: vec![0; bytes],
            sequence_number: None,
            topic: topic.clone(),
            signature: None,
            key: None,
            validated: false,
        }
    }

    #[test]
    fn what_is_too_long_or_of_another_topic_does_not_pass() {
        let topic = name::hash(Topic::of(ContextId::from_bytes([1; 32])));
        let sieve = Sieve::default();
        assert!(sieve.inbound_transform(message(&topic, 10)).is_err());
        sieve.open(topic.clone());
        assert!(sieve.inbound_transform(message(&topic, 256 * 1024)).is_ok());
        assert!(sieve.inbound_transform(message(&topic, 256 * 1024 + 1)).is_err());
        sieve.close(&topic);
        assert!(sieve.inbound_transform(message(&topic, 10)).is_err());
    }

    #[test]
    fn topics_have_names_as_ours_do() {
        let topic = name::hash(Topic::of(ContextId::from_bytes([1; 32])));
        assert!(OurNames.can_subscribe(&topic));
        for name in ["", "news", &"a".repeat(53), &"A".repeat(52), &"a".repeat(300_000)] {
            assert!(!OurNames.can_subscribe(&TopicHash::from_raw(name)));
        }
    }
}
