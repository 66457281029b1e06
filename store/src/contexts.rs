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
    /// Those of which nothing is durable yet. They have their numbers all the same.
    begun: BTreeMap<ContextId, ContextRow>,
    next: u64,
    /// How often the database was opened anew. It changes together with what is known.
    openings: u64,
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

    /// The database was opened anew, and this is what it knows.
    pub(crate) fn renew(&mut self, found: Self) {
        self.next = self.next.max(found.next);
        self.rows = found.rows;
        let rows = &self.rows;
        self.begun.retain(|id, _| !rows.contains_key(id));
        self.openings += 1;
    }

    pub(crate) const fn openings(&self) -> u64 {
        self.openings
    }

    pub(crate) fn get(&self, id: &ContextId) -> Option<ContextRow> {
        self.rows.get(id).copied()
    }

    /// The same, of one of which nothing may be durable yet.
    pub(crate) fn begun(&self, id: &ContextId) -> Option<ContextRow> {
        self.rows.get(id).or_else(|| self.begun.get(id)).copied()
    }

    pub(crate) fn ids(&self) -> Vec<ContextId> {
        self.rows.keys().copied().collect()
    }

    /// The number that the next new context gets.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// A context that may be new: it gets a number that no other ever has.
    pub(crate) fn begin(&mut self, id: ContextId, generation: u64) -> ContextRow {
        if let Some(row) = self.begun(&id) {
            return row;
        }
        let row = ContextRow { number: self.next, generation, feed_from: 0 };
        self.next += 1;
        self.begun.insert(id, row);
        row
    }

    pub(crate) fn put(&mut self, id: ContextId, row: ContextRow) {
        self.next = self.next.max(row.number + 1);
        self.begun.remove(&id);
        self.rows.insert(id, row);
    }

    pub(crate) fn remove(&mut self, id: &ContextId) {
        self.begun.remove(id);
        self.rows.remove(id);
    }
}
