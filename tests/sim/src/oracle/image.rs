//! Whether what one context has stored is consistent in itself, and what it must be.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::Delta;
use mangrove_protocol::fold::{self, Origin};
use mangrove_protocol::governance::{Act, Standing};
use mangrove_protocol::graph::{Cause, Parent, Place, Status, Void, parents, void_by_past};
use mangrove_protocol::id::{ContextId, DeltaId, EpochId, LogId, PeerId, Plane, Seq, Tip};
use mangrove_protocol::log::{LogRow, Vector};
use mangrove_protocol::op::{Payload, Undecodable};
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::replica::{Mode, Replica};
use mangrove_protocol::root::Root;
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::{
    Deltas, Entries, Feed, Heads, History, Keys, Logs, Memory, Outbox, Owns, Places, RequestAges,
    Requests, Roots, Table, Waiting,
};

use super::law::{Law, Reach};
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
    pub(crate) context: ContextId,
    pub(crate) mode: Mode,
    /// The keys of epochs that exist.
    pub(crate) keys: &'a BTreeMap<EpochId, EpochKey>,
    /// The machine, if it has seen to everything it was given.
    pub(crate) calm: Option<&'a Replica>,
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
    waiting(memory)?;
    doings(memory, &own, judge)?;
    // Until state is made anew, it is neither what it was nor what it will be.
    if own.rebuild.is_some() {
        return Ok(());
    }
    let law = Law::of(judge.context, memory);
    if let Some(replica) = judge.calm {
        demand(*replica.roster() == law.roster, "G1", || {
            "the roster is not the one that all of governance makes at once".into()
        })?;
        ends_agree("kept", &replica.stored(), &law.stored(), &law)?;
        ends_agree("counted", &replica.applied(), &law.applied(), &law)?;
    }
    logs(memory)?;
    history(memory, &own)?;
    turns(memory, &law, judge)?;
    if judge.mode == Mode::Replica {
        return Ok(());
    }
    heads(memory)?;
    clock(memory, &own)?;
    state(memory, judge)
}

/// G2: logs end where they must.
pub(crate) fn ends_agree(what: &str, found: &Vector, expected: &Vector, law: &Law<'_>) -> Checked {
    let logs = found.0.keys().chain(expected.0.keys());
    let apart = logs.clone().find(|log| found.0.get(log) != expected.0.get(log));
    demand(apart.is_none(), "G2", || {
        let ends = |vector: &Vector| apart.and_then(|log| vector.0.get(log).cloned());
        let says = apart.map(|log| law.roster.kept(log));
        let (found, expected) = (ends(found), ends(expected));
        format!(
            "{apart:?} is {what} up to {found:?} and not to {expected:?}, by {says:?}: {:?}",
            law.log(apart)
        )
    })
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
    same_ends("stored", &shown(|row| row.stored.as_slice()), &stored)?;
    same_ends("settled", &shown(|row| row.applied.as_slice()), &settled)
}

fn same_ends(what: &str, found: &Ends, expected: &Ends) -> Checked {
    let mut logs = found.keys().chain(expected.keys());
    let apart = logs.find(|log| found.get(log) != expected.get(log));
    demand(apart.is_none(), "B2", || {
        let [found, expected] = [found, expected].map(|ends| apart.and_then(|log| ends.get(log)));
        format!("{what} deltas of {apart:?} end at {expected:?}, not at {found:?}")
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

/// Those that wait are in the table of the waiting.
fn waiting(memory: &Memory) -> Checked {
    let parked = Places::rows(memory).iter().filter_map(|(id, place)| match place.status {
        Status::Parked { cause, .. } => Some((cause, *id)),
        _ => None,
    });
    let expected: BTreeSet<_> = parked.collect();
    let found: BTreeSet<_> = Waiting::rows(memory).keys().copied().collect();
    demand(expected == found, "B2", || "those that wait are not those that are parked".into())?;
    Ok(())
}

/// Every delta is settled, void or waiting as its past says.
fn turns(memory: &Memory, law: &Law<'_>, judge: &mut Judge<'_>) -> Checked {
    let places = Places::rows(memory);
    for (id, delta) in Deltas::rows(memory) {
        let Some(place) = places.get(id) else { continue };
        let past = Past::of(places, law, delta);
        turn(memory, &past, (delta, &place.status), judge)?;
    }
    Ok(())
}

/// What the parents of a delta say.
struct Past {
    beyond: bool,
    /// Whether the one before it in its log has had its turn.
    follows: bool,
    /// What is said of its log.
    ends: Standing,
    /// Parents whose turn has not come.
    missing: Vec<Tip>,
    /// Parents of whose authority nothing is known: some wait for them, and some know that nobody
    /// knows of it.
    unknown: Vec<Tip>,
    /// Those whose turn has come.
    settled: Vec<(Tip, Place)>,
}

impl Past {
    fn of(places: &BTreeMap<DeltaId, Place>, law: &Law<'_>, delta: &Delta) -> Self {
        let founds = delta.header().is_genesis();
        let reach = law.reach(&delta.tip());
        // Governance has its turn once and for all: the roster knows what of it counts.
        let governs = founds || delta.log().plane == Plane::Governance;
        let beyond = !governs && matches!(reach, Reach::Kept | Reach::Beyond);
        let ends = law.roster.kept(delta.log());
        let before = places.get(&delta.header().prev);
        let follows =
            delta.seq().prev().is_none() || before.is_some_and(|it| it.status.is_settled());
        let mut past =
            Self { beyond, follows, ends, missing: vec![], unknown: vec![], settled: vec![] };
        // Governance waits for the one before it and for nothing else.
        let begins = delta.seq().prev().is_none();
        let count = if governs { usize::from(!begins) } else { usize::MAX };
        for tip in parents(delta.header()).take(count) {
            let place = places.get(&tip.id).filter(|place| {
                place.status.is_settled() && (place.log, place.seq) == (tip.log, tip.seq)
            });
            // Whatever is said of it, the one before in the log comes first.
            let reach = if tip.log == *delta.log() { Reach::Within } else { law.reach(&tip) };
            match (reach, place) {
                (Reach::Beyond | Reach::Kept, _) => {}
                (_, Some(place)) => past.settled.push((tip, place.clone())),
                (Reach::Within, None) => past.missing.push(tip),
                (Reach::Unknown, None) => past.unknown.push(tip),
            }
        }
        past
    }
}

fn turn(
    memory: &Memory,
    past: &Past,
    (delta, status): (&Delta, &Status),
    judge: &mut Judge<'_>,
) -> Checked {
    let header = delta.header();
    let id = delta.id();
    let calm = judge.calm.is_some();
    let parked = matches!(status, Status::Parked { .. });
    if past.beyond {
        let void = matches!(status, Status::Void { why: Void::CutOff, .. });
        // A log has its turn from the start on.
        let waits = matches!(status, Status::Parked { cause: Cause::Parent(parent), .. }
            if *parent == header.prev && !past.follows);
        let fits = (void && past.follows) || waits || (parked && !calm);
        return demand(fits, "G2", || {
            let ends = &past.ends;
            format!("{delta:?} is {status:?} and beyond {ends:?} of {:?}", header.log)
        });
    }
    let waits = |among: &[Tip]| match status {
        Status::Parked { cause: Cause::Parent(parent), .. } => {
            !calm || among.iter().any(|tip| tip.id == *parent)
        }
        _ => false,
    };
    if !past.missing.is_empty() {
        // Those that wait look again at what for once what was learnt is seen to.
        let fits = waits(&past.missing) || waits(&past.unknown) || (parked && !calm);
        let missing = &past.missing;
        return demand(fits, "S3", || {
            format!("{id:?} is {status:?}, while {missing:?} are not settled")
        });
    }
    if waits(&past.unknown) {
        return Ok(());
    }
    let earlier = past.settled.iter().all(|(_, place)| {
        place_of(status).is_none_or(|own| place.status.order().is_some_and(|at| at < own))
    });
    demand(earlier, "S4", || format!("{id:?} was settled before a parent"))?;
    let expected = expected(past, delta, judge);
    let fits = match (&expected, status) {
        (_, Status::Parked { cause: Cause::Clock(hlc), .. }) => {
            *hlc == header.hlc && is_ahead_still(judge.moment, *hlc)
        }
        (Opened::Void(_), _) | (Opened::Payload(_), Status::Applied { .. }) => {
            is_as_expected(&expected, status)
        }
        (_, Status::Parked { cause: Cause::Key(epoch), .. }) => {
            let held = Keys::rows(memory).contains_key(epoch) && judge.moment != Moment::Running;
            Some(*epoch) == header.seal.epoch() && !held
        }
        _ => is_as_expected(&expected, status),
    };
    demand(fits, "S3", || format!("{id:?} is {status:?} and should be {expected:?}"))
}

/// What becomes of a delta all of whose parents had their turn.
fn expected(past: &Past, delta: &Delta, judge: &mut Judge<'_>) -> Opened {
    let header = delta.header();
    if header.log.plane == Plane::Governance {
        return match Act::decode(delta.payload()) {
            Ok(_) => Opened::Payload(Payload::merge().into()),
            Err(Undecodable::Unknown { .. }) => Opened::Unknown,
            Err(_) => Opened::Void(Void::Unreadable),
        };
    }
    let data = past.settled.iter().filter(|(tip, _)| tip.log.plane == Plane::Data);
    let parents = data.map(|(_, place)| Parent::Settled { hlc: place.hlc });
    match void_by_past(header.hlc, parents) {
        Some(why) => Opened::Void(why),
        None if judge.mode == Mode::Replica => Opened::Payload(Payload::merge().into()),
        None => judge.payloads.open(delta, judge.keys),
    }
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
        if place.log.plane == Plane::Governance {
            continue;
        }
        let applied = matches!(place.status, Status::Applied { .. });
        let in_past = covered.contains(id);
        if applied && !in_past {
            heads.insert(*id, delta.tip());
        }
        // Who cites what is beyond a cut-off may not have it.
        let cut = matches!(place.status, Status::Void { why: Void::CutOff, .. });
        if applied || (in_past && !cut) {
            covered.extend(parents(delta.header()).map(|tip| tip.id));
        }
    }
    demand(*Heads::rows(memory) == heads, "S4", || {
        let found = Heads::rows(memory);
        let stored = found.keys().find(|id| !heads.contains_key(id));
        let other = heads.keys().find(|id| !found.contains_key(id));
        let about = stored.or(other).and_then(|id| places.get(id));
        let citing =
            deltas.values().filter(|it| parents(it.header()).any(|tip| Some(&tip.id) == stored));
        let citing = citing.map(|it| (it.id(), places.get(&it.id()).map(|it| it.status.clone())));
        let citing = citing.collect::<Vec<_>>();
        format!("{stored:?} is stored as a head, {other:?} is one: {about:?}, cited by {citing:?}")
    })
}

/// What a node remembers of its own doings fits the rest.
fn doings(memory: &Memory, own: &Own, judge: &Judge<'_>) -> Checked {
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

/// The clock is the latest of what was folded.
fn clock(memory: &Memory, own: &Own) -> Checked {
    let applied = Places::rows(memory).values().filter(|place| place.log.plane == Plane::Data);
    let applied = applied.filter(|place| matches!(place.status, Status::Applied { .. }));
    let clock = applied.map(|place| place.hlc).max().unwrap_or_default();
    demand(own.clock == clock, "B2", || format!("clock {} instead of {clock}", own.clock))
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

type Folded<'a> = Vec<(&'a Delta, std::sync::Arc<Payload>)>;

fn applied<'a>(memory: &'a Memory, judge: &mut Judge<'_>) -> Folded<'a> {
    let (places, deltas) = (Places::rows(memory), Deltas::rows(memory));
    let mut applied = Vec::new();
    for id in History::rows(memory).values() {
        let counts = places.get(id).filter(|place| place.log.plane == Plane::Data);
        let counts = counts.filter(|_| judge.mode == Mode::Full).map(|place| &place.status);
        if let (Some(Status::Applied { .. }), Some(delta)) = (counts, deltas.get(id))
            && let Opened::Payload(payload) = judge.payloads.open(delta, judge.keys)
        {
            applied.push((delta, payload));
        }
    }
    applied
}

/// Folding the history from its beginning makes the same state and the same root.
pub(crate) fn fold_again(memory: &Memory, judge: &mut Judge<'_>) -> Checked {
    if Owns::rows(memory).get(&()).is_some_and(|own| own.rebuild.is_some()) {
        return Ok(());
    }
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
