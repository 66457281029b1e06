//! What is counted of driven machines.

use std::collections::BTreeMap;
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

    /// What is counted of the machine of this actor.
    pub(super) fn of(&self, actor: &Arc<str>) -> Tally {
        let events = self.events.get_or_create_owned(&OfActor { actor: Arc::clone(actor) });
        let (metrics, actor) = (self.clone(), Arc::clone(actor));
        Tally { actor, metrics, events, handling: BTreeMap::new(), waiting: BTreeMap::new() }
    }
}

/// What is counted of one machine. Each number is looked up once: to look it up takes as long as many an event.
#[derive(Debug)]
pub(super) struct Tally {
    actor: Arc<str>,
    metrics: Metrics,
    events: Counter,
    /// By the label of the event.
    handling: BTreeMap<&'static str, Histogram>,
    /// By its lane.
    waiting: BTreeMap<&'static str, Histogram>,
}

impl Tally {
    /// An event was handled.
    pub(super) fn dispatched(&mut self, label: &'static str, took: Duration) {
        let Self { actor, metrics, events, handling, .. } = self;
        events.inc();
        let handling = handling.entry(label).or_insert_with(|| {
            metrics.handling.get_or_create_owned(&OfEvent { actor: Arc::clone(actor), label })
        });
        handling.observe(took.as_secs_f64());
    }

    /// An event had its turn.
    pub(super) fn waited(&mut self, meta: &Meta, begun: Instant) {
        let (Self { actor, metrics, waiting, .. }, lane) = (self, meta.lane.name());
        let waiting = waiting.entry(lane).or_insert_with(|| {
            metrics.waiting.get_or_create_owned(&OfLane { actor: Arc::clone(actor), lane })
        });
        waiting.observe(begun.saturating_duration_since(meta.since).as_secs_f64());
    }

    /// Work panicked.
    pub(super) fn work_panicked(&self) {
        let of = OfActor { actor: Arc::clone(&self.actor) };
        self.metrics.work_panics.get_or_create(&of).inc();
    }
}
