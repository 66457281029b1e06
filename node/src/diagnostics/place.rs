//! Where the socket lies: made for its owner alone, and gone when nobody answers there.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::net::UnixListener;

/// The longest path that a socket's address holds, with room for the zero at its end.
const MOST_PATH: usize = 100;

/// A socket that is listened at. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Place {
    path: Utf8PathBuf,
    /// What tells it from another that lies there later.
    inode: u64,
    listener: UnixListener,
}

impl Place {
    /// Listens there. What an earlier process has left is replaced: only one process has the home open.
    pub(crate) fn take(path: &Utf8Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        match fs::remove_file(path) {
            Ok(()) => tracing::debug!(%path, "replaced a socket that was left behind"),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
        let listener = with_short(path, |short| UnixListener::bind(short))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let inode = fs::metadata(path)?.ino();
        Ok(Self { path: path.to_owned(), inode, listener })
    }

    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A node that was started meanwhile may have put its own there.
        let is_ours = fs::metadata(&self.path).is_ok_and(|there| there.ino() == self.inode);
        if is_ours && let Err(why) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path, %why, "the socket is left behind");
        }
    }
}

/// Does something with a name of a socket that is short enough to be an address: in a deep folder, one that goes
/// by way of the folder, held open meanwhile.
pub(super) fn with_short<T>(
    path: &Utf8Path,
    act: impl FnOnce(&Utf8Path) -> io::Result<T>,
) -> io::Result<T> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return act(path) };
    if path.as_str().len() <= MOST_PATH || !cfg!(target_os = "linux") {
        return act(path);
    }
    let folder = fs::File::open(folder)?;
    act(&Utf8PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())))
}
