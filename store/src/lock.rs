//! One process at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use camino::Utf8Path;
use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

/// The file that whoever has the store open holds.
pub(crate) const NAME: &str = "in-use";
/// Bytes of it that are read.
const MOST_BYTES: u64 = 32;

/// Held by the one process that has the store open; freed when it ends, however it does.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, or says who has it.
    pub(crate) fn take(folder: &Utf8Path) -> Result<Self, OpenError> {
        let disk = |why: io::Error| OpenError::Disk { path: folder.into(), why: why.to_string() };
        let path = folder.join(NAME);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(disk)?;
        if let Err(why) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if why != rustix::io::Errno::WOULDBLOCK {
                return Err(disk(why.into()));
            }
            let mut by = String::new();
            (&mut file).take(MOST_BYTES).read_to_string(&mut by).map_err(disk)?;
            let by = if by.is_empty() { "another".to_owned() } else { by };
            return Err(OpenError::InUse { path: folder.into(), by });
        }
        file.set_len(0).map_err(disk)?;
        file.write_all(std::process::id().to_string().as_bytes()).map_err(disk)?;
        Ok(Self { _file: file })
    }
}
