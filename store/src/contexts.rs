//! The contexts of a home, and what the store itself knows of each.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use mangrove_protocol::id::ContextId;

use crate::db::Db;
use crate::error::ReadError;
use crate::schema::{Meta, Number};

/// What is known of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ContextRow {
    /// Its number in this home.
    pub(crate) number: u64,
    /// Which feed its positions belong to: another one after a restore.
    pub(crate) generation: u64,
    /// The first position of the feed that is kept.
    pub(crate) feed_from: u64,
}

impl ContextRow {
    pub(crate) const fn number(&self) -> Number {
        Number(self.number)
    }
}

/// All contexts of the home.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    rows: BTreeMap<ContextId, ContextRow>,
    next: u64,
}

impl Contexts {
    /// All that a database knows.
    pub(crate) fn load(db: &Db) -> Result<Self, ReadError> {
        let mut contexts =
            Self { next: db.meta(Meta::NextContext)?.unwrap_or_default(), ..Self::default() };
        let unreadable =
            || ReadError::Damaged { table: "contexts", why: "a key is none".to_owned() };
        for (key, row) in db.metas::<ContextRow>(Meta::CONTEXTS)? {
            let id = key.strip_prefix(Meta::CONTEXTS).and_then(|id| <[u8; 32]>::try_from(id).ok());
            let id = id.ok_or_else(unreadable)?;
            contexts.put(ContextId::from_bytes(id), row);
        }
        Ok(contexts)
    }

    pub(crate) fn get(&self, id: &ContextId) -> Option<ContextRow> {
        self.rows.get(id).copied()
    }

    pub(crate) fn ids(&self) -> Vec<ContextId> {
        self.rows.keys().copied().collect()
    }

    /// The number that the next new context gets.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// A number that nobody else gets.
    pub(crate) const fn reserve(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn put(&mut self, id: ContextId, row: ContextRow) {
        self.next = self.next.max(row.number + 1);
        self.rows.insert(id, row);
    }

    pub(crate) fn remove(&mut self, id: &ContextId) {
        self.rows.remove(id);
    }
}
