//! `node.connect`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Aim, Error, Kind, Method, Reach};
use crate::site::Site;

/// Meets a peer.
pub(crate) struct Connect;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Where it is: a multiaddress, with or without the peer's id.
    address: String,
}

/// Who was met.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connected")]
pub(crate) struct Met {
    peer: String,
}

impl Aim for Params {}

impl Method for Connect {
    const NAME: &'static str = "node.connect";
    const WHAT: &'static str = "Connects to a peer, and says who it is.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Params;
    type Result = Met;

    async fn call(site: &Site, params: Params) -> Result<Met, Error> {
        let address = params.address.parse().map_err(|why| Error::params("address", why))?;
        let met = site.node.network().connect(address).await;
        let peer = met.map_err(|why| Error::new(Kind::Unreachable, why.to_string()))?;
        Ok(Met { peer: peer.to_string() })
    }
}
