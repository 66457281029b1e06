//! A store in a folder of its own.

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::Batch;
use mangrove_store::seal::DataKey;
use mangrove_store::{OpenError, Pen, Reader, Writer, open};

pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) settings: Settings,
    pub(crate) key: Option<DataKey>,
}

impl House {
    pub(crate) fn new() -> Self {
        let settings = Settings { min_free_mib: 0, ..Settings::default() };
        Self { folder: tempfile::tempdir().unwrap(), settings, key: None }
    }

    pub(crate) fn encrypted() -> Self {
        Self { key: Some(DataKey::from_entropy([9; 32])), ..Self::new() }
    }

    pub(crate) fn path(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join("store")
    }

    pub(crate) fn try_open(&self) -> Result<(Writer, Reader), OpenError> {
        open(&self.path(), &self.settings, self.key.as_ref())
    }

    /// Another one that holds the same.
    pub(crate) fn twin(&self) -> Self {
        let Self { settings, key, .. } = self;
        let folder = tempfile::tempdir().unwrap();
        let twin = Self { folder, settings: settings.clone(), key: key.clone() };
        std::fs::create_dir(twin.path()).unwrap();
        for entry in self.path().read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), twin.path().join(entry.file_name())).unwrap();
        }
        twin
    }

    /// Overwrites the row of the first context that lies there with nonsense.
    pub(crate) fn overwrite(&self, family: &str, tag: u8, key: &[u8]) {
        let key = [&[0; 8][..], &[tag], key].concat();
        self.raw(family, |database, family| database.put_cf(family, key, b"nonsense").unwrap());
    }

    /// The home knows no context any more.
    pub(crate) fn forget_contexts(&self) {
        self.raw("meta", |database, family| {
            database
                .delete_range_cf(family, b"context/".as_slice(), b"context0".as_slice())
                .unwrap();
        });
    }

    /// Does something behind the back of the store.
    fn raw(&self, family: &str, act: impl FnOnce(&rocksdb::DB, &rocksdb::ColumnFamily)) {
        let path = self.path();
        let options = rocksdb::Options::default();
        let families = rocksdb::DB::list_cf(&options, &path).unwrap();
        let database = rocksdb::DB::open_cf(&options, &path, families).unwrap();
        act(&database, database.cf_handle(family).unwrap());
    }

    /// Has a program of another version write its format.
    pub(crate) fn set_format(&self, format: u32) {
        self.raw("meta", |database, family| {
            database.put_cf(family, b"format", format.to_le_bytes()).unwrap();
        });
    }

    pub(crate) fn open(&self) -> (Writer, Reader) {
        self.try_open().unwrap()
    }
}

/// Makes a batch durable.
pub(crate) fn commit(pen: &Pen, batch: &Batch) {
    pen.commit(batch, false).unwrap().wait().unwrap();
}

/// How many commits of the book a context holds.
pub(crate) fn count(reader: &Reader, context: ContextId) -> Result<u64, String> {
    let reading = reader.begin().map_err(|why| why.to_string())?;
    let snapshot = reading.context(&context);
    snapshot.map_or(Ok(0), |snapshot| crate::book::count(&snapshot))
}
