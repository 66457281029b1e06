//! What can go wrong with a store, and what whoever meets it should do.

use camino::Utf8PathBuf;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open. Stop that one, or use another home.
    #[error("{path} is in use by process {by}")]
    InUse {
        /// The folder of the store.
        path: Utf8PathBuf,
        /// Who uses it, as far as that is known.
        by: String,
    },
    /// A later version of the program wrote it. Use that version.
    #[error("{path} is in format {found}, this program reads up to {known}")]
    Newer {
        /// The folder of the store.
        path: Utf8PathBuf,
        /// The format it is in.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// The home is encrypted, and no data key was given. Ask for the passphrase.
    #[error("{path} is encrypted, and no key was given")]
    Locked {
        /// The folder of the store.
        path: Utf8PathBuf,
    },
    /// The data key is not the one of this store. Look whether `data.key` belongs to this home.
    #[error("{path} does not open under this data key")]
    WrongKey {
        /// The folder of the store.
        path: Utf8PathBuf,
    },
    /// What lies there is not what was written. Restore a backup.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The folder of the store.
        path: Utf8PathBuf,
        /// What gives it away.
        why: String,
    },
    /// The disk refuses. Look at its state and the permissions.
    #[error("{path} cannot be opened: {why}")]
    Disk {
        /// The folder of the store.
        path: Utf8PathBuf,
        /// What the system says.
        why: String,
    },
}

/// Why nothing can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such context in this home.
    #[error("this home knows no such context")]
    UnknownContext,
    /// What is stored is damaged. The store stops: nothing that rests on it may leave the node.
    #[error("a row of {table} is damaged: {why}")]
    Damaged {
        /// In which table.
        table: &'static str,
        /// What gives it away.
        why: String,
    },
    /// The disk refuses.
    #[error("the disk cannot be read: {0}")]
    Disk(String),
    /// The database is being opened anew, after the disk was full. Try again in a moment.
    #[error("the database is being opened anew")]
    Reopening,
    /// The database was opened anew since the context was: load the context from the store again.
    #[error("the database was opened anew")]
    Stale,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl ReadError {
    /// What RocksDB says of a table.
    pub(crate) fn of(table: &'static str, why: &rocksdb::Error) -> Self {
        match why.kind() {
            rocksdb::ErrorKind::Corruption => Self::Damaged { table, why: why.to_string() },
            _ => Self::Disk(why.to_string()),
        }
    }
}

/// Why a commit was not taken, or will never be durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The disk is full, or nearly. Nothing was written; this goes away by itself once there is room.
    #[error("the disk is full")]
    Full,
    /// The database was opened anew since this context was: load the context from the store again.
    #[error("the database was opened anew")]
    Stale,
    /// The store has failed and confirms nothing any more. Stop the node.
    #[error("the store has failed: {0}")]
    Failed(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}
