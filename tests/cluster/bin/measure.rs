//! What a node needs of time, memory and processor when it has much to keep and little to do.
//!
//! ```sh
//! cargo run --release -p mangrove-cluster --bin measure
//! ```
//! `CONTEXTS=100` with `DELTAS=1000000` in all are what it starts on, `IDLE=1000` contexts are what it keeps
//! without use, and for `SECS=30` it is looked at how it does nothing. With arguments it is the program under
//! test, so that what is measured is always what was just built.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "whoever measures reads what it prints, and a panic is the report"
)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, park_timeout};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mangrove_cluster::{Cluster, Dice, Node, Place, Plan, Port, edits, eventually};
use mangrove_config::store::{Durability as Survival, Store as Settings};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use mangrove_protocol::effect::Input;
use mangrove_protocol::graph::Status;
use mangrove_protocol::id::{ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Op, Payload, Transaction, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::{Keys, Memory, Places, Table};
use mangrove_store::{Pen, Pens};

/// Deltas that are settled in one step.
const STEP: usize = 1_000;
/// Entities of a context, over which its deltas are spread.
const ENTITIES: u64 = 1_000;
/// Bytes of what each of them sets.
const VALUE_BYTES: usize = 64;
/// How long something is left alone before it is said to rest.
const SETTLING: Duration = Duration::from_secs(5);
/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some() {
        return mangrove_cli::main();
    }
    let number =
        |name: &str, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let program = std::env::current_exe().unwrap();
    let place = Place::new(camino::Utf8PathBuf::try_from(program).unwrap());
    starting(&place, number("CONTEXTS", 100), number("DELTAS", 1_000_000));
    resting(&place, number("IDLE", 1_000));
    idling(&place, Duration::from_secs(number("SECS", 30) as u64));
    ExitCode::SUCCESS
}

/// How soon a node with much to keep is ready, after a good end and after a bad one.
fn starting(place: &Place, contexts: usize, deltas: usize) {
    let mut node = Node::start(place, Plan::new("full"));
    assert_eq!(node.stop(), Some(143));
    let began = Instant::now();
    let ids = fill(&node, contexts, deltas / contexts);
    println!("{contexts} contexts with {deltas} deltas in all: made in {:.1?}", began.elapsed());
    let least = deltas / contexts * contexts;
    start(&mut node, (&ids, least), "for the first time");
    assert_eq!(node.stop(), Some(143));
    start(&mut node, (&ids, least), "after a good end");
    for id in &ids {
        let applied = node.rpc().apply(id, &[edits::put("after", 1)]);
        applied.unwrap();
    }
    node.kill();
    start(&mut node, (&ids, least), "after kill -9");
    node.kill();
}

/// Starts a node, and prints how long that took.
fn start(node: &mut Node, (contexts, least): (&[String], usize), what: &str) {
    let began = Instant::now();
    node.restart(Port::Fresh);
    let serves = began.elapsed();
    let deltas = contexts.iter().map(|id| {
        eventually("the context is ready", LONG, || match node.rpc().context(id) {
            Ok(info) if info.state == "ready" => Ok(info.deltas),
            Ok(info) => Err(info.state),
            Err(why) => Err(why.to_string()),
        })
    });
    let deltas = deltas.sum::<u64>();
    assert!(deltas >= least as u64, "{deltas} deltas");
    let ready = began.elapsed();
    park_timeout(SETTLING);
    let memory = node.resident_bytes() >> 20;
    println!(
        "{what}: serves after {serves:.2?}, all contexts ready after {ready:.2?}; {memory} MiB"
    );
}

/// What contexts that nobody uses cost.
fn resting(place: &Place, contexts: usize) {
    let node = Node::start(place, Plan::new("idle"));
    let rpc = node.rpc();
    let create = |at: usize| rpc.create(&format!("context {at}")).unwrap();
    create(0);
    park_timeout(SETTLING);
    let one = node.resident_bytes();
    let began = Instant::now();
    (1..contexts).for_each(|at| drop(create(at)));
    let made = began.elapsed();
    park_timeout(SETTLING);
    let all = node.resident_bytes();
    let each = all.saturating_sub(one) / contexts.saturating_sub(1).max(1) as u64;
    println!(
        "1 context: {} MiB; {contexts} contexts, made in {made:.1?}: {} MiB, {} KiB each",
        one >> 20,
        all >> 20,
        each >> 10,
    );
    let (before, secs) = (node.cpu_time(), Duration::from_secs(10));
    park_timeout(secs);
    print_share("with all of them, alone and idle", node.cpu_time() - before, secs);
}

/// What a node with two peers computes while nothing happens.
fn idling(place: &Place, secs: Duration) {
    let cluster = Cluster::meet(place, Cluster::plans(3));
    park_timeout(SETTLING);
    let before = cluster.nodes.iter().map(Node::cpu_time).collect::<Vec<_>>();
    park_timeout(secs);
    for (node, before) in cluster.nodes.iter().zip(before) {
        let what = format!("{} with two peers, idle", node.name());
        print_share(&what, node.cpu_time() - before, secs);
    }
}

fn print_share(what: &str, computed: Duration, of: Duration) {
    let percent = 100.0 * computed.as_secs_f64() / of.as_secs_f64();
    println!("{what}: {percent:.2} % of a core");
}

/// Fills the home of a node that does not run with contexts, each of so many deltas.
fn fill(node: &Node, contexts: usize, deltas: usize) -> Vec<String> {
    let settings = Settings { durability: Survival::Buffered, ..Settings::default() };
    let opened = mangrove_store::open(&node.home().join("store"), &settings, None);
    let (writer, reader) = opened.unwrap();
    let (keys, pens, next) = (node.keys(), writer.pens(), AtomicUsize::new(0));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut ids = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < contexts {
            ids.push(Filling::new(&keys, &pens).fill(deltas).to_string());
        }
        ids
    };
    let ids = thread::scope(|scope| {
        let workers = (0..workers).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    drop(reader);
    writer.close();
    assert_eq!(ids.len(), contexts);
    ids
}

/// A context that is being made, without a node.
struct Filling<'a> {
    keys: &'a NodeKeys,
    context: ContextId,
    pen: Pen,
    replica: Replica,
    memory: Memory,
    dice: Dice,
    now_ms: u64,
    /// What founded it.
    genesis: Vec<Delta>,
}

impl<'a> Filling<'a> {
    fn new(keys: &'a NodeKeys, pens: &Pens) -> Self {
        let mut dice = Dice::new(None);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now_ms = u64::try_from(now.as_millis()).unwrap();
        // Long enough ago for all that follows.
        let founded_ms = now_ms - 24 * 3_600_000;
        let mut entropy = |into: &mut [u8]| fill_with(&mut dice, into);
        let genesis = found(keys, "measured", founded_ms, &mut entropy).unwrap();
        let context = ContextId::from(genesis.first().unwrap().id());
        let bounds = Bounds { arrived_bytes: 1 << 30, deltas_per_step: STEP, ..Bounds::default() };
        let config = Config {
            context,
            keys: keys.clone(),
            mode: Mode::Full,
            durability: Durability::Fsync,
            bounds,
            planted: Planted::default(),
        };
        let memory = Memory::default();
        let replica = Replica::boot(config, now_ms, &memory);
        let pen = pens.pen(context).unwrap();
        Self { keys, context, pen, replica, memory, dice, now_ms, genesis }
    }

    fn fill(mut self, deltas: usize) -> ContextId {
        self.take(self.genesis.clone());
        let epoch = Keys::rows(&self.memory).values().next().unwrap().clone();
        let mut last: Option<Delta> = None;
        let mut row = Vec::new();
        for number in 0..deltas as u64 {
            let delta = self.write(number, last.as_ref(), &epoch);
            last = Some(delta.clone());
            row.push(delta);
            if row.len() == STEP {
                self.take(std::mem::take(&mut row));
            }
        }
        self.take(row);
        let places = Places::rows(&self.memory).values();
        let applied = places.filter(|it| matches!(it.status, Status::Applied { .. })).count();
        assert_eq!(applied, deltas + self.genesis.len(), "all of them count");
        self.context
    }

    /// A delta that sets one register.
    fn write(&mut self, number: u64, before: Option<&Delta>, epoch: &EpochKey) -> Delta {
        let genesis = self.genesis.first().unwrap();
        let log = LogId {
            author: self.keys.peer(),
            authority: genesis.id().into(),
            incarnation: Incarnation::new(1),
            plane: Plane::Data,
        };
        let key = Key::new(&format!("entity/{}", number % ENTITIES)).unwrap();
        let text = format!("\"{number:0>width$}\"", width = VALUE_BYTES - 2);
        let op = Op::Put { key, value: Value::new(text.as_bytes()).unwrap() };
        let transaction = Transaction { ops: vec![op], events: Vec::new() };
        let since = Hlc::new(self.now_ms - 3_600_000, 0);
        let gov_heads = vec![self.genesis.last().unwrap().tip()];
        let draft = Draft {
            context: self.context,
            log,
            seq: before.map_or(Seq::FIRST, |it| it.seq().next()),
            prev: before.map_or(DeltaId::ZERO, Delta::id),
            deps: Vec::new(),
            gov_heads: before.is_none().then_some(gov_heads),
            hlc: Hlc::from_bits(since.bits() + number),
            suite: Suite::AesGcmSiv,
            payload: Payload::new(vec![transaction]).unwrap().encode(),
        };
        let mut nonce = [0; XCHACHA_NONCE_BYTES];
        fill_with(&mut self.dice, &mut nonce);
        seal_and_sign(draft, Some(epoch), nonce, self.keys).unwrap()
    }

    /// Lets deltas have their turn, and stores what comes of it.
    fn take(&mut self, deltas: Vec<Delta>) {
        let from = self.keys.peer();
        let mut next = Some(Input::Deltas { from, deltas });
        while let Some(input) = next.take() {
            let mut entropy = |into: &mut [u8]| fill_with(&mut self.dice, into);
            let effects = self.replica.handle(input, self.now_ms, &mut entropy, &self.memory);
            if let Some(commit) = effects.commit {
                self.memory.apply(&commit.batch);
                self.pen.commit(&commit.batch, false).unwrap().wait().unwrap();
                next = Some(Input::Committed);
            } else if effects.wake_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
                next = Some(Input::Tick);
            }
        }
    }
}

fn fill_with(dice: &mut Dice, into: &mut [u8]) {
    into.fill_with(|| u8::try_from(dice.below(256)).unwrap());
}
