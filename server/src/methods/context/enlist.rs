//! `context.enlist` and `context.delist`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::Nothing;
use crate::site::Site;

/// Calls for replicas.
pub(crate) struct Enlist;

/// Lets one go.
pub(crate) struct Delist;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Of which context.
    context: String,
    /// How many more.
    count: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unwanted {
    /// Of which context.
    context: String,
    /// Which one.
    replica: String,
}

/// Who has come.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplicasHired")]
pub(crate) struct Hired {
    replicas: Vec<String>,
}

aims!(Wanted, Unwanted);

impl Method for Enlist {
    const NAME: &'static str = "context.enlist";
    const WHAT: &'static str =
        "Calls for replicas, which keep a context without being able to read it.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Nothing;
    type Params = Wanted;
    type Result = Hired;

    async fn call(site: &Site, params: Wanted) -> Result<Hired, Error> {
        let entry = site.find(&params.context)?;
        let replicas = site.node.enlist(entry.context(), params.count).await?;
        Ok(Hired { replicas: replicas.iter().map(ToString::to_string).collect() })
    }
}

impl Method for Delist {
    const NAME: &'static str = "context.delist";
    const WHAT: &'static str = "Lets a replica go.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = Unwanted;
    type Result = Nothing;

    async fn call(site: &Site, params: Unwanted) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        let replica = params.replica.parse().map_err(|why| Error::params("replica", why))?;
        site.node.delist(entry.context(), replica).await?;
        Ok(Nothing {})
    }
}
