//! How fast the machine of a context takes in what others wrote, on one core, its rows in memory.
#![expect(clippy::unwrap_used, reason = "a bench that cannot prepare its input has nothing to say")]

use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, seal_and_sign};
use mangrove_protocol::effect::{Effect, Input, Note};
use mangrove_protocol::id::{AuthorityId, ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Replica};
use mangrove_protocol::roster::Roster;
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::Memory;

const DELTAS: u64 = 100_000;
const BATCH: usize = 256;
const START_MS: u64 = 1_767_225_600_000;

static AUTHOR: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[7; 64]));
static READER: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[8; 64]));
static EPOCH: LazyLock<EpochKey> = LazyLock::new(|| EpochKey::from_bytes([9; 32]));
const AUTHORITY: AuthorityId = AuthorityId::from_bytes([1; 32]);
const CONTEXT: ContextId = ContextId::from_bytes([2; 32]);

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
        context: CONTEXT,
        log: LogId {
            author: AUTHOR.peer(),
            authority: AUTHORITY,
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
        context: CONTEXT,
        keys: READER.clone(),
        roster: Roster::fixed([AUTHOR.peer(), READER.peer()].map(|peer| (peer, AUTHORITY))),
        epochs: vec![EPOCH.clone()],
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    Replica::boot(config, START_MS, memory)
}

/// Deltas known to be authentic, to the last row written. One in the middle comes damaged as well:
/// it must be told apart.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn take_in_one_log(bencher: Bencher<'_, '_>) {
    let chain = LazyLock::force(&CHAIN);
    let alien = make(5_000, DeltaId::from_bytes([3; 32]));
    bencher.counter(ItemsCount::new(DELTAS)).bench_local(|| {
        let mut memory = Memory::default();
        let mut replica = reader(&memory);
        let mut entropy = |bytes: &mut [u8]| bytes.fill(5);
        let mut fetched = 0;
        for batch in chain.chunks(BATCH) {
            let deltas = batch.iter().cloned().chain([alien.clone()]).collect();
            let input = Input::Deltas { from: AUTHOR.peer(), deltas };
            let mut next = Some(input);
            while let Some(input) = next.take() {
                let effects = replica.handle(input, START_MS + DELTAS, &mut entropy, &memory);
                fetched += effects.now.iter().filter(|effect| is_refusal(effect)).count();
                if let Some(commit) = effects.commit {
                    memory.apply(&commit.batch);
                    next = Some(Input::Committed);
                }
            }
        }
        assert_eq!(replica.stored().0.len(), 1);
        assert_eq!(fetched, 1);
        black_box(memory)
    });
}

/// The damaged one is asked for once, since nobody holds what it continues.
fn is_refusal(effect: &Effect) -> bool {
    matches!(effect, Effect::Fetch { .. } | Effect::Note(Note::Refused { .. }))
}
