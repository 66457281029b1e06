//! Judging what was heard: one message in passing, many on a thread that may take long.

use std::cell::Cell;
use std::sync::Arc;

use mangrove_network::{Heard, Judge};
use mangrove_protocol::enlist::{Call, judge_call};
use mangrove_protocol::gossip::{Known, Topic, Verdict, judge};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::view::Places;
use mangrove_store::{Reader, Reading};

use super::recent::Recent;
use crate::directory::{Directory, Entry};
use crate::drive::Clock;

/// Bytes of one message that there is room for: what is longer than any is refused by its length.
const ROOM_BYTES: u64 = mangrove_protocol::gossip::MESSAGE_BYTES;

/// What is judged by.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) directory: Directory,
    pub(super) reader: Reader,
    pub(super) recent: Arc<Recent>,
    /// Where replicas are called for.
    pub(super) invites: Topic,
    pub(super) clock: Clock,
}

/// Something that was judged.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(super) from: PeerId,
    pub(super) bytes: Vec<u8>,
    pub(super) judge: Judge,
    pub(super) found: Found,
}

/// What it was found to be.
#[derive(Debug)]
pub(super) enum Found {
    /// Said among those who take part in a context.
    Said(Arc<Entry>, Verdict),
    /// A call for replicas.
    Called(Verdict<Call>),
}

impl Bench {
    /// Judges what was heard, in order. What is of no context that is known here is dropped, and so ignored. Takes as
    /// long as the disk does.
    pub(super) fn judge(&self, heard: Vec<Heard>) -> Vec<Judged> {
        // Where it cannot be read whether a delta is held, it is taken again, which changes nothing.
        let stored = |context: &ContextId, id: &DeltaId| {
            let row = self.reader.begin().and_then(|reading| reading.get::<Places>(context, id));
            row.is_ok_and(|row| row.is_some())
        };
        let judge = |heard: Heard| self.find(&heard, &stored).map(|it| Judged::new(heard, it));
        heard.into_iter().filter_map(judge).collect()
    }

    /// Judges one message without a look at the disk. Where it takes one, the message comes back.
    pub(super) fn judge_at_hand(&self, heard: Heard) -> Result<Option<Judged>, Box<Heard>> {
        let is_elsewhere = Cell::new(false);
        let stored = |context: &ContextId, id: &DeltaId| {
            let at_hand = |reading: Reading| reading.has_at_hand::<Places>(context, id);
            let held = self.reader.begin().and_then(at_hand).unwrap_or(Some(false));
            is_elsewhere.set(is_elsewhere.get() || held.is_none());
            // What is held needs no look at its signature, which would be for nothing.
            held.unwrap_or(true)
        };
        let found = self.find(&heard, &stored);
        match is_elsewhere.get() {
            true => Err(Box::new(heard)),
            false => Ok(found.map(|found| Judged::new(heard, found))),
        }
    }

    /// What it is found to be, if its context is known here.
    fn find(&self, heard: &Heard, stored: &dyn Fn(&ContextId, &DeltaId) -> bool) -> Option<Found> {
        let Heard { topic, bytes, .. } = heard;
        if *topic == self.invites {
            let has_heard = |name: &[u8; 32]| self.recent.has_heard(name);
            return Some(Found::Called(judge_call(bytes, self.clock.now_ms(), has_heard)));
        }
        let entry = self.directory.by_topic(topic)?;
        let (context, facts) = (entry.context(), entry.facts());
        let known = Known {
            rights: &*facts.roster,
            holds: &|id| self.recent.holds(id) || stored(&context, id),
            has_heard: &|name| self.recent.has_heard(name),
            has_key: &|epoch| facts.epochs.contains(epoch),
            room_bytes: ROOM_BYTES,
            now_ms: self.clock.now_ms(),
        };
        let verdict = judge(bytes, context, &known);
        Some(Found::Said(entry, verdict))
    }
}

impl Judged {
    fn new(Heard { from, bytes, judge, .. }: Heard, found: Found) -> Self {
        Self { from, bytes, judge, found }
    }
}
