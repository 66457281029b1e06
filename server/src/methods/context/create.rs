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
    /// Nothing yet: contexts have no labels.
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
        if !params.labels.is_empty() {
            return Err(Error::params("labels", "contexts have no labels yet: leave them out"));
        }
        let context = site.node.create(&params.name).await?;
        Ok(Created { context: context.to_string() })
    }
}
