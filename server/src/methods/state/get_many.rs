//! `state.getMany`

use mangrove_protocol::limits::PAGE_ENTRIES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key;
use crate::access::Access;
use crate::rpc::{Error, How, Kind, Method, Reach, aims};
use crate::shape::{Entry, KindName, Page};
use crate::site::Site;

/// Some entities.
pub(crate) struct GetMany;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// Which.
    keys: Vec<String>,
    /// What they are: `register` unless something else is said.
    #[serde(default)]
    kind: KindName,
}

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EntriesPage")]
pub(crate) struct Found {
    /// As many as were asked for, in that order; null where there is nothing.
    entries: Vec<Option<Entry>>,
}

aims!(Params);

impl Method for GetMany {
    const NAME: &'static str = "state.getMany";
    const WHAT: &'static str = "Reads some entities, as they were at one moment.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Params;
    type Result = Page<Found>;

    async fn call(site: &Site, params: Params) -> Result<Page<Found>, Error> {
        let asked = params.keys.len() as u64;
        if asked > PAGE_ENTRIES {
            let why = format!("`keys`: {asked} are more than {PAGE_ENTRIES}");
            return Err(Error::new(Kind::TooLarge, why).hint("ask for some of them at a time"));
        }
        let entry = site.find(&params.context)?;
        let keys = params.keys.iter().enumerate();
        let keys = keys.map(|(at, text)| key(&format!("keys[{at}]"), text));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        Ok(site.node.look(&entry.context(), |look| {
            let found = keys.iter().map(|key| look.entity(params.kind.into(), key));
            let entries = found.map(|it| it.map(|it| it.as_ref().map(Entry::from)));
            Page::of(Found { entries: entries.collect::<Result<_, _>>()? }, look)
        })?)
    }
}
