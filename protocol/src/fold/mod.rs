//! The fold: what opened payloads make of state.
//!
//! State is a function of the *set* of payloads and their origins. Every order of applying them ends
//! in the same visible state, the same stamps and the same root, whatever hostile authors put in
//! their operations. Two things are asked of the caller: each delta is applied exactly once, and the
//! rows and the root that come out are kept together.

mod counter;
mod refold;
mod register;
mod set;
mod table;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::clock::Hlc;
use crate::id::{DeltaId, PeerId};
use crate::op::{AppEvent, Key, Kind, Op, Payload, Value};
use crate::root::{Leaves, Root};
pub use counter::Counter;
pub use refold::{Unfoldable, refold};
pub use register::Register;
pub use set::{AbsoluteDot, SetHead, SetItem};
pub use table::Table;

/// The version of these rules. Roots are compared only between nodes of the same one, and a node
/// that starts with another one folds its state anew.
pub const FOLD_VERSION: u32 = 1;

/// Where a payload comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The delta that holds it.
    pub delta: DeltaId,
    /// Who wrote it.
    pub author: PeerId,
    /// When.
    pub hlc: Hlc,
}

impl Origin {
    const fn stamp(&self, op: u32) -> Stamp {
        Stamp { hlc: self.hlc, delta: self.delta, op }
    }
}

/// The place of one operation in the order of all: the later one wins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Stamp {
    /// When its delta was written.
    pub hlc: Hlc,
    /// Its delta, which decides between equal clocks.
    pub delta: DeltaId,
    /// Its index in the delta.
    pub op: u32,
}

/// How often an entity was written, and by whom last: the same for every order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Touched {
    /// Operations on it.
    pub writes: u64,
    /// The highest stamp among them.
    pub last: Stamp,
    /// The author of that one.
    pub author: PeerId,
}

impl Touched {
    /// With the operations of one group, of which there is at least one.
    fn with(before: Option<Self>, origin: &Origin, group: &[Step<'_>]) -> Self {
        let last = group.iter().map(|step| step.index).max().unwrap_or_default();
        let fresh =
            Self { writes: group.len() as u64, last: origin.stamp(last), author: origin.author };
        let Some(before) = before else { return fresh };
        let later = if fresh.last > before.last { fresh } else { before };
        Self { writes: before.writes.saturating_add(fresh.writes), ..later }
    }
}

/// State, as far as a fold reads it.
pub trait Rows {
    /// The register under this key.
    fn register(&self, key: &Key) -> Option<Register>;
    /// The counter under this key.
    fn counter(&self, key: &Key) -> Option<Counter>;
    /// The set under this key, without its items.
    fn set(&self, key: &Key) -> Option<SetHead>;
    /// An item of the set under this key.
    fn item(&self, key: &Key, item: &Value) -> Option<SetItem>;
}

/// State, as far as a fold writes it. Reads show what was written before.
pub trait RowsMut: Rows {
    /// Replaces a register.
    fn put_register(&mut self, key: &Key, row: Register);
    /// Replaces a counter.
    fn put_counter(&mut self, key: &Key, row: Counter);
    /// Replaces the head of a set.
    fn put_set(&mut self, key: &Key, row: SetHead);
    /// Replaces an item of a set. One that [`SetItem::is_empty`] says nothing that its absence would
    /// not, and may be dropped.
    fn put_item(&mut self, key: &Key, item: &Value, row: SetItem);
}

/// What is to be seen of an entity after a change.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Visible {
    /// The value of a register, if it still has one.
    Value(Option<Value>) = 1,
    /// The sum of a counter.
    Count(i128) = 2,
    /// What came into a set and what went, ascending.
    Items {
        /// Items that were not there before.
        added: Vec<Value>,
        /// Items that are no longer there.
        removed: Vec<Value>,
    } = 3,
}

/// What one delta changed about one entity.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// Its key.
    pub key: Key,
    /// What is to be seen of it.
    pub became: Visible,
}

/// What came of applying one delta.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The entities that look different, by kind and key. A write that lost, or that put back what
    /// was there, is not among them.
    pub changes: Vec<Change>,
    /// The events that the payload carries, in its order.
    pub emitted: Vec<AppEvent>,
}

/// Applies one opened payload, all of it at once, to `rows` and `root`.
pub fn apply(
    rows: &mut (impl RowsMut + ?Sized),
    root: &mut Root,
    origin: &Origin,
    payload: &Payload,
) -> Applied {
    let changes = apply_ops(rows, root, origin, payload.ops());
    Applied { changes, emitted: payload.events().cloned().collect() }
}

/// Applies some operations of one delta, each with its index there. All of them in one call or in
/// several, one after another, end in the same rows and the same root.
pub(crate) fn apply_ops<'a>(
    rows: &mut (impl RowsMut + ?Sized),
    root: &mut impl Leaves,
    origin: &Origin,
    ops: impl IntoIterator<Item = (u32, &'a Op)>,
) -> Vec<Change> {
    let mut steps: Vec<_> = ops.into_iter().map(|(index, op)| Step { index, op }).collect();
    // Operations on different entities do not touch each other, so each entity is read and written
    // once, in an order that does not depend on that of the payload.
    steps.sort_by(|left, right| left.entity().cmp(&right.entity()));
    let mut changes = Vec::new();
    for group in steps.chunk_by(|left, right| left.entity() == right.entity()) {
        let Some((kind, key)) = group.first().map(Step::entity) else { continue };
        let became = match kind {
            Kind::Register => register::fold(rows, root, origin, group),
            Kind::Counter => counter::fold(rows, root, origin, group),
            Kind::Set => set::fold(rows, root, origin, group),
        };
        changes.extend(became.map(|became| Change { kind, key: key.clone(), became }));
    }
    changes
}

/// One operation and its index in the delta. Those of one group are about one entity, ascending.
#[derive(Clone, Copy)]
struct Step<'a> {
    index: u32,
    op: &'a Op,
}

impl<'a> Step<'a> {
    const fn entity(&self) -> (Kind, &'a Key) {
        (self.op.kind(), self.op.key())
    }
}
