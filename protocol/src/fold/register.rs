//! Registers: the last writer wins, a deletion is a write like any other.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{Origin, RowsMut, Stamp, Step, Visible};
use crate::id::PeerId;
use crate::op::{Key, Op, Value};
use crate::root::{Leaf, Leaves};

/// A register's row.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Register {
    /// Its value; `None` is the tombstone that keeps an earlier write from coming back.
    pub value: Option<Value>,
    /// The write that won.
    pub stamp: Stamp,
    /// Who wrote that.
    pub author: PeerId,
}

impl Register {
    /// What the root sees of it.
    pub fn leaf<'a>(&'a self, key: &'a Key) -> Option<Leaf<'a>> {
        self.value.as_ref().map(|value| Leaf::Register { key, value, stamp: &self.stamp })
    }
}

/// Applies the operations of one delta on one register.
pub(super) fn fold(
    rows: &mut (impl RowsMut + ?Sized),
    root: &mut impl Leaves,
    origin: &Origin,
    group: &[Step<'_>],
) -> Option<Visible> {
    // Within a delta the later operation wins, so the last is the only one that can.
    let last = group.last()?;
    let (key, value) = match last.op {
        Op::Put { key, value } => (key, Some(value.clone())),
        op => (op.key(), None),
    };
    let after = Register { value, stamp: origin.stamp(last.index), author: origin.author };
    let before = rows.register(key);
    if before.as_ref().is_some_and(|before| before.stamp >= after.stamp) {
        return None;
    }
    root.replace(before.as_ref().and_then(|row| row.leaf(key)), after.leaf(key));
    let same = before.and_then(|row| row.value) == after.value;
    let visible = (!same).then(|| Visible::Value(after.value.clone()));
    rows.put_register(key, after);
    visible
}
