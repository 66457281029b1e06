//! How fast the machine of a context takes in what others wrote, on one core, its rows in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot prepare its input has nothing to say"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, seal_and_sign};
use mangrove_protocol::effect::{Effect, Input, Note, ReplyTo};
use mangrove_protocol::governance::{Command, Role, SignedKem};
use mangrove_protocol::id::{ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{self, Bounds, Durability, Mode, Replica, found};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::sync::desk::{Action, Config, Desk, Event, Room};
use mangrove_protocol::sync::{Link, Message, Offence};
use mangrove_protocol::view::{Deltas, Memory, Table};

const DELTAS: u64 = 100_000;
const BATCH: usize = 256;
const START_MS: u64 = 1_767_225_600_000;

static AUTHOR: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[7; 64]));
static READER: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[8; 64]));
static SOURCE: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[6; 64]));
static EPOCH: LazyLock<EpochKey> = LazyLock::new(|| EpochKey::from_bytes([9; 32]));
/// The genesis and the first epoch of a context that the author founds; its key is [`EPOCH`]. Two
/// others are let in.
static FOUNDING: LazyLock<Vec<Delta>> = LazyLock::new(|| {
    let mut entropy = |bytes: &mut [u8]| bytes.fill(9);
    let mut founding = found(&AUTHOR, "bench", START_MS - 1, &mut entropy).unwrap();
    let context = founding.first().unwrap().context();
    let memory = Memory::default();
    let mut author = Reader { replica: boot(context, &AUTHOR, &memory), memory, fetched: 0 };
    author.feed(Input::Deltas { from: AUTHOR.peer(), deltas: founding.clone() });
    for member in [&*READER, &*SOURCE] {
        let kem = SignedKem { key: *member.kem_public().as_bytes(), signature: member.sign_kem() };
        let command = Command::Grant { member: member.peer(), kem, role: Role::Writer };
        author.feed(Input::Decide { command, reply: ReplyTo(1) });
    }
    let known: Vec<_> = founding.iter().map(Delta::id).collect();
    let all = Deltas::rows(&author.memory).values();
    founding.extend(all.filter(|delta| !known.contains(&delta.id())).cloned());
    founding.sort_by_key(|delta| (*delta.log(), delta.seq()));
    founding
});

fn genesis() -> &'static Delta {
    FOUNDING.iter().find(|delta| delta.seq() == Seq::FIRST).unwrap()
}

fn main() {
    divan::main();
}

/// One log of one-op deltas, each to a key of its own.
static CHAIN: LazyLock<Vec<Delta>> = LazyLock::new(|| {
    let mut prev = DeltaId::ZERO;
    let mut chain = Vec::new();
    for number in 1..=DELTAS {
        let delta = make(number, prev);
        prev = delta.id();
        chain.push(delta);
    }
    chain
});

fn make(number: u64, prev: DeltaId) -> Delta {
    let [a, b, ..] = *blake3::hash(&number.to_le_bytes()).as_bytes();
    let key = Key::new(&format!("{a:02x}{b:02x}/{number}")).unwrap();
    let ops = vec![Op::Put { key, value: Value::new(&[a; 100]).unwrap() }];
    let payload = Payload::new(vec![Transaction { ops, events: Vec::new() }]).unwrap();
    let draft = Draft {
        context: genesis().context(),
        log: LogId {
            author: AUTHOR.peer(),
            authority: genesis().id().into(),
            incarnation: Incarnation::new(1),
            plane: Plane::Data,
        },
        seq: Seq::new(number).unwrap(),
        prev,
        deps: Vec::new(),
        gov_heads: None,
        hlc: Hlc::new(START_MS + number, 0),
        suite: Suite::AesGcmSiv,
        payload: payload.encode(),
    };
    seal_and_sign(draft, Some(&EPOCH), [4; 24], &AUTHOR).unwrap()
}

fn boot(context: ContextId, keys: &NodeKeys, memory: &Memory) -> Replica {
    let config = replica::Config {
        context,
        keys: keys.clone(),
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    Replica::boot(config, START_MS, memory)
}

/// A reader who knows of the context, and what it has stored.
struct Reader {
    replica: Replica,
    memory: Memory,
    /// Deltas that were refused or asked for.
    fetched: usize,
}

impl Reader {
    fn new(keys: &NodeKeys) -> Self {
        let memory = Memory::default();
        let mut reader =
            Self { replica: boot(genesis().context(), keys, &memory), memory, fetched: 0 };
        reader.feed(Input::Deltas { from: AUTHOR.peer(), deltas: FOUNDING.clone() });
        reader.feed(Input::Key(EPOCH.clone()));
        reader
    }

    /// One input, and all that follows from it, to the last row written.
    fn feed(&mut self, input: Input) {
        let mut entropy = |bytes: &mut [u8]| bytes.fill(5);
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let now_ms = START_MS + DELTAS;
            let effects = self.replica.handle(input, now_ms, &mut entropy, &self.memory);
            self.fetched += effects.now.iter().filter(|effect| is_refusal(effect)).count();
            if let Some(commit) = effects.commit {
                self.memory.apply(&commit.batch);
                next = Some(Input::Committed);
            } else if self.replica.is_rebuilding() {
                next = Some(Input::Tick);
            }
        }
    }

    fn read_all(&mut self) {
        for batch in CHAIN.chunks(BATCH) {
            self.feed(Input::Deltas { from: AUTHOR.peer(), deltas: batch.to_vec() });
        }
    }
}

/// Deltas known to be authentic, to the last row written. One in the middle comes damaged as well:
/// it must be told apart.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn take_in_one_log(bencher: Bencher<'_, '_>) {
    LazyLock::force(&CHAIN);
    let alien = make(5_000, DeltaId::from_bytes([3; 32]));
    bencher.counter(ItemsCount::new(DELTAS)).bench_local(|| {
        let mut reader = Reader::new(&READER);
        for batch in CHAIN.chunks(BATCH) {
            let deltas = batch.iter().cloned().chain([alien.clone()]).collect();
            reader.feed(Input::Deltas { from: AUTHOR.peer(), deltas });
        }
        assert_eq!(reader.replica.stored().0.len(), 4, "genesis, governance twice and data");
        assert_eq!(reader.fetched, 1);
        black_box(reader.memory)
    });
}

/// State made anew from the log, in parts, every row written again.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn make_state_anew(bencher: Bencher<'_, '_>) {
    let mut reader = Reader::new(&READER);
    reader.read_all();
    let root = reader.replica.root().clone();
    bencher.counter(ItemsCount::new(DELTAS)).bench_local(|| {
        reader.feed(Input::Rebuild);
        assert!(!reader.replica.is_rebuilding());
        assert_eq!(*reader.replica.root(), root);
    });
}

/// A reader with a desk, and where its sessions lead.
struct Node {
    reader: Reader,
    desk: Desk,
}

impl Node {
    fn new(keys: &NodeKeys) -> Self {
        let (context, us) = (genesis().context(), keys.peer());
        let (room, planted) = (Room::default(), Planted::default());
        Self { reader: Reader::new(keys), desk: Desk::new(Config { context, us, room, planted }) }
    }
}

/// Two nodes of which one catches up with the other, every message in its bytes.
struct Pair {
    nodes: [Node; 2],
    /// On its way: to whom, in which session there, and what.
    queue: VecDeque<(usize, Event)>,
    /// The sessions of each, by those of the other.
    links: BTreeMap<(usize, Link), Link>,
    dice: u8,
    /// After so many batches one is damaged.
    damage_at: usize,
}

impl Pair {
    fn new() -> Self {
        let mut nodes = [Node::new(&READER), Node::new(&SOURCE)];
        nodes[1].reader.read_all();
        let (queue, links) = (VecDeque::new(), BTreeMap::new());
        Self { nodes, queue, links, dice: 0, damage_at: 100 }
    }

    fn catch_up(&mut self) {
        self.queue.push_back((0, Event::Met(SOURCE.peer())));
        while let Some((at, event)) = self.queue.pop_front() {
            self.dice = self.dice.wrapping_add(1);
            let dice = self.dice;
            let mut entropy = |bytes: &mut [u8]| bytes.fill(dice);
            let Node { reader, desk } = &mut self.nodes[at];
            let state = (&reader.replica, &reader.memory);
            for action in desk.handle(event, 1, &mut entropy, state) {
                self.act(at, action);
            }
        }
    }

    fn act(&mut self, at: usize, action: Action) {
        let other = 1 - at;
        match action {
            Action::Open(_, link) => {
                let theirs = self.nodes[other].desk.next_link();
                self.links.insert((at, link), theirs);
                self.links.insert((other, theirs), link);
                let from = if at == 0 { READER.peer() } else { SOURCE.peer() };
                self.queue.push_back((other, Event::Accepted(from, theirs)));
            }
            Action::Send(link, mut message) => {
                if let Message::Batch { deltas } = &mut message {
                    self.damage_at = self.damage_at.wrapping_sub(1);
                    if self.damage_at == 0 {
                        let middle = deltas.len() / 2;
                        *deltas[middle].last_chunk_mut::<80>().unwrap().first_mut().unwrap() ^= 1;
                    }
                }
                let theirs = self.links[&(at, link)];
                self.queue.push_back((other, Event::Heard(theirs, message.encode())));
                self.queue.push_back((at, Event::Sent(link)));
            }
            Action::Deliver(from, deltas) => {
                self.nodes[at].reader.feed(Input::Deltas { from, deltas });
                self.queue.push_back((at, Event::Moved));
            }
            Action::Agreed(with) => self.nodes[at].reader.feed(Input::Agreed { with }),
            Action::Close(_) | Action::Ended(..) | Action::Later(_) | Action::Disconnect(_) => {}
        }
    }
}

/// One node gets 100,000 deltas of one log from another, from the first message to the last row. One
/// comes damaged: it and what follows it are not taken, until they are asked for once more.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn catch_up_over_sessions(bencher: Bencher<'_, '_>) {
    LazyLock::force(&CHAIN);
    bencher.counter(ItemsCount::new(DELTAS)).with_inputs(Pair::new).bench_local_values(
        |mut pair| {
            pair.catch_up();
            let damaged = pair.nodes[0].desk.ledger().count(SOURCE.peer(), Offence::Withheld);
            assert!(damaged > 0, "the damaged one is found out");
            pair.catch_up();
            let [one, other] = &pair.nodes;
            assert_eq!(one.reader.replica.stored(), other.reader.replica.stored());
            assert_eq!(one.reader.replica.root(), other.reader.replica.root());
            black_box(pair)
        },
    );
}

/// The damaged one is asked for once, since nobody holds what it continues.
fn is_refusal(effect: &Effect) -> bool {
    matches!(effect, Effect::Fetch { .. } | Effect::Note(Note::Refused { .. }))
}
