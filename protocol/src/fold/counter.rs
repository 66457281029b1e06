//! Counters: everything that anybody added adds up, and wraps rather than refuses.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Origin, RowsMut, Step, Touched, Visible};
use crate::op::{Key, Op};
use crate::root::{Leaf, Leaves};

/// A counter's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Counter {
    /// Its sum; a counter of zero looks as if it had never been.
    pub sum: i128,
    /// Who wrote it.
    pub touched: Touched,
}

impl Counter {
    /// What the root sees of it.
    pub fn leaf<'a>(&self, key: &'a Key) -> Option<Leaf<'a>> {
        leaf(key, self.sum)
    }
}

fn leaf(key: &Key, sum: i128) -> Option<Leaf<'_>> {
    (sum != 0).then_some(Leaf::Counter { key, sum })
}

/// Applies the operations of one delta on one counter.
pub(super) fn fold(
    rows: &mut (impl RowsMut + ?Sized),
    root: &mut impl Leaves,
    origin: &Origin,
    group: &[Step<'_>],
) -> Option<Visible> {
    let key = group.first()?.op.key();
    let before = rows.counter(key);
    let old = before.map_or(0, |row| row.sum);
    let sum = group.iter().fold(old, |sum, step| sum.wrapping_add(added(step.op)));
    root.replace(leaf(key, old), leaf(key, sum));
    let touched = Touched::with(before.map(|row| row.touched), origin, group);
    rows.put_counter(key, Counter { sum, touched });
    (sum != old).then_some(Visible::Count(sum))
}

fn added(op: &Op) -> i128 {
    match op {
        Op::Increment { by, .. } => i128::from(*by),
        Op::Reset { by, .. } => *by,
        _ => 0,
    }
}
