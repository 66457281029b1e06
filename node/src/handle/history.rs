//! What was written: deltas, as this node came to apply them.

use std::ops::Bound;

use mangrove_protocol::delta::Delta;
use mangrove_protocol::graph::Place;
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::op::Payload;
use mangrove_protocol::seal;
use mangrove_protocol::view::{Deltas, History, Keys, Places};
use mangrove_store::{Direction, ReadError};

use super::Look;

/// A delta, and what became of it.
#[derive(Debug, Clone)]
pub struct Past {
    /// The delta.
    pub delta: Delta,
    /// Where it stands, and how it fares.
    pub place: Place,
}

impl Look<'_> {
    /// Deltas whose turn has come, the last first: those before a place in the history, and so many at most. A place is
    /// that of no other, also when state is made anew.
    pub fn history(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Past)>, ReadError> {
        let until = before.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.seen.rows::<History>((Bound::Unbounded, until), Direction::Reverse);
        let mut found = Vec::new();
        for row in rows.take(limit) {
            let (order, id) = row?;
            found.extend(self.past(&id)?.map(|past| (order, past)));
        }
        Ok(found)
    }

    /// A delta, if it is stored.
    pub fn past(&self, id: &DeltaId) -> Result<Option<Past>, ReadError> {
        let (delta, place) = (self.seen.get::<Deltas>(id)?, self.seen.get::<Places>(id)?);
        Ok(delta.zip(place).map(|(delta, place)| Past { delta, place }))
    }

    /// What a delta says, if it is data, and a key for it is here.
    pub fn said(&self, past: &Past) -> Result<Option<Payload>, ReadError> {
        let Some(epoch) = past.delta.header().seal.epoch() else { return Ok(None) };
        let Some(key) = self.seen.get::<Keys>(&epoch)? else { return Ok(None) };
        let opened = seal::open(&past.delta, &key).ok();
        Ok(opened.and_then(|bytes| Payload::decode(&bytes).ok()))
    }
}
