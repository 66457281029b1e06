//! How fast deltas are made, checked and folded, on one core.
//!
//! Targets: fold 300,000 operations a second, check and fold 12,000 one-operation deltas a second,
//! make deltas of 100 operations at 500,000 operations a second, a put on the root in 1.5 µs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot prepare its input has nothing to say")]

use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, Unverified, seal_and_sign};
use mangrove_protocol::fold::{Origin, Stamp, Table, apply};
use mangrove_protocol::id::{AuthorityId, ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Value};
use mangrove_protocol::root::{Leaf, Root};
use mangrove_protocol::seal::{EpochKey, open};

const KEYS: u64 = 1_000_000;
const DELTAS: u64 = 10_000;
const OPS: u64 = 100;

static NODE: LazyLock<NodeKeys> = LazyLock::new(|| NodeKeys::from_bytes(&[7; 64]));
static EPOCH: LazyLock<EpochKey> = LazyLock::new(|| EpochKey::from_bytes([9; 32]));
static PAYLOADS: LazyLock<Vec<(Origin, Payload)>> =
    LazyLock::new(|| (0..KEYS).map(|number| (origin(number), payload(number, 1))).collect());
static FILLED: LazyLock<(Table, Root)> = LazyLock::new(|| fold_all(&PAYLOADS));

fn main() {
    divan::main();
}

fn hash(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn origin(number: u64) -> Origin {
    let delta = DeltaId::from_bytes(hash(number));
    Origin { delta, author: NODE.peer(), hlc: Hlc::new(1_767_225_600_000 + number, 0) }
}

/// Puts of 100 bytes to keys that come in no order.
fn payload(number: u64, ops: u64) -> Payload {
    let put = |at: u64| {
        let [a, b, ..] = hash(number * ops + at);
        let key = Key::new(&format!("{a:02x}{b:02x}/{}", number * ops + at)).unwrap();
        Op::Put { key, value: Value::new(&[a; 100]).unwrap() }
    };
    let ops = (0..ops).map(put).collect();
    Payload::new(vec![Transaction { ops, events: Vec::new() }]).unwrap()
}

fn fold_all(payloads: &[(Origin, Payload)]) -> (Table, Root) {
    let (mut table, mut root) = (Table::default(), Root::empty());
    for (origin, payload) in payloads {
        black_box(apply(&mut table, &mut root, origin, payload));
    }
    (table, root)
}

fn make(number: u64, payload: Vec<u8>) -> Delta {
    let log = LogId {
        author: NODE.peer(),
        authority: AuthorityId::from_bytes([1; 32]),
        incarnation: Incarnation::new(1),
        plane: Plane::Data,
    };
    let draft = Draft {
        context: ContextId::from_bytes([2; 32]),
        log,
        seq: Seq::new(number + 2).unwrap(),
        prev: DeltaId::from_bytes([3; 32]),
        deps: Vec::new(),
        gov_heads: None,
        hlc: origin(number).hlc,
        suite: Suite::AesGcmSiv,
        payload,
    };
    seal_and_sign(draft, Some(&EPOCH), [4; 24], &NODE).unwrap()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn fold_onto_new_keys(bencher: Bencher<'_, '_>) {
    LazyLock::force(&PAYLOADS);
    bencher.counter(ItemsCount::new(KEYS)).bench(|| fold_all(&PAYLOADS));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn fold_onto_a_million_keys(bencher: Bencher<'_, '_>) {
    let later: Vec<_> = PAYLOADS
        .iter()
        .step_by(10)
        .map(|(origin, payload)| {
            (Origin { hlc: Hlc::new(1_867_225_600_000, 0), ..*origin }, payload.clone())
        })
        .collect();
    bencher
        .counter(ItemsCount::new(later.len()))
        .with_inputs(|| FILLED.clone())
        .bench_local_values(|(mut table, mut root)| {
            for (origin, payload) in &later {
                black_box(apply(&mut table, &mut root, origin, payload));
            }
            (table, root)
        });
}

/// Deltas as they come from a stranger, onto a million keys. One in the middle is damaged: a run that
/// did not catch it measured nothing.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn verify_open_and_fold(bencher: Bencher<'_, '_>) {
    let made = (0..DELTAS).map(|number| make(number, payload(number, 1).encode()));
    let mut received: Vec<_> = made.map(|delta| delta.bytes().to_vec()).collect();
    let damaged = received.get_mut(5_000).and_then(|bytes| bytes.last_mut()).unwrap();
    *damaged ^= 1;
    bencher.counter(ItemsCount::new(DELTAS)).with_inputs(|| FILLED.clone()).bench_local_values(
        |(mut table, mut root)| {
            let folded = received.iter().filter(|bytes| take(&mut table, &mut root, bytes));
            assert_eq!(folded.count() as u64, DELTAS - 1);
            (table, root)
        },
    );
}

/// Checks, opens and folds a delta; whether it is one.
fn take(table: &mut Table, root: &mut Root, bytes: &[u8]) -> bool {
    let Ok(delta) = Unverified::parse(bytes).unwrap().verify() else { return false };
    let payload = Payload::decode(&open(&delta, &EPOCH).unwrap()).unwrap();
    let (delta, header) = (delta.id(), delta.header());
    let origin = Origin { delta, author: header.log.author, hlc: header.hlc };
    black_box(apply(table, root, &origin, &payload));
    true
}

#[divan::bench(sample_count = 20, sample_size = 100)]
fn build_seal_and_sign_100_ops(bencher: Bencher<'_, '_>) {
    let payload = payload(1, OPS);
    bencher.counter(ItemsCount::new(OPS)).bench(|| make(1, black_box(&payload).encode()));
}

#[divan::bench(sample_count = 20, sample_size = 10_000)]
fn root_overwrite(bencher: Bencher<'_, '_>) {
    let (key, value) = (Key::new("some/key").unwrap(), Value::new(&[1; 100]).unwrap());
    let stamp = |op| Stamp { hlc: Hlc::new(1, 0), delta: DeltaId::from_bytes([1; 32]), op };
    let (before, after) = (stamp(1), stamp(2));
    let mut root = Root::empty();
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        root.replace(
            Some(Leaf::Register { key: &key, value: &value, stamp: black_box(&before) }),
            Some(Leaf::Register { key: &key, value: &value, stamp: black_box(&after) }),
        );
    });
}

#[divan::bench(sample_count = 20, sample_size = 1_000)]
fn root_digest(bencher: Bencher<'_, '_>) {
    let root = Root::empty();
    bencher.bench(|| black_box(&root).digest());
}
