//! What a step sees of a context: as it is stored at one moment, looked up only if it is asked for.

use std::cell::{Cell, OnceCell};
use std::ops::Bound;

use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::{Table, View};
use mangrove_store::{ReadError, Reading, Snapshot};

/// A context as it is stored. Most steps do not look, and then it costs nothing.
pub(super) struct Sight<'r> {
    reading: &'r Reading,
    context: ContextId,
    seen: OnceCell<Option<Snapshot<'r>>>,
    failed: Cell<Option<ReadError>>,
}

impl<'r> Sight<'r> {
    pub(super) fn new(reading: &'r Reading, context: ContextId) -> Self {
        let (seen, failed) = (OnceCell::new(), Cell::new(None));
        Self { reading, context, seen, failed }
    }

    /// Whether all that was looked for could be read: otherwise nothing may leave that was made of it.
    pub(super) fn finish(self) -> Result<(), ReadError> {
        if let Some(why) = self.failed.into_inner() {
            return Err(why);
        }
        self.seen.into_inner().flatten().map_or(Ok(()), Snapshot::finish)
    }

    fn snapshot(&self) -> Option<&Snapshot<'r>> {
        let look = || match self.reading.context(&self.context) {
            Ok(snapshot) => Some(snapshot),
            // Nothing of it is stored yet.
            Err(ReadError::UnknownContext) => None,
            Err(why) => {
                self.failed.set(Some(why));
                None
            }
        };
        self.seen.get_or_init(look).as_ref()
    }
}

impl View for Sight<'_> {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        self.snapshot().and_then(|seen| View::get::<T>(seen, key))
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        self.snapshot().map_or_else(Vec::new, |seen| seen.scan::<T>(from, limit))
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        self.snapshot().and_then(|seen| seen.last::<T>(until))
    }
}
