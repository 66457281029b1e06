//! The database itself: how RocksDB is told to keep it.

use std::fmt;

use borsh::BorshDeserialize;
use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::view::Table;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBRecoveryMode, DataBlockIndexType, IteratorMode, LogLevel, Options,
    ReadOptions,
};

use crate::cipher::Cipher;
use crate::error::ReadError;
use crate::schema::{Family, Meta};
use crate::value;

const MIB: u64 = 1024 * 1024;
/// Longer values lie in files of their own, which compaction does not rewrite.
const LONG_VALUE: u64 = 4 * 1024;
/// Files that are kept open.
const OPEN_FILES: i32 = 256;

/// The database, and what is needed to read it.
pub(crate) struct Db {
    pub(crate) rocks: DB,
    pub(crate) cipher: Option<Cipher>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("path", &self.rocks.path()).finish_non_exhaustive()
    }
}

/// Memory that is shared by all families of a database, and by it and the one that replaces it.
#[derive(Clone)]
pub(crate) struct Memory {
    cache: Cache,
    write_buffers: usize,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("cached", &self.cache.get_usage()).finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(settings: &Settings) -> Self {
        let bytes = usize::try_from(settings.memory_mib * MIB).unwrap_or(usize::MAX);
        Self { cache: Cache::new_lru_cache(bytes / 2), write_buffers: bytes / 2 }
    }

    /// Bytes of what was read.
    pub(crate) fn cached(&self) -> usize {
        self.cache.get_usage()
    }
}

impl Db {
    /// Opens what lies in a folder. Everything that was written is synced when this returns.
    pub(crate) fn open(
        folder: &Utf8Path,
        settings: &Settings,
        memory: &Memory,
        cipher: Option<Cipher>,
    ) -> Result<Self, rocksdb::Error> {
        Self::opened(folder, &options(settings, memory), memory, cipher)
    }

    /// Makes an empty database in a folder that holds none.
    pub(crate) fn make(
        folder: &Utf8Path,
        settings: &Settings,
        memory: &Memory,
        cipher: Option<Cipher>,
    ) -> Result<Self, rocksdb::Error> {
        let mut options = options(settings, memory);
        options.create_if_missing(true);
        Self::opened(folder, &options, memory, cipher)
    }

    fn opened(
        folder: &Utf8Path,
        options: &Options,
        memory: &Memory,
        cipher: Option<Cipher>,
    ) -> Result<Self, rocksdb::Error> {
        let sealed = cipher.is_some();
        // A family that this program does not know must be opened as well, so that the format can be
        // read and refused.
        let mut names: Vec<_> = DB::list_cf(options, folder).unwrap_or_default();
        let ours = Family::ALL.map(|family| family.name().to_owned());
        names.extend(ours.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
        let families = described(names, memory, sealed);
        let rocks = DB::open_cf_descriptors(options, folder, families)?;
        Ok(Self { rocks, cipher })
    }

    /// Opens what lies in a folder to be looked at. Nothing there is changed.
    pub(crate) fn read_only(
        folder: &Utf8Path,
        settings: &Settings,
        memory: &Memory,
        cipher: Option<Cipher>,
    ) -> Result<Self, rocksdb::Error> {
        let options = options(settings, memory);
        let sealed = cipher.is_some();
        let families = described(DB::list_cf(&options, folder)?, memory, sealed);
        let rocks = DB::open_cf_descriptors_read_only(&options, folder, families, false)?;
        Ok(Self { rocks, cipher })
    }

    pub(crate) fn family(&self, family: Family) -> Result<&ColumnFamily, ReadError> {
        let missing = || ReadError::Disk(format!("the family {} is missing", family.name()));
        self.rocks.cf_handle(family.name()).ok_or_else(missing)
    }

    /// The format it is in; none if it is new.
    pub(crate) fn format(&self) -> Result<Option<u32>, ReadError> {
        let found = self.rocks.get_pinned_cf(self.family(Family::Meta)?, Meta::Format.key());
        let value = found.map_err(|why| ReadError::of("meta", &why))?;
        let number = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(u32::from_le_bytes);
        let number = value.map(|value| number(&value)).transpose();
        number
            .map_err(|_| ReadError::Damaged { table: "meta", why: "its format is none".to_owned() })
    }

    /// A row of the home.
    pub(crate) fn meta<R: BorshDeserialize>(&self, meta: Meta<'_>) -> Result<Option<R>, ReadError> {
        self.meta_at(meta, &ReadOptions::default())
    }

    /// The same, as it was at some moment.
    pub(crate) fn meta_at<R: BorshDeserialize>(
        &self,
        meta: Meta<'_>,
        at: &ReadOptions,
    ) -> Result<Option<R>, ReadError> {
        let key = meta.key();
        let found = self.rocks.get_pinned_cf_opt(self.family(Family::Meta)?, &key, at);
        let value = found.map_err(|why| ReadError::of("meta", &why))?;
        value.map(|value| self.meta_row(&key, &value)).transpose()
    }

    /// All rows of the home whose keys begin like this.
    pub(crate) fn metas<R: BorshDeserialize>(
        &self,
        begins: &[u8],
    ) -> Result<Vec<(Vec<u8>, R)>, ReadError> {
        let mode = IteratorMode::From(begins, rocksdb::Direction::Forward);
        let mut found = Vec::new();
        for row in self.rocks.iterator_cf(self.family(Family::Meta)?, mode) {
            let (key, value) = row.map_err(|why| ReadError::of("meta", &why))?;
            if !key.starts_with(begins) {
                break;
            }
            let row = self.meta_row(&key, &value)?;
            found.push((key.into_vec(), row));
        }
        Ok(found)
    }

    fn meta_row<R: BorshDeserialize>(&self, key: &[u8], value: &[u8]) -> Result<R, ReadError> {
        let row = value::read(value, key, self.cipher.as_ref());
        row.map_err(|why| ReadError::Damaged { table: "meta", why: why.to_string() })
    }

    /// All families.
    pub(crate) fn families(&self) -> Result<Families<'_>, ReadError> {
        let [meta, deltas, index, state, feed] = Family::ALL.map(|family| self.family(family));
        Ok(Families { meta: meta?, deltas: deltas?, index: index?, state: state?, feed: feed? })
    }

    /// What a property comes to over all families.
    pub(crate) fn sum_of(&self, property: &str) -> u64 {
        let of_family = |family: &Family| {
            let handle = self.family(*family).ok()?;
            self.rocks.property_int_value_cf(handle, property).ok()?
        };
        Family::ALL.iter().filter_map(of_family).sum()
    }

    pub(crate) fn family_of<T: Table>(&self) -> Result<&ColumnFamily, ReadError> {
        self.family(const { Family::of::<T>() })
    }
}

/// The families of a database.
#[derive(Clone, Copy)]
pub(crate) struct Families<'d> {
    meta: &'d ColumnFamily,
    deltas: &'d ColumnFamily,
    index: &'d ColumnFamily,
    state: &'d ColumnFamily,
    feed: &'d ColumnFamily,
}

impl<'d> Families<'d> {
    pub(crate) const fn of(&self, family: Family) -> &'d ColumnFamily {
        match family {
            Family::Meta => self.meta,
            Family::Deltas => self.deltas,
            Family::Index => self.index,
            Family::State => self.state,
            Family::Feed => self.feed,
        }
    }

    pub(crate) fn all(&self) -> [&'d ColumnFamily; 5] {
        Family::ALL.map(|family| self.of(family))
    }
}

fn options(settings: &Settings, memory: &Memory) -> Options {
    let mut options = Options::default();
    options.create_missing_column_families(true);
    // What is written together to several families is also moved to tables together.
    options.set_atomic_flush(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_total_wal_size(settings.wal_mib * MIB);
    options.set_db_write_buffer_size(memory.write_buffers);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(MIB);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 * 1024 * 1024);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    // One thread writes.
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
    options
}

/// How the families of these names are kept.
fn described(names: Vec<String>, memory: &Memory, sealed: bool) -> Vec<ColumnFamilyDescriptor> {
    let describe = |name: String| {
        let family = Family::ALL.into_iter().find(|family| family.name() == name);
        ColumnFamilyDescriptor::new(name, of_family(family, memory, sealed))
    };
    names.into_iter().map(describe).collect()
}

/// How one family is kept. What is sealed was compressed before and cannot be any further.
fn of_family(family: Option<Family>, memory: &Memory, sealed: bool) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&memory.cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // What leads to the rows of a large table is longer than what a part of the cache holds, and would be read anew
    // for each: in parts, those that are used stay.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(4 * 1024);
    table.set_pin_top_level_index_and_filter(true);
    table.set_bloom_filter(10.0, false);
    table.set_optimize_filters_for_memory(true);
    table.set_block_size(8 * 1024);
    // Most rows are looked up by their keys.
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    table.set_data_block_hash_ratio(0.75);
    table.set_format_version(6);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(memory.write_buffers / 2);
    options.set_level_compaction_dynamic_level_bytes(true);
    let (compression, bottom) = match sealed {
        true => (DBCompressionType::None, DBCompressionType::None),
        false => (DBCompressionType::Lz4, DBCompressionType::Zstd),
    };
    options.set_compression_type(compression);
    options.set_bottommost_compression_type(bottom);
    if family == Some(Family::Deltas) {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(LONG_VALUE);
        options.set_blob_compression_type(compression);
        options.set_enable_blob_gc(true);
    }
    options
}
