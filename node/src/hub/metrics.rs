//! What the hub counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What the hub counts.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) subscribers: Gauge,
    pub(super) from_ring: Counter,
    pub(super) from_store: Counter,
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("hub");
        registry.register("subscribers", "Subscriptions to feeds", self.subscribers.clone());
        let help = "Items that subscribers had from memory";
        registry.register("items_from_ring", help, self.from_ring.clone());
        let help =
            "Items that subscribers had from the stored feed, for which they had come too late";
        registry.register("items_from_store", help, self.from_store.clone());
    }
}
