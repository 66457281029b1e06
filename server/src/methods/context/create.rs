//! `context.create`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Aim, Error, Method, Reach};
use crate::site::Site;

/// Founds a context.
pub(crate) struct Create;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// What its members call it.
    name: String,
    /// What this node writes down about it. Nobody else is told.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// What was founded.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ContextMade")]
pub(crate) struct Created {
    context: String,
}

impl Aim for Params {}

impl Method for Create {
    const NAME: &'static str = "context.create";
    const WHAT: &'static str = "Founds a context, of which this node is the owner.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Any;
    type Params = Params;
    type Result = Created;

    async fn call(site: &Site, params: Params) -> Result<Created, Error> {
        let context = site.node.create_labelled(&params.name, params.labels).await?;
        Ok(Created { context: context.to_string() })
    }
}
