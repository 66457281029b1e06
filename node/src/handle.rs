//! The node, as those who serve others have hold of it.

use std::sync::Arc;

use mangrove_network::Network;
use mangrove_protocol::id::PeerId;
use mangrove_store::{Health, Reader};
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::inbox::Gauges;
use crate::warden::{Condition, Phase, Standing};

/// The node, as those who serve others have hold of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) peer: PeerId,
    pub(crate) addresses: Arc<[String]>,
    pub(crate) standing: Standing,
    pub(crate) reader: Reader,
    pub(crate) network: Network,
    pub(crate) gauges: Gauges,
    pub(crate) registry: Arc<Mutex<Registry>>,
}

/// Whether the node can be used, and if not, what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// What the node is doing.
    pub phase: Phase,
    /// What keeps it from being used, for people.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Whether it can be used.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Handle {
    /// Who this node is.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where peers could reach this node when it started, each with its peer id.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Whether the node can be used, and if not, why.
    pub fn readiness(&self) -> Readiness {
        let phase = self.standing.phase();
        let of_phase = (phase != Phase::Ready).then(|| format!("the node is {}", phase.name()));
        let of_store = match self.reader.health() {
            Health::Well => None,
            Health::Full => Some("the disk is full: writes are refused".to_owned()),
            Health::Failed(why) => Some(format!("the store has failed: {why}")),
        };
        let of_actors = self.standing.actors().into_iter().filter_map(|actor| {
            let name = actor.name;
            match actor.condition {
                Condition::Running | Condition::Stopped => None,
                Condition::Quarantined(why) => Some(format!("{name} is quarantined: {why}")),
                Condition::Lost(why) => Some(format!("{name} is lost: {why}")),
            }
        });
        let reasons = of_phase.into_iter().chain(of_store).chain(of_actors).collect();
        Readiness { phase, reasons }
    }

    /// What waits where.
    pub const fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// The network.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// All that is counted, in the text of OpenMetrics.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        // A string takes whatever is written into it.
        encode(&mut text, &self.registry.lock()).ok();
        text
    }

    /// Asks the node to stop.
    pub fn stop(&self) {
        self.standing.stop();
    }
}
