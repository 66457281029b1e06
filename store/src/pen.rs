//! What a context writes with: one for each, so that nobody else writes to it.

use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::{Batch, Feed};

use crate::batch::{Change, Changes};
use crate::claim::Claim;
use crate::contexts::ContextRow;
use crate::error::{ReadError, WriteError};
use crate::queue::{Asked, Becomes, NotTaken, Queue, Receipt, hand_in, hand_in_in_turn};
use crate::reader::{Reader, Reading};
use crate::schema::{Family, after};
use crate::shared::Shared;

/// Somebody can write to the context, or could and is not answered yet. Ask again once that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("somebody writes to this context already")]
pub struct Taken;

/// A context that was to be forgotten and is not.
#[derive(Debug, thiserror::Error)]
#[error("the context is not forgotten: {why}")]
pub struct Unforgotten {
    /// What it is written to with.
    pub pen: Box<Pen>,
    /// Why.
    #[source]
    pub why: NotTaken,
}

/// What a context writes with: one at a time for each, and one commit at a time with it. Take it first, and
/// then look with [`Pen::read`] at what there is to go on from.
#[derive(Debug)]
pub struct Pen {
    claim: Arc<Claim>,
    queue: Queue,
    row: ContextRow,
    /// How often the database had been opened anew when this was made.
    openings: u64,
}

impl Pen {
    pub(crate) fn new(shared: &Arc<Shared>, queue: &Queue, id: ContextId) -> Result<Self, Taken> {
        let claim = Claim::take(shared, id).ok_or(Taken)?;
        let mut contexts = shared.contexts.write();
        let (row, openings) = (contexts.begin(id, random()), contexts.openings());
        drop(contexts);
        Ok(Self { claim, queue: queue.clone(), row, openings })
    }

    /// The context.
    pub fn context(&self) -> ContextId {
        self.claim.id()
    }

    /// Begins to read what this pen goes on from. Fails once the database was opened anew: then the pen is
    /// of no use, and what was made of earlier reads is not either.
    pub fn read(&self, reader: &Reader) -> Result<Reading, ReadError> {
        let reading = reader.begin()?;
        // Whatever is opened anew from now on makes the commits refused that rest on this.
        if self.openings == self.shared().openings() { Ok(reading) } else { Err(ReadError::Stale) }
    }

    /// Hands in a batch. The next one can be handed in once this one is answered. The first one of a
    /// context makes the home know it.
    pub fn commit(&self, batch: &Batch, must_sync: bool) -> Result<Receipt, NotTaken> {
        let changes = self.encoded(batch);
        self.hand_in(changes, must_sync, Becomes::Written)
    }

    /// The same, after waiting for a place in the queue.
    pub async fn commit_in_turn(
        &self,
        batch: &Batch,
        must_sync: bool,
    ) -> Result<Receipt, NotTaken> {
        let changes = self.encoded(batch);
        let asked = self.asked(changes, must_sync, Becomes::Written)?;
        hand_in_in_turn(&self.claim, &self.queue, asked).await
    }

    /// Forgets the beginning of the feed, before this position or all of it.
    pub fn trim_feed(&self, before: u64, reader: &Reader) -> Result<Option<Receipt>, NotTaken> {
        let row = self.row();
        let looked = self.read(reader).and_then(|reading| {
            let end = reading.context(&self.context())?.feed_end()?;
            Ok(end.next)
        });
        let end = match looked {
            Ok(end) => end,
            Err(ReadError::UnknownContext) => return Ok(None),
            Err(ReadError::Stale) => return Err(WriteError::Stale.into()),
            Err(why) => return Err(WriteError::Failed(why.to_string()).into()),
        };
        let before = before.min(end);
        if before <= row.feed_from {
            return Ok(None);
        }
        let (from, until) = (row.number().table::<Feed>(), row.number().key::<Feed>(&before));
        let changes = Changes(vec![Change::RemoveRange(Family::Feed, from, until)]);
        self.hand_in(changes, false, Becomes::Trimmed(before)).map(Some)
    }

    /// Forgets the whole context. If that is not taken, the pen is as it was.
    pub fn forget(self) -> Result<Receipt, Unforgotten> {
        let prefix = self.row.number().prefix();
        let mut changes = Changes::default();
        // No number is so high that nothing comes after it.
        let until = after(&prefix).unwrap_or_default();
        for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
            changes.0.push(Change::RemoveRange(family, prefix.to_vec(), until.clone()));
        }
        let handed_in = self.hand_in(changes, true, Becomes::Forgotten);
        handed_in.map_err(|why| Unforgotten { pen: Box::new(self), why })
    }

    fn shared(&self) -> &Shared {
        self.claim.shared()
    }

    /// What is known of the context, or will be.
    fn row(&self) -> ContextRow {
        self.shared().contexts.read().get(&self.context()).unwrap_or(self.row)
    }

    fn encoded(&self, batch: &Batch) -> Changes {
        Changes::of(batch, self.row.number(), self.shared().cipher.as_ref())
    }

    fn asked(
        &self,
        changes: Changes,
        must_sync: bool,
        becomes: Becomes,
    ) -> Result<Asked, NotTaken> {
        let openings = self.openings;
        if openings != self.shared().openings() {
            return Err(WriteError::Stale.into());
        }
        Ok(Asked { changes, must_sync, openings, becomes })
    }

    fn hand_in(
        &self,
        changes: Changes,
        must_sync: bool,
        becomes: Becomes,
    ) -> Result<Receipt, NotTaken> {
        let asked = self.asked(changes, must_sync, becomes)?;
        hand_in(&self.claim, &self.queue, asked)
    }
}

/// A number that no other life of a feed has.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    #[expect(clippy::expect_used, reason = "nothing of a node works without randomness")]
    getrandom::fill(&mut bytes).expect("the system has randomness");
    u64::from_le_bytes(bytes)
}
