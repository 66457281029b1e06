//! A peer that keeps to no rules, made of bare libp2p.

use std::time::Duration;

use libp2p::futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Stream, StreamProtocol, SwarmBuilder, noise, tcp, yamux};
use mangrove_network::Multiaddr;
use mangrove_protocol::id::PeerId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::node::{PATIENCE, TALK};

/// What it has in common with others: it answers when it is asked whether it is there.
#[derive(NetworkBehaviour)]
struct Manners {
    streams: libp2p_stream::Behaviour,
    ping: libp2p::ping::Behaviour,
}

impl Default for Manners {
    fn default() -> Self {
        Self { streams: libp2p_stream::Behaviour::new(), ping: libp2p::ping::Behaviour::default() }
    }
}

pub(crate) struct Hostile {
    pub(crate) peer: PeerId,
    victim: libp2p::PeerId,
    address: Multiaddr,
    control: libp2p_stream::Control,
    dials: mpsc::Sender<DialOpts>,
    _running: JoinSet<()>,
}

impl Hostile {
    /// Connects to its victim.
    pub(crate) async fn meet(address: &Multiaddr) -> Self {
        let swarm = SwarmBuilder::with_new_identity().with_tokio();
        let swarm = swarm.with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default);
        let swarm = swarm.unwrap().with_behaviour(|_| Manners::default()).unwrap();
        let idle = |config: libp2p::swarm::Config| {
            config.with_idle_connection_timeout(Duration::from_secs(600))
        };
        let mut swarm = swarm.with_swarm_config(idle).build();
        let peer = PeerId::from_multihash(&swarm.local_peer_id().to_bytes()).unwrap();
        let control = swarm.behaviour().streams.new_control();
        let (dials, mut wanted) = mpsc::channel::<DialOpts>(1_024);
        let mut running = JoinSet::new();
        running.spawn(async move {
            loop {
                tokio::select! {
                    Some(dial) = wanted.recv() => drop(swarm.dial(dial)),
                    _ = swarm.select_next_some() => {}
                }
            }
        });
        let victim = address.to_string();
        let victim = victim.rsplit('/').next().unwrap().parse().unwrap();
        let address = address.clone();
        let mut hostile = Self { peer, victim, address, control, dials, _running: running };
        hostile.dial().await;
        let connect = async {
            while hostile.stream().await.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, connect).await.expect("it cannot connect");
        hostile
    }

    /// Dials once more.
    pub(crate) async fn dial(&self) {
        let dial = DialOpts::peer_id(self.victim).condition(PeerCondition::Always);
        let dial = dial.addresses(vec![self.address.clone()]).build();
        self.dials.send(dial).await.unwrap();
    }

    /// A stream, if there is one to be had.
    pub(crate) async fn stream(&mut self) -> Option<Stream> {
        let protocol = StreamProtocol::new(TALK.name);
        let opening = self.control.open_stream(self.victim, protocol);
        tokio::time::timeout(Duration::from_secs(5), opening).await.ok()?.ok()
    }

    /// A stream on which these bytes were sent, and that is left as it is.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> Option<Stream> {
        let mut stream = self.stream().await?;
        stream.write_all(bytes).await.ok()?;
        stream.flush().await.ok()?;
        Some(stream)
    }
}
