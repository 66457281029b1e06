//! What is looked at with every commit, when it is written.

use mangrove_protocol::clock::MAX_AHEAD_MS;
use mangrove_protocol::delta::{Delta, SIGNATURE_BYTES};
use mangrove_protocol::governance::Act;
use mangrove_protocol::graph::{Status, Void};
use mangrove_protocol::id::{DeltaId, Plane};
use mangrove_protocol::replica::Mode;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::view::{
    Batch, Deltas, Feed, Heads, History, Keys, Memory, Owns, Places, Roots, Table, Waiting,
};

use super::room::Room;
use crate::founding;
use crate::node::Spot;
use crate::verdict::Violation;
use crate::world::World;

type Checked = Result<(), Violation>;

/// A batch that is about to be written, and was made when the clock of its node showed `made_ms`.
pub(crate) fn check(world: &mut World, spot: Spot, batch: &Batch, made_ms: u64) -> Checked {
    for delta in Deltas::changes(batch).values().flatten() {
        world.trace.note(world.now_ms, spot.node, "stores", delta.id().as_bytes());
        content(delta)?;
        belongs(world, spot, batch, delta)?;
        arrives(world, spot, batch, (delta, made_ms))?;
    }
    let keys = Keys::changes(batch).iter();
    let keys = keys.filter_map(|(epoch, key)| Some((*epoch, key.clone()?)));
    world.epochs.extend(keys);
    for place in Places::changes(batch).values().flatten() {
        if let Status::Void { why, .. } = place.status {
            world.tally.hit(void_label(why));
        }
    }
    let Some(memory) = world.nodes.get(spot.node).and_then(|it| it.store.written(spot.context))
    else {
        return Ok(());
    };
    numbered(memory, batch)
}

const fn void_label(why: Void) -> &'static str {
    match why {
        Void::Clock => "void: clock",
        Void::CutOff => "void: cut off",
        Void::Sealed => "void: sealed",
        Void::Unreadable => "void: unreadable",
        _ => "void: otherwise",
    }
}

/// S1: an id is the hash of what it names.
fn content(delta: &Delta) -> Checked {
    let signed = delta.bytes().len().saturating_sub(SIGNATURE_BYTES);
    let hashed = delta.bytes().get(..signed).unwrap_or_default();
    let id = DeltaId::from_bytes(blake3::derive_key("mangrove 2026 delta id v1", hashed));
    if id != delta.id() {
        return Err(Violation::new("S1", format!("{:?} is stored as {id:?}", delta.id())));
    }
    Ok(())
}

/// S10, S12: only members' deltas of this very context are stored.
fn belongs(world: &World, spot: Spot, batch: &Batch, delta: &Delta) -> Checked {
    if delta.context() != world.cast.context(spot.context) {
        return Err(Violation::new("S12", format!("{delta:?} belongs to another context")));
    }
    let stored = world.nodes.get(spot.node).and_then(|it| it.store.written(spot.context));
    let right = DeltaId::from_bytes(*delta.log().authority.as_bytes());
    let conferred = Deltas::changes(batch).get(&right).cloned().flatten();
    let conferred = conferred.or_else(|| Deltas::rows(stored?).get(&right).cloned());
    let conferred = conferred.and_then(|delta| founding::deed(&delta));
    let is_theirs = conferred.is_some_and(|deed| match deed.act {
        Act::Genesis { .. } => deed.log.author == delta.log().author,
        Act::Grant { member, .. } | Act::SetRole { member, .. } => member == delta.log().author,
        _ => false,
    });
    if !is_theirs && !delta.header().is_genesis() {
        return Err(Violation::new("S10", format!("{delta:?} is no member's")));
    }
    Ok(())
}

/// S2, S11: what others store has left its author, who writes one delta in one place, and with a
/// clock that is not far ahead.
fn arrives(
    world: &mut World,
    spot: Spot,
    batch: &Batch,
    (delta, made_ms): (&Delta, u64),
) -> Checked {
    let own = world.cast.peer(spot.node) == delta.log().author;
    if !own || world.payloads.was_sent(delta.id()) {
        return world.ledger.leave(spot.context, delta);
    }
    world.tally.hit("deltas written");
    let parents = mangrove_protocol::graph::parents(delta.header()).count();
    if parents >= 3 && delta.log().plane == Plane::Data {
        world.tally.hit("merges of three or more");
    }
    world.ledger.authored.entry(spot).or_default().insert(delta.id());
    super::rights::writes(world, spot, batch, delta)?;
    let most_ms = made_ms + MAX_AHEAD_MS + 1;
    // Who may do what is decided whatever the clock.
    if delta.log().plane == Plane::Data && delta.header().hlc.ms() > most_ms {
        return Err(Violation::new("S11", format!("{delta:?} is far ahead of its author's clock")));
    }
    Ok(())
}

/// S9: what is numbered goes on where it ended.
fn numbered(memory: &Memory, batch: &Batch) -> Checked {
    let follows = |next: u64, fresh: Vec<u64>| (next..).zip(&fresh).all(|(at, it)| at == *it);
    let feed = Feed::rows(memory).len() as u64;
    if !follows(feed, Feed::changes(batch).keys().copied().collect()) {
        return Err(Violation::new("S9", "the feed has a gap or says something twice"));
    }
    let rebuilds = |own: &Own| own.rebuild.is_some();
    let before = Owns::rows(memory).get(&()).is_some_and(rebuilds);
    let after = Owns::changes(batch).get(&()).cloned().flatten();
    if before || after.as_ref().is_some_and(rebuilds) {
        return Ok(());
    }
    let settled = History::rows(memory).len() as u64;
    if !follows(settled, History::changes(batch).keys().copied().collect()) {
        return Err(Violation::new("S3", "the history has a gap or is written twice"));
    }
    Ok(())
}

/// What is written, right after a batch was.
pub(crate) fn check_written(world: &mut World, spot: Spot) -> Checked {
    let World { nodes, ledger, tally, trace, now_ms, settings, .. } = world;
    let Some(memory) = nodes.get(spot.node).and_then(|it| it.store.written(spot.context)) else {
        return Ok(());
    };
    let cell = nodes.get(spot.node).and_then(|node| node.running()?.cells.get(spot.context));
    let applied = cell.map(|cell| cell.replica.applied().digest()).unwrap_or_default();
    let rebuilding = cell.is_none_or(|cell| cell.replica.is_rebuilding());
    let root = Roots::rows(memory).get(&()).map(|root| root.digest()).unwrap_or_default();
    trace.note(*now_ms, spot.node, "written", &[applied, root].concat());
    let room = Room::of(memory);
    let before = ledger.rooms.insert(spot, room).unwrap_or_default();
    room.follows(&before, &settings.bounds)?;
    if Heads::rows(memory).len() >= 3 {
        tally.hit("three heads or more");
    }
    if Waiting::rows(memory).len() >= 10 {
        tally.hit("ten waiting or more");
    }
    tally.most("most deltas in a context", Places::rows(memory).len() as u64);
    let settled = Owns::rows(memory).get(&()).map(|own| own.settled).unwrap_or_default();
    // What was made ahead is in the replica, and not here yet: the next that is written shows both.
    let is_ahead = cell.is_some_and(|cell| cell.ahead.is_some());
    if settled == 0 || rebuilding || is_ahead || super::mode(settings, spot.node) == Mode::Replica {
        return Ok(());
    }
    ledger.check_root(spot.context, applied, root)
}
