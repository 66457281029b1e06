//! Whether what one context has stored is consistent in itself, and what it must be.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::Delta;
use mangrove_protocol::fold::{self, Origin};
use mangrove_protocol::graph::{Cause, Parent, Place, Status, parents, void_by_past};
use mangrove_protocol::id::{DeltaId, EpochId, LogId, PeerId, Seq, Tip};
use mangrove_protocol::log::LogRow;
use mangrove_protocol::op::Payload;
use mangrove_protocol::replica::Bounds;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::root::Root;
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::{
    Deltas, Entries, Feed, Heads, History, Logs, Memory, Outbox, Owns, Places, RequestAges,
    Requests, Roots, Table, Waiting,
};

use super::reference::{Opened, Payloads, State};
use crate::verdict::Violation;

/// How still everything is while a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Things are going on.
    Running,
    /// Nothing has happened for a while: whoever could go on has done so.
    Still { wall_ms: u64 },
}

/// What an image is judged by.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) peer: PeerId,
    /// The keys of epochs that exist.
    pub(crate) keys: &'a [EpochKey],
    /// Those that the node holds.
    pub(crate) held: BTreeSet<EpochId>,
    pub(crate) bounds: Bounds,
    pub(crate) payloads: &'a mut Payloads,
    pub(crate) moment: Moment,
}

type Checked = Result<(), Violation>;

fn demand(holds: bool, rule: &'static str, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation::new(rule, what())) }
}

/// Everything that can be said about one image.
pub(crate) fn check(memory: &Memory, judge: &mut Judge<'_>) -> Checked {
    let own = Owns::rows(memory).get(&()).cloned().unwrap_or_default();
    tables(memory)?;
    logs(memory)?;
    history(memory, &own)?;
    waiting(memory, judge)?;
    turns(memory, judge)?;
    heads(memory)?;
    doings(memory, &own, judge)?;
    state(memory, judge)
}

/// Deltas, places and entries tell of the same deltas in the same places.
fn tables(memory: &Memory) -> Checked {
    let (deltas, places) = (Deltas::rows(memory), Places::rows(memory));
    let entries = Entries::rows(memory);
    let counts = (deltas.len(), places.len(), entries.len());
    demand(counts.0 == counts.1 && counts.1 == counts.2, "B2", || {
        format!("deltas, places, entries: {counts:?}")
    })?;
    for (id, delta) in deltas {
        let header = delta.header();
        let place = places.get(id).filter(|place| {
            (place.log, place.seq, place.prev) == (header.log, header.seq, header.prev)
                && (place.hlc, place.bytes) == (header.hlc, delta.bytes().len() as u64)
        });
        let entry = entries.contains_key(&(header.log, header.seq, *id));
        demand(place.is_some() && entry && delta.id() == *id, "B2", || {
            format!("{id:?} has no place or no entry that fits")
        })?;
        let before = header.seq.prev().is_none_or(|seq| {
            places.get(&header.prev).is_some_and(|it| it.log == header.log && it.seq == seq)
        });
        demand(before, "B2", || format!("{id:?} is stored without the one before it"))?;
    }
    Ok(())
}

/// The ends of the logs are where the stored and the settled deltas end.
fn logs(memory: &Memory) -> Checked {
    let places = Places::rows(memory);
    let stored = ends(places, |_| true);
    let settled = ends(places, |place| place.status.is_settled());
    let shown = |measure: fn(&LogRow) -> &[(Seq, DeltaId)]| {
        let rows = Logs::rows(memory).iter().map(move |(log, row)| (*log, measure(row).to_vec()));
        rows.filter(|(_, ends)| !ends.is_empty()).collect::<BTreeMap<_, _>>()
    };
    demand(shown(|row| row.stored.as_slice()) == stored, "B2", || {
        "stored logs do not end where their deltas do".to_owned()
    })?;
    demand(shown(|row| row.applied.as_slice()) == settled, "B2", || {
        "settled logs do not end where their deltas do".to_owned()
    })
}

type Ends = BTreeMap<LogId, Vec<(Seq, DeltaId)>>;

fn ends(places: &BTreeMap<DeltaId, Place>, counts: impl Fn(&Place) -> bool) -> Ends {
    let counted = || places.iter().filter(|(_, place)| counts(place));
    let continued: BTreeSet<_> = counted().map(|(_, place)| place.prev).collect();
    let mut ends: Ends = BTreeMap::new();
    for (id, place) in counted().filter(|(id, _)| !continued.contains(id)) {
        ends.entry(place.log).or_default().push((place.seq, *id));
    }
    ends.values_mut().for_each(|ends| ends.sort_unstable());
    ends
}

/// The history names the settled deltas, each once, in their order.
fn history(memory: &Memory, own: &Own) -> Checked {
    let (history, places) = (History::rows(memory), Places::rows(memory));
    let settled = places.values().filter(|place| place.status.is_settled()).count() as u64;
    demand((history.len() as u64, own.settled) == (settled, settled), "B2", || {
        format!("{settled} settled, {} in the history, {} counted", history.len(), own.settled)
    })?;
    for (expected, (order, id)) in (0..).zip(history) {
        let place = places.get(id).map(|place| &place.status);
        let fits = match place {
            Some(Status::Applied { order: at } | Status::Void { order: at, .. }) => at == order,
            _ => false,
        };
        demand(fits && *order == expected, "B2", || format!("{id:?} is not {order} in history"))?;
    }
    Ok(())
}

/// Those that wait are in the table of the waiting, within the room that there is for them.
fn waiting(memory: &Memory, judge: &Judge<'_>) -> Checked {
    let parked = Places::rows(memory).iter().filter_map(|(id, place)| match place.status {
        Status::Parked { cause, .. } => Some((cause, *id, place)),
        _ => None,
    });
    let parked = parked.collect::<Vec<_>>();
    let expected: BTreeSet<_> = parked.iter().map(|(cause, id, _)| (*cause, *id)).collect();
    let found: BTreeSet<_> = Waiting::rows(memory).keys().copied().collect();
    demand(expected == found, "B2", || "those that wait are not those that are parked".into())?;
    let mut by_member: BTreeMap<PeerId, u64> = BTreeMap::new();
    for (_, _, place) in parked {
        *by_member.entry(place.log.author).or_default() += place.bytes;
    }
    let total: u64 = by_member.values().sum();
    let most = by_member.values().max().copied().unwrap_or_default();
    let within = most <= judge.bounds.parked_bytes_per_member && total <= judge.bounds.parked_bytes;
    demand(within, "R1", || format!("{total} bytes wait, {most} of one member"))
}

/// Every delta is settled, void or waiting as its past says.
fn turns(memory: &Memory, judge: &mut Judge<'_>) -> Checked {
    let places = Places::rows(memory);
    for (id, delta) in Deltas::rows(memory) {
        let Some(place) = places.get(id) else { continue };
        turn(places, delta, &place.status, judge)?;
    }
    Ok(())
}

fn turn(
    places: &BTreeMap<DeltaId, Place>,
    delta: &Delta,
    status: &Status,
    judge: &mut Judge<'_>,
) -> Checked {
    let header = delta.header();
    let id = delta.id();
    let settled = |tip: &Tip| places.get(&tip.id).filter(|place| place.status.is_settled());
    let missing: Vec<_> = parents(header).filter(|tip| settled(tip).is_none()).collect();
    if !missing.is_empty() {
        let waits = matches!(status, Status::Parked { cause: Cause::Parent(parent), .. }
            if missing.iter().any(|tip| tip.id == *parent));
        let what = || format!("{id:?} is {status:?}, while {missing:?} are not settled");
        return demand(waits, "S3", what);
    }
    let earlier = parents(header).all(|tip| match settled(&tip).map(|place| &place.status) {
        Some(Status::Applied { order } | Status::Void { order, .. }) => {
            place_of(status).is_none_or(|own| *order < own)
        }
        _ => false,
    });
    demand(earlier, "S4", || format!("{id:?} was settled before a parent"))?;
    let past = parents(header).filter_map(|tip| {
        let place = settled(&tip)?;
        let as_named = place.log == tip.log && place.seq == tip.seq;
        Some(Parent::Settled { hlc: place.hlc, as_named })
    });
    let expected = match void_by_past(header.hlc, past) {
        Some(why) => Opened::Void(why),
        None => judge.payloads.open(delta, judge.keys).clone(),
    };
    let fits = match (&expected, status) {
        (_, Status::Parked { cause: Cause::Clock(hlc), .. }) => {
            *hlc == header.hlc && is_ahead_still(judge.moment, *hlc)
        }
        (Opened::Void(_), _) | (Opened::Payload(_), Status::Applied { .. }) => {
            is_as_expected(&expected, status)
        }
        (_, Status::Parked { cause: Cause::Key(epoch), .. }) => {
            let held = judge.held.contains(epoch) && judge.moment != Moment::Running;
            Some(*epoch) == header.seal.epoch() && !held
        }
        _ => is_as_expected(&expected, status),
    };
    demand(fits, "S3", || format!("{id:?} is {status:?} and should be {expected:?}"))
}

fn is_as_expected(expected: &Opened, status: &Status) -> bool {
    match (expected, status) {
        (Opened::Payload(_), Status::Applied { .. })
        | (Opened::Unknown, Status::Parked { cause: Cause::Version, .. }) => true,
        (Opened::Void(why), Status::Void { why: found, .. }) => why == found,
        // Whether a payload opens shows only to those who hold the key.
        (Opened::Void(_), Status::Parked { cause: Cause::Key(_), .. }) => true,
        _ => false,
    }
}

const fn place_of(status: &Status) -> Option<u64> {
    match status {
        Status::Applied { order } | Status::Void { order, .. } => Some(*order),
        Status::Parked { .. } => None,
    }
}

const fn is_ahead_still(moment: Moment, hlc: Hlc) -> bool {
    match moment {
        Moment::Running => true,
        Moment::Still { wall_ms } => hlc.is_ahead(wall_ms),
    }
}

/// The heads are the applied deltas that are in the past of no other applied one.
fn heads(memory: &Memory) -> Checked {
    let (places, deltas) = (Places::rows(memory), Deltas::rows(memory));
    let mut covered: BTreeSet<DeltaId> = BTreeSet::new();
    let mut heads: BTreeMap<DeltaId, Tip> = BTreeMap::new();
    for id in History::rows(memory).values().rev() {
        let (Some(place), Some(delta)) = (places.get(id), deltas.get(id)) else { continue };
        let applied = matches!(place.status, Status::Applied { .. });
        let in_past = covered.contains(id);
        if applied && !in_past {
            heads.insert(*id, delta.tip());
        }
        if applied || in_past {
            covered.extend(parents(delta.header()).map(|tip| tip.id));
        }
    }
    demand(*Heads::rows(memory) == heads, "S4", || {
        let found = Heads::rows(memory).len();
        format!("{found} heads are stored, and {} deltas are heads", heads.len())
    })
}

/// What a node remembers of its own doings fits the rest.
fn doings(memory: &Memory, own: &Own, judge: &Judge<'_>) -> Checked {
    let applied = Places::rows(memory).values();
    let applied = applied.filter(|place| matches!(place.status, Status::Applied { .. }));
    let clock = applied.map(|place| place.hlc).max().unwrap_or_default();
    demand(own.clock == clock, "B2", || format!("clock {} instead of {clock}", own.clock))?;
    let feed = Feed::rows(memory);
    let numbered = (0..own.feed).eq(feed.keys().copied());
    demand(numbered, "S9", || format!("{} feed items, {} counted", feed.len(), own.feed))?;
    let owned = |id: &DeltaId| {
        Deltas::rows(memory).get(id).is_some_and(|delta| delta.log().author == judge.peer)
    };
    demand(Outbox::rows(memory).keys().all(owned), "B4", || "others' deltas go out".into())?;
    let ages = RequestAges::rows(memory);
    let aged =
        Requests::rows(memory).iter().all(|(id, row)| ages.contains_key(&(row.at_ms, id.clone())));
    demand(aged, "B2", || "a remembered request has no age".into())
}

/// State and root are what the applied deltas make of them.
fn state(memory: &Memory, judge: &mut Judge<'_>) -> Checked {
    let applied = applied(memory, judge);
    let expected = State::of(applied.iter().map(|(delta, payload)| (*delta, payload.as_ref())));
    let stored = State::stored(memory);
    demand(stored == expected, "S6", || stored.difference(&expected))?;
    let root = Roots::rows(memory).get(&()).cloned().unwrap_or_default();
    demand(root == stored.root(), "S6", || "the root is not that of the rows".into())
}

type Applied<'a> = Vec<(&'a Delta, std::sync::Arc<Payload>)>;

fn applied<'a>(memory: &'a Memory, judge: &mut Judge<'_>) -> Applied<'a> {
    let (places, deltas) = (Places::rows(memory), Deltas::rows(memory));
    let mut applied = Vec::new();
    for id in History::rows(memory).values() {
        let counts = places.get(id).map(|place| &place.status);
        if let (Some(Status::Applied { .. }), Some(delta)) = (counts, deltas.get(id))
            && let Opened::Payload(payload) = judge.payloads.open(delta, judge.keys)
        {
            applied.push((delta, payload.clone()));
        }
    }
    applied
}

/// Folding the history from its beginning makes the same state and the same root.
pub(crate) fn fold_again(memory: &Memory, judge: &mut Judge<'_>) -> Checked {
    let mut table = fold::Table::default();
    let mut root = Root::empty();
    for (delta, payload) in applied(memory, judge) {
        let header = delta.header();
        let origin = Origin { delta: delta.id(), author: header.log.author, hlc: header.hlc };
        fold::apply(&mut table, &mut root, &origin, &payload);
    }
    let stored = Roots::rows(memory).get(&()).cloned().unwrap_or_default();
    demand(stored == root, "S6", || "folding the history again makes another root".into())
}
