//! What state is, by definition: computed from the whole set of deltas at once, slowly and obviously,
//! without any of the code that it is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mangrove_protocol::delta::Delta;
use mangrove_protocol::fold::{AbsoluteDot, Stamp, Touched};
use mangrove_protocol::graph::Void;
use mangrove_protocol::id::{DeltaId, EpochId, PeerId};
use mangrove_protocol::op::{DotDelta, Key, Kind, Op, Payload, Undecodable, Value};
use mangrove_protocol::root::{self, Leaf, Root};
use mangrove_protocol::seal::{self, EpochKey};
use mangrove_protocol::view::{Counters, Items, Memory, Registers, Sets, Table};

use crate::exchange;

/// What is known of bytes and payloads, so that each is verified and opened once in a run.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    authentic: BTreeMap<[u8; 32], Option<Delta>>,
    seen: BTreeMap<DeltaId, PeerId>,
    opened: BTreeMap<DeltaId, Opened>,
}

/// What a payload turns out to be.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    /// Something to apply.
    Payload(Arc<Payload>),
    /// Nothing, for ever and for everybody.
    Void(Void),
    /// Something that a later version may know.
    Unknown,
    /// Nobody here has the key.
    NoKey,
}

impl Payloads {
    /// The delta in some bytes, if they are one.
    pub(crate) fn authentic(&mut self, bytes: &Arc<[u8]>) -> Option<Delta> {
        let hash = *blake3::hash(bytes).as_bytes();
        let found = self.authentic.entry(hash).or_insert_with(|| exchange::authentic(bytes));
        if let Some(delta) = found {
            self.seen.insert(delta.id(), delta.log().author);
        }
        found.clone()
    }

    /// Whether it ever came over a link.
    pub(crate) fn was_sent(&self, delta: DeltaId) -> bool {
        self.seen.contains_key(&delta)
    }

    /// Who wrote what came over a link.
    pub(crate) fn author(&self, delta: DeltaId) -> Option<PeerId> {
        self.seen.get(&delta).copied()
    }

    /// What is in a delta, to those who hold these keys.
    pub(crate) fn open(&mut self, delta: &Delta, keys: &BTreeMap<EpochId, EpochKey>) -> Opened {
        if let Some(known) = self.opened.get(&delta.id()) {
            return known.clone();
        }
        let opened = open(delta, keys);
        if !matches!(opened, Opened::NoKey) {
            self.opened.insert(delta.id(), opened.clone());
        }
        opened
    }
}

fn open(delta: &Delta, keys: &BTreeMap<EpochId, EpochKey>) -> Opened {
    let epoch = delta.header().seal.epoch();
    let Some(key) = epoch.and_then(|epoch| keys.get(&epoch)) else { return Opened::NoKey };
    match seal::open(delta, key).map(|payload| Payload::decode(&payload)) {
        Err(_) => Opened::Void(Void::Sealed),
        Ok(Ok(payload)) => Opened::Payload(Arc::new(payload)),
        Ok(Err(Undecodable::Unknown { .. })) => Opened::Unknown,
        Ok(Err(_)) => Opened::Void(Void::Unreadable),
    }
}

/// Everything that may be seen of a context, and the memory of what was deleted from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    registers: BTreeMap<Key, (Option<Value>, Stamp, PeerId)>,
    counters: BTreeMap<Key, (i128, Touched)>,
    sets: BTreeMap<Key, (u64, Touched)>,
    items: BTreeMap<(Key, Value), BTreeSet<AbsoluteDot>>,
}

/// One operation with where it stands.
#[derive(Clone, Copy)]
struct Placed<'a> {
    stamp: Stamp,
    author: PeerId,
    op: &'a Op,
}

impl State {
    /// By definition, from everything that was applied.
    pub(crate) fn of<'a>(applied: impl IntoIterator<Item = (&'a Delta, &'a Payload)>) -> Self {
        let mut entities: BTreeMap<(Kind, &Key), Vec<Placed<'_>>> = BTreeMap::new();
        for (delta, payload) in applied {
            let header = delta.header();
            for (index, op) in payload.ops() {
                let stamp = Stamp { hlc: header.hlc, delta: delta.id(), op: index };
                let placed = Placed { stamp, author: header.log.author, op };
                entities.entry((op.kind(), op.key())).or_default().push(placed);
            }
        }
        let mut state = Self::default();
        for ((kind, key), ops) in entities {
            state.settle(kind, key, &ops);
        }
        state
    }

    fn settle(&mut self, kind: Kind, key: &Key, ops: &[Placed<'_>]) {
        let Some(last) = ops.iter().max_by_key(|it| it.stamp) else { return };
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
                    _ => 0,
                });
                self.counters.insert(key.clone(), (added.fold(0, i128::wrapping_add), touched));
            }
            Kind::Set => {
                let surviving = surviving(ops);
                self.sets.insert(key.clone(), (surviving.len() as u64, touched));
                let place = |(item, dots): (&Value, _)| ((key.clone(), item.clone()), dots);
                self.items.extend(surviving.into_iter().map(place));
            }
        }
    }

    /// As a store holds it.
    pub(crate) fn stored(memory: &Memory) -> Self {
        let registers = Registers::rows(memory).iter();
        let counters = Counters::rows(memory).iter();
        let sets = Sets::rows(memory).iter();
        let items = Items::rows(memory).iter().filter(|(_, row)| row.is_visible());
        Self {
            registers: registers
                .map(|(key, row)| (key.clone(), (row.value.clone(), row.stamp, row.author)))
                .collect(),
            counters: counters.map(|(key, row)| (key.clone(), (row.sum, row.touched))).collect(),
            sets: sets.map(|(key, row)| (key.clone(), (row.items, row.touched))).collect(),
            items: items.map(|(at, row)| (at.clone(), row.dots.clone())).collect(),
        }
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

    /// The first difference, in words.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let first = |what, ours: Vec<String>, theirs: Vec<String>| {
            let differs = ours.iter().zip(&theirs).find(|(our, their)| our != their);
            match differs {
                Some((our, their)) => Some(format!("{what}: {our} instead of {their}")),
                None if ours.len() == theirs.len() => None,
                None => Some(format!("{what}: {} instead of {}", ours.len(), theirs.len())),
            }
        };
        first("registers", lines(&self.registers), lines(&other.registers))
            .or_else(|| first("counters", lines(&self.counters), lines(&other.counters)))
            .or_else(|| first("sets", lines(&self.sets), lines(&other.sets)))
            .or_else(|| first("items", lines(&self.items), lines(&other.items)))
            .unwrap_or_else(|| "none".to_owned())
    }
}

fn lines<K: std::fmt::Debug, V: std::fmt::Debug>(rows: &BTreeMap<K, V>) -> Vec<String> {
    rows.iter().map(|(key, row)| format!("{key:?} {row:?}").chars().take(300).collect()).collect()
}

/// The items with an insert that no removal of that item lists.
fn surviving<'a>(ops: &[Placed<'a>]) -> BTreeMap<&'a Value, BTreeSet<AbsoluteDot>> {
    let cancelled: BTreeSet<_> = ops.iter().flat_map(cancelled).collect();
    let mut surviving: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for it in ops {
        let Op::Insert { item, .. } = it.op else { continue };
        let dot = AbsoluteDot { delta: it.stamp.delta, op: it.stamp.op };
        if !cancelled.contains(&(item, dot)) {
            surviving.entry(item).or_default().insert(dot);
        }
    }
    surviving
}

fn cancelled<'a>(it: &Placed<'a>) -> Vec<(&'a Value, AbsoluteDot)> {
    let Op::Remove { item, dots, .. } = it.op else { return Vec::new() };
    let absolute = dots.iter().map(|dot| match dot.delta {
        DotDelta::Own => AbsoluteDot { delta: it.stamp.delta, op: dot.op },
        DotDelta::Of(delta) => AbsoluteDot { delta, op: dot.op },
    });
    absolute.map(|dot| (item, dot)).collect()
}
