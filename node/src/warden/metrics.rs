//! What is counted of actors.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What is counted of actors.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    restarts: Family<OfActor, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfActor {
    actor: Arc<str>,
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("node");
        let help = "Actors that panicked and were begun again";
        registry.register("restarts", help, self.restarts.clone());
    }

    pub(super) fn restarted(&self, actor: &Arc<str>) {
        self.restarts.get_or_create(&OfActor { actor: Arc::clone(actor) }).inc();
    }
}
