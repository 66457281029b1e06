//! What is counted of driven machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::inbox::Meta;

/// What is counted of driven machines. Cheap to clone; the clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    events: Family<OfActor, Counter>,
    handling: Family<OfEvent, Histogram, fn() -> Histogram>,
    waiting: Family<OfLane, Histogram, fn() -> Histogram>,
    work_panics: Family<OfActor, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfActor {
    actor: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEvent {
    actor: Arc<str>,
    label: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLane {
    actor: Arc<str>,
    lane: &'static str,
}

/// From a microsecond to two seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(1e-6, 4.0, 11))
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = seconds;
        Self {
            events: Family::default(),
            handling: Family::new_with_constructor(histogram),
            waiting: Family::new_with_constructor(histogram),
            work_panics: Family::default(),
        }
    }
}

impl Metrics {
    /// Puts them where they are asked for.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("node");
        registry.register("events", "Events that were handled", self.events.clone());
        let help = "Time it took to handle an event";
        registry.register("event_seconds", help, self.handling.clone());
        let help = "Time for which an event waited for its turn";
        registry.register("event_wait_seconds", help, self.waiting.clone());
        let help = "Work that panicked";
        registry.register("work_panics", help, self.work_panics.clone());
    }

    /// An event was handled.
    pub(super) fn dispatched(&self, actor: &Arc<str>, label: &'static str, took: Duration) {
        let of = || Arc::clone(actor);
        self.events.get_or_create(&OfActor { actor: of() }).inc();
        self.handling.get_or_create(&OfEvent { actor: of(), label }).observe(took.as_secs_f64());
    }

    /// An event had its turn.
    pub(super) fn waited(&self, actor: &Arc<str>, meta: &Meta, begun: Instant) {
        let waited = begun.saturating_duration_since(meta.since).as_secs_f64();
        let (actor, lane) = (Arc::clone(actor), meta.lane.name());
        self.waiting.get_or_create(&OfLane { actor, lane }).observe(waited);
    }

    /// Work panicked.
    pub(super) fn work_panicked(&self, actor: &Arc<str>) {
        self.work_panics.get_or_create(&OfActor { actor: Arc::clone(actor) }).inc();
    }
}
