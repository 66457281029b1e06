//! Where peers are, and where this node is.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, identify, mdns, ping};
use mangrove_config::network::Network as Settings;
use mangrove_protocol::id::PeerId;

use super::Driver;
use crate::error::StartError;
use crate::name;
use crate::peers::{Source, Why};

/// Peers of the local network that are dialled because they are there.
const LOCALS: usize = 64;

impl Driver {
    /// What was known before this process began, and what the settings say.
    pub(super) fn recall(&mut self, settings: &Settings) -> Result<(), StartError> {
        let (peers, bans) = self.keeper.read()?;
        bans.into_iter().for_each(|peer| drop(self.peers.ban(peer)));
        self.peers.recall(peers, 0);
        for address in &settings.bootstrap {
            let peer = address.peer().and_then(|peer| peer.parse::<PeerId>().ok());
            let (Some(peer), Ok(parsed)) = (peer, address.as_str().parse::<Multiaddr>()) else {
                let (address, why) = (address.to_string(), "it names no peer".to_owned());
                return Err(StartError::NoAddress { address, why });
            };
            self.peers.learn(peer, parsed, Source::Bootstrap, 0);
            self.peers.want(peer, Why::Bootstrap, 0);
        }
        self.mind_the_door();
        self.wake_ms = self.peers.wake_at();
        Ok(())
    }

    pub(super) fn identified(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, connection_id } = event else { return };
        let Some(peer) = name::ours(&peer_id) else { return };
        tracing::debug!(%peer, agent = info.agent_version, "identified");
        let now_ms = self.now_ms();
        // What a peer calls its loopback is ours to it only if it is on this machine.
        let is_here = self.locals.contains(&connection_id);
        let told = info.listen_addrs.into_iter().filter(|it| is_here || !is_loopback(it));
        for address in told.take(16) {
            self.peers.learn(peer, address, Source::Told, now_ms);
        }
    }

    pub(super) fn pinged(&mut self, event: ping::Event) {
        let ping::Event { connection, result, .. } = event;
        // What fails is followed by silence, and that ends the connection.
        if let (Some(number), Ok(rtt)) = (self.links.number(connection), result) {
            self.peers.measured(number, rtt);
        }
    }

    /// Peers on the local network come and go.
    pub(super) fn discovered(&mut self, event: mdns::Event) {
        let now_ms = self.now_ms();
        match event {
            mdns::Event::Discovered(found) => {
                for (peer, address) in found {
                    let Some(peer) = name::ours(&peer) else { continue };
                    self.peers.learn(peer, address, Source::Mdns, now_ms);
                    // Anybody on the network can make up peers; they must not crowd out others.
                    if self.peers.wanted_for(Why::Local) < LOCALS {
                        self.peers.want(peer, Why::Local, now_ms);
                    }
                }
                self.dial();
            }
            mdns::Event::Expired(gone) => {
                // One of several addresses may be gone, and the peer still there.
                let mdns = self.swarm.behaviour().mdns.as_ref();
                let is_there = |peer: &_| {
                    mdns.is_some_and(|mdns| mdns.discovered_nodes().any(|it| it == peer))
                };
                let gone = gone.into_iter().filter(|(peer, _)| !is_there(peer));
                let gone = gone.filter_map(|(peer, _)| name::ours(&peer)).collect::<Vec<_>>();
                gone.into_iter().for_each(|peer| self.peers.unwant(peer, Why::Local));
            }
        }
    }

    /// This node can be reached somewhere new. If that is another network, others may be there.
    pub(super) fn listening(&mut self, address: Multiaddr) {
        tracing::info!(%address, "listening");
        if !is_loopback(&address) {
            let now_ms = self.now_ms();
            self.nudge(now_ms);
            self.dial();
        }
        self.outbox.listening(address, true);
    }

    pub(super) fn not_listening(&mut self, address: Multiaddr) {
        tracing::info!(%address, "no longer listening");
        self.outbox.listening(address, false);
    }
}

pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_loopback(),
        Protocol::Ip6(ip) => ip.is_loopback(),
        _ => false,
    })
}
