//! What RocksDB tells of itself, asked when somebody wants to know.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::shared::Shared;

/// A property of a family: its name in RocksDB, its name here, and what it means.
const PROPERTIES: [(&str, &str, &str); 8] = [
    ("rocksdb.total-sst-files-size", "table_bytes", "Bytes of table files"),
    ("rocksdb.total-blob-file-size", "blob_bytes", "Bytes of files of long values"),
    ("rocksdb.estimate-num-keys", "rows", "Rows, about"),
    ("rocksdb.cur-size-all-mem-tables", "memtable_bytes", "Bytes not yet in table files"),
    ("rocksdb.estimate-pending-compaction-bytes", "compaction_debt_bytes", "Bytes to be compacted"),
    ("rocksdb.num-running-compactions", "compactions", "Compactions that run"),
    ("rocksdb.num-running-flushes", "flushes", "Flushes that run"),
    ("rocksdb.is-write-stopped", "stalled", "Whether writing waits for compaction"),
];

struct Gauges(Weak<Shared>);

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

/// Puts them where they are asked for.
pub(crate) fn register(shared: &Arc<Shared>, registry: &mut Registry) {
    registry.register_collector(Box::new(Gauges(Arc::downgrade(shared))));
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(shared) = self.0.upgrade() else { return Ok(()) };
        let Ok(db) = shared.db() else { return Ok(()) };
        for (property, name, help) in PROPERTIES {
            let gauge = ConstGauge::new(db.sum_of(property));
            let name = format!("store_{name}");
            gauge.encode(encoder.encode_descriptor(&name, help, None, gauge.metric_type())?)?;
        }
        let gauge = ConstGauge::new(shared.memory.cached() as u64);
        let help = "Bytes of what was read and is kept in memory";
        gauge.encode(encoder.encode_descriptor(
            "store_cached_bytes",
            help,
            None,
            gauge.metric_type(),
        )?)
    }
}
