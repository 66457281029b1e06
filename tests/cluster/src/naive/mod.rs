//! What a context shows, made from its deltas by rules so simple that they can be seen to be right.
//!
//! Nothing here keeps anything up to date: all that was ever written about an entity is put together, and
//! what it shows is said at once. Order cannot matter, since there is none. Nothing of the product's fold
//! is used, so that equal answers of both say something.

mod home;

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::id::{DeltaId, PeerId};
use mangrove_protocol::op::{DotDelta, Op, Value as Bytes};
use serde_json::{Value, json};

use crate::dump::{Dump, Kind, Shown};

pub(crate) use home::look;
pub use home::{Found, read};

/// A delta that counts, as far as state is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its id.
    pub delta: DeltaId,
    /// Who wrote it.
    pub author: PeerId,
    /// When.
    pub hlc: Hlc,
    /// Its operations, of all of its transactions, in their order.
    pub ops: Vec<Op>,
}

/// Something that was done to an entity.
#[derive(Clone, Copy)]
struct Deed<'a> {
    /// Later ones are greater.
    stamp: (Hlc, DeltaId, u32),
    author: PeerId,
    op: &'a Op,
}

/// What these deltas show together. Their order does not matter, nor how often each is given.
pub fn fold(written: &[Written]) -> Dump {
    let once = written.iter().map(|it| (it.delta, it)).collect::<BTreeMap<_, _>>();
    let mut entities = BTreeMap::<(Kind, &str), Vec<Deed<'_>>>::new();
    for it in once.into_values() {
        for (index, op) in (0..).zip(&it.ops) {
            let (stamp, author) = ((it.hlc, it.delta, index), it.author);
            let deeds = entities.entry((kind_of(op), op.key().as_str())).or_default();
            deeds.push(Deed { stamp, author, op });
        }
    }
    let shown = entities.into_iter().filter_map(|((kind, key), deeds)| {
        let value = match kind {
            Kind::Register => register(&deeds),
            Kind::Counter => counter(&deeds),
            Kind::Set => set(&deeds),
        };
        let last = deeds.iter().max_by_key(|deed| deed.stamp)?;
        let (author, delta) = (last.author.to_string(), last.stamp.1.to_string());
        let shown = Shown { value: value?, author, delta, marks: None };
        Some(((kind, key.to_owned()), shown))
    });
    Dump { root: None, entries: shown.collect() }
}

const fn kind_of(op: &Op) -> Kind {
    match op {
        Op::Put { .. } | Op::Delete { .. } => Kind::Register,
        Op::Increment { .. } | Op::Reset { .. } => Kind::Counter,
        Op::Insert { .. } | Op::Remove { .. } => Kind::Set,
    }
}

/// A register shows what was put last, unless it was deleted after that.
fn register(deeds: &[Deed<'_>]) -> Option<Value> {
    match deeds.iter().max_by_key(|deed| deed.stamp)?.op {
        Op::Put { value, .. } => Some(json(value)),
        _ => None,
    }
}

/// A counter shows the sum of all that was added; a deletion has added the negative of what it saw. It
/// wraps, and zero is as good as nothing.
fn counter(deeds: &[Deed<'_>]) -> Option<Value> {
    /// From here on a double cannot hold every number.
    const EXACT: u128 = 1 << 53;
    let added = deeds.iter().map(|deed| match deed.op {
        Op::Increment { by, .. } => i128::from(*by),
        Op::Reset { by, .. } => *by,
        _ => 0,
    });
    let sum = added.fold(0_i128, i128::wrapping_add);
    let small = i64::try_from(sum).ok().filter(|_| sum.unsigned_abs() <= EXACT);
    let shown = small.map_or_else(|| json!(sum.to_string()), |small| json!(small));
    (sum != 0).then_some(shown)
}

/// A set shows the items of which some insert is listed by no removal of the same item. It does not
/// matter which of the two was known to whom, or came first.
fn set(deeds: &[Deed<'_>]) -> Option<Value> {
    let mut inserted = BTreeSet::new();
    let mut cancelled = BTreeSet::new();
    for deed in deeds {
        let (_, own, index) = deed.stamp;
        match deed.op {
            Op::Insert { item, .. } => {
                inserted.insert((item, own, index));
            }
            Op::Remove { item, dots, .. } => {
                for dot in dots {
                    let of = match dot.delta {
                        DotDelta::Own => own,
                        DotDelta::Of(delta) => delta,
                    };
                    cancelled.insert((item, of, dot.op));
                }
            }
            _ => {}
        }
    }
    let left = inserted.difference(&cancelled).map(|(item, ..)| *item);
    let items = left.collect::<BTreeSet<_>>().into_iter().map(json).collect::<Vec<_>>();
    (!items.is_empty()).then_some(Value::Array(items))
}

/// Stored bytes, as the API shows them.
fn json(bytes: &Bytes) -> Value {
    let bytes = bytes.as_bytes();
    let foreign = |_| json!({ "$bytes": BASE64.encode(bytes) });
    serde_json::from_slice(bytes).unwrap_or_else(foreign)
}
