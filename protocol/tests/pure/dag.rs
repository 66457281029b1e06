//! Generated pasts: deltas of several authors with everything that honest and hostile ones do to
//! each other, and what must become of each by definition.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Authenticity, Delta};
use mangrove_protocol::fold::Origin;
use mangrove_protocol::graph::{Cause, Void, parents};
use mangrove_protocol::id::{DeltaId, Tip};
use mangrove_protocol::op::{Dot, DotDelta, Op, Payload};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crank::{NOW_MS, Pen, some_key};
use crate::make::{epoch, payload_of, value};
use crate::model::State;

/// Authors have the seeds 1 to this.
const AUTHORS: u64 = 8;
/// The epoch whose key arrives in the end.
pub(crate) const LATE_EPOCH: u8 = 2;
/// The epoch whose key never arrives.
pub(crate) const LOST_EPOCH: u8 = 3;
/// What is this far ahead is not believed in the beginning.
const AHEAD_MS: u64 = 90_000;
/// When everything is believed.
pub(crate) const END_MS: u64 = 10_000_000;

/// One delta as raw numbers, so that a failing past shrinks.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    author: u64,
    life: u64,
    kind: u8,
    fork: usize,
    deps: Vec<usize>,
    what: u64,
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let life = prop_oneof![4 => Just(1_u64), 1 => Just(2)];
    (0..AUTHORS, life, 0..80_u8, 0..60_usize, vec(0..200_usize, 0..4), any::<u64>()).prop_map(
        |(author, life, kind, fork, deps, what)| Shape { author, life, kind, fork, deps, what },
    )
}

pub(crate) fn any_past(most: usize) -> impl Strategy<Value = Past> {
    vec(any_shape(), 1..most).prop_map(|shapes| Past::of(&shapes))
}

/// What a delta is made to be, whatever its parents are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    Good(Payload),
    /// Counts for nothing, for this reason.
    Void(Void),
    /// Holds something unknown.
    Unknown,
    /// Names a delta of another log as the one before it.
    NotContinuing,
}

/// A set of deltas, in an order in which parents come first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub(crate) deltas: Vec<Delta>,
    made: BTreeMap<DeltaId, Made>,
}

/// What becomes of a past, by definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fate {
    pub(crate) applied: BTreeSet<DeltaId>,
    pub(crate) voids: BTreeMap<DeltaId, Void>,
    pub(crate) parked: BTreeMap<DeltaId, Cause>,
    pub(crate) state: State,
}

impl Past {
    fn of(shapes: &[Shape]) -> Self {
        let mut past = Self::default();
        for shape in shapes {
            past.grow(shape);
        }
        past
    }

    /// What continues it nobody ever sees.
    fn is_seen(&self, id: DeltaId) -> bool {
        self.made.contains_key(&id)
    }

    /// The delta that the next one of this log continues: its last, or after a fork any.
    fn prev(&self, pen: &Pen, shape: &Shape) -> Option<Tip> {
        let log = pen.log();
        let of_log = self.deltas.iter().filter(|delta| *delta.log() == log);
        let of_log: Vec<_> = of_log.map(Delta::tip).collect();
        let last = of_log.last().copied();
        match shape.fork {
            0 => {
                of_log.get(shape.deps.first().copied().unwrap_or(0) % of_log.len().max(1)).copied()
            }
            1 if of_log.len() < 20 => None,
            _ => last,
        }
    }

    fn grow(&mut self, shape: &Shape) {
        let author = u8::try_from(shape.author + 1).unwrap();
        let mut pen = Pen::new(author, 0).life(shape.life);
        pen.prev = self.prev(&pen, shape);
        let (own, count) = (pen.log(), self.deltas.len().max(1));
        for at in &shape.deps {
            // Rather recent ones, as honest authors would.
            let Some(dep) = self.deltas.get(count.saturating_sub(1 + at % count.min(20))) else {
                continue;
            };
            if *dep.log() != own {
                pen.deps.push(dep.tip());
            }
        }
        pen.deps.sort_unstable();
        pen.deps.dedup();
        let latest = pen.prev.iter().chain(&pen.deps).filter_map(|tip| self.hlc_of(tip.id)).max();
        let floor = Hlc::new(NOW_MS - 100_000, 0);
        pen.hlc = match shape.what % 4 {
            0 => Hlc::from_bits(latest.unwrap_or(floor).bits() + 1),
            by => Hlc::new(latest.unwrap_or(floor).ms() + by, 0),
        };
        self.add(pen, shape, latest);
    }

    fn hlc_of(&self, id: DeltaId) -> Option<Hlc> {
        self.deltas.iter().find(|delta| delta.id() == id).map(|delta| delta.header().hlc)
    }

    fn add(&mut self, mut pen: Pen, shape: &Shape, latest: Option<Hlc>) {
        let payload = self.payload(shape.what);
        let mut made = Made::Good(payload.clone());
        pen.payload = payload.encode();
        let mut damaged = false;
        match shape.kind {
            0 if latest.is_some() => {
                pen.hlc = latest.unwrap_or(Hlc::ZERO);
                made = Made::Void(Void::Clock);
            }
            1 if !pen.deps.is_empty() => {
                misname(&mut pen, shape.what);
            }
            2 => {
                damaged = true;
                made = Made::Void(Void::Sealed);
            }
            3 => {
                pen.payload = vec![1, 0, 0, 0, 0];
                made = Made::Void(Void::Unreadable);
            }
            4 => {
                pen.payload = vec![1, 1, 0, 0, 0, 1, 0, 0, 0, 200];
                made = Made::Unknown;
            }
            5 => pen.epoch = LATE_EPOCH,
            6 => pen.epoch = if shape.what.is_multiple_of(3) { LOST_EPOCH } else { LATE_EPOCH },
            7 => {
                let ahead = pen.hlc.ms().max(NOW_MS + AHEAD_MS + shape.what % 1_000);
                pen.hlc = pen.hlc.max(Hlc::new(ahead, 0));
            }
            8 if shape.what.is_multiple_of(4) => {
                let own = pen.log();
                let other = self.deltas.iter().find(|delta| *delta.log() != own);
                if let Some(other) = other {
                    pen.prev = Some(other.tip());
                    made = Made::NotContinuing;
                }
            }
            9 if shape.what.is_multiple_of(4) => {
                // Its parent never comes.
                let never = Pen::new(pen.author % 8 + 1, 0).life(99).bytes(vec![shape.kind]);
                let never = Pen { hlc: Hlc::new(5, 0), ..never }.write();
                pen.deps.push(never.tip());
            }
            _ => {}
        }
        let delta = if damaged { damage(&pen.write()) } else { pen.write() };
        if !self.is_seen(delta.id()) {
            self.made.insert(delta.id(), made);
            self.deltas.push(delta);
        }
    }

    /// Some operations, among them removals of inserts that may or may not be in the past.
    fn payload(&self, what: u64) -> Payload {
        let pick = |bound: u64, salt: u64| (what / salt % bound).to_le_bytes()[0];
        let (at, text) = (some_key(usize::from(pick(3, 1))), value(&pick(4, 7).to_string()));
        let dots = |own: bool| {
            let near = self.deltas.iter().rev().take(6);
            let of = near
                .map(|delta| Dot { delta: DotDelta::Of(delta.id()), op: u32::from(pick(2, 3)) });
            let mut dots: Vec<_> = of.collect();
            dots.extend(own.then_some(Dot { delta: DotDelta::Own, op: 0 }));
            dots.sort_unstable();
            dots.dedup();
            dots
        };
        let insert = Op::Insert { key: at.clone(), item: text.clone() };
        let ops = match pick(8, 11) {
            0 => return Payload::merge(),
            1 => vec![Op::Put { key: at, value: text }],
            2 => vec![Op::Delete { key: at }],
            3 => vec![Op::Increment { key: at, by: i64::from(pick(9, 5)) - 4 }],
            4 => vec![Op::Reset { key: at, by: -i128::from(pick(9, 5)) }],
            5 => vec![insert],
            6 => {
                vec![insert, Op::Remove { key: at, item: text, dots: dots(what.is_multiple_of(2)) }]
            }
            _ => vec![Op::Remove { key: at, item: text, dots: dots(false) }],
        };
        payload_of(ops)
    }

    /// By definition, once every key but the lost one has come and all clocks are believed.
    pub(crate) fn fate(&self) -> Fate {
        let mut fate = Fate::default();
        let stored: Vec<_> = self.stored();
        let mut origins = Vec::new();
        loop {
            let settled =
                |fate: &Fate, id| fate.applied.contains(&id) || fate.voids.contains_key(&id);
            let stands = |fate: &Fate, tip: &Tip| {
                settled(fate, tip.id) && stored.iter().any(|delta| delta.tip() == *tip)
            };
            let due = stored.iter().find(|delta| {
                let stuck = fate.parked.contains_key(&delta.id());
                let ready = parents(delta.header()).all(|parent| stands(&fate, &parent));
                !settled(&fate, delta.id()) && !stuck && ready
            });
            let Some(delta) = due else { break };
            let (id, header) = (delta.id(), delta.header());
            let epoch_id = header.seal.epoch().unwrap();
            match &self.made[&id] {
                Made::Void(why @ Void::Clock) => {
                    fate.voids.insert(id, *why);
                }
                _ if epoch_id == epoch(LOST_EPOCH).id() => {
                    fate.parked.insert(id, Cause::Key(epoch_id));
                }
                Made::Void(why) => {
                    fate.voids.insert(id, *why);
                }
                Made::Unknown => {
                    fate.parked.insert(id, Cause::Version);
                }
                Made::Good(payload) => {
                    fate.applied.insert(id);
                    let author = header.log.author;
                    let origin = Origin { delta: id, author, hlc: header.hlc };
                    origins.push((origin, payload.clone()));
                }
                Made::NotContinuing => unreachable!("never stored"),
            }
        }
        for delta in &stored {
            let id = delta.id();
            let open = |tip: &Tip| {
                let settled = fate.applied.contains(&tip.id) || fate.voids.contains_key(&tip.id);
                !settled || stored.iter().all(|delta| delta.tip() != *tip)
            };
            if let Some(parent) = parents(delta.header()).find(open) {
                fate.parked.insert(id, Cause::Parent(parent.id));
            }
        }
        fate.state = State::of(&origins);
        fate
    }

    /// Those that are deltas of their log at all.
    fn stored(&self) -> Vec<&Delta> {
        let mut out: BTreeSet<DeltaId> = BTreeSet::new();
        for delta in &self.deltas {
            let broken = self.made[&delta.id()] == Made::NotContinuing;
            if broken || out.contains(&delta.header().prev) {
                out.insert(delta.id());
            }
        }
        self.deltas.iter().filter(|delta| !out.contains(&delta.id())).collect()
    }
}

/// Makes the first parent one that does not stand where it is said to.
fn misname(pen: &mut Pen, what: u64) {
    let own = pen.log();
    let Some(first) = pen.deps.first_mut() else { return };
    match what % 2 {
        0 => first.seq = first.seq.next(),
        _ => first.log.incarnation = mangrove_protocol::id::Incarnation::new(77),
    }
    pen.deps.retain(|tip| tip.log != own);
}

/// The same with another payload that does not open; authentic, as far as anybody is told.
fn damage(delta: &Delta) -> Delta {
    let mut bytes = delta.bytes().to_vec();
    let at = bytes.len() - 64 - 1;
    bytes[at] ^= 1;
    Delta::stored(bytes, Authenticity::Signed).unwrap()
}
