//! What happens on the mesh.

use libp2p::gossipsub::{self, MessageAcceptance, PublishError, TopicHash};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::limits::GOSSIP_MESSAGE_BYTES;

use super::Driver;
use super::vice::Vice;
use crate::gossip::{Judged, Message, Opinion, Shed};
use crate::metrics::count;
use crate::name;

impl Driver {
    pub(super) fn gossiped(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let Some(from) = name::ours(&propagation_source) else { return };
                let gossipsub::Message { data: bytes, topic, .. } = message;
                self.heard(Message { id: message_id, topic, from, bytes });
            }
            gossipsub::Event::Subscribed { peer_id, topic, .. } => {
                self.subscribed(&peer_id, &topic, true);
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                self.subscribed(&peer_id, &topic, false);
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "the peer is not part of any mesh");
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => self.slow(&peer_id),
        }
    }

    /// Hands a message on to be judged, or sheds it and remembers that.
    fn heard(&mut self, message: Message) {
        self.metrics.heard.inc();
        self.metrics.heard_bytes.inc_by(message.bytes.len() as u64);
        let (id, from) = (message.id.clone(), message.from);
        let taken = self.intake.take(message, self.now_ms());
        let (waiting, most) = self.intake.depth();
        // A queue fills up sooner than the next tick comes.
        if waiting * 5 >= most * 4 {
            self.measure();
        }
        let Err(refused) = taken else { return };
        count(&self.metrics.shed, "reason", refused.why.label());
        self.settle(&id, from, MessageAcceptance::Ignore);
        match refused.why {
            Shed::Full | Shed::Closed => self.gauges.iter_mut().take(1).for_each(|it| it.shed()),
            Shed::Flood => {
                self.blame(from, "flood");
                self.turn_away(from);
            }
            Shed::Elsewhere | Shed::Quota => {}
        }
        if let Some(topic) = refused.topic
            && refused.why.is_missed()
        {
            self.outbox.missed(topic, from);
        }
    }

    /// Carries out an opinion.
    pub(super) fn judge(&mut self, judged: Judged) {
        let Judged { id, from, opinion, room } = judged;
        let (acceptance, label) = match opinion {
            Opinion::Accept => (MessageAcceptance::Accept, "accept"),
            Opinion::Ignore => (MessageAcceptance::Ignore, "ignore"),
            Opinion::Reject => (MessageAcceptance::Reject, "reject"),
        };
        count(&self.metrics.judged, "opinion", label);
        if opinion == Opinion::Reject {
            self.blame(from, "rejected");
            if !self.intake.rejected(from, self.now_ms()) {
                self.turn_away(from);
            }
        }
        if !self.settle(&id, from, acceptance) {
            self.metrics.late.inc();
        }
        drop(room);
    }

    /// `false` if the mesh has forgotten the message.
    fn settle(
        &mut self,
        id: &gossipsub::MessageId,
        from: mangrove_protocol::id::PeerId,
        acceptance: MessageAcceptance,
    ) -> bool {
        let Some(from) = name::theirs(from) else { return false };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(id, &from, acceptance)
    }

    fn subscribed(&mut self, peer: &libp2p::PeerId, topic: &TopicHash, is_joined: bool) {
        let Some(peer) = name::ours(peer).filter(|peer| self.peers.is_connected(*peer)) else {
            return;
        };
        if !self.take(Vice::Restless, peer) {
            self.blame(peer, "subscriptions");
            self.turn_away(peer);
        }
        if let Some(topic) = self.intake.topic(topic) {
            self.outbox.topic(peer, topic, is_joined);
        }
    }

    /// A peer takes what it is sent too slowly. One that does not get better is let go: what waits for
    /// it takes room, and it hears nothing new any more.
    fn slow(&mut self, peer: &libp2p::PeerId) {
        count(&self.metrics.shed, "reason", "slow_peer");
        let Some(peer) = name::ours(peer) else { return };
        if !self.take(Vice::Slow, peer) {
            self.blame(peer, "slow");
            self.close(peer);
        }
    }

    /// Joins a topic, and tells who is there already. `false` if this node is on too many.
    pub(super) fn join(&mut self, topic: Topic) -> bool {
        if !self.intake.join(topic) {
            return false;
        }
        self.sieve.open(name::hash(topic));
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let subscribed = gossip.subscribe(&gossipsub::IdentTopic::new(topic.to_string()));
        let hash = name::hash(topic);
        // They are sorted.
        let is_there = |topics: &[&TopicHash]| topics.binary_search(&&hash).is_ok();
        let there = gossip.all_peers().filter(|(_, topics)| is_there(topics));
        let there = there.filter_map(|(peer, _)| name::ours(peer)).collect::<Vec<_>>();
        there.into_iter().for_each(|peer| self.outbox.topic(peer, topic, true));
        subscribed.is_ok()
    }

    pub(super) fn leave(&mut self, topic: Topic) {
        self.sieve.close(&name::hash(topic));
        self.intake.leave(topic);
        self.outbox.left(topic);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.unsubscribe(&gossipsub::IdentTopic::new(topic.to_string()));
    }

    pub(super) fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let length = bytes.len() as u64;
        // Others take so much of one peer, and half of that leaves room for what it hands on.
        if !self.publishing.take(1, self.now_ms()) {
            count(&self.metrics.published, "outcome", "quota");
            return;
        }
        let outcome = match length > GOSSIP_MESSAGE_BYTES {
            true => Err(PublishError::MessageTooLarge),
            false => self.swarm.behaviour_mut().gossip.publish(name::hash(topic), bytes),
        };
        let label = match outcome {
            Ok(_) => "published",
            // Both are part of a quiet day: comparing finds what nobody heard.
            Err(PublishError::NoPeersSubscribedToTopic) => "alone",
            Err(PublishError::Duplicate) => "duplicate",
            Err(PublishError::AllQueuesFull(_)) => "full",
            Err(PublishError::MessageTooLarge) => "long",
            Err(PublishError::SigningError(_) | PublishError::TransformFailed(_)) => "failed",
        };
        count(&self.metrics.published, "outcome", label);
        if label == "published" {
            self.metrics.published_bytes.inc_by(length);
        }
    }
}
