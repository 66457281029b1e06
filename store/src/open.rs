//! Opening the store of a home.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::ContextId;
use rocksdb::{WriteBatch, WriteOptions};
use tokio::sync::mpsc::error::TrySendError;
use zeroize::Zeroizing;

use crate::cipher::Cipher;
use crate::contexts::Contexts;
use crate::db::{Db, Memory};
use crate::error::{OpenError, ReadError};
use crate::lock::Lock;
use crate::migrate;
use crate::pen::{Pen, Taken};
use crate::queue::{Order, Queue};
use crate::reader::Reader;
use crate::restored;
use crate::schema::{FORMAT, Family, Meta};
use crate::seal::DataKey;
use crate::shared::Shared;
use crate::value;
use crate::writer::Thread;

/// What the probe of an encrypted home says.
const PROBE: &str = "mangrove";

/// Opens the store in a folder, or makes it. An encrypted one needs its data key.
pub fn open(
    folder: &Utf8Path,
    settings: &Settings,
    key: Option<&DataKey>,
) -> Result<(Writer, Reader), OpenError> {
    let opening = Opening { folder, settings };
    opening.make_folder().map_err(|why| opening.disk(&why))?;
    let lock = Lock::take(folder)?;
    let (db, memory) = opening.database(key)?;
    restored::renew(&db, folder).map_err(|why| opening.unread(&why))?;
    let contexts = Contexts::load(&db).map_err(|why| opening.unread(&why))?;
    let shared = Shared::new((folder.to_owned(), settings.clone()), (db, memory), contexts);
    let shared = Arc::new(shared);
    let started = Thread::start(Arc::clone(&shared), lock);
    let (queue, thread) = started.map_err(|why| opening.disk(&why))?;
    let reader = Reader::new(Arc::clone(&shared));
    Ok((Writer { shared, queue, thread: Some(thread) }, reader))
}

/// The one that writes. It cannot be cloned; each context gets a [`Pen`] of its own.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    queue: Queue,
    thread: Option<JoinHandle<()>>,
}

/// What gives out pens. Cheap to clone: there is one pen for each context at a time all the same, and one
/// writer behind them all.
#[derive(Debug, Clone)]
pub struct Pens {
    shared: Arc<Shared>,
    queue: Queue,
}

impl Pens {
    /// What a context writes with, whether or not there is anything of it yet.
    pub fn pen(&self, context: ContextId) -> Result<Pen, Taken> {
        Pen::new(&self.shared, &self.queue, context)
    }

    /// To be called now and then. If nothing was written since it was called before, what is still in memory is
    /// moved to tables, so that the memory can be given back and a start has less to do.
    pub fn rest(&self) {
        // Where there is no room for it, it is not quiet.
        drop(self.queue.try_send(Order::Rest));
    }
}

impl Writer {
    /// What a context writes with, whether or not there is anything of it yet.
    pub fn pen(&self, context: ContextId) -> Result<Pen, Taken> {
        self.pens().pen(context)
    }

    /// What gives out pens, for those who look after contexts.
    pub fn pens(&self) -> Pens {
        Pens { shared: Arc::clone(&self.shared), queue: self.queue.clone() }
    }

    /// Makes what was handed in durable, takes nothing more, and returns once the database is closed. This
    /// takes as long as the disk does: not for a thread that runs tasks.
    pub fn close(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // A queue that is closed belongs to a thread that has ended.
        while let Err(TrySendError::Full(_)) = self.queue.try_send(Order::Stop) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if thread.join().is_err() {
            self.shared.pulse.condemn("the writer has panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn cipher(key: Option<&DataKey>) -> Option<Cipher> {
    let derive = |key: &DataKey| Zeroizing::new(key.derive("mangrove 2026 store values v1"));
    key.map(|key| Cipher::new(&derive(key)))
}

/// A store that is being opened.
pub(crate) struct Opening<'a> {
    pub(crate) folder: &'a Utf8Path,
    pub(crate) settings: &'a Settings,
}

impl Opening<'_> {
    fn path(&self) -> Utf8PathBuf {
        self.folder.to_owned()
    }

    fn disk(&self, why: &impl ToString) -> OpenError {
        OpenError::Disk { path: self.path(), why: why.to_string() }
    }

    fn damaged(&self, why: &impl ToString) -> OpenError {
        OpenError::Damaged { path: self.path(), why: why.to_string() }
    }

    fn unread(&self, why: &ReadError) -> OpenError {
        match why {
            ReadError::Damaged { .. } => self.damaged(why),
            why => self.disk(why),
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        DirBuilder::new().mode(0o700).recursive(true).create(self.folder)?;
        set_permissions(self.folder, Permissions::from_mode(0o700))
    }

    /// What lies there, to be looked at and not changed.
    pub(crate) fn read_only(&self, key: Option<&DataKey>) -> Result<(Db, Lock), OpenError> {
        let lock = Lock::take(self.folder)?;
        let memory = Memory::new(self.settings);
        let db = Db::read_only(self.folder, self.settings, &memory, cipher(key));
        let db = db.map_err(|why| self.unopened(&why))?;
        match db.format().map_err(|why| self.unread(&why))? {
            None => return Err(self.damaged(&"it does not say in which format it is")),
            Some(found) if found > FORMAT => {
                return Err(OpenError::Newer { path: self.path(), found, known: FORMAT });
            }
            Some(_) => self.check_key(&db)?,
        }
        Ok((db, lock))
    }

    /// Whether there is no database yet: nothing, or what a first start leaves that is ended early. One that
    /// has lost the file by which it is opened is no new one.
    pub(crate) fn is_new(&self) -> Result<bool, OpenError> {
        if self.folder.join("CURRENT").exists() {
            return Ok(false);
        }
        for entry in self.folder.read_dir_utf8().map_err(|why| self.disk(&why))? {
            let entry = entry.map_err(|why| self.disk(&why))?;
            let bytes = entry.metadata().map_err(|why| self.disk(&why))?.len();
            let kind = entry.path().extension().unwrap_or_default();
            if bytes > 0 && ["sst", "blob", "log"].contains(&kind) {
                return Err(self.damaged(&"the file CURRENT is missing"));
            }
        }
        Ok(true)
    }

    fn unopened(&self, why: &rocksdb::Error) -> OpenError {
        match why.kind() {
            rocksdb::ErrorKind::Corruption => self.damaged(why),
            _ => self.disk(why),
        }
    }

    fn database(&self, key: Option<&DataKey>) -> Result<(Db, Memory), OpenError> {
        let memory = Memory::new(self.settings);
        let make = if self.is_new()? { Db::make } else { Db::open };
        let db = make(self.folder, self.settings, &memory, cipher(key));
        let db = db.map_err(|why| self.unopened(&why))?;
        match db.format().map_err(|why| self.unread(&why))? {
            None => {
                let contexts = Contexts::load(&db).map_err(|why| self.unread(&why))?;
                if !contexts.ids().is_empty() {
                    return Err(self.damaged(&"it does not say in which format it is"));
                }
                self.begin(&db)?;
            }
            Some(found) if found > FORMAT => {
                return Err(OpenError::Newer { path: self.path(), found, known: FORMAT });
            }
            Some(found) => {
                self.check_key(&db)?;
                migrate::migrate(&db, found).map_err(|why| self.unread(&why))?;
            }
        }
        Ok((db, memory))
    }

    /// A new database says what it is.
    fn begin(&self, db: &Db) -> Result<(), OpenError> {
        let family = db.family(Family::Meta).map_err(|why| self.disk(&why))?;
        let mut batch = WriteBatch::default();
        batch.put_cf(family, Meta::Format.key(), FORMAT.to_le_bytes());
        let key = Meta::Probe.key();
        let probe = value::write(&PROBE.to_owned(), &key, db.cipher.as_ref());
        batch.put_cf(family, key, probe);
        let mut options = WriteOptions::default();
        options.set_sync(true);
        db.rocks.write_opt(batch, &options).map_err(|why| self.disk(&why))
    }

    fn check_key(&self, db: &Db) -> Result<(), OpenError> {
        match (db.meta::<String>(Meta::Probe), &db.cipher) {
            (Ok(Some(probe)), _) if probe == PROBE => Ok(()),
            (Err(ReadError::Damaged { .. }), None) => Err(OpenError::Locked { path: self.path() }),
            (Err(ReadError::Damaged { .. }), Some(_)) => {
                Err(OpenError::WrongKey { path: self.path() })
            }
            (Err(why), _) => Err(self.unread(&why)),
            (Ok(_), _) => Err(self.damaged(&"it does not say what it is")),
        }
    }
}
