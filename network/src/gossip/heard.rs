//! What is heard, and the opinion on it that the mesh waits for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::gossipsub::MessageId;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use tokio::sync::mpsc;

/// A message of the mesh, not yet judged, and not handed on before it is.
#[derive(Debug)]
pub struct Heard {
    /// The topic that it came on.
    pub topic: Topic,
    /// Who handed it on, which is not who wrote it.
    pub from: PeerId,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Who waits for an opinion on it.
    pub judge: Judge,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// It is handed on.
    Accept,
    /// It is not, and nobody is to blame.
    Ignore,
    /// It is not, and whoever handed it on is to blame.
    Reject,
}

/// Takes one opinion on one message. One that is dropped has ignored it.
pub struct Judge {
    open: Option<Judged>,
    opinions: mpsc::Sender<Judged>,
}

/// An opinion on its way to the mesh.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) id: MessageId,
    pub(crate) from: PeerId,
    pub(crate) opinion: Opinion,
    /// Given back once the opinion is carried out.
    pub(crate) room: Room,
}

/// Room for messages that are being judged.
#[derive(Debug)]
pub(crate) struct Rooms {
    most: u64,
    most_bytes: u64,
    taken: AtomicU64,
    taken_bytes: AtomicU64,
}

/// What one message takes up until its opinion is carried out.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Arc<Rooms>,
    bytes: u64,
}

impl Judge {
    /// There is room for as many opinions as there are messages without one.
    pub(crate) fn new(
        id: MessageId,
        from: PeerId,
        room: Room,
        opinions: mpsc::Sender<Judged>,
    ) -> Self {
        Self { open: Some(Judged { id, from, opinion: Opinion::Ignore, room }), opinions }
    }

    /// Of a message that nobody waits for.
    pub fn idle() -> Self {
        Self { open: None, opinions: mpsc::channel(1).0 }
    }

    /// Says what becomes of the message.
    pub fn settle(mut self, opinion: Opinion) {
        if let Some(judged) = &mut self.open {
            judged.opinion = opinion;
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if let Some(judged) = self.open.take() {
            // It fails only when the network has ended.
            drop(self.opinions.try_send(judged));
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl Rooms {
    pub(crate) fn new(most: u64, most_bytes: u64) -> Arc<Self> {
        let (taken, taken_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { most, most_bytes, taken, taken_bytes })
    }

    /// Room for one message of so many bytes. Only one thread takes, so that nobody comes between.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        let is_full = self.taken() >= self.most;
        let is_heavy =
            self.taken_bytes.load(Ordering::Acquire).saturating_add(bytes) > self.most_bytes;
        if is_full || (is_heavy && self.taken() > 0) {
            return None;
        }
        self.taken.fetch_add(1, Ordering::AcqRel);
        self.taken_bytes.fetch_add(bytes, Ordering::AcqRel);
        Some(Room { rooms: Arc::clone(self), bytes })
    }

    /// Messages that have room.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many may have.
    pub(crate) const fn most(&self) -> u64 {
        self.most
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.taken_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.rooms.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rooms: &Arc<Rooms>, opinions: &mpsc::Sender<Judged>) -> Option<Judge> {
        let from = PeerId::from_bytes([1; 32]);
        let room = rooms.take(10)?;
        Some(Judge::new(MessageId::new(b"name"), from, room, opinions.clone()))
    }

    #[test]
    fn every_message_gets_one_opinion_and_room_for_it() {
        let rooms = Rooms::new(3, 1_000);
        let (opinions, mut judged) = mpsc::channel(3);
        let said = [Some(Opinion::Accept), None, Some(Opinion::Reject)];
        for opinion in said {
            let judge = judge(&rooms, &opinions).unwrap();
            if let Some(opinion) = opinion {
                judge.settle(opinion);
            }
        }
        // Until what was said is carried out there is no room for more.
        assert!(judge(&rooms, &opinions).is_none());
        let found = said.map(|_| judged.try_recv().unwrap().opinion);
        assert_eq!(found, [Opinion::Accept, Opinion::Ignore, Opinion::Reject]);
        assert_eq!(rooms.taken(), 0);
    }

    #[test]
    fn long_messages_take_more_room() {
        let rooms = Rooms::new(100, 100);
        let held = rooms.take(60).unwrap();
        assert!(rooms.take(60).is_none());
        let small = rooms.take(40).unwrap();
        drop((held, small));
        // One that is longer than all the room there is can still be judged by itself.
        assert!(rooms.take(1_000).is_some());
    }
}
