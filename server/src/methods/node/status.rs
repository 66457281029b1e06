//! `node.status`

use mangrove_config::store::Durability;
use mangrove_node::Fault;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// How this node is.
pub(crate) struct Status;

/// How this node is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeStatus {
    peer: String,
    version: &'static str,
    features: Vec<String>,
    uptime_ms: u64,
    /// `full` or `replica`.
    mode: String,
    /// Where peers could reach it when it started.
    addresses: Vec<String>,
    /// How many peers are connected.
    peers: usize,
    contexts: usize,
    /// What an acknowledged write survives: `fsync` or `buffered`.
    durability: &'static str,
    /// Bytes of all files in its home.
    home_bytes: u64,
    /// `starting`, `ready` or `stopping`.
    state: &'static str,
}

/// What an acknowledged write survives.
pub(crate) fn durability(site: &Site) -> &'static str {
    match site.node.settings().store.durability {
        Durability::Fsync => "fsync",
        Durability::Buffered => "buffered",
    }
}

impl Method for Status {
    const NAME: &'static str = "node.status";
    const WHAT: &'static str = "Says how this node is.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Nothing;
    const IS_OPEN: bool = true;
    type Params = Nothing;
    type Result = NodeStatus;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<NodeStatus, Error> {
        let node = &site.node;
        let overview = node.network().overview().await.ok_or(Fault::Stopping)?;
        let is_there = |peer: &&mangrove_node::PeerView| !peer.connections.is_empty();
        Ok(NodeStatus {
            peer: node.peer().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            features: Vec::new(),
            uptime_ms: u64::try_from(node.uptime().as_millis()).unwrap_or(u64::MAX),
            mode: node.settings().node.mode.to_string(),
            addresses: node.addresses().to_vec(),
            peers: overview.peers.iter().filter(is_there).count(),
            contexts: site.contexts().len(),
            durability: durability(site),
            home_bytes: node.home_bytes().await?,
            state: node.phase().name(),
        })
    }
}
