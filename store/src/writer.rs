//! The one that writes: a thread that puts everything that waits into one batch, syncs it once, and says
//! what is durable.
//!
//! ```text
//! contexts ──▶ bounded queue ──▶ writer: gather · write · sync ──▶ a proof for each
//! ```
//! A full queue makes the context wait. While the disk is full, or nearly, commits are refused and reads go
//! on. A disk that fills up in spite of that leaves the end of the log in doubt: the database is opened anew,
//! and every context has to be. Any other failure is for good: nothing is confirmed after it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mangrove_config::failpoint;
use mangrove_config::store::Durability;
use mangrove_protocol::effect::Durable;
use mangrove_protocol::id::ContextId;
use rocksdb::{WriteBatch, WriteOptions};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Change, Changes};
use crate::contexts::{ContextRow, Contexts};
use crate::db::Db;
use crate::error::WriteError;
use crate::lock::Lock;
use crate::schema::Family;
use crate::shared::{Shared, Slot};

/// Commits that are written together.
const MOST_TOGETHER: usize = 1_024;
/// Bytes of them.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Room on the disk that there has to be before the database is opened anew.
const ROOM_TO_OPEN: u64 = 16 * 1024 * 1024;
/// How long readers are waited for before the database is opened anew.
const READERS_MS: u64 = 10_000;

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

/// What will come of a commit.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Proof, WriteError>>);

impl Receipt {
    /// Waits for it, on a thread that may wait.
    pub fn wait(self) -> Result<Proof, WriteError> {
        self.0.blocking_recv().unwrap_or(Err(WriteError::Closed))
    }
}

impl Future for Receipt {
    type Output = Result<Proof, WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let received = Pin::new(&mut self.0).poll(context);
        received.map(|received| received.unwrap_or(Err(WriteError::Closed)))
    }
}

/// What is to be known of a context; nothing if it is forgotten.
pub(crate) type Description = (ContextId, Option<ContextRow>);

/// Changes that are to be made durable.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) changes: Changes,
    pub(crate) must_sync: bool,
    /// How often the database had been opened anew when this was made.
    pub(crate) openings: u64,
    /// What is known of a context once they are.
    pub(crate) describes: Option<Description>,
}

/// The same on their way to the disk.
#[derive(Debug)]
pub(crate) struct Job {
    asked: Asked,
    done: oneshot::Sender<Result<Proof, WriteError>>,
}

#[derive(Debug)]
pub(crate) enum Order {
    Commit(Job),
    Stop,
}

/// Where commits are handed in. Full: whoever hands in waits, or is told.
pub(crate) type Queue = mpsc::Sender<Order>;

/// Hands in changes, or says why they are not taken.
pub(crate) fn hand_in(shared: &Shared, queue: &Queue, asked: Asked) -> Result<Receipt, NotTaken> {
    if let Err(why) = shared.pulse.check()
        && !(why == WriteError::Full && shared.has_room(0))
    {
        return Err(NotTaken::Refused(why));
    }
    let (done, receipt) = oneshot::channel();
    let job = Job { asked, done };
    match queue.try_send(Order::Commit(job)) {
        Ok(()) => {
            shared.metrics.waiting.inc();
            Ok(Receipt(receipt))
        }
        Err(mpsc::error::TrySendError::Full(_)) => Err(NotTaken::Busy),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Refused(WriteError::Closed)),
    }
}

/// Why a commit was not taken. It may be handed in again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// As many commits wait for the disk as may. Try again once one is durable.
    #[error("too many commits are waiting for the disk")]
    Busy,
    /// See there.
    #[error(transparent)]
    Refused(#[from] WriteError),
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Thread {
    shared: Arc<Shared>,
    orders: mpsc::Receiver<Order>,
    /// The disk filled up while something was written: how the log ends shows when it is opened anew.
    in_doubt: bool,
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
        let thread = Self { shared, orders, in_doubt: false, _lock: lock };
        let builder = std::thread::Builder::new().name("store-writer".to_owned());
        Ok((queue, builder.spawn(move || thread.run())?))
    }

    fn run(mut self) {
        while let Some(Order::Commit(first)) = self.orders.blocking_recv() {
            let mut bytes = first.asked.changes.bytes();
            let (mut group, mut stops) = (vec![first], false);
            while group.len() < MOST_TOGETHER && bytes < MOST_BYTES && !stops {
                match self.orders.try_recv() {
                    Ok(Order::Commit(job)) => {
                        bytes += job.asked.changes.bytes();
                        group.push(job);
                    }
                    Ok(Order::Stop) => stops = true,
                    Err(_) => break,
                }
            }
            self.shared.metrics.waiting.dec_by(i64::try_from(group.len()).unwrap_or(i64::MAX));
            self.commit(group, bytes);
            if stops {
                break;
            }
        }
        self.close();
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
    }

    /// What was durably said of contexts is known from now on.
    fn describe(&self, group: &[Job]) {
        for (id, row) in group.iter().filter_map(|job| job.asked.describes) {
            let mut contexts = self.shared.contexts.write();
            match row {
                Some(row) => contexts.put(id, row),
                None => contexts.remove(&id),
            }
        }
    }

    /// Whether anything can be written; opens the database anew if that has to be done first.
    fn make_ready(&mut self) -> Result<(), WriteError> {
        if let Err(why @ WriteError::Failed(_)) = self.shared.pulse.check() {
            return Err(why);
        }
        if !self.shared.has_room(if self.in_doubt { ROOM_TO_OPEN } else { 0 }) {
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

    fn write(&mut self, group: &[Job]) -> Result<(), WriteError> {
        let db = self.shared.db().map_err(|_| WriteError::Closed)?;
        let batch = gather(&db, group).map_err(|why| self.fail(&why))?;
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

    /// Closes the database and opens it again, so that it is known how its log ends. Until then reads go
    /// on with what there is.
    fn reopen(&self) -> Result<(), WriteError> {
        let Shared { folder, settings, memory, cipher, slot, contexts, .. } = &*self.shared;
        let before = std::mem::replace(&mut *slot.write(), Slot::Reopening);
        // Whoever was told what was stored before is to ask again.
        self.shared.opened_anew();
        if let Slot::Open(db) = before {
            drop(last_of(db).ok_or_else(|| self.fail("somebody does not stop reading"))?);
        }
        let opened = Db::open(folder, settings, memory, cipher.clone());
        let db = opened.map_err(|why| match is_full(why.as_ref()) {
            true => WriteError::Full,
            false => self.fail(why.as_ref()),
        })?;
        // What was not acknowledged may have been written all the same.
        *contexts.write() = Contexts::load(&db).map_err(|why| self.fail(&why.to_string()))?;
        *slot.write() = Slot::Open(Arc::new(db));
        tracing::warn!("the database was opened anew after the disk was full");
        Ok(())
    }

    /// Nothing more comes. What waits is told so.
    fn close(mut self) {
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            if let Order::Commit(job) = order {
                answer(vec![job], &Err(WriteError::Closed));
            }
        }
        let before = std::mem::replace(&mut *self.shared.slot.write(), Slot::Closed);
        let Slot::Open(db) = before else { return };
        let failed = self.shared.pulse.check().is_err_and(|why| why != WriteError::Full);
        if !failed && let Err(why) = db.rocks.flush_wal(true) {
            tracing::warn!(%why, "the last sync failed");
        }
        match last_of(db) {
            Some(db) => db.rocks.cancel_all_background_work(true),
            None => tracing::warn!("the database is closed while somebody reads"),
        }
    }
}

/// The only one who holds it, once all others have let go.
fn last_of(mut db: Arc<Db>) -> Option<Db> {
    let until = Instant::now() + Duration::from_millis(READERS_MS);
    while Instant::now() < until {
        db = match Arc::try_unwrap(db) {
            Ok(db) => return Some(db),
            Err(db) => db,
        };
        std::thread::park_timeout(Duration::from_millis(1));
    }
    None
}

fn answer(group: Vec<Job>, written: &Result<(), WriteError>) {
    for job in group {
        let answer = written.clone().map(|()| Proof(()));
        // Who does not wait for it any more knows why.
        job.done.send(answer).ok();
    }
}

/// All changes of a group, in the order in which they were handed in.
fn gather(db: &Db, group: &[Job]) -> Result<WriteBatch, String> {
    let mut families = Vec::with_capacity(Family::ALL.len());
    for family in Family::ALL {
        families.push(db.family(family).map_err(|why| why.to_string())?);
    }
    let [meta, deltas, index, state, feed] = families.as_slice() else {
        return Err("a family is missing".to_owned());
    };
    let handle = |family: Family| match family {
        Family::Meta => meta,
        Family::Deltas => deltas,
        Family::Index => index,
        Family::State => state,
        Family::Feed => feed,
    };
    let mut batch = WriteBatch::default();
    for change in group.iter().flat_map(|job| &job.asked.changes.0) {
        match change {
            Change::Put(family, key, value) => batch.put_cf(*handle(*family), key, value),
            Change::Remove(family, key) => batch.delete_cf(*handle(*family), key),
            Change::RemoveRange(family, from, until) => {
                batch.delete_range_cf(*handle(*family), from, until);
            }
        }
    }
    Ok(batch)
}

fn is_full(why: &str) -> bool {
    why.contains("No space left on device") || why.contains("Disk quota exceeded")
}
