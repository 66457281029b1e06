//! What is stored of one context: its tables, how they are read, and how a step changes them.
//!
//! The tables are declared once, below. From that come the trait by which a machine reads
//! ([`View`]), the changes of one step, written together or not at all ([`Batch`]), and a context in
//! memory ([`Memory`]), which simulations use where the product has a database.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::delta::Delta;
use crate::fold::{Counter, Register, Rows, SetHead, SetItem};
use crate::graph::{Cause, Place};
use crate::id::{DeltaId, EpochId, LogId, Seq, Tip};
use crate::log::LogRow;
use crate::op::{Key, Value};
use crate::ordered::Ordered;
use crate::replica::feed::FeedItem;
use crate::replica::memory::{Labels, Local, Own, Remembered, RequestKey};
use crate::root::Root;
use crate::seal::EpochKey;

/// A table: rows under ordered keys.
pub trait Table: 'static {
    /// Its name.
    const NAME: &'static str;
    /// Its name where it is stored: no other table has or ever had it.
    const TAG: u8;
    /// What its rows lie under; rows are read in this order, and so do the bytes of keys sort.
    type Key: Ord + Clone + Debug + Ordered;
    /// Its rows, stored as [`wire`](crate::wire) encodes them.
    type Row: Clone + PartialEq + Debug + BorshSerialize + BorshDeserialize;

    /// Its rows in memory.
    fn rows(memory: &Memory) -> &BTreeMap<Self::Key, Self::Row>;

    /// Its changes in a batch; `None` removes a row.
    fn changes(batch: &Batch) -> &BTreeMap<Self::Key, Option<Self::Row>>;

    /// The same, to add to.
    fn changes_mut(batch: &mut Batch) -> &mut BTreeMap<Self::Key, Option<Self::Row>>;
}

/// A consistent read of one context.
pub trait View {
    /// The row under `key`.
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row>;

    /// The first `limit` rows from `from` on, ascending.
    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)>;

    /// The last row before `until`.
    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)>;
}

/// Takes the changes of a batch, table by table.
pub trait Visitor {
    /// A row to be put under `key`, or removed from there.
    fn change<T: Table>(&mut self, key: &T::Key, row: Option<&T::Row>);
}

/// Something done for every table.
pub trait ForTable {
    /// Does it for this one.
    fn table<T: Table>(&mut self);
}

macro_rules! tables {
    ($($(#[$doc:meta])+ $table:ident in $field:ident = $tag:literal: $key:ty => $row:ty;)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $table;

            impl Table for $table {
                const NAME: &'static str = stringify!($field);
                const TAG: u8 = $tag;
                type Key = $key;
                type Row = $row;

                fn rows(memory: &Memory) -> &BTreeMap<$key, $row> {
                    &memory.$field
                }

                fn changes(batch: &Batch) -> &BTreeMap<$key, Option<$row>> {
                    &batch.$field
                }

                fn changes_mut(batch: &mut Batch) -> &mut BTreeMap<$key, Option<$row>> {
                    &mut batch.$field
                }
            }
        )+

        /// Does something for all tables, in the order in which they are declared.
        pub fn for_every_table(what: &mut impl ForTable) {
            $(what.table::<$table>();)+
        }

        /// All tables of one context, in memory.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Memory {
            $($field: BTreeMap<$key, $row>,)+
        }

        impl Memory {
            /// Makes every change of a batch.
            pub fn apply(&mut self, batch: &Batch) {
                $(for (key, row) in &batch.$field {
                    match row {
                        Some(row) => self.$field.insert(key.clone(), row.clone()),
                        None => self.$field.remove(key),
                    };
                })+
            }
        }

        /// What one step changes: written whole or not at all.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Batch {
            $($field: BTreeMap<$key, Option<$row>>,)+
        }

        impl Batch {
            /// Whether it changes nothing.
            pub fn is_empty(&self) -> bool {
                $(self.$field.is_empty())&&+
            }

            /// Changes what `later` changes too, as that does.
            pub fn append(&mut self, later: Self) {
                // Row by row: the whole of what there is is not made anew for a few more.
                $(self.$field.extend(later.$field);)+
            }

            /// Shows every change.
            pub fn visit(&self, visitor: &mut impl Visitor) {
                $(for (key, row) in &self.$field {
                    visitor.change::<$table>(key, row.as_ref());
                })+
            }
        }
    };
}

// The number after a table is its tag. What is stored lies under it, so a table keeps its own for
// ever, and a new one takes one that none ever had.
tables! {
    /// Every stored delta, as it was received.
    Deltas in deltas = 1: DeltaId => Delta;
    /// Where each stored delta stands, and how it fares.
    Places in places = 2: DeltaId => Place;
    /// The stored deltas of each log, in order; a fork has several at one place.
    Entries in entries = 3: (LogId, Seq, DeltaId) => ();
    /// What is known of each log.
    Logs in logs = 4: LogId => LogRow;
    /// The parked deltas, by what they wait for.
    Waiting in waiting = 5: (Cause, DeltaId) => ();
    /// The applied deltas in the order in which this node applied them, a causal one.
    History in history = 6: u64 => DeltaId;
    /// The applied data deltas that none applied cites.
    Heads in heads = 7: DeltaId => Tip;
    /// The same of governance.
    GovHeads in gov_heads = 8: DeltaId => Tip;
    /// The logs in which settled deltas cite what is beyond a cut-off, with a digest of where these
    /// logs ended then: if that changes, deltas have their turn anew.
    Leaning in leaning = 9: LogId => [u8; 32];
    /// The keys of epochs that this node holds.
    Keys in keys = 10: EpochId => EpochKey;
    /// Registers, tombstones included.
    Registers in registers = 11: Key => Register;
    /// Counters.
    Counters in counters = 12: Key => Counter;
    /// Sets, without their items.
    Sets in sets = 13: Key => SetHead;
    /// Items of sets.
    Items in items = 14: (Key, Value) => SetItem;
    /// The root over the state.
    Roots in roots = 15: () => Root;
    /// What this node must remember of itself in this context.
    Owns in owns = 16: () => Own;
    /// The answers to requests that carried an id.
    Requests in requests = 17: RequestKey => Remembered;
    /// The same requests by age.
    RequestAges in request_ages = 18: (u64, RequestKey) => ();
    /// What applications are told, in order.
    Feed in feed = 19: u64 => FeedItem;
    /// Own deltas of which it is not known that they were published.
    Outbox in outbox = 20: DeltaId => ();
    /// What this node calls the context, and since when it has it; nobody else is told.
    Locals in locals = 21: () => Local;
    /// What this node has written down about the context; nobody else is told.
    Labelled in labels = 22: () => Labels;
}

impl View for Memory {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        T::rows(self).get(key).cloned()
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        let rows = T::rows(self).range((from, Bound::Unbounded)).take(limit);
        rows.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        let row = T::rows(self).range((Bound::Unbounded, until)).next_back();
        row.map(|(key, row)| (key.clone(), row.clone()))
    }
}

/// All rows of a table, a page at a time, so that no more than a page is held in memory.
pub fn every<T: Table, V: View>(view: &V) -> impl Iterator<Item = (T::Key, T::Row)> {
    pages::<T, V>(view, Bound::Unbounded, 256)
}

/// The rows of a table from `first` on, a few at a time.
pub fn range<T: Table, V: View>(view: &V, first: T::Key) -> impl Iterator<Item = (T::Key, T::Row)> {
    pages::<T, V>(view, Bound::Included(first), 16)
}

fn pages<T: Table, V: View>(
    view: &V,
    mut from: Bound<T::Key>,
    size: usize,
) -> impl Iterator<Item = (T::Key, T::Row)> {
    let pages = std::iter::from_fn(move || {
        let page = view.scan::<T>(from.as_ref(), size);
        from = Bound::Excluded(page.last()?.0.clone());
        Some(page)
    });
    pages.flatten()
}

/// State, read from a view.
impl<V: View> Rows for V {
    fn register(&self, key: &Key) -> Option<Register> {
        self.get::<Registers>(key)
    }

    fn counter(&self, key: &Key) -> Option<Counter> {
        self.get::<Counters>(key)
    }

    fn set(&self, key: &Key) -> Option<SetHead> {
        self.get::<Sets>(key)
    }

    fn item(&self, key: &Key, item: &Value) -> Option<SetItem> {
        self.get::<Items>(&(key.clone(), item.clone()))
    }
}
