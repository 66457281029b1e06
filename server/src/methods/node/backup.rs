//! `node.backup`

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Aim, Error, Method, Reach};
use crate::site::Site;

/// Copies the home.
pub(crate) struct Backup;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The whole path of a folder on the machine of the node: missing, empty, or an older backup of this node.
    dir: String,
}

/// What was copied.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BackupMade")]
pub(crate) struct Made {
    bytes: u64,
    contexts: usize,
}

impl Aim for Params {}

impl Method for Backup {
    const NAME: &'static str = "node.backup";
    const WHAT: &'static str = "Copies the home of this node to a folder, as it is at one moment.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Params;
    type Result = Made;

    async fn call(site: &Site, params: Params) -> Result<Made, Error> {
        let mangrove_node::Backup { bytes, contexts } =
            site.node.backup(Utf8Path::new(&params.dir)).await?;
        Ok(Made { bytes, contexts })
    }
}
