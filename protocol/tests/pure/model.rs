//! What state is, by definition: computed from the whole set of deltas at once, without stamps being
//! overwritten, sums being kept or dots being moved about. Slow and obvious.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::fold::{AbsoluteDot, Change, Origin, Stamp, Table, Touched, Visible};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::op::{DotDelta, Key, Kind, Op, Payload, Value};
use mangrove_protocol::root::{self, Leaf, Root};

/// Everything that may be seen of a context, besides what was deleted and the memory of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) registers: BTreeMap<Key, (Option<Value>, Stamp, PeerId)>,
    pub(crate) counters: BTreeMap<Key, (i128, Touched)>,
    pub(crate) sets: BTreeMap<Key, (u64, Touched)>,
    pub(crate) items: BTreeMap<(Key, Value), BTreeSet<AbsoluteDot>>,
}

/// One operation with where it stands.
#[derive(Clone, Copy)]
struct Placed<'a> {
    stamp: Stamp,
    author: PeerId,
    op: &'a Op,
}

impl State {
    /// By definition.
    pub(crate) fn of(deltas: &[(Origin, Payload)]) -> Self {
        let all: Vec<_> = deltas
            .iter()
            .flat_map(|(origin, payload)| {
                payload.ops().map(|(op, what)| Placed {
                    stamp: Stamp { hlc: origin.hlc, delta: origin.delta, op },
                    author: origin.author,
                    op: what,
                })
            })
            .collect();
        let mut state = Self::default();
        let entities: BTreeSet<_> = all.iter().map(|it| (it.op.kind(), it.op.key())).collect();
        for (kind, key) in entities {
            let on_it = |it: &&Placed<'_>| (it.op.kind(), it.op.key()) == (kind, key);
            let ops: Vec<_> = all.iter().filter(on_it).copied().collect();
            state.settle(kind, key, &ops);
        }
        state
    }

    fn settle(&mut self, kind: Kind, key: &Key, ops: &[Placed<'_>]) {
        let last = ops.iter().max_by_key(|it| it.stamp).unwrap();
        let writes = ops.len() as u64;
        let touched = Touched { writes, last: last.stamp, author: last.author };
        match kind {
            Kind::Register => {
                let value = match last.op {
                    Op::Put { value, .. } => Some(value.clone()),
                    _ => None,
                };
                self.registers.insert(key.clone(), (value, last.stamp, last.author));
            }
            Kind::Counter => {
                let added = ops.iter().map(|it| match it.op {
                    Op::Increment { by, .. } => i128::from(*by),
                    Op::Reset { by, .. } => *by,
                    other => panic!("{other:?} on a counter"),
                });
                let sum = added.fold(0, i128::wrapping_add);
                self.counters.insert(key.clone(), (sum, touched));
            }
            Kind::Set => {
                let surviving = surviving(ops);
                self.sets.insert(key.clone(), (surviving.len() as u64, touched));
                let place = |(item, dots)| ((key.clone(), item), dots);
                self.items.extend(surviving.into_iter().map(place));
            }
        }
    }

    /// As a table shows it.
    pub(crate) fn shown(table: &Table) -> Self {
        let mut state = Self::default();
        for (key, row) in table.registers() {
            let shown = (row.value.clone(), row.stamp, row.author);
            state.registers.insert(key.clone(), shown);
        }
        for (key, row) in table.counters() {
            state.counters.insert(key.clone(), (row.sum, row.touched));
        }
        for (key, row) in table.sets() {
            state.sets.insert(key.clone(), (row.items, row.touched));
        }
        for (key, items) in table.items() {
            for (item, row) in items.iter().filter(|(_, row)| row.is_visible()) {
                state.items.insert((key.clone(), item.clone()), row.dots.clone());
            }
        }
        state
    }

    /// Its root, computed anew.
    pub(crate) fn root(&self) -> Root {
        let registers = self.registers.iter().filter_map(|(key, (value, stamp, _))| {
            value.as_ref().map(|value| Leaf::Register { key, value, stamp })
        });
        let counters = self
            .counters
            .iter()
            .filter_map(|(key, (sum, _))| (*sum != 0).then_some(Leaf::Counter { key, sum: *sum }));
        let items = self.items.iter().map(|((key, item), dots)| Leaf::Item { key, item, dots });
        root::of(registers.chain(counters).chain(items))
    }

    /// What looks different in `after`.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, (value, ..)) in &after.registers {
            let before = self.registers.get(key).and_then(|(value, ..)| value.as_ref());
            if before != value.as_ref() {
                changes.push(change(Kind::Register, key, Visible::Value(value.clone())));
            }
        }
        for (key, (sum, _)) in &after.counters {
            if self.counters.get(key).map_or(0, |(sum, _)| *sum) != *sum {
                changes.push(change(Kind::Counter, key, Visible::Count(*sum)));
            }
        }
        for key in after.sets.keys() {
            let (old, new) = (self.items_of(key), after.items_of(key));
            let added: Vec<_> = new.difference(&old).cloned().collect();
            let removed: Vec<_> = old.difference(&new).cloned().collect();
            if !added.is_empty() || !removed.is_empty() {
                changes.push(change(Kind::Set, key, Visible::Items { added, removed }));
            }
        }
        changes
    }

    fn items_of(&self, key: &Key) -> BTreeSet<Value> {
        let of_it = self.items.keys().filter(|(of, _)| of == key);
        of_it.map(|(_, item)| item.clone()).collect()
    }
}

fn change(kind: Kind, key: &Key, became: Visible) -> Change {
    Change { kind, key: key.clone(), became }
}

/// The items with an insert that no removal of that item lists.
fn surviving(ops: &[Placed<'_>]) -> BTreeMap<Value, BTreeSet<AbsoluteDot>> {
    let mut surviving: BTreeMap<Value, BTreeSet<AbsoluteDot>> = BTreeMap::new();
    let cancelled: BTreeSet<_> = ops.iter().flat_map(cancelled).collect();
    for it in ops {
        let Op::Insert { item, .. } = it.op else { continue };
        let dot = AbsoluteDot { delta: it.stamp.delta, op: it.stamp.op };
        if !cancelled.contains(&(item.clone(), dot)) {
            surviving.entry(item.clone()).or_default().insert(dot);
        }
    }
    surviving
}

fn cancelled(it: &Placed<'_>) -> Vec<(Value, AbsoluteDot)> {
    let Op::Remove { item, dots, .. } = it.op else { return Vec::new() };
    let absolute = dots.iter().map(|dot| match dot.delta {
        DotDelta::Own => AbsoluteDot { delta: it.stamp.delta, op: dot.op },
        DotDelta::Of(delta) => AbsoluteDot { delta, op: dot.op },
    });
    absolute.map(|dot| (item.clone(), dot)).collect()
}
