//! `history.list` and `history.get`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::methods::state::page_limit;
use crate::rpc::{Error, How, Kind, Method, Reach, aims};
use crate::shape::DeltaInfo;
use crate::site::Site;

/// What was written.
pub(crate) struct List;

/// One delta.
pub(crate) struct Get;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    /// To which context.
    context: String,
    /// Before this: `next` of the page before.
    before: Option<String>,
    /// As many at most: 1000 unless something else is said.
    limit: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// Of which context.
    context: String,
    /// Which.
    delta: String,
}

/// A page of what was written.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HistoryPage")]
pub(crate) struct Page {
    /// The last one first, as this node came to know them.
    deltas: Vec<DeltaInfo>,
    /// What to go on before; null if there is no more.
    next: Option<String>,
}

aims!(Range, Named);

impl Method for List {
    const NAME: &'static str = "history.list";
    const WHAT: &'static str = "Lists what was written to a context, the last first.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Range;
    type Result = Page;

    async fn call(site: &Site, params: Range) -> Result<Page, Error> {
        let entry = site.find(&params.context)?;
        let limit = page_limit(params.limit)?;
        let before = params.before.as_deref().map(str::parse).transpose();
        let before = before.map_err(|_| Error::params("before", "it is no page"))?;
        Ok(site.node.look(&entry.context(), |look| {
            let found = look.history(before, limit)?;
            let last = found.last().map(|(order, _)| *order).filter(|_| found.len() == limit);
            let me = site.node.peer();
            let deltas = found.iter().map(|(_, past)| DeltaInfo::of(past, me, None)).collect();
            Ok(Page { deltas, next: last.map(|order| order.to_string()) })
        })?)
    }
}

impl Method for Get {
    const NAME: &'static str = "history.get";
    const WHAT: &'static str = "Shows one delta, and what it does.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Named;
    type Result = DeltaInfo;

    async fn call(site: &Site, params: Named) -> Result<DeltaInfo, Error> {
        let entry = site.find(&params.context)?;
        let delta = params.delta.parse().map_err(|why| Error::params("delta", why))?;
        let found = site.node.look(&entry.context(), |look| {
            let Some(past) = look.past(&delta)? else { return Ok(None) };
            let said = look.said(&past)?;
            Ok(Some(DeltaInfo::of(&past, site.node.peer(), said.as_ref())))
        })?;
        let unknown = || Error::new(Kind::NotFound, format!("the context has no delta {delta}"));
        found.ok_or_else(unknown)
    }
}
