//! The node, as those who serve others have hold of it.

mod enlist;
mod history;
mod home;
mod invites;
mod join;
mod look;
mod rename;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use mangrove_config::{Home, Settings};

use mangrove_network::{Multiaddr, Network};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::NodeKeys;
use mangrove_store::{Health, Reader};
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::context::Outside;
use crate::directory::{Directory, State};
use crate::drive::Clock;
use crate::enlist::Office;
use crate::hub::Hub;
use crate::inbox::Gauges;
use crate::start::Setup;
use crate::warden::{Condition, Phase, Standing};

pub use history::Past;
pub use invites::Invite;
pub use look::{Entity, Look, Range, Shown, Summary};
pub use requests::{Invitation, Joined, Terms};

/// The node, as those who serve others have hold of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) peer: PeerId,
    pub(crate) addresses: Arc<[String]>,
    pub(crate) standing: Standing,
    pub(crate) reader: Reader,
    pub(crate) network: Network,
    pub(crate) directory: Directory,
    pub(crate) hub: Hub,
    pub(crate) office: Office,
    pub(crate) home: Home,
    pub(crate) keys: NodeKeys,
    pub(crate) wall: Clock,
    pub(crate) settings: Arc<Settings>,
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
    pub(crate) fn new(
        setup: &Setup,
        (outside, addresses): (&Outside, Vec<Multiaddr>),
        (gauges, standing, registry): (Gauges, Standing, Registry),
    ) -> Self {
        let peer = setup.keys.peer();
        Self {
            peer,
            addresses: addresses.iter().map(|it| format!("{it}/p2p/{peer}")).collect(),
            standing,
            reader: outside.reader.clone(),
            network: outside.network.clone(),
            directory: outside.directory.clone(),
            hub: outside.hub.clone(),
            office: Office::default(),
            home: setup.home.clone(),
            keys: setup.keys.clone(),
            wall: outside.wall.clone(),
            settings: Arc::new(setup.settings.clone()),
            gauges,
            registry: Arc::new(Mutex::new(registry)),
        }
    }

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
        let replaying = self.directory.all();
        let replaying = replaying.iter().filter(|it| it.facts().state == State::Replaying).count();
        let of_contexts =
            (replaying > 0).then(|| format!("{replaying} contexts are still being looked through"));
        let reasons = of_phase.into_iter().chain(of_store).chain(of_contexts).chain(of_actors);
        let reasons = reasons.collect();
        Readiness { phase, reasons }
    }

    /// What applications are told, as it happens.
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What the node was told when it was started.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time of day, in Unix ms.
    pub fn now_ms(&self) -> u64 {
        self.wall.now_ms()
    }

    /// For how long there has been a node.
    pub fn uptime(&self) -> Duration {
        self.standing.uptime()
    }

    /// What the node is doing.
    pub fn phase(&self) -> Phase {
        self.standing.phase()
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
