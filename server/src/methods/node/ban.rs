//! `node.ban` and `node.unban`

use mangrove_protocol::id::PeerId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Access;
use crate::rpc::{Aim, Error, Kind, Method, Reach};
use crate::shape::Nothing;
use crate::site::Site;

/// Turns a peer away.
pub(crate) struct Ban;

/// Lets it come again.
pub(crate) struct Unban;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Who.
    peer: String,
}

impl Aim for Params {}

impl Params {
    fn peer(&self) -> Result<PeerId, Error> {
        self.peer.parse().map_err(|why| Error::params("peer", why))
    }
}

impl Method for Ban {
    const NAME: &'static str = "node.ban";
    const WHAT: &'static str = "Turns a peer away, also after restarts, until it is let in again.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Params;
    type Result = Nothing;

    async fn call(site: &Site, params: Params) -> Result<Nothing, Error> {
        let peer = params.peer()?;
        if peer == site.node.peer() {
            return Err(Error::params("peer", "it is this node"));
        }
        site.node.network().ban(peer).await;
        Ok(Nothing {})
    }
}

impl Method for Unban {
    const NAME: &'static str = "node.unban";
    const WHAT: &'static str = "Lets a peer in again that was turned away.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Params;
    type Result = Nothing;

    async fn call(site: &Site, params: Params) -> Result<Nothing, Error> {
        match site.node.network().unban(params.peer()?).await {
            true => Ok(Nothing {}),
            false => Err(Error::new(Kind::NotFound, "this peer is not turned away")),
        }
    }
}
