//! What a context of the crash tests holds: after so many commits, exactly this, in every table that a commit
//! touches. So a lost commit, a half one and an altered row all show.

use std::ops::Bound;

use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId, Seq, Tip};
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::view::{
    Batch, Feed, Heads, History, Memory, Owns, Registers, Requests, Table,
};
use mangrove_store::{Direction, Snapshot};

/// Registers that are written in turn.
const KEYS: u64 = 40;

/// The context of this number.
pub(crate) fn context(number: u8) -> ContextId {
    ContextId::from_bytes([number; 32])
}

fn delta(context: ContextId, commit: u64) -> DeltaId {
    let bytes = [context.as_bytes().as_slice(), &commit.to_le_bytes()].concat();
    DeltaId::from_bytes(*blake3::hash(&bytes).as_bytes())
}

fn register(context: ContextId, commit: u64) -> (Key, Register) {
    let key = Key::new(&format!("key {}", commit % KEYS)).unwrap_or_else(|_| unreachable!());
    // Of all lengths, so that commits are.
    let mut bytes = vec![0; usize::try_from(commit * 37 % 900).unwrap_or_default()];
    blake3::Hasher::new().update(&commit.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let value = Value::new(&bytes).ok();
    let stamp = Stamp { hlc: Default::default(), delta: delta(context, commit), op: 0 };
    (key, Register { value, stamp, author: PeerId::from_bytes([1; 32]) })
}

fn item(context: ContextId, commit: u64) -> FeedItem {
    FeedItem::Rebuilt { void: vec![delta(context, commit)] }
}

fn tip(context: ContextId, commit: u64) -> Tip {
    let log = mangrove_protocol::id::LogId {
        author: PeerId::from_bytes([1; 32]),
        authority: context_authority(context),
        incarnation: mangrove_protocol::id::Incarnation::new(1),
        plane: mangrove_protocol::id::Plane::Data,
    };
    Tip { log, seq: Seq::FIRST, id: delta(context, commit) }
}

fn context_authority(context: ContextId) -> mangrove_protocol::id::AuthorityId {
    DeltaId::from_bytes(*context.as_bytes()).into()
}

/// The commit of this number, counted from 0.
pub(crate) fn commit(context: ContextId, number: u64) -> Batch {
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    let id = delta(context, number);
    over.put::<History>(number, id);
    over.put::<Feed>(number, item(context, number));
    let (key, row) = register(context, number);
    over.put::<Registers>(key, row);
    over.put::<Heads>(id, tip(context, number));
    if let Some(before) = number.checked_sub(1) {
        over.remove::<Heads>(delta(context, before));
    }
    over.put::<Owns>((), Own { settled: number + 1, ..Own::default() });
    over.into_batch()
}

/// How many commits of a context are there, each whole; or what is wrong.
pub(crate) fn count(snapshot: &Snapshot<'_>) -> Result<u64, String> {
    let context = snapshot.id();
    let own = snapshot.get::<Owns>(&()).map_err(|why| why.to_string())?;
    let count = own.map_or(0, |own| own.settled);
    let history = (0..count).map(|at| (at, delta(context, at)));
    expect::<History>(snapshot, &history.collect::<Vec<_>>())?;
    expect::<Feed>(snapshot, &(0..count).map(|at| (at, item(context, at))).collect::<Vec<_>>())?;
    let last = count.checked_sub(1);
    let head = last.map(|last| (delta(context, last), tip(context, last)));
    expect::<Heads>(snapshot, head.as_slice())?;
    let mut registers: Vec<_> =
        (count.saturating_sub(KEYS)..count).map(|at| register(context, at)).collect();
    registers.sort_by(|(left, _), (right, _)| left.cmp(right));
    expect::<Registers>(snapshot, &registers)?;
    expect::<Requests>(snapshot, &[])?;
    Ok(count)
}

fn expect<T: Table>(snapshot: &Snapshot<'_>, rows: &[(T::Key, T::Row)]) -> Result<(), String> {
    let found = snapshot.rows::<T>((Bound::Unbounded, Bound::Unbounded), Direction::Forward);
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|why| why.to_string())?;
    if found == rows {
        return Ok(());
    }
    let at = found.iter().zip(rows).position(|(found, wanted)| found != wanted);
    let (found, wanted) = (found.len(), rows.len());
    Err(format!("{}: {found} rows, expected {wanted}; the first wrong one is {at:?}", T::NAME))
}
