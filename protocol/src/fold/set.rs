//! Sets: an insert wins over every removal that does not list it.
//!
//! One rule: an item is in the set as long as one of its inserts is listed by no removal of that key
//! and item, whichever comes first and wherever in its delta. It makes no difference whether the
//! removal's author could have seen the insert.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Origin, RowsMut, Step, Touched, Visible};
use crate::id::DeltaId;
use crate::op::{Dot, DotDelta, Key, Op, Value};
use crate::root::{Leaf, Leaves};

/// One insert, by the delta that holds it and its index there.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct AbsoluteDot {
    /// The delta.
    pub delta: DeltaId,
    /// The index among all its operations.
    pub op: u32,
}

impl AbsoluteDot {
    const fn of(dot: Dot, own: DeltaId) -> Self {
        let delta = match dot.delta {
            DotDelta::Own => own,
            DotDelta::Of(delta) => delta,
        };
        Self { delta, op: dot.op }
    }
}

/// A set's row, besides those of its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetHead {
    /// Items in it.
    pub items: u64,
    /// Who wrote it.
    pub touched: Touched,
}

/// An item's row.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct SetItem {
    /// Its inserts that no removal lists: as long as there is one, the item is in the set.
    pub dots: BTreeSet<AbsoluteDot>,
    /// Inserts that a removal lists and that had not come, or were gone already, when it did.
    ///
    /// It is memory, not state: an insert that comes is stopped here and then forgotten, which is
    /// right because it can come only once. Of two removals of the same insert the later one leaves
    /// an entry here that nothing will use, so that rows may differ in this field alone.
    pub cancelled: BTreeSet<AbsoluteDot>,
}

impl SetItem {
    /// Whether the item is in the set.
    pub fn is_visible(&self) -> bool {
        !self.dots.is_empty()
    }

    /// Whether the row says nothing that its absence would not.
    pub fn is_empty(&self) -> bool {
        self.dots.is_empty() && self.cancelled.is_empty()
    }

    /// What the root sees of it.
    pub fn leaf<'a>(&'a self, key: &'a Key, item: &'a Value) -> Option<Leaf<'a>> {
        self.is_visible().then_some(Leaf::Item { key, item, dots: &self.dots })
    }

    fn insert(&mut self, dot: AbsoluteDot) {
        if !self.cancelled.remove(&dot) {
            self.dots.insert(dot);
        }
    }

    /// Cancels a dot, on behalf of `own`, all of whose inserts have been made: what it has not
    /// inserted by then it never will, and need not be remembered.
    fn cancel(&mut self, dot: AbsoluteDot, own: DeltaId) {
        if !self.dots.remove(&dot) && dot.delta != own {
            self.cancelled.insert(dot);
        }
    }
}

/// Applies the operations of one delta on one set.
pub(super) fn fold(
    rows: &mut (impl RowsMut + ?Sized),
    root: &mut impl Leaves,
    origin: &Origin,
    group: &[Step<'_>],
) -> Option<Visible> {
    let key = group.first()?.op.key();
    let before = rows.set(key);
    let mut steps: Vec<_> = group.iter().filter_map(item_of).collect();
    steps.sort_by_key(|&(item, _)| item);
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for of_one in steps.chunk_by(|(left, _), (right, _)| left == right) {
        let Some(&(item, _)) = of_one.first() else { continue };
        let old = rows.item(key, item).unwrap_or_default();
        let mut new = old.clone();
        change(&mut new, origin.delta, of_one);
        root.replace(old.leaf(key, item), new.leaf(key, item));
        match (old.is_visible(), new.is_visible()) {
            (false, true) => added.push(item.clone()),
            (true, false) => removed.push(item.clone()),
            _ => {}
        }
        rows.put_item(key, item, new);
    }
    let items = before.map_or(0, |row| row.items).saturating_add(added.len() as u64);
    let items = items.saturating_sub(removed.len() as u64);
    let touched = Touched::with(before.map(|row| row.touched), origin, group);
    rows.put_set(key, SetHead { items, touched });
    let unchanged = added.is_empty() && removed.is_empty();
    (!unchanged).then_some(Visible::Items { added, removed })
}

/// A step with the item it is about, by which a group is split further.
fn item_of<'a>(step: &Step<'a>) -> Option<(&'a Value, Step<'a>)> {
    match step.op {
        Op::Insert { item, .. } | Op::Remove { item, .. } => Some((item, *step)),
        _ => None,
    }
}

/// Applies what one delta does to one item. A removal counts for the whole delta, so all inserts go
/// first.
fn change(row: &mut SetItem, own: DeltaId, steps: &[(&Value, Step<'_>)]) {
    for (_, step) in steps {
        if let Op::Insert { .. } = step.op {
            row.insert(AbsoluteDot { delta: own, op: step.index });
        }
    }
    for (_, step) in steps {
        if let Op::Remove { dots, .. } = step.op {
            dots.iter().for_each(|dot| row.cancel(AbsoluteDot::of(*dot, own), own));
        }
    }
}
