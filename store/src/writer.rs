//! The one that writes: a thread that puts everything that waits into one batch, syncs it once, and says
//! what is durable.
//!
//! ```text
//! contexts ──▶ bounded queue ──▶ writer: gather · write · sync ──▶ a proof for each
//! ```
//! A full queue makes the context wait. While the disk is full, or nearly, commits are refused and reads go
//! on. A disk that fills up in spite of that leaves the end of the log in doubt: the database is opened anew,
//! and every context has to be. Any other failure is for good: nothing is confirmed after it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mangrove_config::failpoint;
use mangrove_config::store::Durability;
use mangrove_protocol::effect::Durable;
use rocksdb::{FlushOptions, WriteBatch, WriteOptions};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::batch::Change;
use crate::contexts::{ContextRow, Contexts};
use crate::db::Db;
use crate::error::WriteError;
use crate::lock::Lock;
use crate::queue::{Job, Order, Queue};
use crate::schema::{Family, Meta};
use crate::shared::{MIB, Shared, Slot, is_said_to_be_full};
use crate::value;

/// Commits that are written together.
const MOST_TOGETHER: usize = 1_024;
/// Bytes of them.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Room on the disk, beside the log and what is in memory, that there has to be before the database is opened
/// anew.
const ROOM_TO_OPEN_MIB: u64 = 16;
/// Bytes in memory that are moved to tables when it is quiet. Fewer are cheaper to keep than a table is.
const WORTH_A_TABLE: u64 = 2 * MIB;
/// So often it is looked whether nobody reads just now, before readers are kept waiting.
const MOST_PATIENCE: u32 = 50;
/// How long those who still read are waited for, before it is tried again later.
const READERS_MS: u64 = 5_000;
/// How often it is looked whether there is room again.
const LOOK_MS: u64 = 200;
/// So long it is taken for granted that there still is the room that was found.
const FOUND: Duration = Duration::from_millis(LOOK_MS);

/// Before anything of a group is written.
const BEFORE: &str = "store.before_write";
/// After a group was written and synced, before anybody is told.
const AFTER: &str = "store.after_write";
/// The sync fails.
const SYNC_FAILS: &str = "store.sync_fails";
/// Acknowledges without syncing: a planted fault, which the tests of power loss must notice.
const SKIP_SYNC: &str = "store.skip_sync";

/// The places where a test can end the process around a commit.
pub const STEPS: [&str; 2] = [BEFORE, AFTER];

/// A proof that a commit is durable. Made here alone, after the sync.
#[derive(Debug)]
pub struct Proof(());

impl Durable for Proof {}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Thread {
    shared: Arc<Shared>,
    orders: mpsc::Receiver<Order>,
    /// The disk filled up while something was written: how the log ends shows when it is opened anew.
    in_doubt: bool,
    /// When room was found on the disk last. Asking takes as long as a tenth of a commit does, so it is done after one
    /// is answered, for the next.
    room_found: Option<Instant>,
    /// How often it may still be tried to find nobody reading.
    patience: u32,
    /// Commits there had been when it was last looked whether it is quiet.
    before_rest: u64,
    /// Bytes there had been written when they were last moved to tables because it was quiet.
    in_tables: u64,
    /// Held until the database is closed.
    _lock: Lock,
}

impl Thread {
    /// Starts it.
    pub(crate) fn start(
        shared: Arc<Shared>,
        lock: Lock,
    ) -> std::io::Result<(Queue, JoinHandle<()>)> {
        let most = usize::try_from(shared.settings.queue).unwrap_or(usize::MAX);
        let (queue, orders) = mpsc::channel(most);
        let thread = Self {
            shared,
            orders,
            in_doubt: false,
            room_found: None,
            patience: MOST_PATIENCE,
            before_rest: 0,
            in_tables: 0,
            _lock: lock,
        };
        let builder = std::thread::Builder::new().name("store-writer".to_owned());
        Ok((queue, builder.spawn(move || thread.run())?))
    }

    fn run(mut self) {
        let _watch = Watch(Arc::clone(&self.shared));
        while let Some(order) = self.next() {
            let first = match order {
                Order::Commit(first) => first,
                Order::Rest => {
                    self.rest();
                    continue;
                }
                Order::Stop => break,
            };
            let mut bytes = first.asked.changes.bytes();
            let (mut group, mut stops) = (vec![first], false);
            while group.len() < MOST_TOGETHER && bytes < MOST_BYTES && !stops {
                match self.orders.try_recv() {
                    Ok(Order::Commit(job)) => {
                        bytes += job.asked.changes.bytes();
                        group.push(job);
                    }
                    Ok(Order::Stop) => stops = true,
                    // It is not quiet.
                    Ok(Order::Rest) => {}
                    Err(_) => break,
                }
            }
            self.commit(group, bytes);
            if stops {
                break;
            }
        }
        self.close();
    }

    /// If it has been quiet, what is in memory is moved to tables, unless it is not worth a table.
    fn rest(&mut self) {
        let commits = self.shared.metrics.commits.get();
        let is_quiet = std::mem::replace(&mut self.before_rest, commits) == commits;
        let bytes = self.shared.metrics.bytes.get();
        if !is_quiet || bytes - self.in_tables < WORTH_A_TABLE {
            return;
        }
        let room = self.shared.settings.memory_mib * MIB;
        if self.shared.pulse.check().is_err() || !self.shared.has_room(room) {
            return;
        }
        let Ok(db) = self.shared.db() else { return };
        self.in_tables = bytes;
        if let Err(why) = begin_flush(&db) {
            tracing::warn!(why, "what was written could not be moved to tables");
        }
    }

    /// The next order. While the disk is full it is looked now and then whether there is room again.
    fn next(&mut self) -> Option<Order> {
        loop {
            if self.shared.pulse.check() != Err(WriteError::Full) {
                return self.orders.blocking_recv();
            }
            match self.orders.try_recv() {
                Ok(order) => return Some(order),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {
                    std::thread::park_timeout(Duration::from_millis(LOOK_MS));
                    // What it says is for whoever hands in something.
                    self.make_ready().ok();
                }
            }
        }
    }

    /// Makes a group durable, or says why it is not.
    fn commit(&mut self, group: Vec<Job>, bytes: usize) {
        let metrics = self.shared.metrics.clone();
        let begun = Instant::now();
        if let Err(why) = self.make_ready() {
            metrics.refused.inc_by(group.len() as u64);
            return answer(group, &Err(why));
        }
        let openings = self.shared.openings();
        let (stale, group): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|job| job.asked.openings != openings);
        answer(stale, &Err(WriteError::Stale));
        if group.is_empty() {
            return;
        }
        let written = self.write(&group);
        match &written {
            Ok(()) => {
                let count = group.len() as u64;
                metrics.commits.inc_by(count);
                metrics.bytes.inc_by(bytes as u64);
                #[expect(clippy::cast_precision_loss, reason = "a group is small")]
                metrics.group.observe(count as f64);
                metrics.seconds.observe(begun.elapsed().as_secs_f64());
                self.describe(&group);
            }
            Err(_) => {
                metrics.refused.inc_by(group.len() as u64);
            }
        }
        answer(group, &written);
        if self.room_found.is_none_or(|found| found.elapsed() > FOUND / 4) {
            self.room_found = self.shared.finds_room(0).then(Instant::now);
        }
    }

    /// What was durably said of contexts is known from now on.
    fn describe(&self, group: &[Job]) {
        for job in group {
            let id = job.claim.id();
            let known = self.shared.contexts.read().get(&id);
            let becomes = self.becomes(job);
            if becomes == known {
                continue;
            }
            let mut contexts = self.shared.contexts.write();
            match becomes {
                Some(row) => contexts.put(id, row),
                None => contexts.remove(&id),
            }
        }
    }

    /// What is known of a context once a commit of it is durable.
    fn becomes(&self, job: &Job) -> Option<ContextRow> {
        job.asked.becomes.of(self.shared.contexts.read().begun(&job.claim.id())?)
    }

    /// Whether anything can be written; opens the database anew if that has to be done first.
    fn make_ready(&mut self) -> Result<(), WriteError> {
        if let Err(why @ WriteError::Failed(_)) = self.shared.pulse.check() {
            return Err(why);
        }
        if !self.has_room() {
            self.shared.pulse.set_full(true);
            return Err(WriteError::Full);
        }
        if self.in_doubt {
            self.reopen()?;
            self.in_doubt = false;
        }
        self.shared.pulse.set_full(false);
        Ok(())
    }

    /// Whether there is room to write, and to open the database anew if that has to be done first.
    fn has_room(&self) -> bool {
        let settings = &self.shared.settings;
        let to_open = settings.wal_mib + settings.memory_mib + ROOM_TO_OPEN_MIB;
        match self.room_found {
            _ if self.in_doubt => self.shared.has_room(to_open * MIB),
            Some(found) if found.elapsed() < FOUND => !is_said_to_be_full(),
            _ => self.shared.has_room(0),
        }
    }

    fn write(&mut self, group: &[Job]) -> Result<(), WriteError> {
        let db = self.shared.db().map_err(|_| WriteError::Closed)?;
        let batch = self.gather(&db, group).map_err(|why| self.fail(&why))?;
        let durability = self.shared.settings.durability;
        let mut sync =
            durability == Durability::Fsync || group.iter().any(|job| job.asked.must_sync);
        sync &= failpoint::global().fire::<bool>(SKIP_SYNC, None) != Some(true);
        failpoint::step(BEFORE).map_err(|why| self.fail(&why.to_string()))?;
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        let written = db.rocks.write_opt(batch, &options);
        drop(db);
        if let Err(why) = written {
            return Err(self.not_written(why.as_ref()));
        }
        failpoint::step(SYNC_FAILS).map_err(|why| self.fail(&why.to_string()))?;
        failpoint::step(AFTER).map_err(|why| self.fail(&why.to_string()))
    }

    /// All changes of a group, and what has to be said of its contexts.
    fn gather(&self, db: &Db, group: &[Job]) -> Result<WriteBatch, String> {
        let families = db.families().map_err(|why| why.to_string())?;
        let mut batch = WriteBatch::default();
        for change in group.iter().flat_map(|job| &job.asked.changes.0) {
            match change {
                Change::Put(family, key, value) => batch.put_cf(families.of(*family), key, value),
                Change::Remove(family, key) => batch.delete_cf(families.of(*family), key),
                Change::RemoveRange(family, from, until) => {
                    batch.delete_range_cf(families.of(*family), from, until);
                }
            }
        }
        let meta = families.of(Family::Meta);
        let cipher = self.shared.cipher.as_ref();
        for job in group {
            let id = job.claim.id();
            let known = self.shared.contexts.read().get(&id);
            let key = Meta::Context(id.as_bytes()).key();
            match self.becomes(job) {
                becomes if becomes == known => {}
                Some(row) => {
                    batch.put_cf(meta, &key, value::write(&row, &key, cipher));
                    let (key, next) = (Meta::NextContext.key(), self.shared.contexts.read().next());
                    batch.put_cf(meta, &key, value::write(&next, &key, cipher));
                }
                None => batch.delete_cf(meta, &key),
            }
        }
        Ok(batch)
    }

    /// What a failed write means.
    fn not_written(&mut self, why: &str) -> WriteError {
        if !is_full(why) {
            return self.fail(why);
        }
        self.in_doubt = true;
        self.shared.pulse.set_full(true);
        WriteError::Full
    }

    fn fail(&self, why: &str) -> WriteError {
        self.shared.pulse.condemn(why);
        WriteError::Failed(why.to_owned())
    }

    /// Closes the database and opens it again, so that it is known how its log ends. Reads go on with what there
    /// is until nobody reads for a moment; only if that does not come are new ones kept waiting.
    fn reopen(&mut self) -> Result<(), WriteError> {
        let shared = Arc::clone(&self.shared);
        let Shared { folder, settings, memory, cipher, slot, contexts, .. } = &*shared;
        if let Some(db) = self.take_database() {
            drop(db?);
        }
        let opened = Db::open(folder, settings, memory, cipher.clone());
        let db = opened.map_err(|why| match is_full(why.as_ref()) {
            true => WriteError::Full,
            false => {
                *slot.write() = Slot::Closed;
                self.fail(why.as_ref())
            }
        })?;
        // What was not acknowledged may have been written all the same.
        let found = Contexts::load(&db).map_err(|why| {
            *slot.write() = Slot::Closed;
            self.fail(&why.to_string())
        })?;
        contexts.write().renew(found);
        *slot.write() = Slot::Open(Arc::new(db));
        tracing::warn!("the database was opened anew after the disk was full");
        Ok(())
    }

    /// The database, once nobody else has it; nothing if it is not open.
    fn take_database(&mut self) -> Option<Result<Db, WriteError>> {
        let slot = &self.shared.slot;
        let mut open = slot.write();
        let Slot::Open(db) = &*open else { return None };
        let is_read = Arc::strong_count(db) > 1;
        if is_read && self.patience > 0 {
            self.patience -= 1;
            return Some(Err(WriteError::Full));
        }
        self.patience = MOST_PATIENCE;
        let Slot::Open(db) = std::mem::replace(&mut *open, Slot::Reopening) else { return None };
        drop(open);
        Some(last_of(db).map_err(|db| {
            tracing::warn!("the database is not opened anew while somebody reads");
            *slot.write() = Slot::Open(db);
            WriteError::Full
        }))
    }

    /// Nothing more comes. What waits is told so. What was written is moved to tables, so that after a clean
    /// stop there is no log that could be damaged.
    fn close(mut self) {
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Commit(job) = order {
                answer(vec![job], &Err(WriteError::Closed));
            }
        }
        let before = std::mem::replace(&mut *self.shared.slot.write(), Slot::Closed);
        let Slot::Open(db) = before else { return };
        let failed = self.shared.pulse.check().is_err();
        if !failed && let Err(why) = flush(&db) {
            tracing::warn!(why, "what was written could not be moved to tables");
        }
        match last_of(db) {
            Ok(db) => db.rocks.cancel_all_background_work(true),
            Err(_) => tracing::warn!("the database is closed while somebody reads"),
        }
    }
}

/// Sees the thread end as it should not.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.pulse.condemn("the writer has panicked");
        }
    }
}

fn flush(db: &Db) -> Result<(), String> {
    db.rocks.flush_wal(true).map_err(|why| why.to_string())?;
    flush_with(db, &FlushOptions::default())
}

/// The same, without waiting for it.
fn begin_flush(db: &Db) -> Result<(), String> {
    let mut options = FlushOptions::default();
    options.set_wait(false);
    flush_with(db, &options)
}

fn flush_with(db: &Db, options: &FlushOptions) -> Result<(), String> {
    let families = db.families().map_err(|why| why.to_string())?;
    db.rocks.flush_cfs_opt(&families.all(), options).map_err(|why| why.to_string())
}

/// The only one who holds it, once all others have let go.
fn last_of(mut db: Arc<Db>) -> Result<Db, Arc<Db>> {
    let until = Instant::now() + Duration::from_millis(READERS_MS);
    while Instant::now() < until {
        db = match Arc::try_unwrap(db) {
            Ok(db) => return Ok(db),
            Err(db) => db,
        };
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Err(db)
}

fn answer(group: Vec<Job>, written: &Result<(), WriteError>) {
    for job in group {
        job.answer(written.clone().map(|()| Proof(())));
    }
}

fn is_full(why: &str) -> bool {
    why.contains("No space left on device") || why.contains("Disk quota exceeded")
}
