//! `context.rename`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Access;
use crate::rpc::{Error, Method, Reach, aims};
use crate::shape::Nothing;
use crate::site::Site;

/// Calls a context otherwise.
pub(crate) struct Rename;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Which one.
    context: String,
    /// What its members call it from now on.
    name: String,
}

aims!(Params);

impl Method for Rename {
    const NAME: &'static str = "context.rename";
    const WHAT: &'static str = "Gives a context another name, for all its members.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Any;
    type Params = Params;
    type Result = Nothing;

    async fn call(site: &Site, params: Params) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        site.node.rename(entry.context(), &params.name).await?;
        Ok(Nothing {})
    }
}
