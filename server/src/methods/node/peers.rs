//! `node.peers`

use std::sync::Arc;

use mangrove_node::directory::Entry;
use mangrove_node::{Fault, PeerView};
use mangrove_protocol::gossip::Rights;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Who is connected.
pub(crate) struct Peers;

/// A peer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerInfo {
    peer: String,
    address: String,
    /// Who made the connection: `in` or `out`.
    direction: &'static str,
    transport: &'static str,
    /// Whether the connection goes through a third peer.
    relayed: bool,
    /// How long a round trip takes; null until that was measured.
    rtt_ms: Option<f64>,
    /// How many of this node's contexts it takes part in.
    contexts: usize,
    /// What it did that it should not have.
    faults: Vec<FaultInfo>,
}

/// What a peer did that it should not have.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FaultInfo {
    what: &'static str,
    count: u64,
    last_at: u64,
}

impl Method for Peers {
    const NAME: &'static str = "node.peers";
    const WHAT: &'static str = "Lists the peers that are connected.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Nothing;
    type Params = Nothing;
    type Result = Vec<PeerInfo>;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<Vec<PeerInfo>, Error> {
        let overview = site.node.network().overview().await.ok_or(Fault::Stopping)?;
        let contexts = site.contexts();
        let shared = |peer: &PeerView| {
            let takes_part = |it: &&Arc<Entry>| it.facts().roster.takes_part(peer.peer);
            contexts.iter().filter(takes_part).count()
        };
        let info = |peer: &PeerView| {
            let link = peer.connections.first()?;
            let fault = |it: &mangrove_node::PeerFault| FaultInfo {
                what: it.what,
                count: it.count,
                last_at: it.last_at_ms,
            };
            Some(PeerInfo {
                peer: peer.peer.to_string(),
                address: link.address.to_string(),
                direction: link.direction.label(),
                transport: link.transport.label(),
                relayed: link.relayed,
                rtt_ms: link.rtt.map(|rtt| rtt.as_secs_f64() * 1_000.0),
                contexts: shared(peer),
                faults: peer.faults.iter().map(fault).collect(),
            })
        };
        Ok(overview.peers.iter().filter_map(info).collect())
    }
}
