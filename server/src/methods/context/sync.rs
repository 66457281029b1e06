//! `context.sync`

use schemars::JsonSchema;
use serde::Serialize;

use super::OfContext;
use crate::access::Access;
use crate::rpc::{Error, Method, Reach};
use crate::site::Site;

/// Compares with a peer now.
pub(crate) struct Sync;

/// What came of it: both hold the same now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Synced {
    /// With whom.
    peer: String,
    /// Deltas that came from there.
    received: u64,
    /// Deltas that went there.
    sent: u64,
}

impl Method for Sync {
    const NAME: &'static str = "context.sync";
    const WHAT: &'static str =
        "Compares a context with a peer now, and answers once both hold the same.";
    const ACCESS: Access = Access::Write;
    // It is waited for long: nothing else waits with it.
    const REACH: Reach = Reach::Nothing;
    type Params = OfContext;
    type Result = Synced;

    async fn call(site: &Site, params: OfContext) -> Result<Synced, Error> {
        let entry = site.find(&params.context)?;
        let compared = site.node.compare(entry.context()).await?;
        let mangrove_node::Compared { peer, received, sent } = compared;
        Ok(Synced { peer: peer.to_string(), received, sent })
    }
}
