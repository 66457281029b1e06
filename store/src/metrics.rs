//! What the store counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What the store counts.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) commits: Counter,
    pub(crate) refused: Counter,
    pub(crate) bytes: Counter,
    /// Commits that were written together.
    pub(crate) group: Histogram,
    /// From the first of a group being taken up to all of it being durable.
    pub(crate) seconds: Histogram,
    pub(crate) waiting: Gauge,
    pub(crate) free_bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            commits: Counter::default(),
            refused: Counter::default(),
            bytes: Counter::default(),
            group: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            seconds: Histogram::new(exponential_buckets(50e-6, 2.0, 16)),
            waiting: Gauge::default(),
            free_bytes: Gauge::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("store");
        registry.register("commits", "Commits that became durable", self.commits.clone());
        registry.register("commits_refused", "Commits that did not", self.refused.clone());
        registry.register("commit_bytes", "Bytes of commits", self.bytes.clone());
        let help = "Commits that were written and synced together";
        registry.register("commit_group", help, self.group.clone());
        let help = "Time it took to write and sync a group of commits";
        registry.register("commit_seconds", help, self.seconds.clone());
        registry.register(
            "commits_waiting",
            "Commits that wait for the disk",
            self.waiting.clone(),
        );
        registry.register("disk_free_bytes", "Room on the disk", self.free_bytes.clone());
    }
}
