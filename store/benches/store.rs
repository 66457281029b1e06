//! What the store costs, beside bare RocksDB in the same run: `cargo bench -p mangrove-store`.
//!
//! Each figure is the median of several rounds; ours and the bare one take turns.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot prepare its input has nothing to say, and what it says it prints"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::graph::{Place, Status};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId, Seq};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::view::{Batch, Deltas, Entries, History, Memory, Places, Registers};
use mangrove_store::{Pen, Writer, open};
use rocksdb::{DB, Options, WriteBatch, WriteOptions};
use tokio::runtime::Builder;

const ROUNDS: usize = 5;
const FOR: Duration = Duration::from_millis(1_500);
const READ_ROWS: u64 = 200_000;
const HOME_ROWS: u64 = 1_000_000;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("fill") => fill(arguments[2].as_str().into(), arguments[3].parse().unwrap(), true),
        Some("reads") => reads(),
        Some("opening") => opening(),
        Some("idle") => println!("{}", idle(arguments[2].as_str().into())),
        _ => {
            writes(64);
            writes(1_024);
            reads();
            opening();
        }
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(folder: &tempfile::TempDir) -> &Utf8Path {
    Utf8Path::from_path(folder.path()).unwrap()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn context(number: u64) -> ContextId {
    ContextId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn row(number: u64) -> (Key, Register) {
    let key = Key::new(&format!("some/entity/{:08}", number * 7_919 % READ_ROWS)).unwrap();
    let mut bytes = [0; 100];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let stamp = Stamp { hlc: Hlc::new(number, 0), delta: DeltaId::ZERO, op: 0 };
    let author = PeerId::from_bytes([1; 32]);
    (key, Register { value: Some(Value::new(&bytes).unwrap()), stamp, author })
}

fn keys() -> NodeKeys {
    NodeKeys::from_bytes(&[7; 64])
}

fn put(number: u64) -> Batch {
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    let (key, row) = row(number);
    over.put::<Registers>(key, row);
    over.into_batch()
}

/// Batches of one put, each synced before it counts, with so many outstanding.
fn writes(outstanding: u64) {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(our_writes(outstanding));
        bare.push(bare_writes(outstanding));
    }
    let (ours, bare) = (median(ours), median(bare));
    println!("synced batches of one put, {outstanding:>5} outstanding: {ours:>9.0}/s");
    println!(
        "  bare RocksDB, batches of {outstanding:>5} puts, synced:  {bare:>9.0}/s, {:.2}x",
        bare / ours
    );
}

fn our_writes(outstanding: u64) -> f64 {
    let folder = folder();
    let (writer, _reader) = open(path(&folder), &Settings::default(), None).unwrap();
    let pens: Vec<_> = (0..outstanding).map(|at| writer.pen(context(at)).unwrap()).collect();
    let runtime = Builder::new_current_thread().build().unwrap();
    let begun = Instant::now();
    let count = runtime.block_on(async {
        let tasks: Vec<_> =
            pens.into_iter().enumerate().map(|(at, pen)| caller(pen, at as u64, begun)).collect();
        let mut set = tokio::task::JoinSet::new();
        tasks.into_iter().for_each(|task| {
            set.spawn(task);
        });
        set.join_all().await.into_iter().sum::<u64>()
    });
    count as f64 / begun.elapsed().as_secs_f64()
}

/// One commit after another, each once the one before is durable.
async fn caller(pen: Pen, at: u64, begun: Instant) -> u64 {
    let mut count = 0;
    while begun.elapsed() < FOR {
        pen.commit(&put(at * 1_000_003 + count), false).unwrap().await.unwrap();
        count += 1;
    }
    count
}

fn bare_writes(outstanding: u64) -> f64 {
    let folder = folder();
    let mut options = Options::default();
    options.create_if_missing(true);
    let database = DB::open(&options, folder.path()).unwrap();
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < FOR {
        let mut batch = WriteBatch::default();
        for _ in 0..outstanding {
            let (key, row) = row(count);
            batch.put(key.as_str(), row.value.unwrap().as_bytes());
            count += 1;
        }
        database.write_opt(batch, &synced).unwrap();
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Reads of one row each, all of which are cached.
fn reads() {
    let folder = folder();
    let settings = Settings { memory_mib: 256, ..Settings::default() };
    let (writer, _reader) = open(path(&folder), &settings, None).unwrap();
    let pen = writer.pen(context(1)).unwrap();
    commit_all(&pen, READ_ROWS, |over, at| {
        let (key, row) = row(at);
        over.put::<Registers>(key, row);
    });
    drop(pen);
    writer.close();
    // Opening moves everything to tables, where the bare one has it too.
    let (_writer, reader) = open(path(&folder), &settings, None).unwrap();
    let bare_folder = self::folder();
    let mut options = Options::default();
    options.create_if_missing(true);
    let mut table = rocksdb::BlockBasedOptions::default();
    table.set_block_cache(&rocksdb::Cache::new_lru_cache(128 << 20));
    table.set_bloom_filter(10.0, false);
    options.set_block_based_table_factory(&table);
    let database = DB::open(&options, bare_folder.path()).unwrap();
    for at in 0..READ_ROWS {
        let (key, row) = row(at);
        database.put(key.as_str(), row.value.unwrap().as_bytes()).unwrap();
    }
    database.flush().unwrap();
    let (mut ours, mut fresh, mut held, mut bare) = (vec![], vec![], vec![], vec![]);
    let keys: Vec<_> = (0..READ_ROWS).map(|at| row(at * 31).0).collect();
    let reading = reader.begin().unwrap();
    for _ in 0..ROUNDS {
        let id = context(1);
        ours.push(per_second(&keys, |key| {
            reading.get::<Registers>(&id, key).unwrap().unwrap();
        }));
        fresh.push(per_second(&keys, |key| {
            let snapshot = reading.context(&id).unwrap();
            snapshot.get::<Registers>(key).unwrap().unwrap();
        }));
        let snapshot = reading.context(&context(1)).unwrap();
        held.push(per_second(&keys, |key| {
            snapshot.get::<Registers>(key).unwrap().unwrap();
        }));
        bare.push(per_second(&keys, |key| {
            database.get_pinned(key.as_str()).unwrap().unwrap();
        }));
    }
    let [ours, fresh, held, bare] = [ours, fresh, held, bare].map(median);
    let share =
        |figure: f64| format!("{figure:>9.0}/s, {:.0} % of a bare get", 100.0 * figure / bare);
    println!("point reads:                   {}", share(ours));
    println!("point reads, a snapshot each:  {}", share(fresh));
    println!("point reads, one snapshot:     {}", share(held));
    println!("  bare RocksDB:                {bare:>9.0}/s");
}

fn per_second(keys: &[Key], read: impl Fn(&Key)) -> f64 {
    let begun = Instant::now();
    keys.iter().for_each(read);
    keys.len() as f64 / begun.elapsed().as_secs_f64()
}

fn commit_all(pen: &Pen, rows: u64, put: impl Fn(&mut Overlay<'_, Memory>, u64)) {
    let nothing = Memory::default();
    for page in 0..rows.div_ceil(1_000) {
        let mut over = Overlay::new(&nothing);
        (page * 1_000..rows.min(page * 1_000 + 1_000)).for_each(|at| put(&mut over, at));
        pen.commit(&over.into_batch(), false).unwrap().wait().unwrap();
    }
}

/// A home with the rows of so many deltas. Killed, it ends as it is.
fn fill(path: &Utf8Path, deltas: u64, kill: bool) {
    let (writer, _reader): (Writer, _) = open(path, &Settings::default(), None).unwrap();
    let pen = writer.pen(context(1)).unwrap();
    // Opening never reads them one by one: the same bytes stand for all.
    let delta = found(&keys(), "home", 1, &mut |bytes: &mut [u8]| bytes.fill(1)).unwrap().remove(0);
    commit_all(&pen, deltas, |over, at| {
        let id = DeltaId::from_bytes(*blake3::hash(&at.to_le_bytes()).as_bytes());
        let (log, seq) = (*delta.log(), Seq::new(at + 1).unwrap());
        let status = Status::Applied { order: at };
        let (prev, hlc) = (DeltaId::ZERO, Hlc::new(at, 0));
        over.put::<Deltas>(id, delta.clone());
        over.put::<Places>(id, Place { log, seq, prev, hlc, bytes: 300, told: true, status });
        over.put::<Entries>((log, seq, id), ());
        over.put::<History>(at, id);
        let (_, row) = row(at);
        over.put::<Registers>(Key::new(&format!("{at}")).unwrap(), row);
    });
    if kill {
        std::process::abort();
    }
    drop(pen);
    writer.close();
}

fn opening() {
    let folder = folder();
    fill(path(&folder), HOME_ROWS, false);
    let clean = (0..ROUNDS).map(|_| opened(path(&folder))).collect();
    println!("opening a home of {HOME_ROWS} deltas:       {:>5.0} ms", median(clean));
    let me = std::env::current_exe().unwrap();
    let killed = (0..ROUNDS).map(|round| {
        let more = (HOME_ROWS / 10 + round as u64 * 13_000).to_string();
        let mut child = Command::new(&me);
        child.args(["fill", path(&folder).as_str(), &more]).stderr(Stdio::null());
        assert!(!child.status().unwrap().success());
        opened(path(&folder))
    });
    println!("the same after the process was killed: {:>5.0} ms", median(killed.collect()));
    let empty = self::folder();
    drop(open(path(&empty), &Settings::default(), None).unwrap());
    let output = Command::new(&me).args(["idle", path(&empty).as_str()]).output().unwrap();
    println!("memory of an idle store: {} KiB", String::from_utf8_lossy(&output.stdout).trim());
    let output = Command::new(&me).args(["idle", path(&folder).as_str()]).output().unwrap();
    println!(
        "the same over {HOME_ROWS} deltas: {} KiB",
        String::from_utf8_lossy(&output.stdout).trim()
    );
}

fn opened(path: &Utf8Path) -> f64 {
    let begun = Instant::now();
    let (writer, reader) = open(path, &Settings::default(), None).unwrap();
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&context(1)).unwrap();
    assert!(snapshot.get::<History>(&0).unwrap().is_some());
    let config = Config {
        context: context(1),
        keys: keys(),
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    std::hint::black_box(Replica::boot(config, 1, &snapshot));
    let taken = begun.elapsed().as_secs_f64() * 1_000.0;
    drop(snapshot);
    drop(reading);
    writer.close();
    taken
}

/// KiB of memory that opening a store adds to a process.
fn idle(path: &Utf8Path) -> u64 {
    let before = resident();
    let _open = open(path, &Settings::default(), None).unwrap();
    std::thread::park_timeout(Duration::from_millis(500));
    resident() - before
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
