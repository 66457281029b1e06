//! What a commit changes, as bytes: made on the thread of the context, so that the writer only writes.

use mangrove_protocol::view::{Batch, Table, Visitor};

use crate::cipher::Cipher;
use crate::schema::{Family, Number};
use crate::value;

/// One change of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Family, Vec<u8>, Vec<u8>),
    Remove(Family, Vec<u8>),
    /// Everything from the one key up to, but not including, the other.
    RemoveRange(Family, Vec<u8>, Vec<u8>),
}

/// Changes that happen together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes(pub(crate) Vec<Change>);

impl Changes {
    /// What a batch of a context changes.
    pub(crate) fn of(batch: &Batch, context: Number, cipher: Option<&Cipher>) -> Self {
        let mut encoder = Encoder { changes: Self::default(), context, cipher };
        batch.visit(&mut encoder);
        encoder.changes
    }

    /// About how many bytes they are.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |change: &Change| match change {
            Change::Put(_, key, value) => key.len() + value.len(),
            Change::Remove(_, key) => key.len(),
            Change::RemoveRange(_, from, until) => from.len() + until.len(),
        };
        self.0.iter().map(bytes).sum()
    }
}

struct Encoder<'c> {
    changes: Changes,
    context: Number,
    cipher: Option<&'c Cipher>,
}

impl Visitor for Encoder<'_> {
    fn change<T: Table>(&mut self, key: &T::Key, row: Option<&T::Row>) {
        let family = const { Family::of::<T>() };
        let key = self.context.key::<T>(key);
        self.changes.0.push(match row {
            Some(row) => {
                let value = value::write(row, &key, self.cipher);
                Change::Put(family, key, value)
            }
            None => Change::Remove(family, key),
        });
    }
}
