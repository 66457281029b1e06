//! What the tables of one context must say to each other, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::Header;
use mangrove_protocol::fold;
use mangrove_protocol::graph::{Cause, Place, Status, Void, parents};
use mangrove_protocol::id::{DeltaId, LogId, Plane, Seq, Tip};
use mangrove_protocol::log::{Tips, Vector};
use mangrove_protocol::replica::Durability;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::root::Root;
use mangrove_protocol::view::{
    Counters, Deltas, Entries, Feed, Heads, History, Items, Leaning, Logs, Memory, Outbox, Owns,
    Places, Registers, RequestAges, Requests, Roots, Sets, Table, View, Waiting, every,
};

use crate::crank::Crank;
use crate::model::State;

fn all<T: Table>(memory: &Memory) -> BTreeMap<T::Key, T::Row> {
    every::<T, _>(memory).collect()
}

/// State as the rows show it.
pub(crate) fn visible(memory: &Memory) -> State {
    let mut state = State::default();
    for (key, row) in all::<Registers>(memory) {
        state.registers.insert(key, (row.value, row.stamp, row.author));
    }
    for (key, row) in all::<Counters>(memory) {
        state.counters.insert(key, (row.sum, row.touched));
    }
    for (key, row) in all::<Sets>(memory) {
        state.sets.insert(key, (row.items, row.touched));
    }
    for (at, row) in all::<Items>(memory) {
        assert!(!row.is_empty(), "empty rows are dropped");
        if row.is_visible() {
            state.items.insert(at, row.dots);
        }
    }
    state
}

pub(crate) fn root(memory: &Memory) -> Root {
    memory.get::<Roots>(&()).unwrap_or_else(Root::empty)
}

pub(crate) fn heads(memory: &Memory) -> BTreeSet<DeltaId> {
    all::<Heads>(memory).into_keys().collect()
}

pub(crate) fn voids(memory: &Memory) -> BTreeMap<DeltaId, Void> {
    let void = |(id, place): (_, Place)| match place.status {
        Status::Void { why, .. } => Some((id, why)),
        _ => None,
    };
    all::<Places>(memory).into_iter().filter_map(void).collect()
}

pub(crate) fn parked(memory: &Memory) -> BTreeMap<DeltaId, Cause> {
    let parked = |(id, place): (_, Place)| match place.status {
        Status::Parked { cause, .. } => Some((id, cause)),
        _ => None,
    };
    all::<Places>(memory).into_iter().filter_map(parked).collect()
}

/// The data deltas that count.
pub(crate) fn applied(memory: &Memory) -> BTreeSet<DeltaId> {
    let is_applied = |(_, place): &(_, Place)| matches!(place.status, Status::Applied { .. });
    let places = all::<Places>(memory).into_iter().filter(is_applied);
    let data = places.filter(|(_, place)| place.log.plane == Plane::Data);
    data.map(|(id, _)| id).collect()
}

pub(crate) fn status(memory: &Memory, id: DeltaId) -> Option<Status> {
    memory.get::<Places>(&id).map(|place| place.status)
}

/// Checks what must hold between the tables, and what must hold of the mirror in memory: a replica
/// that wakes from them is like the one that wrote them.
pub(crate) fn check(crank: &Crank) {
    assert!(!crank.is_in_flight(), "what is in flight is in memory and not in the tables");
    let stored = Stored::read(&crank.memory);
    stored.check_places();
    stored.check_chains();
    stored.check_waiting(crank);
    stored.check_order();
    stored.check_heads();
    stored.check_state(crank);
    stored.check_own(&crank.memory);
    check_parking(crank, &stored);
    check_mirror(crank);
}

struct Stored {
    deltas: BTreeMap<DeltaId, mangrove_protocol::delta::Delta>,
    places: BTreeMap<DeltaId, Place>,
    entries: BTreeSet<(LogId, Seq, DeltaId)>,
    logs: BTreeMap<LogId, mangrove_protocol::log::LogRow>,
    waiting: BTreeSet<(Cause, DeltaId)>,
    history: BTreeMap<u64, DeltaId>,
    heads: BTreeMap<DeltaId, Tip>,
    leaning: BTreeSet<LogId>,
    own: Own,
}

impl Stored {
    fn read(memory: &Memory) -> Self {
        Self {
            deltas: all::<Deltas>(memory),
            places: all::<Places>(memory),
            entries: all::<Entries>(memory).into_keys().collect(),
            logs: all::<Logs>(memory),
            waiting: all::<Waiting>(memory).into_keys().collect(),
            history: all::<History>(memory),
            heads: all::<Heads>(memory),
            leaning: all::<Leaning>(memory).into_keys().collect(),
            own: memory.get::<Owns>(&()).unwrap_or_default(),
        }
    }

    /// Every stored delta has a place, which says of it what it says of itself, and an entry.
    fn check_places(&self) {
        assert!(self.deltas.keys().eq(self.places.keys()), "deltas and places");
        let mut entries = BTreeSet::new();
        for (id, delta) in &self.deltas {
            let (place, header) = (&self.places[id], delta.header());
            assert_eq!(delta.id(), *id);
            assert_eq!((place.log, place.seq, place.prev), (header.log, header.seq, header.prev));
            assert_eq!((place.hlc, place.bytes), (header.hlc, delta.bytes().len() as u64));
            entries.insert((place.log, place.seq, *id));
        }
        assert_eq!(self.entries, entries, "entries");
    }

    /// The chain of every stored delta is held, and the logs end where they do.
    fn check_chains(&self) {
        for (id, place) in &self.places {
            let Some(before) = place.seq.prev() else { continue };
            let prev = self.places.get(&place.prev);
            let prev = prev.unwrap_or_else(|| panic!("the chain before {id:?} is not held"));
            assert_eq!((prev.log, prev.seq), (place.log, before));
        }
        for (log, row) in &self.logs {
            assert_eq!(row.stored, self.tips(log, |_| true), "stored tips");
            assert_eq!(row.applied, self.tips(log, Status::is_settled), "applied tips");
            assert!(row.cited || !row.stored.is_empty(), "a log of which nothing is known");
        }
        assert!(self.places.values().all(|place| self.logs.contains_key(&place.log)));
    }

    fn tips(&self, log: &LogId, counts: impl Fn(&Status) -> bool) -> Tips {
        let of_log = |place: &&Place| place.log == *log && counts(&place.status);
        let continued: BTreeSet<_> =
            self.places.values().filter(of_log).map(|place| place.prev).collect();
        let mut tips = Tips::default();
        for (id, place) in self.places.iter().filter(|(_, place)| of_log(place)) {
            if !continued.contains(id) {
                tips.extend(DeltaId::ZERO, place.seq, *id);
            }
        }
        tips
    }

    /// Whether settled deltas may have a parent in this log that nobody waits for.
    fn leans_on(&self, log: &LogId) -> bool {
        self.leaning.contains(log)
    }

    fn is_cut_off(&self, id: &DeltaId) -> bool {
        matches!(self.places[id].status, Status::Void { why: Void::CutOff, .. })
    }

    fn is_settled(&self, id: DeltaId) -> bool {
        self.places.get(&id).is_some_and(|place| place.status.is_settled())
    }

    /// Whether the delta of that name had its turn at that place.
    fn stands(&self, tip: &Tip) -> bool {
        let place = self.places.get(&tip.id).filter(|place| place.status.is_settled());
        place.is_some_and(|place| (place.log, place.seq) == (tip.log, tip.seq))
    }

    /// What is parked waits for its cause and nothing else, and could not go on.
    fn check_waiting(&self, crank: &Crank) {
        let mut waiting = BTreeSet::new();
        for (id, place) in &self.places {
            let Status::Parked { cause, .. } = place.status else { continue };
            waiting.insert((cause, *id));
            let header = self.deltas[id].header();
            let waits = |parent: &Tip| !self.stands(parent) && !self.leans_on(&parent.log);
            let first = due_before(header).find(waits);
            match (cause, first) {
                (Cause::Parent(parent), first) => {
                    let cited = due_before(header).any(|it| it.id == parent);
                    // Parents that nobody waits for are passed over; of which there are none where
                    // everything that was ever begun goes on.
                    let all = due_before(header).find(|parent| !self.stands(parent));
                    let first = [first, all].iter().flatten().any(|it| it.id == parent);
                    let fine = first || crank.has_more_governance();
                    assert!(cited && fine, "{id:?} waits for {parent:?}");
                }
                (Cause::Clock(hlc), None) => assert_eq!(hlc, place.hlc),
                (Cause::Key(epoch), None) => assert_eq!(Some(epoch), header.seal.epoch()),
                (Cause::Version, None) => {}
                (cause, Some(parent)) => panic!("{id:?} waits for {cause:?}, not {parent:?}"),
            }
        }
        assert_eq!(self.waiting, waiting, "waiting");
    }

    /// History is causal and complete.
    fn check_order(&self) {
        assert!(self.history.keys().copied().eq(0..self.own.settled), "history has no gaps");
        let at = |place: &Place| match place.status {
            Status::Applied { order } | Status::Void { order, .. } => Some(order),
            Status::Parked { .. } => None,
        };
        let mut settled = BTreeMap::new();
        for (id, place) in &self.places {
            let Some(order) = at(place) else { continue };
            settled.insert(order, *id);
            for parent in due_before(self.deltas[id].header()) {
                let before = self.places.get(&parent.id).and_then(at);
                let fine = before.is_some_and(|before| before < order);
                let excused = self.is_cut_off(id) || self.leans_on(&parent.log);
                assert!(fine || excused, "{id:?} before a parent");
            }
        }
        assert_eq!(self.history, settled, "history");
    }

    /// Heads are what the definition says: applied, and in the past of no other applied one, through
    /// void ones as well.
    fn check_heads(&self) {
        let applied = |id: &DeltaId| {
            let counts = |it: &Place| matches!(it.status, Status::Applied { .. });
            self.places.get(id).is_some_and(|it| counts(it) && it.log.plane == Plane::Data)
        };
        let mut covered = BTreeSet::new();
        let past = |id: &DeltaId| parents(self.deltas[id].header()).map(|tip| tip.id);
        let mut follow: Vec<_> =
            self.places.keys().filter(|id| applied(id)).flat_map(past).collect();
        while let Some(id) = follow.pop() {
            let stands = self.is_settled(id) && !self.is_cut_off(&id);
            if covered.insert(id) && stands {
                follow.extend(past(&id));
            }
        }
        let expect = self.places.keys().filter(|id| applied(id) && !covered.contains(id));
        let expect: BTreeMap<_, _> = expect.map(|id| (*id, self.deltas[id].tip())).collect();
        assert_eq!(self.heads, expect, "heads");
    }

    /// Rows and root are those of a fold from nothing, and the clock is that of what counts.
    fn check_state(&self, crank: &Crank) {
        let memory = &crank.memory;
        let (table, refolded) = fold::refold(memory).unwrap();
        assert_eq!(*table.registers(), all::<Registers>(memory));
        assert_eq!(*table.counters(), all::<Counters>(memory));
        assert_eq!(*table.sets(), all::<Sets>(memory));
        let flat = |(key, items): (&mangrove_protocol::op::Key, &BTreeMap<_, _>)| {
            let at = |(item, row): (&_, &_)| ((key.clone(), Clone::clone(item)), Clone::clone(row));
            items.iter().map(at).collect::<Vec<_>>()
        };
        assert_eq!(
            table.items().iter().flat_map(flat).collect::<BTreeMap<_, _>>(),
            all::<Items>(memory)
        );
        let state = visible(memory);
        assert_eq!(state, State::shown(&table));
        assert_eq!(root(memory), refolded, "incremental equals full");
        assert_eq!(root(memory), state.root(), "the root is that of the rows");
        let counts = self.places.values().filter(|it| matches!(it.status, Status::Applied { .. }));
        let counts = counts.filter(|it| it.log.plane == Plane::Data);
        assert_eq!(self.own.clock, counts.map(|it| it.hlc).max().unwrap_or(Hlc::ZERO), "own clock");
    }

    /// The feed, the outbox and the answers.
    fn check_own(&self, memory: &Memory) {
        assert!(all::<Feed>(memory).into_keys().eq(0..self.own.feed), "the feed has no gaps");
        assert!(all::<Outbox>(memory).keys().all(|id| self.is_settled(*id)), "outbox");
        let ages = all::<RequestAges>(memory);
        for (id, row) in all::<Requests>(memory) {
            assert!(ages.contains_key(&(row.at_ms, id)), "an answer that is never forgotten");
            assert!(self.is_settled(row.delta));
        }
    }
}

/// The parents whose turn comes first: of governance only the one before it in its log.
fn due_before(header: &Header) -> impl Iterator<Item = Tip> {
    let (governs, begins) = (header.log.plane == Plane::Governance, header.seq.prev().is_none());
    let count = if governs { usize::from(!begins) } else { usize::MAX };
    parents(header).take(count)
}

/// What waits is within its bounds.
fn check_parking(crank: &Crank, stored: &Stored) {
    let mut by_member: BTreeMap<_, u64> = BTreeMap::new();
    for place in stored.places.values().filter(|place| !place.status.is_settled()) {
        *by_member.entry(place.log.author).or_default() += place.bytes;
    }
    let bounds = crank.config.bounds;
    assert!(by_member.values().sum::<u64>() <= bounds.parked_bytes);
    assert!(by_member.values().all(|bytes| *bytes <= bounds.parked_bytes_per_member));
}

/// The part of a replica's own description that stands under `name`.
fn part(crank: &Crank, name: &str) -> String {
    let text = format!("{:?}", crank.replica);
    let (_, rest) = text.split_once(&format!(" {name}: ")).unwrap();
    let mut depth = 0;
    let end = rest.find(|c| {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && c == ','
    });
    rest.get(..end.unwrap()).unwrap().to_owned()
}

fn check_vectors(Vector(ours): &Vector, Vector(woken): &Vector) {
    for log in ours.keys().chain(woken.keys()) {
        assert_eq!(ours.get(log), woken.get(log), "{log:?}");
    }
}

/// What a replica keeps in memory is what it would read from the store.
fn check_mirror(crank: &Crank) {
    // As if everything had been synced: otherwise a start has doubts of its own.
    let mut woken = crank.copy();
    woken.config.durability = Durability::Fsync;
    woken.reboot();
    for name in ["root", "logs", "parking"] {
        assert_eq!(part(crank, name), part(&woken, name), "{name}");
    }
    let own = [&woken, &crank.copy()].map(|woken| part(woken, "own"));
    let ours = part(crank, "own");
    assert!(own.contains(&ours), "{ours}\n{}\n{}", own[0], own[1]);
    assert_eq!(crank.replica.root(), &root(&crank.memory));
    check_vectors(&crank.replica.stored(), &woken.replica.stored());
    check_vectors(&crank.replica.applied(), &woken.replica.applied());
}
