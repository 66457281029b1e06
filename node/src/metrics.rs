//! What is counted of contexts and of what is heard about them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What becomes of contexts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contexts {
    falls: Counter,
    quarantined: Counter,
    repairs: Counter,
    refused: Counter,
}

impl Contexts {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("context");
        let Self { falls, quarantined, repairs, refused } = self;
        registry.register("falls", "Contexts that panicked and were loaded again", falls.clone());
        registry.register("quarantined", "Contexts put out of use", quarantined.clone());
        let help = "Contexts whose state was damaged and made anew from the log";
        registry.register("repairs", help, repairs.clone());
        registry.register("deltas_refused", "Deltas that were not taken", refused.clone());
    }

    pub(crate) fn fell(&self) {
        self.falls.inc();
    }

    pub(crate) fn quarantined(&self) {
        self.quarantined.inc();
    }

    pub(crate) fn repaired(&self) {
        self.repairs.inc();
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }
}

/// What becomes of what is heard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intake {
    deltas: Counter,
    shed: Counter,
    calls: Counter,
    judged: Family<Opinion, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Opinion {
    opinion: &'static str,
}

impl Intake {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("delta");
        registry.register("accepted", "Deltas that came by the mesh", self.deltas.clone());
        let help = "Deltas and messages that were shed, and are compared for";
        registry.register("shed", help, self.shed.clone());
        let help = "Calls for replicas that were accepted and handed on";
        registry.register("calls", help, self.calls.clone());
        registry.register("judged", "Messages that were not accepted", self.judged.clone());
    }

    pub(crate) fn accepted(&self, deltas: usize) {
        self.deltas.inc_by(deltas as u64);
    }

    pub(crate) fn shed(&self) {
        self.shed.inc();
    }

    pub(crate) fn called(&self) {
        self.calls.inc();
    }

    pub(crate) fn judged(&self, opinion: &'static str) {
        self.judged.get_or_create(&Opinion { opinion }).inc();
    }
}
