//! `feed.read`

use mangrove_node::{Cursor, Since};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::since;
use crate::access::Access;
use crate::methods::state::page_limit;
use crate::rpc::{Error, How, Kind, Method, Reach, aims};
use crate::shape::{Event, FeedItem, cursor};
use crate::site::Site;

/// What has happened.
pub(crate) struct Read;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// To which context.
    context: String,
    /// After this cursor, or `start` for all that is kept, which is what is read unless something else is said.
    after: Option<String>,
    /// Only of keys that begin so.
    #[serde(default)]
    prefix: String,
    /// As many entries of the feed at most: 1000 unless something else is said.
    limit: Option<u64>,
}

/// What has happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Happened {
    events: Vec<FeedItem>,
    /// How far was looked: go on after it.
    cursor: String,
}

aims!(Params);

impl Method for Read {
    const NAME: &'static str = "feed.read";
    const WHAT: &'static str = "Reads what has happened to a context, a page at a time.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = Params;
    type Result = Happened;

    async fn call(site: &Site, params: Params) -> Result<Happened, Error> {
        let context = site.find(&params.context)?.context();
        let limit = page_limit(params.limit)?;
        let since = since("after", params.after.as_deref(), Since::Start)?;
        let hub = site.node.hub().clone();
        let page = spawn_blocking(move || hub.read(context, since, limit)).await;
        let page = page.map_err(|why| Error::new(Kind::Internal, why.to_string()))?;
        let page = page.map_err(mangrove_node::Fault::from)?;
        let generation = page.cursor.generation;
        let gap = page.gap.map(|gap| FeedItem::of(context, gap.from, Event::gap()));
        let items = page.items.iter().filter_map(|(position, item)| {
            let at = Cursor { generation, next: position + 1 };
            Some(FeedItem::of(context, at, Event::of(item, &params.prefix)?))
        });
        Ok(Happened { events: gap.into_iter().chain(items).collect(), cursor: cursor(page.cursor) })
    }
}
