//! How fast the machine of a context takes in what others wrote, on one core, its rows in memory.
#![expect(clippy::unwrap_used, reason = "a bench that cannot prepare its input has nothing to say")]

use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, seal_and_sign};
use mangrove_protocol::effect::{Effect, Input, Note};
use mangrove_protocol::id::{DeltaId, Incarnation, LogId, Plane, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::Memory;

const DELTAS: u64 = 100_000;
const BATCH: usize = 256;
const START_MS: u64 = 1_767_225_600_000;

static AUTHOR: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[7; 64]));
static READER: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[8; 64]));
static EPOCH: LazyLock<EpochKey> = LazyLock::new(|| EpochKey::from_bytes([9; 32]));
/// The genesis and the first epoch of a context that the author founds; its key is [`EPOCH`].
static FOUNDING: LazyLock<Vec<Delta>> = LazyLock::new(|| {
    let mut entropy = |bytes: &mut [u8]| bytes.fill(9);
    found(&AUTHOR, "bench", START_MS - 1, &mut entropy).unwrap()
});

fn genesis() -> &'static Delta {
    FOUNDING.first().unwrap()
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

fn reader(memory: &Memory) -> Replica {
    let config = Config {
        context: genesis().context(),
        keys: READER.clone(),
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    Replica::boot(config, START_MS, memory)
}

/// A reader who knows of the context, and what it has stored.
struct Desk {
    replica: Replica,
    memory: Memory,
    /// Deltas that were refused or asked for.
    fetched: usize,
}

impl Desk {
    fn new() -> Self {
        let memory = Memory::default();
        let mut desk = Self { replica: reader(&memory), memory, fetched: 0 };
        desk.feed(Input::Deltas { from: AUTHOR.peer(), deltas: FOUNDING.clone() });
        desk.feed(Input::Key(EPOCH.clone()));
        desk
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
        let mut desk = Desk::new();
        for batch in CHAIN.chunks(BATCH) {
            let deltas = batch.iter().cloned().chain([alien.clone()]).collect();
            desk.feed(Input::Deltas { from: AUTHOR.peer(), deltas });
        }
        assert_eq!(desk.replica.stored().0.len(), 3, "genesis, governance and data");
        assert_eq!(desk.fetched, 1);
        black_box(desk.memory)
    });
}

/// State made anew from the log, in parts, every row written again.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn make_state_anew(bencher: Bencher<'_, '_>) {
    let mut desk = Desk::new();
    desk.read_all();
    let root = desk.replica.root().clone();
    bencher.counter(ItemsCount::new(DELTAS)).bench_local(|| {
        desk.feed(Input::Rebuild);
        assert!(!desk.replica.is_rebuilding());
        assert_eq!(*desk.replica.root(), root);
    });
}

/// The damaged one is asked for once, since nobody holds what it continues.
fn is_refusal(effect: &Effect) -> bool {
    matches!(effect, Effect::Fetch { .. } | Effect::Note(Note::Refused { .. }))
}
