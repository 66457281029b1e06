//! A node that is not honest in its sessions: what it says there is not what it should have said.

use mangrove_protocol::id::{Plane, Seq};
use mangrove_protocol::sync::{End, Message};

use crate::world::{Phase, World};

/// How often it deceives, in a thousand messages.
const OFTEN: u64 = 150;

impl World {
    /// What a node says instead of what its desk has told it to say.
    pub(crate) fn bent(&mut self, node: usize, message: &Message) -> Vec<Message> {
        let honest = self.settings.crooked != Some(node) || self.phase != Phase::Chaos;
        if honest || !self.dice.chance(OFTEN) {
            return vec![message.clone()];
        }
        match message {
            Message::Batch { deltas } => self.bent_batch(deltas.clone()),
            Message::Ends { plane: plane @ Plane::Data, ends } => {
                self.tally.hit("crooked: ends that are nowhere");
                let further = self.dice.between(1, 1_000);
                let lie = |end: &End| further_end(end, further);
                vec![Message::Ends { plane: *plane, ends: ends.iter().map(lie).collect() }]
            }
            Message::Done { .. } | Message::Given { .. } => {
                self.tally.hit("crooked: said twice");
                vec![message.clone(), message.clone()]
            }
            Message::Groups { .. } | Message::Lines { .. } => {
                self.tally.hit("crooked: silent");
                Vec::new()
            }
            message => vec![message.clone()],
        }
    }

    fn bent_batch(&mut self, mut deltas: Vec<Vec<u8>>) -> Vec<Message> {
        let at = self.dice.index(deltas.len());
        match self.dice.below(6) {
            0 => {
                self.tally.hit("crooked: withheld");
                deltas.remove(at);
            }
            1 => {
                self.tally.hit("crooked: out of order");
                deltas.reverse();
            }
            2 => {
                self.tally.hit("crooked: bad signature");
                if let Some(byte) = deltas.get_mut(at).and_then(|bytes| bytes.last_mut()) {
                    *byte ^= 1;
                }
            }
            3 => {
                self.tally.hit("crooked: no delta");
                if let Some(bytes) = deltas.get_mut(at) {
                    bytes.truncate(7);
                }
            }
            4 => {
                self.tally.hit("crooked: sent twice");
                let batch = Message::Batch { deltas };
                return vec![batch.clone(), batch];
            }
            _ => {
                self.tally.hit("crooked: silent");
                return Vec::new();
            }
        }
        if deltas.is_empty() { Vec::new() } else { vec![Message::Batch { deltas }] }
    }
}

/// The same, further on than it is.
fn further_end(end: &End, by: u64) -> End {
    let mut end = end.clone();
    if let Some(tip) = end.tips.last_mut() {
        tip.seq = Seq::new(tip.seq.get() + by).unwrap_or(tip.seq);
        tip.head = [0; 8];
    }
    end
}
