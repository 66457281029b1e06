//! `state.get`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key;
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::{Entry, KindName, Page};
use crate::site::Site;

/// An entity.
pub(crate) struct Get;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// Which.
    key: String,
    /// What it is: `register` unless something else is said.
    #[serde(default)]
    kind: KindName,
}

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EntryPage")]
pub(crate) struct Found {
    /// Null if there is nothing.
    entry: Option<Entry>,
}

aims!(Params);

impl Method for Get {
    const NAME: &'static str = "state.get";
    const WHAT: &'static str = "Reads one entity.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Params;
    type Result = Page<Found>;

    async fn call(site: &Site, params: Params) -> Result<Page<Found>, Error> {
        let (entry, key) = (site.find(&params.context)?, key("key", &params.key)?);
        Ok(site.node.look(&entry.context(), |look| {
            let found = look.entity(params.kind.into(), &key)?;
            Page::of(Found { entry: found.as_ref().map(Entry::from) }, look)
        })?)
    }
}
