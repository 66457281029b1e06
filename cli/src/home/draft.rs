//! A home in the making: a folder beside the place where it will appear.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::{Home, failpoint};
use rustix::fs::{FlockOperation, flock};

use super::{RENAMED, SYNCED};

/// A folder that only its maker sees. Dropped before it is published, it is removed.
pub(super) struct Draft {
    folder: Utf8PathBuf,
    /// Held while its maker lives: how others know a draft that nobody will finish.
    lock: File,
    published: bool,
}

impl Draft {
    /// An empty draft of the home at `root`.
    pub(super) fn beside(root: &Utf8Path) -> io::Result<Self> {
        let root = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        let around = root.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let name = root.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(around)?;
        let mark = format!(".{name}.draft-");
        remove_abandoned(around, &mark);
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(io::Error::other)?;
        let folder = around.join(format!("{mark}{:016x}", u64::from_le_bytes(suffix)));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let lock = File::open(&folder)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { folder, lock, published: false })
    }

    /// Where its files are to be written.
    pub(super) fn home(&self) -> Home {
        Home::at(&self.folder, Utf8Path::new("/"))
    }

    /// Makes the draft the home at `root`, which must not exist or be an empty folder.
    pub(super) fn publish(mut self, root: &Utf8Path) -> io::Result<()> {
        let root = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        self.lock.sync_all()?;
        failpoint::step(SYNCED)?;
        fs::rename(&self.folder, &root)?;
        self.published = true;
        // The home is there and whole. That its name is not yet on disk can only be reported.
        failpoint::step(RENAMED)?;
        root.parent().map_or(Ok(()), |around| File::open(around)?.sync_all())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed here is removed by whoever makes the next draft.
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Removes drafts whose makers have died. They hold keys that nobody will use.
fn remove_abandoned(around: &Utf8Path, mark: &str) {
    let Ok(entries) = around.read_dir_utf8() else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().starts_with(mark)) {
        let Ok(folder) = File::open(entry.path()) else { continue };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Writes a file that only its owner may read, whatever the umask, and waits until it is on disk.
pub(crate) fn write_secret(path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}
