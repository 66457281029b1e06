//! A table of rows in memory: what a fold works on where there is no store, as in tests and
//! simulations.

use std::collections::BTreeMap;

use super::{Counter, Register, Rows, RowsMut, SetHead, SetItem};
use crate::op::{Key, Value};
use crate::root::Leaf;

/// All rows of one context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    registers: BTreeMap<Key, Register>,
    counters: BTreeMap<Key, Counter>,
    sets: BTreeMap<Key, SetHead>,
    items: BTreeMap<Key, BTreeMap<Value, SetItem>>,
}

impl Table {
    /// Its registers, tombstones included.
    pub const fn registers(&self) -> &BTreeMap<Key, Register> {
        &self.registers
    }

    /// Its counters, zeros included.
    pub const fn counters(&self) -> &BTreeMap<Key, Counter> {
        &self.counters
    }

    /// Its sets, empty ones included.
    pub const fn sets(&self) -> &BTreeMap<Key, SetHead> {
        &self.sets
    }

    /// The rows of items by set, invisible ones included.
    pub const fn items(&self) -> &BTreeMap<Key, BTreeMap<Value, SetItem>> {
        &self.items
    }

    /// What the root is made of.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf<'_>> {
        let registers = self.registers.iter().filter_map(|(key, row)| row.leaf(key));
        let counters = self.counters.iter().filter_map(|(key, row)| row.leaf(key));
        let items = self.items.iter().flat_map(|(key, items)| {
            items.iter().filter_map(move |(item, row)| row.leaf(key, item))
        });
        registers.chain(counters).chain(items)
    }
}

impl Rows for Table {
    fn register(&self, key: &Key) -> Option<Register> {
        self.registers.get(key).cloned()
    }

    fn counter(&self, key: &Key) -> Option<Counter> {
        self.counters.get(key).copied()
    }

    fn set(&self, key: &Key) -> Option<SetHead> {
        self.sets.get(key).copied()
    }

    fn item(&self, key: &Key, item: &Value) -> Option<SetItem> {
        self.items.get(key)?.get(item).cloned()
    }
}

impl RowsMut for Table {
    fn put_register(&mut self, key: &Key, row: Register) {
        self.registers.insert(key.clone(), row);
    }

    fn put_counter(&mut self, key: &Key, row: Counter) {
        self.counters.insert(key.clone(), row);
    }

    fn put_set(&mut self, key: &Key, row: SetHead) {
        self.sets.insert(key.clone(), row);
    }

    fn put_item(&mut self, key: &Key, item: &Value, row: SetItem) {
        let items = self.items.entry(key.clone()).or_default();
        if row.is_empty() {
            items.remove(item);
        } else {
            items.insert(item.clone(), row);
        }
    }
}
