//! What the network counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::overview::Queue;

/// A count of something that has kinds.
pub(crate) type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// What the network counts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Metrics {
    pub(crate) heard: Counter,
    pub(crate) heard_bytes: Counter,
    pub(crate) shed: Labelled,
    pub(crate) judged: Labelled,
    /// Opinions that came when the mesh had forgotten the message.
    pub(crate) late: Counter,
    pub(crate) published: Labelled,
    pub(crate) published_bytes: Counter,
    pub(crate) connected: Gauge,
    pub(crate) turned_away: Labelled,
    pub(crate) dials: Labelled,
    pub(crate) streams_in: Gauge,
    pub(crate) streams_out: Gauge,
    pub(crate) streams_refused: Labelled,
    pub(crate) faults: Labelled,
    depth: Family<[(&'static str, &'static str); 1], Gauge>,
    peak: Family<[(&'static str, &'static str); 1], Gauge>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("network");
        registry.register("messages_heard", "Messages of the mesh", self.heard.clone());
        let help = "Bytes of messages of the mesh";
        registry.register("messages_heard_bytes", help, self.heard_bytes.clone());
        let help = "Messages that were dropped before anybody judged them";
        registry.register("messages_shed", help, self.shed.clone());
        let help = "Messages that were judged";
        registry.register("messages_judged", help, self.judged.clone());
        let help = "Messages that were judged too late to be handed on";
        registry.register("messages_late", help, self.late.clone());
        let help = "Messages that this node has published";
        registry.register("messages_published", help, self.published.clone());
        let help = "Bytes of messages that this node has published";
        registry.register("messages_published_bytes", help, self.published_bytes.clone());
        registry.register("peers_connected", "Peers that are connected", self.connected.clone());
        let help = "Connections that were turned away";
        registry.register("connections_turned_away", help, self.turned_away.clone());
        registry.register("dials", "Attempts to reach a peer", self.dials.clone());
        let help = "Streams that peers have opened and that are open";
        registry.register("streams_inbound", help, self.streams_in.clone());
        let help = "Streams that this node has opened and that are open";
        registry.register("streams_outbound", help, self.streams_out.clone());
        let help = "Streams that were refused for lack of a permit";
        registry.register("streams_refused", help, self.streams_refused.clone());
        registry.register("faults", "What peers did that they should not", self.faults.clone());
        registry.register("queue_depth", "How much waits", self.depth.clone());
        registry.register("queue_peak", "The most that has waited", self.peak.clone());
    }

    /// Writes down how full a queue is.
    pub(crate) fn queue(&self, queue: Queue) {
        let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.depth.get_or_create(&[("queue", queue.name)]).set(signed(queue.depth));
        self.peak.get_or_create(&[("queue", queue.name)]).set(signed(queue.peak));
    }
}

/// Counts one of something that has a kind.
pub(crate) fn count(family: &Labelled, label: &'static str, value: &'static str) {
    family.get_or_create(&[(label, value)]).inc();
}
