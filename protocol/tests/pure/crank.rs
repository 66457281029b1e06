//! A replica turned by hand: its inputs, its commits and its restarts, one at a time.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, seal_and_sign};
use mangrove_protocol::effect::{Commit, Durable, Effect, Effects, Input, Note, ReplyTo};
use mangrove_protocol::id::{ContextId, DeltaId, Incarnation, LogId, Plane, Seq, Tip};
use mangrove_protocol::op::{Key, Op};
use mangrove_protocol::overlay::Layer;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica};
use mangrove_protocol::request::{Condition, Edit, Fault, Request, RequestId, Written};
use mangrove_protocol::view::{Batch, Memory, Owns, View};

use crate::founding::Founding;
use crate::make::{epoch, key, keys, payload_of, size, value};

/// When tests begin.
pub(crate) const NOW_MS: u64 = 1_767_225_600_000;
/// More steps than any one input takes to come to rest.
const STEPS: usize = 10_000;

/// Numbers that look random and are the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, rolled: 0 }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.rolled += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(&self.rolled.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        size(u64::from_le_bytes(bytes) % (bound.max(1) as u64))
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// What only a store hands out elsewhere.
#[derive(Debug)]
struct Synced;

impl Durable for Synced {}

pub(crate) fn context() -> ContextId {
    FOUNDING.context
}

/// Everybody with a seed up to this is a writer; others are strangers.
pub(crate) const LAST_MEMBER: u8 = 80;

/// The governance that tests begin with.
pub(crate) static FOUNDING: LazyLock<Founding> = LazyLock::new(Founding::new);

thread_local! {
    /// What each node holds at the beginning.
    static BEGINNINGS: RefCell<BTreeMap<u8, Memory>> = const { RefCell::new(BTreeMap::new()) };
}

fn beginning(config: &Config) -> Memory {
    let node = keys_seed(config);
    if let Some(known) = BEGINNINGS.with_borrow(|known| known.get(&node).cloned()) {
        return known;
    }
    let config = Config { mode: Mode::Full, bounds: boundless(), ..config.clone() };
    let mut crank = Crank::empty(Config { planted: Planted::default(), ..config });
    crank.now_ms -= 60_000;
    crank.give(&FOUNDING.deltas);
    let memory = crank.memory;
    BEGINNINGS.with_borrow_mut(|known| known.insert(node, memory.clone()));
    memory
}

/// The node with this seed as it would be in production, with a key to write under.
pub(crate) fn config(node: u8) -> Config {
    Config {
        context: context(),
        keys: keys(node),
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    }
}

/// Room for everything.
pub(crate) fn boundless() -> Bounds {
    Bounds {
        writes: usize::MAX,
        write_bytes: u64::MAX / 2,
        arrived_bytes: u64::MAX / 2,
        deltas_per_step: 64,
        loose_bytes: u64::MAX / 2,
        parked_bytes_per_member: u64::MAX / 2,
        parked_bytes: u64::MAX / 2,
        logs_per_authority: usize::MAX,
        governance_per_member: usize::MAX,
        decisions: usize::MAX,
        writes_ahead: 24,
    }
}

/// One node with its store and its clock.
#[derive(Debug)]
pub(crate) struct Crank {
    pub(crate) config: Config,
    pub(crate) memory: Memory,
    pub(crate) replica: Replica,
    pub(crate) now_ms: u64,
    pub(crate) wake_at_ms: Option<u64>,
    dice: Dice,
    flights: VecDeque<Commit>,
    pub(crate) commits: usize,
}

impl Crank {
    /// A node that knows who may do what, and nothing else.
    pub(crate) fn new(config: Config) -> Self {
        let memory = beginning(&config);
        Self { memory, ..Self::empty(config) }.rebooted()
    }

    fn rebooted(mut self) -> Self {
        self.reboot();
        self
    }

    /// A node that knows nothing.
    pub(crate) fn empty(config: Config) -> Self {
        let (memory, now_ms) = (Memory::default(), NOW_MS);
        let replica = Replica::boot(config.clone(), now_ms, &memory);
        // Seeded by the node, so that two nodes never mint the same incarnation by accident.
        let seed = u64::from(keys_seed(&config));
        let dice = Dice::new(seed);
        Self {
            config,
            memory,
            replica,
            now_ms,
            wake_at_ms: None,
            dice,
            flights: VecDeque::new(),
            commits: 0,
        }
    }

    /// The node with this seed.
    pub(crate) fn of(node: u8) -> Self {
        Self::new(config(node))
    }

    /// One input. What it wants written is left in flight.
    pub(crate) fn put(&mut self, input: Input) -> Vec<Effect> {
        let dice = &mut self.dice;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let nothing = Batch::default();
        let view = self.flights.front().map_or(&nothing, |commit| &commit.batch);
        let view = Layer::new(&self.memory, view);
        let is_turn = matches!(input, Input::Committed | Input::Ahead);
        let effects = self.replica.handle(input, self.now_ms, &mut entropy, &view);
        let Effects { commit, behind, now, wake_at_ms } = effects;
        self.wake_at_ms = wake_at_ms;
        if let Some(last) = self.flights.back_mut() {
            last.held.join(behind);
            assert!(commit.is_none() || is_turn, "one commit at a time, unless it is made ahead");
        }
        if let Some(commit) = commit {
            assert!(!commit.batch.is_empty(), "nothing to write is no commit");
            self.flights.push_back(commit);
            assert!(self.flights.len() <= 2, "one commit ahead of another at most");
        }
        now
    }

    /// Whether the commit in flight is durable only when synced.
    pub(crate) fn must_sync(&self) -> bool {
        self.flights.front().is_some_and(|commit| commit.must_sync)
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Commits on their way.
    pub(crate) fn flights(&self) -> usize {
        self.flights.len()
    }

    /// The oldest commit in flight is durable: what it held, without telling the replica yet.
    pub(crate) fn land(&mut self) -> Vec<Effect> {
        let commit = self.flights.pop_front().expect("a commit in flight");
        self.memory.apply(&commit.batch);
        self.commits += 1;
        commit.held.release(&Synced)
    }

    /// The same, and tells it, which may begin the next one.
    pub(crate) fn commit(&mut self) -> Vec<Effect> {
        let mut out = self.land();
        out.extend(self.put(Input::Committed));
        out
    }

    /// Goes on until nothing is in flight and nothing is due.
    pub(crate) fn rest(&mut self) -> Vec<Effect> {
        let mut out = Vec::new();
        for _ in 0..STEPS {
            if self.is_in_flight() {
                out.extend(self.commit());
            } else if self.wake_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
                out.extend(self.put(Input::Tick));
            } else {
                return out;
            }
        }
        panic!("never comes to rest");
    }

    /// One input and all that follows from it.
    pub(crate) fn feed(&mut self, input: Input) -> Vec<Effect> {
        let mut out = self.put(input);
        out.extend(self.rest());
        out
    }

    /// Deltas from nobody in particular.
    pub(crate) fn give(&mut self, deltas: &[Delta]) -> Vec<Effect> {
        self.feed(arrival(deltas))
    }

    pub(crate) fn give_one(&mut self, delta: &Delta) -> Vec<Effect> {
        self.give(std::slice::from_ref(delta))
    }

    /// The process ends, and whatever is not durable with it, and starts again.
    pub(crate) fn reboot(&mut self) {
        self.flights.clear();
        self.wake_at_ms = None;
        self.replica = Replica::boot(self.config.clone(), self.now_ms, &self.memory);
    }

    /// A node with the same identity whose store is gone.
    pub(crate) fn wiped(&self) -> Self {
        let dice = Dice::new(self.dice.seed ^ 0xdead);
        Self { dice, now_ms: self.now_ms, ..Self::new(self.config.clone()) }
    }

    /// The same node with what is stored at this moment, to be restored later.
    pub(crate) fn copy(&self) -> Self {
        let replica = Replica::boot(self.config.clone(), self.now_ms, &self.memory);
        let (config, memory, dice) = (self.config.clone(), self.memory.clone(), self.dice.clone());
        let Self { now_ms, commits, .. } = *self;
        Self {
            config,
            memory,
            replica,
            now_ms,
            wake_at_ms: None,
            dice,
            flights: VecDeque::new(),
            commits,
        }
    }

    /// One call, answered.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Written, Fault> {
        let out = self.feed(write(0, request));
        let [answer] = answers(&out)[..] else { panic!("not one answer: {out:?}") };
        answer.1.clone()
    }

    /// One call that must succeed.
    pub(crate) fn edit(&mut self, edits: Vec<Edit>) -> Written {
        self.ask(call(edits)).unwrap()
    }

    /// Whether more was decided than at the beginning, so that there may be logs that end.
    pub(crate) fn has_more_governance(&self) -> bool {
        let governance = self.replica.governance().0;
        let held = governance.values().flatten().map(|(seq, _)| seq.get()).sum::<u64>();
        held > FOUNDING.deltas.len() as u64
    }

    /// The log that it writes, as far as that is stored.
    pub(crate) fn own_incarnation(&self) -> Option<Incarnation> {
        self.memory.get::<Owns>(&())?.incarnation
    }
}

fn keys_seed(config: &Config) -> u8 {
    config.keys.peer().as_bytes()[0]
}

pub(crate) fn arrival(deltas: &[Delta]) -> Input {
    Input::Deltas { from: keys(LAST_MEMBER).peer(), deltas: deltas.to_vec() }
}

pub(crate) fn write(to: u64, request: Request) -> Input {
    Input::Write { request, reply: ReplyTo(to) }
}

/// An unconditional call without an id.
pub(crate) fn call(edits: Vec<Edit>) -> Request {
    Request { id: None, edits, conditions: Vec::new() }
}

pub(crate) fn named(name: &str, edits: Vec<Edit>) -> Request {
    let id = RequestId { scope: "app".to_owned(), name: name.to_owned() };
    Request { id: Some(id), ..call(edits) }
}

pub(crate) fn on_condition(conditions: Vec<Condition>, edits: Vec<Edit>) -> Request {
    Request { conditions, ..call(edits) }
}

pub(crate) fn put(at: &str, text: &str) -> Edit {
    Edit::Put(key(at), value(text))
}

pub(crate) fn answers(out: &[Effect]) -> Vec<(u64, &Result<Written, Fault>)> {
    let answer = |effect| match effect {
        &Effect::Reply { to, ref answer } => Some((to.0, answer)),
        _ => None,
    };
    out.iter().filter_map(answer).collect()
}

pub(crate) fn published(out: &[Effect]) -> Vec<&Delta> {
    let mut deltas = Vec::new();
    for effect in out {
        deltas.extend(if let Effect::Publish(delta) = effect { Some(delta) } else { None });
    }
    deltas
}

pub(crate) fn fetched(out: &[Effect]) -> Vec<Tip> {
    let wanted = |effect: &Effect| match effect {
        Effect::Fetch { wanted, .. } => Some(*wanted),
        _ => None,
    };
    out.iter().filter_map(wanted).collect()
}

pub(crate) fn notes(out: &[Effect]) -> Vec<&Note> {
    let mut notes = Vec::new();
    for effect in out {
        notes.extend(if let Effect::Note(note) = effect { Some(note) } else { None });
    }
    notes
}

/// A log of this author, in this life.
pub(crate) fn log_of(author: u8, life: u64) -> LogId {
    LogId {
        author: keys(author).peer(),
        authority: FOUNDING.authority(author),
        incarnation: Incarnation::new(life),
        plane: Plane::Data,
    }
}

/// What another node writes, outside any replica: whatever it likes.
#[derive(Debug, Clone)]
pub(crate) struct Pen {
    pub(crate) author: u8,
    pub(crate) life: u64,
    pub(crate) prev: Option<Tip>,
    pub(crate) deps: Vec<Tip>,
    pub(crate) hlc: Hlc,
    pub(crate) epoch: u8,
    pub(crate) payload: Vec<u8>,
}

impl Pen {
    /// The first delta of a log, at this many ms after the tests begin.
    pub(crate) fn new(author: u8, at_ms: u64) -> Self {
        let payload = payload_of(vec![Op::Increment { key: key("n"), by: 1 }]).encode();
        let (life, hlc) = (1, Hlc::new(NOW_MS + at_ms, 0));
        Self { author, life, prev: None, deps: Vec::new(), hlc, epoch: 1, payload }
    }

    /// The next one of the same log.
    pub(crate) fn after(&self, delta: &Delta) -> Self {
        let hlc = Hlc::from_bits(self.hlc.bits() + 1);
        Self { prev: Some(delta.tip()), deps: Vec::new(), hlc, ..self.clone() }
    }

    pub(crate) fn life(self, life: u64) -> Self {
        Self { life, ..self }
    }

    pub(crate) fn citing(mut self, deltas: &[&Delta]) -> Self {
        self.deps.extend(deltas.iter().map(|delta| delta.tip()));
        self
    }

    pub(crate) fn at(self, at_ms: u64) -> Self {
        Self { hlc: Hlc::new(NOW_MS + at_ms, 0), ..self }
    }

    pub(crate) fn under(self, epoch: u8) -> Self {
        Self { epoch, ..self }
    }

    pub(crate) fn saying(self, ops: Vec<Op>) -> Self {
        Self { payload: payload_of(ops).encode(), ..self }
    }

    pub(crate) fn bytes(self, payload: Vec<u8>) -> Self {
        Self { payload, ..self }
    }

    /// Makes it as long as this.
    pub(crate) fn long(self, bytes: usize) -> Self {
        let put = Op::Put { key: key("long"), value: value(&"x".repeat(bytes)) };
        self.saying(vec![put])
    }

    pub(crate) fn log(&self) -> LogId {
        log_of(self.author, self.life)
    }

    pub(crate) fn draft(&self) -> Draft {
        let mut deps = self.deps.clone();
        deps.sort_unstable();
        deps.dedup();
        Draft {
            context: context(),
            log: self.log(),
            seq: self.prev.map_or(Seq::FIRST, |tip| tip.seq.next()),
            prev: self.prev.map_or(DeltaId::ZERO, |tip| tip.id),
            deps,
            gov_heads: None,
            hlc: self.hlc,
            suite: Suite::AesGcmSiv,
            payload: self.payload.clone(),
        }
    }

    pub(crate) fn write(&self) -> Delta {
        // Fresh for what differs; the cipher forgives what does not.
        let mut nonce = [0; 24];
        let what = [&self.payload[..], &self.hlc.bits().to_le_bytes()].concat();
        blake3::Hasher::new().update(&what).finalize_xof().fill(&mut nonce);
        seal_and_sign(self.draft(), Some(&epoch(self.epoch)), nonce, &keys(self.author)).unwrap()
    }
}

impl Pen {
    /// The same in another log, said to be written under some governance.
    pub(crate) fn write_as(&self, log: LogId, gov_heads: Option<Vec<Tip>>) -> Delta {
        let draft = Draft { log, gov_heads, ..self.draft() };
        let mut nonce = [0; 24];
        blake3::Hasher::new().update(&self.payload).finalize_xof().fill(&mut nonce);
        seal_and_sign(draft, Some(&epoch(self.epoch)), nonce, &keys(self.author)).unwrap()
    }
}

/// As many deltas of one log as asked for, a millisecond apart.
pub(crate) fn chain(first: Pen, count: usize) -> Vec<Delta> {
    let mut pen = first;
    let mut deltas = vec![pen.write()];
    while deltas.len() < count {
        pen = pen.after(deltas.last().unwrap());
        deltas.push(pen.write());
    }
    deltas
}

/// The keys that tests use.
pub(crate) fn some_key(number: usize) -> Key {
    key(&format!("k{number}"))
}
