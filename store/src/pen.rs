//! What a context writes with: one for each, so that nobody else writes to it.

use std::sync::Arc;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::{Batch, Feed};

use crate::batch::{Change, Changes};
use crate::contexts::ContextRow;
use crate::error::WriteError;
use crate::schema::{Family, Meta, after};
use crate::shared::Shared;
use crate::value;
use crate::writer::{Asked, Description, NotTaken, Queue, Receipt, hand_in};

/// Somebody can write to the context already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("somebody writes to this context already")]
pub struct Taken;

/// What a context writes with. There is one at a time for each; dropping it lets another be made.
#[derive(Debug)]
pub struct Pen {
    shared: Arc<Shared>,
    queue: Queue,
    id: ContextId,
    row: ContextRow,
    /// How often the database had been opened anew when this was made.
    openings: u64,
}

impl Pen {
    pub(crate) fn new(shared: &Arc<Shared>, queue: &Queue, id: ContextId) -> Result<Self, Taken> {
        if !shared.written_to.lock().insert(id) {
            return Err(Taken);
        }
        // Before what it is about is read: whatever is opened anew after this makes it stale.
        let openings = shared.openings();
        let mut contexts = shared.contexts.write();
        let row = contexts.get(&id).unwrap_or_else(|| ContextRow {
            number: contexts.reserve(),
            generation: random(),
            feed_from: 0,
        });
        drop(contexts);
        Ok(Self { shared: Arc::clone(shared), queue: queue.clone(), id, row, openings })
    }

    /// The context.
    pub const fn context(&self) -> ContextId {
        self.id
    }

    /// Hands in a batch. Those of one context become durable in the order in which they are handed in.
    /// The first one of a context makes the home know it.
    pub fn commit(&self, batch: &Batch, must_sync: bool) -> Result<Receipt, NotTaken> {
        let cipher = self.shared.cipher.as_ref();
        let mut changes = Changes::of(batch, self.row.number(), cipher);
        let is_new = self.shared.contexts.read().get(&self.id).is_none();
        if is_new {
            changes.0.extend(self.described(self.row));
        }
        self.hand_in(changes, (must_sync, is_new.then_some((self.id, Some(self.row)))))
    }

    /// Forgets the beginning of the feed, before this position.
    pub fn trim_feed(&mut self, before: u64) -> Result<Option<Receipt>, NotTaken> {
        if before <= self.row.feed_from {
            return Ok(None);
        }
        let number = self.row.number();
        let from = number.key::<Feed>(&self.row.feed_from);
        let until = number.key::<Feed>(&before);
        let row = ContextRow { feed_from: before, ..self.row };
        let mut changes = Changes(self.described(row).into());
        changes.0.push(Change::RemoveRange(Family::Feed, from, until));
        let receipt = self.hand_in(changes, (false, Some((self.id, Some(row)))))?;
        self.row = row;
        Ok(Some(receipt))
    }

    /// Forgets the whole context.
    pub fn forget(self) -> Result<Receipt, NotTaken> {
        let prefix = self.row.number().prefix();
        let mut changes = Changes::default();
        for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
            let until =
                after(&prefix).ok_or_else(|| WriteError::Failed("no number is left".to_owned()))?;
            changes.0.push(Change::RemoveRange(family, prefix.to_vec(), until));
        }
        let key = Meta::Context(self.id.as_bytes()).key();
        changes.0.push(Change::Remove(Family::Meta, key));
        self.hand_in(changes, (true, Some((self.id, None))))
    }

    fn hand_in(
        &self,
        changes: Changes,
        (must_sync, describes): (bool, Option<Description>),
    ) -> Result<Receipt, NotTaken> {
        let openings = self.openings;
        if openings != self.shared.openings() {
            return Err(WriteError::Stale.into());
        }
        hand_in(&self.shared, &self.queue, Asked { changes, must_sync, openings, describes })
    }

    /// What puts a context among those that the home knows.
    fn described(&self, row: ContextRow) -> [Change; 2] {
        let cipher = self.shared.cipher.as_ref();
        let put = |key: Vec<u8>, value: Vec<u8>| Change::Put(Family::Meta, key, value);
        let (context, next) = (Meta::Context(self.id.as_bytes()).key(), Meta::NextContext.key());
        let context_row = value::write(&row, &context, cipher);
        let next_row = value::write(&self.shared.contexts.read().next(), &next, cipher);
        [put(context, context_row), put(next, next_row)]
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.shared.written_to.lock().remove(&self.id);
    }
}

/// A number that no other life of a feed has.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    #[expect(clippy::expect_used, reason = "nothing of a node works without randomness")]
    getrandom::fill(&mut bytes).expect("the system has randomness");
    u64::from_le_bytes(bytes)
}
