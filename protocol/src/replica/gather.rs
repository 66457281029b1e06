//! Calls that become one delta: each is judged after those before it, on what they leave behind.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Asked;
use crate::delta::SIGNATURE_BYTES;
use crate::effect::ReplyTo;
use crate::fold::{self, AbsoluteDot, Origin, Rows};
use crate::id::DeltaId;
use crate::limits::{DELTA_BYTES, KEY_BYTES, OPS_PER_DELTA};
use crate::op::{AppEvent, Dot, DotDelta, Key, Kind, Op, Payload, Transaction, Value};
use crate::overlay::Overlay;
use crate::request::{
    Condition, Edit, Expect, Fault, Request, RequestId, Traces, Version, is_visible,
};
use crate::root::Unsummed;
use crate::seal::TAG_BYTES;
use crate::view::{Batch, Items, View};
use crate::wire;

/// Bytes that the header may take, with all the parents that it may name.
const HEADER_ROOM: u64 = 16 * 1024;

/// Bytes that a payload may have, so that header, seal and signature fit beside it.
pub(super) const PAYLOAD_ROOM: u64 =
    DELTA_BYTES - HEADER_ROOM - (TAG_BYTES + SIGNATURE_BYTES) as u64;

/// The id of a call, and its fingerprint.
pub(super) type Named = (RequestId, [u8; 32]);

/// What a call comes to.
struct Resolved {
    transaction: Transaction,
    /// What of it is written.
    bytes: u64,
    /// What it changes of what the calls before left behind.
    changes: Batch,
}

/// A call that is part of the delta.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) reply: ReplyTo,
    /// The id that it goes by, and what tells it from another under the same one.
    pub(super) named: Option<Named>,
    /// For each edit what it leaves behind, as long as the delta has no id.
    pub(super) traces: Vec<Option<(Kind, Traces)>>,
    /// Those who asked the same under the same id while this one waited.
    pub(super) repeated: Vec<ReplyTo>,
}

impl Gathered {
    /// All who wait for its answer.
    pub(super) fn askers(&self) -> impl Iterator<Item = ReplyTo> {
        std::iter::once(self.reply).chain(self.repeated.iter().copied())
    }
}

/// What became of a call.
pub(super) enum Added {
    /// It is part of the delta.
    Yes,
    /// The delta is full; the call begins the next one.
    Full(Asked),
    /// It does not happen.
    No(ReplyTo, Fault),
}

/// A delta in the making. Its id is not known before it is complete; `origin` has one that stands for
/// it and that nobody can foresee, so that nothing written elsewhere is about it.
pub(super) struct Gathering<'v, V> {
    scratch: Overlay<'v, V>,
    origin: Origin,
    transactions: Vec<Transaction>,
    calls: Vec<Gathered>,
    by_id: BTreeMap<RequestId, usize>,
    ops: u32,
    bytes: u64,
}

impl<'v, V: View> Gathering<'v, V> {
    pub(super) fn new(view: &'v V, origin: Origin) -> Self {
        Self {
            scratch: Overlay::new(view),
            origin,
            transactions: Vec::new(),
            calls: Vec::new(),
            by_id: BTreeMap::new(),
            ops: 0,
            bytes: 0,
        }
    }

    pub(super) fn finish(self) -> (Vec<Transaction>, Vec<Gathered>) {
        (self.transactions, self.calls)
    }

    pub(super) fn add(&mut self, asked: Asked) -> Added {
        let Asked { request, reply } = &asked;
        let named = request.id.clone().map(|id| (id, fingerprint(request)));
        if let Some((id, fingerprint)) = &named
            && let Some(first) = self.same_id(id)
        {
            if first.named.as_ref().is_none_or(|(_, of)| of != fingerprint) {
                return Added::No(*reply, Fault::RequestReused);
            }
            first.repeated.push(*reply);
            return Added::Yes;
        }
        match self.judge(request) {
            Ok(Some(resolved)) => {
                self.take(request, (*reply, named), resolved);
                Added::Yes
            }
            Ok(None) => Added::Full(asked),
            Err(fault) => Added::No(*reply, fault),
        }
    }

    fn same_id(&mut self, id: &RequestId) -> Option<&mut Gathered> {
        let at = self.by_id.get(id)?;
        self.calls.get_mut(*at)
    }

    /// What a call comes to; `None` if the delta has no room left for it.
    fn judge(&self, request: &Request) -> Result<Option<Resolved>, Fault> {
        if request.edits.is_empty() {
            return Err(Fault::Empty);
        }
        if let Some(condition) = request.conditions.iter().find(|it| !self.holds(it)) {
            return Err(Fault::Conflict { key: condition.key.clone() });
        }
        let (transaction, changes) = self.resolve(request)?;
        let ops = u32::try_from(transaction.ops.len()).unwrap_or(u32::MAX);
        let bytes = wire::encode(&(&transaction.ops, &transaction.events)).len() as u64;
        if u64::from(ops) > OPS_PER_DELTA || transaction.events.len() as u64 > OPS_PER_DELTA {
            return Err(Fault::TooLarge { limit: "opsPerDelta" });
        }
        if bytes > PAYLOAD_ROOM {
            return Err(Fault::TooLarge { limit: "deltaBytes" });
        }
        let fits = u64::from(self.ops) + u64::from(ops) <= OPS_PER_DELTA
            && self.events() + transaction.events.len() as u64 <= OPS_PER_DELTA
            && self.bytes + bytes <= PAYLOAD_ROOM;
        Ok(fits.then_some(Resolved { transaction, bytes, changes }))
    }

    fn events(&self) -> u64 {
        self.transactions.iter().map(|transaction| transaction.events.len() as u64).sum()
    }

    fn holds(&self, condition: &Condition) -> bool {
        let Condition { kind, key, expect } = condition;
        match expect {
            Expect::Version(version) => Version::of(&self.scratch, *kind, key) == Some(*version),
            Expect::Absent => !is_visible(&self.scratch, *kind, key),
        }
    }

    /// What the edits of a call come to. They see what the calls before left behind, and what the
    /// edits before in the same call did.
    fn resolve(&self, request: &Request) -> Result<(Transaction, Batch), Fault> {
        let mut sight = Overlay::new(&self.scratch);
        let mut transaction = Transaction::default();
        for edit in &request.edits {
            let first = transaction.ops.len();
            match ops_of(&sight, self.origin.delta, edit) {
                Some(ops) => transaction.ops.extend(ops),
                None => transaction.events.extend(event_of(edit)?),
            }
            let fresh = transaction.ops.get(first..).unwrap_or_default();
            let index = self.ops.saturating_add(u32::try_from(first).unwrap_or(u32::MAX));
            fold::apply_ops(&mut sight, &mut Unsummed, &self.origin, (index..).zip(fresh));
            if transaction.ops.len() as u64 > OPS_PER_DELTA {
                return Err(Fault::TooLarge { limit: "opsPerDelta" });
            }
        }
        Ok((transaction, sight.into_batch()))
    }

    fn take(
        &mut self,
        request: &Request,
        (reply, named): (ReplyTo, Option<Named>),
        Resolved { transaction, bytes, changes }: Resolved,
    ) {
        self.scratch.append(changes);
        let trace = |edit: &Edit| {
            let (kind, key) = edit.entity()?;
            Some((kind, Traces::of(&self.scratch, kind, key)?))
        };
        let traces = request.edits.iter().map(trace).collect();
        if let Some((id, _)) = &named {
            self.by_id.insert(id.clone(), self.calls.len());
        }
        self.calls.push(Gathered { reply, named, traces, repeated: Vec::new() });
        self.ops += u32::try_from(transaction.ops.len()).unwrap_or(u32::MAX);
        self.bytes += bytes;
        self.transactions.push(transaction);
    }
}

/// What tells one call from another under the same id.
pub(super) fn fingerprint(request: &Request) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("mangrove 2026 request fingerprint v1");
    for edit in &request.edits {
        hasher.update(&match edit {
            Edit::Put(key, value) => wire::encode(&(1_u8, key, value)),
            Edit::Delete(kind, key) => wire::encode(&(2_u8, kind, key)),
            Edit::Increment(key, by) => wire::encode(&(3_u8, key, by)),
            Edit::Insert(key, item) => wire::encode(&(4_u8, key, item)),
            Edit::Remove(key, item) => wire::encode(&(5_u8, key, item)),
            Edit::Emit(name, data) => wire::encode(&(6_u8, name, data)),
        });
    }
    for Condition { kind, key, expect } in &request.conditions {
        let version = match expect {
            Expect::Version(version) => Some(version.to_string()),
            Expect::Absent => None,
        };
        hasher.update(&wire::encode(&(7_u8, kind, key, version)));
    }
    *hasher.finalize().as_bytes()
}

fn event_of(edit: &Edit) -> Result<Option<AppEvent>, Fault> {
    let Edit::Emit(name, data) = edit else { return Ok(None) };
    let event = AppEvent { name: name.clone(), data: data.clone() };
    let alone = Transaction { ops: Vec::new(), events: vec![event.clone()] };
    match Payload::new(vec![alone]) {
        Ok(_) => Ok(Some(event)),
        Err(_) if event.name.len() as u64 > KEY_BYTES => Err(Fault::TooLarge { limit: "keyBytes" }),
        Err(_) => Err(Fault::TooLarge { limit: "valueBytes" }),
    }
}

/// The operations that an edit comes to on what is seen; `None` for an event.
fn ops_of<V: View>(sight: &V, unborn: DeltaId, edit: &Edit) -> Option<Vec<Op>> {
    let remove = |key: &Key, item: &Value| remove(sight, unborn, key, item);
    Some(match edit {
        Edit::Put(key, value) => vec![Op::Put { key: key.clone(), value: value.clone() }],
        Edit::Increment(key, by) => vec![Op::Increment { key: key.clone(), by: *by }],
        Edit::Delete(Kind::Register, key) => vec![Op::Delete { key: key.clone() }],
        Edit::Delete(Kind::Counter, key) => {
            let seen = sight.counter(key).map_or(0, |row| row.sum);
            vec![Op::Reset { key: key.clone(), by: seen.wrapping_neg() }]
        }
        // Where nothing is seen, nothing is removed: a write like any other, with a delta to show.
        Edit::Delete(Kind::Set, key) => match items(sight, key) {
            none if none.is_empty() => vec![remove(key, &Value::default())],
            items => items.iter().map(|item| remove(key, item)).collect(),
        },
        // An item that is there already is inserted in the place of its earlier inserts, so that
        // its row does not grow.
        Edit::Insert(key, item) => {
            let insert = Op::Insert { key: key.clone(), item: item.clone() };
            match sight.item(key, item).is_some_and(|row| row.is_visible()) {
                true => vec![remove(key, item), insert],
                false => vec![insert],
            }
        }
        Edit::Remove(key, item) => vec![remove(key, item)],
        Edit::Emit(..) => return None,
    })
}

/// Cancels every insert of an item that is seen.
fn remove(sight: &impl Rows, unborn: DeltaId, key: &Key, item: &Value) -> Op {
    let row = sight.item(key, item).unwrap_or_default();
    let mut dots = row.dots.iter().map(|dot| relative(*dot, unborn)).collect::<Vec<_>>();
    dots.sort_unstable();
    Op::Remove { key: key.clone(), item: item.clone(), dots }
}

fn relative(dot: AbsoluteDot, unborn: DeltaId) -> Dot {
    let delta = if dot.delta == unborn { DotDelta::Own } else { DotDelta::Of(dot.delta) };
    Dot { delta, op: dot.op }
}

/// The items of a set that are seen, at most one more than a delta could remove.
fn items<V: View>(sight: &V, key: &Key) -> Vec<Value> {
    const PAGE: usize = 256;
    let mut found = Vec::new();
    let mut from = Bound::Included((key.clone(), Value::default()));
    loop {
        let page = sight.scan::<Items>(from.as_ref(), PAGE);
        let Some(((_, last), _)) = page.last() else { return found };
        from = Bound::Excluded((key.clone(), last.clone()));
        let ended = page.iter().any(|((of, _), _)| of != key) || page.len() < PAGE;
        let own = page.into_iter().take_while(|((of, _), _)| of == key);
        found.extend(own.filter(|(_, row)| row.is_visible()).map(|((_, item), _)| item));
        if ended || found.len() as u64 > OPS_PER_DELTA {
            return found;
        }
    }
}
