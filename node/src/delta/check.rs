//! Judging what was heard, on a thread that may take long.

use std::sync::Arc;

use mangrove_network::{Heard, Judge};
use mangrove_protocol::enlist::{Call, judge_call};
use mangrove_protocol::gossip::{Known, Topic, Verdict, judge};
use mangrove_protocol::id::{DeltaId, PeerId};
use mangrove_protocol::view::Places;
use mangrove_store::Reader;

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
    /// Judges what was heard, in order. What is of no context that is known here is dropped, and so ignored.
    pub(super) fn judge(&self, heard: Vec<Heard>) -> Vec<Judged> {
        heard.into_iter().filter_map(|heard| self.judge_one(heard)).collect()
    }

    fn judge_one(&self, heard: Heard) -> Option<Judged> {
        let Heard { topic, from, bytes, judge: waiting } = heard;
        if topic == self.invites {
            let has_heard = |name: &[u8; 32]| self.recent.has_heard(name);
            let found = Found::Called(judge_call(&bytes, self.clock.now_ms(), has_heard));
            return Some(Judged { from, bytes, judge: waiting, found });
        }
        let entry = self.directory.by_topic(&topic)?;
        let (context, facts) = (entry.context(), entry.facts());
        // Where it cannot be read whether a delta is held, it is taken again, which changes nothing.
        let stored = |id: &DeltaId| {
            let reading = self.reader.begin().ok()?;
            reading.get::<Places>(&context, id).ok()?
        };
        let known = Known {
            rights: &*facts.roster,
            holds: &|id| self.recent.holds(id) || stored(id).is_some(),
            has_heard: &|name| self.recent.has_heard(name),
            has_key: &|epoch| facts.epochs.contains(epoch),
            room_bytes: ROOM_BYTES,
            now_ms: self.clock.now_ms(),
        };
        let verdict = judge(&bytes, context, &known);
        Some(Judged { from, bytes, judge: waiting, found: Found::Said(entry, verdict) })
    }
}
