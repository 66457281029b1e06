//! Everything that is spoken on a connection.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, identify, mdns, memory_connection_limits, ping};
use mangrove_config::network::{Network, Profile};
use prometheus_client::registry::Registry;

use crate::door::Door;
use crate::error::StartError;
use crate::gossip::{self, Gossip, Sieve};
use crate::stream::behaviour::Streams;

/// What this node says it speaks.
const FAMILY: &str = "/mangrove/1";
/// Handshakes at a time, each way.
const PENDING: u32 = 512;
/// Connections to one peer at a time: both may dial at once.
const PER_PEER: u32 = 3;
/// Above this share of the machine's memory in this process, nobody else is let in.
const MEMORY_SHARE: f64 = 0.8;
/// How often a peer is asked whether it is there.
const PING: Duration = Duration::from_secs(4);
/// Streams that a peer may be negotiating at a time on one connection.
pub(crate) const NEGOTIATING: usize = 32;

/// Everything that is spoken on a connection. The first ones decide who gets one.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) door: Door,
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(crate) gossip: Gossip,
    pub(crate) identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(crate) streams: Streams,
}

impl Behaviour {
    pub(crate) fn new(
        keypair: &Keypair,
        settings: &Network,
        (streams, sieve): (Streams, &Sieve),
        registry: &mut Registry,
    ) -> Result<Self, StartError> {
        let gossip =
            gossip::behaviour(keypair, settings, sieve, registry).map_err(StartError::Setup)?;
        let identify = identify::Config::new(FAMILY.to_owned(), keypair.public())
            .with_agent_version(format!("mangrove/{}", env!("CARGO_PKG_VERSION")))
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let ping = ping::Config::new().with_interval(PING).with_timeout(Duration::from_secs(20));
        Ok(Self {
            door: Door::new(settings.connections),
            limits: connection_limits::Behaviour::new(limits(settings)),
            memory: memory_connection_limits::Behaviour::with_max_percentage(MEMORY_SHARE),
            gossip,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
            mdns: local_discovery(keypair, settings.profile).into(),
            streams,
        })
    }
}

fn limits(settings: &Network) -> ConnectionLimits {
    let most = u32::try_from(settings.connections).unwrap_or(u32::MAX);
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING))
        .with_max_pending_outgoing(Some(PENDING))
        // Strangers who come in leave room for those this node chooses.
        .with_max_established_incoming(Some((most - most / 4).max(1)))
        .with_max_established(Some(most))
        .with_max_established_per_peer(Some(PER_PEER))
}

/// A network that takes no multicast is no reason not to start.
fn local_discovery(keypair: &Keypair, profile: Profile) -> Option<mdns::tokio::Behaviour> {
    match profile {
        Profile::Server | Profile::Test => None,
        Profile::Lan => {
            let config = mdns::Config { enable_ipv6: false, ..mdns::Config::default() };
            let mdns = mdns::tokio::Behaviour::new(config, keypair.public().to_peer_id());
            let warn = |why: &std::io::Error| {
                tracing::warn!(%why, "peers on the local network cannot be discovered");
            };
            mdns.inspect_err(warn).ok()
        }
    }
}

/// Names of protocols, as they are checked when they are written down.
pub(crate) const fn protocol(name: &'static str) -> StreamProtocol {
    StreamProtocol::new(name)
}
