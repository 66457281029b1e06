//! Copies of a home to keep elsewhere, taken while it is in use, and homes made from them.
//!
//! ```text
//! DIR/
//!   backup.toml     what it is: its format, and of which node
//!   home/           home.toml, config.toml, node.key, data.key as they were
//!   store/          the database; what has not changed since the last time is not copied again
//! ```
//! The API token is not part of it: a restored home gets one of its own. An encrypted home stays encrypted.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::Home;
use mangrove_protocol::id::PeerId;
use rocksdb::Env;
use rocksdb::backup::{BackupEngine, BackupEngineOptions, RestoreOptions};

use crate::error::{OpenError, ReadError};
use crate::lock::{self, Lock};
use crate::reader::Reader;

/// Backups of the database that are kept: this one, and the one before in case this one is cut short.
const KEPT: usize = 2;
/// The format of backups that this program writes.
const FORMAT: u32 = 1;
/// Says what a folder is.
const MARK: &str = "backup.toml";
/// The same while it is written.
const MARK_DRAFT: &str = "backup.toml.draft";

/// Why there is no backup, or no home made from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Something else lies there. Name another folder.
    #[error("{0} holds something that is no backup")]
    Occupied(Utf8PathBuf),
    /// The backup of another node lies there. Name another folder.
    #[error("{0} holds the backup of another node")]
    OfAnother(Utf8PathBuf),
    /// Another process uses it. Wait for that one.
    #[error(transparent)]
    InUse(#[from] OpenError),
    /// No backup lies there. Name the folder of one.
    #[error("{0} is no backup")]
    None(Utf8PathBuf),
    /// A later version wrote it. Use that version.
    #[error("{0} was written by a later version of this program")]
    Newer(Utf8PathBuf),
    /// The database cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database cannot be copied.
    #[error("the database cannot be copied: {0}")]
    Database(String),
    /// A file cannot be copied.
    #[error("{path} cannot be copied: {why}")]
    File {
        /// Which one.
        path: Utf8PathBuf,
        /// What the system says.
        why: io::Error,
    },
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Bytes of it.
    pub bytes: u64,
    /// Contexts in it.
    pub contexts: usize,
}

/// Copies a home to a folder, which must be missing, empty, or an older backup. All contexts are copied as
/// they were at one moment. Cut short, the backup before is still there.
pub fn backup(
    home: &Home,
    of: PeerId,
    reader: &Reader,
    to: &Utf8Path,
) -> Result<Backup, BackupError> {
    let failed = |why| BackupError::File { path: to.to_owned(), why };
    DirBuilder::new().mode(0o700).recursive(true).create(to).map_err(failed)?;
    refuse_foreign(to)?;
    let _lock = Lock::take(to)?;
    prepare(to, of)?;
    let files = to.join("home");
    for path in parts(home).into_iter().filter(|path| path.exists()) {
        copy(&path, &files)?;
    }
    let mut engine = engine(&to.join("store"))?;
    let database = |why: rocksdb::Error| BackupError::Database(why.to_string());
    let reading = reader.begin()?;
    // With what is only in memory and in the log written to tables first, the copy needs no log.
    engine.create_new_backup_flush(reading.rocks(), true).map_err(database)?;
    drop(reading);
    engine.purge_old_backups(KEPT).map_err(database)?;
    let bytes = engine.get_backup_info().last().map_or(0, |backup| backup.size);
    Ok(Backup { bytes, contexts: reader.contexts().len() })
}

/// Puts what a backup holds into an empty folder: everything of a home but a token. The node goes on in new
/// logs, since others may know more of the old ones than the backup does, and its feeds are new ones.
pub fn restore(from: &Utf8Path, home: &Home) -> Result<(), BackupError> {
    let failed = |why| BackupError::File { path: home.root().to_owned(), why };
    recognise(from)?;
    if home.root().read_dir_utf8().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(BackupError::Occupied(home.root().to_owned()));
    }
    DirBuilder::new().mode(0o700).recursive(true).create(home.root()).map_err(failed)?;
    // The database goes first, whole and marked as what it is or not at all.
    let (folder, draft) = (home.store_folder(), home.root().join("store.draft"));
    let mut engine = engine(&from.join("store"))?;
    let restored = engine.restore_from_latest_backup(&draft, &draft, &RestoreOptions::default());
    restored.map_err(|why| BackupError::Database(why.to_string()))?;
    write(&draft.join(RESTORED), b"")?;
    let placed = fs::set_permissions(&draft, Permissions::from_mode(0o700))
        .and_then(|()| fs::rename(&draft, &folder));
    placed.map_err(failed)?;
    sync_folder(home.root())?;
    let files = from.join("home");
    let copies = parts(home).into_iter().filter_map(|path| Some(files.join(path.file_name()?)));
    // What makes it a home comes last.
    copies.rev().filter(|copy| copy.exists()).try_for_each(|file| copy(&file, home.root()))
}

/// The file that says that a database was restored and not opened since.
pub(crate) const RESTORED: &str = "restored";

/// Files of a home that are copied as they are.
fn parts(home: &Home) -> [Utf8PathBuf; 4] {
    [home.format_file(), home.config_file(), home.key_file(), home.data_key_file()]
}

fn engine(folder: &Utf8Path) -> Result<BackupEngine, BackupError> {
    let database = |why: rocksdb::Error| BackupError::Database(why.to_string());
    let mut options = BackupEngineOptions::new(folder).map_err(database)?;
    options.set_sync(true);
    BackupEngine::open(&options, &Env::new().map_err(database)?).map_err(database)
}

/// Leaves alone what is neither empty nor a backup, or what one begins with.
fn refuse_foreign(folder: &Utf8Path) -> Result<(), BackupError> {
    let failed = |why| BackupError::File { path: folder.to_owned(), why };
    let begins = [lock::NAME, MARK, MARK_DRAFT];
    for entry in folder.read_dir_utf8().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !begins.contains(&entry.file_name()) {
            return recognise(folder).map(drop).map_err(|why| match why {
                BackupError::None(path) => BackupError::Occupied(path),
                why => why,
            });
        }
    }
    Ok(())
}

/// Makes the folder a backup of this node, unless it is one of another.
fn prepare(to: &Utf8Path, of: PeerId) -> Result<(), BackupError> {
    let failed = |why| BackupError::File { path: to.to_owned(), why };
    match recognise(to) {
        Ok(whose) if whose != of.to_string() => return Err(BackupError::OfAnother(to.to_owned())),
        Ok(_) | Err(BackupError::None(_)) => {}
        Err(why) => return Err(why),
    }
    let mark = format!("# A backup of a home of Mangrove.\nformat = {FORMAT}\npeer = \"{of}\"\n");
    write(&to.join(MARK), mark.as_bytes())?;
    let mut folders = DirBuilder::new();
    folders.mode(0o700).recursive(true);
    folders.create(to.join("home")).map_err(failed)?;
    folders.create(to.join("store")).map_err(failed)
}

/// Says whose backup lies in a folder.
fn recognise(folder: &Utf8Path) -> Result<String, BackupError> {
    let none = || BackupError::None(folder.to_owned());
    let text = fs::read_to_string(folder.join(MARK)).map_err(|_| none())?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '=']).trim_matches('"').to_owned())
    };
    let format = field("format").and_then(|format| format.parse::<u32>().ok()).ok_or_else(none)?;
    if format > FORMAT {
        return Err(BackupError::Newer(folder.to_owned()));
    }
    field("peer").ok_or_else(none)
}

/// Copies a file into a folder, whole or not at all.
fn copy(from: &Utf8Path, folder: &Utf8Path) -> Result<(), BackupError> {
    let failed = |why| BackupError::File { path: from.to_owned(), why };
    let name = from.file_name().unwrap_or_default();
    let bytes = fs::read(from).map_err(failed)?;
    write(&folder.join(name), &bytes)
}

/// Writes a file that only its owner may read, whole or not at all.
fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), BackupError> {
    let draft = Utf8PathBuf::from(format!("{path}.draft"));
    let written = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|why| BackupError::File { path: path.to_owned(), why })?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Utf8Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|why| BackupError::File { path: folder.to_owned(), why })
}
