//! A step in the making: a view, and over it what the step has changed so far.

use std::cell::RefCell;
use std::ops::Bound;

use crate::fold::{Counter, Register, RowsMut, SetHead, SetItem};
use crate::op::{Key, Value};
use crate::view::{Batch, Counters, Items, Registers, Sets, Table, View};

/// A view as it will be once a batch is written. Whether that has been done meanwhile makes no difference.
#[derive(Debug)]
pub struct Layer<'v, V> {
    below: &'v V,
    batch: &'v Batch,
}

impl<'v, V: View> Layer<'v, V> {
    /// This batch, over what lies below.
    pub const fn new(below: &'v V, batch: &'v Batch) -> Self {
        Self { below, batch }
    }
}

/// A view in which each row is looked up once, however often it is asked for. For as long as what lies below
/// stays as it is.
#[derive(Debug)]
pub struct Memo<'v, V> {
    below: &'v V,
    seen: RefCell<Batch>,
}

impl<'v, V: View> Memo<'v, V> {
    /// Nothing looked up yet.
    pub fn new(below: &'v V) -> Self {
        Self { below, seen: RefCell::default() }
    }
}

impl<V: View> View for Memo<'_, V> {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        if let Some(seen) = T::changes(&self.seen.borrow()).get(key) {
            return seen.clone();
        }
        let found = self.below.get::<T>(key);
        T::changes_mut(&mut self.seen.borrow_mut()).insert(key.clone(), found.clone());
        found
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        self.below.scan::<T>(from, limit)
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        self.below.last::<T>(until)
    }
}

/// Reads show what was written through it before, then what lies below.
#[derive(Debug)]
pub struct Overlay<'v, V> {
    below: &'v V,
    batch: Batch,
}

impl<'v, V: View> Overlay<'v, V> {
    /// Nothing changed yet.
    pub fn new(below: &'v V) -> Self {
        Self { below, batch: Batch::default() }
    }

    /// Puts a row.
    pub fn put<T: Table>(&mut self, key: T::Key, row: T::Row) {
        T::changes_mut(&mut self.batch).insert(key, Some(row));
    }

    /// Removes a row.
    pub fn remove<T: Table>(&mut self, key: T::Key) {
        T::changes_mut(&mut self.batch).insert(key, None);
    }

    /// Changes what a batch changes that was made on top of this.
    pub fn append(&mut self, later: Batch) {
        self.batch.append(later);
    }

    /// What was changed.
    pub fn into_batch(self) -> Batch {
        self.batch
    }

    /// Whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    const fn layer(&self) -> Layer<'_, V> {
        Layer { below: self.below, batch: &self.batch }
    }
}

impl<V: View> View for Overlay<'_, V> {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        self.layer().get::<T>(key)
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        self.layer().scan::<T>(from, limit)
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        self.layer().last::<T>(until)
    }
}

impl<V: View> View for Layer<'_, V> {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T::Row> {
        match T::changes(self.batch).get(key) {
            Some(changed) => changed.clone(),
            None => self.below.get::<T>(key),
        }
    }

    fn scan<T: Table>(&self, from: Bound<&T::Key>, limit: usize) -> Vec<(T::Key, T::Row)> {
        let mut changes = T::changes(self.batch).range((from, Bound::Unbounded)).peekable();
        let mut rows = Vec::new();
        let mut after = from.cloned();
        while rows.len() < limit {
            let wanted = limit - rows.len();
            let page = self.below.scan::<T>(after.as_ref(), wanted);
            let ended = page.len() < wanted;
            after = page.last().map_or(after, |(key, _)| Bound::Excluded(key.clone()));
            for (key, row) in page {
                while rows.len() < limit
                    && let Some((put, row)) = changes.next_if(|(changed, _)| **changed < key)
                {
                    rows.extend(row.clone().map(|row| (put.clone(), row)));
                }
                match changes.next_if(|(changed, _)| **changed == key) {
                    Some((_, changed)) => rows.extend(changed.clone().map(|row| (key, row))),
                    None => rows.push((key, row)),
                }
            }
            if ended {
                let rest = changes.filter_map(|(key, row)| Some((key.clone(), row.clone()?)));
                rows.extend(rest.take(wanted));
                break;
            }
        }
        rows.truncate(limit);
        rows
    }

    fn last<T: Table>(&self, until: Bound<&T::Key>) -> Option<(T::Key, T::Row)> {
        let changes = T::changes(self.batch);
        let put = changes
            .range((Bound::Unbounded, until))
            .rev()
            .find_map(|(key, row)| row.as_ref().map(|row| (key.clone(), row.clone())));
        let mut below = self.below.last::<T>(until);
        while let Some((key, _)) = &below {
            match changes.get(key) {
                Some(_) => below = self.below.last::<T>(Bound::Excluded(&key.clone())),
                None => break,
            }
        }
        match (put, below) {
            (Some(put), Some(below)) => Some(if put.0 > below.0 { put } else { below }),
            (put, below) => put.or(below),
        }
    }
}

impl<V: View> RowsMut for Overlay<'_, V> {
    fn put_register(&mut self, key: &Key, row: Register) {
        self.put::<Registers>(key.clone(), row);
    }

    fn put_counter(&mut self, key: &Key, row: Counter) {
        self.put::<Counters>(key.clone(), row);
    }

    fn put_set(&mut self, key: &Key, row: SetHead) {
        self.put::<Sets>(key.clone(), row);
    }

    fn put_item(&mut self, key: &Key, item: &Value, row: SetItem) {
        let at = (key.clone(), item.clone());
        if row.is_empty() {
            self.remove::<Items>(at);
        } else {
            self.put::<Items>(at, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::id::DeltaId;
    use crate::view::{History, Memory};

    fn put(overlay: &mut Overlay<'_, impl View>, changes: &[(u64, Option<u8>)]) {
        for (key, row) in changes {
            match row {
                Some(row) => overlay.put::<History>(*key, DeltaId::from_bytes([*row; 32])),
                None => overlay.remove::<History>(*key),
            }
        }
    }

    proptest! {
        #[test]
        fn an_overlay_reads_like_the_memory_it_becomes(
            first in vec((0_u64..12, any::<Option<u8>>()), 0..12),
            second in vec((0_u64..12, any::<Option<u8>>()), 0..12),
            from in 0_u64..13,
            limit in 0_usize..14,
        ) {
            let before = Memory::default();
            let mut memory = before.clone();
            let mut overlay = Overlay::new(&memory);
            put(&mut overlay, &first);
            let batch = overlay.into_batch();
            memory.apply(&batch);

            let below = memory.clone();
            let below = Memo::new(&below);
            let mut overlay = Overlay::new(&below);
            put(&mut overlay, &second);
            let scanned = overlay.scan::<History>(Bound::Included(&from), limit);
            let last = overlay.last::<History>(Bound::Excluded(&from));
            let got = overlay.get::<History>(&from);
            prop_assert_eq!(overlay.get::<History>(&from), got, "also when it is asked for again");
            let batch = overlay.into_batch();
            memory.apply(&batch);
            let layer = Layer::new(&memory, &batch);
            let mut both = Overlay::new(&before);
            put(&mut both, &first);
            both.append(batch.clone());
            prop_assert_eq!(&both.scan::<History>(Bound::Included(&from), limit), &scanned);
            prop_assert_eq!(&layer.scan::<History>(Bound::Included(&from), limit), &scanned);
            prop_assert_eq!(layer.last::<History>(Bound::Excluded(&from)), last);
            prop_assert_eq!(layer.get::<History>(&from), got);
            prop_assert_eq!(scanned, memory.scan::<History>(Bound::Included(&from), limit));
            prop_assert_eq!(last, memory.last::<History>(Bound::Excluded(&from)));
            prop_assert_eq!(got, memory.get::<History>(&from));
        }
    }
}
