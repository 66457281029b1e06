//! The section `[store]`: how a node keeps what it knows.

use std::fmt;

use crate::section::section;
use crate::setting::{Text, Unfit};

section! {
    /// How this node keeps what it knows.
    "store" => Store {
        /// `fsync`: what is acknowledged survives power loss. `buffered`: it survives the end of
        /// the process, and writing is faster on slow disks.
        durability: Durability = Durability::Fsync,
        /// Memory for what was read and for what is not yet in its place on disk, in MiB.
        memory_mib: u64 = 32,
        /// How long the write-ahead log may grow, in MiB. A longer one is read longer after a crash.
        wal_mib: u64 = 64,
        /// With less room than this on the disk, in MiB, writes are refused until there is more.
        min_free_mib: u64 = 256,
        /// Commits that wait for the disk. One more waits with its context.
        queue: u64 = 1_024,
    }
}

impl Store {
    /// What is out of range, with the key at fault.
    pub(crate) fn out_of_range(&self) -> Option<(&'static str, Unfit)> {
        Unfit::first_outside([
            ("store.memory_mib", self.memory_mib, 4, 65_536),
            ("store.wal_mib", self.wal_mib, 1, 4_096),
            ("store.min_free_mib", self.min_free_mib, 0, 1 << 30),
            ("store.queue", self.queue, 1, 65_536),
        ])
    }
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk.
    Fsync,
    /// When the system has it.
    Buffered,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fsync => "fsync",
            Self::Buffered => "buffered",
        })
    }
}

impl Text for Durability {
    const EXPECTED: &'static str = "`fsync` or `buffered`";

    fn parse(text: &str) -> Result<Self, Unfit> {
        match text {
            "fsync" => Ok(Self::Fsync),
            "buffered" => Ok(Self::Buffered),
            _ => Err(Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED))),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}
