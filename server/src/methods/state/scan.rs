//! `state.scan`

use mangrove_node::handle::Range;
use mangrove_protocol::limits::PAGE_ENTRIES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key;
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::{Entry, Json, KindName, Page};
use crate::site::Site;

/// Entities by their keys.
pub(crate) struct Scan;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// How their keys begin.
    #[serde(default)]
    prefix: String,
    /// What they are: `register` unless something else is said.
    #[serde(default)]
    kind: KindName,
    /// From this key on, without it: `next` of the page before.
    after: Option<String>,
    /// As many at most: 1000 unless something else is said.
    limit: Option<u64>,
    /// From the last key to the first.
    #[serde(default)]
    reverse: bool,
    /// Only their keys.
    #[serde(default)]
    keys_only: bool,
}

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScanPage")]
pub(crate) struct Found {
    /// In the order of their keys; with `keysOnly` an object with a `key` each.
    entries: Vec<Json>,
    /// What to go on after; null if there is no more.
    next: Option<String>,
}

#[derive(Serialize)]
struct KeyOnly<'a> {
    key: &'a str,
    kind: KindName,
}

aims!(Params);

impl Method for Scan {
    const NAME: &'static str = "state.scan";
    const WHAT: &'static str = "Reads entities in the order of their keys, a page at a time.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Params;
    type Result = Page<Found>;

    async fn call(site: &Site, params: Params) -> Result<Page<Found>, Error> {
        let entry = site.find(&params.context)?;
        let limit = page_limit(params.limit)?;
        let after = params.after.as_deref().map(|after| key("after", after)).transpose()?;
        let Params { prefix, kind, reverse, keys_only, .. } = params;
        let range = Range { kind: kind.into(), prefix, after, limit: limit + 1, reverse };
        Ok(site.node.look(&entry.context(), |look| {
            let mut found = look.entities(&range)?;
            let is_more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| is_more).map(|last| last.key.as_str().to_owned());
            let told = |entity: &mangrove_node::handle::Entity| match keys_only {
                true => Json::told(&KeyOnly { key: entity.key.as_str(), kind }),
                false => Json::told(&Entry::from(entity)),
            };
            Page::of(Found { entries: found.iter().map(told).collect(), next }, look)
        })?)
    }
}

/// How many entries a page has at most.
pub(crate) fn page_limit(limit: Option<u64>) -> Result<usize, Error> {
    let most = limit.unwrap_or(PAGE_ENTRIES);
    if !(1..=PAGE_ENTRIES).contains(&most) {
        return Err(Error::params("limit", format!("{most} is not between 1 and {PAGE_ENTRIES}")));
    }
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}
