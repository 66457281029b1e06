//! What a node takes of the disk.

use std::path::Path;
use std::{fs, io};

use camino::Utf8Path;
use mangrove_protocol::id::ContextId;
use mangrove_store::backup::{Backup, BackupError, backup};
use tokio::task::spawn_blocking;

use super::Handle;
use crate::fault::Fault;

/// Folders within folders that are looked into. A home has fewer.
const DEEPEST: usize = 8;

impl Handle {
    /// Bytes of all files in the home.
    pub async fn home_bytes(&self) -> Result<u64, Fault> {
        let root = self.home.root().to_owned();
        let counted = spawn_blocking(move || bytes_below(root.as_std_path(), DEEPEST)).await;
        let counted = counted.map_err(|_| Fault::Fallen)?;
        counted.map_err(|why| Fault::Storage(why.to_string()))
    }

    /// Copies the home to a folder to keep elsewhere, while the node goes on: all contexts as they are at one moment.
    pub async fn backup(&self, folder: &Utf8Path) -> Result<Backup, Fault> {
        if !folder.is_absolute() {
            let why = format!("`{folder}` is not the whole path of a folder");
            return Err(Fault::Invalid { what: "dir", why });
        }
        let (node, folder) = (self.clone(), folder.to_owned());
        let made = spawn_blocking(move || backup(&node.home, node.peer, &node.reader, &folder));
        made.await.map_err(|_| Fault::Fallen)?.map_err(|why| match why {
            BackupError::Occupied(_) | BackupError::OfAnother(_) | BackupError::Newer(_) => {
                Fault::Invalid { what: "dir", why: why.to_string() }
            }
            BackupError::InUse(_) => Fault::Busy,
            why => Fault::Storage(why.to_string()),
        })
    }

    /// Bytes of a context on the disk, about: what was written a moment ago need not be counted yet.
    pub fn bytes_of(&self, context: ContextId) -> Result<u64, Fault> {
        Ok(self.reader.begin()?.context(&context)?.bytes()?)
    }
}

/// Files come and go meanwhile: what is gone counts nothing.
fn bytes_below(folder: &Path, deepest: usize) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let Ok(found) = entry.metadata() else { continue };
        bytes += match found.is_dir() && deepest > 0 {
            true => bytes_below(&entry.path(), deepest - 1)?,
            false => found.len(),
        };
    }
    Ok(bytes)
}
