//! `context.get` and `context.list`

use mangrove_node::directory::Entry;

use super::OfContext;
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::{ContextInfo, Nothing, Seen};
use crate::site::Site;

/// A context.
pub(crate) struct Get;

/// All of them.
pub(crate) struct List;

impl Method for Get {
    const NAME: &'static str = "context.get";
    const WHAT: &'static str = "Says how a context is.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = OfContext;
    type Result = ContextInfo;

    async fn call(site: &Site, params: OfContext) -> Result<ContextInfo, Error> {
        info(site, &*site.find(&params.context)?).await
    }
}

impl Method for List {
    const NAME: &'static str = "context.list";
    const WHAT: &'static str = "Lists the contexts of this node.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Any;
    const IS_OPEN: bool = true;
    type Params = Nothing;
    type Result = Vec<ContextInfo>;

    async fn call(site: &Site, Nothing {}: Nothing) -> Result<Vec<ContextInfo>, Error> {
        let mut all = Vec::new();
        for entry in site.contexts() {
            all.push(info(site, &entry).await?);
        }
        Ok(all)
    }
}

async fn info(site: &Site, entry: &Entry) -> Result<ContextInfo, Error> {
    let node = &site.node;
    // What cannot be asked is not known, and the rest can be looked up all the same.
    let ties = node.ties(entry.context()).await.unwrap_or_default();
    let bytes = node.bytes_of(entry.context())?;
    let seen = Seen { entry, ties: &ties, bytes, now_ms: node.now_ms() };
    Ok(node.look(&entry.context(), |look| ContextInfo::of(seen, look))?)
}
