//! `state.root`

use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Access;
use crate::methods::context::OfContext;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::{cursor, digest};
use crate::site::Site;

/// What state comes to.
pub(crate) struct Root;

/// What state comes to: equal between nodes that hold the same.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rooted {
    root: String,
    heads: Vec<String>,
    deltas: u64,
    entities: u64,
    cursor: String,
}

impl Method for Root {
    const NAME: &'static str = "state.root";
    const WHAT: &'static str = "Says what all live state comes to, as one hash.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = OfContext;
    type Result = Rooted;

    async fn call(site: &Site, params: OfContext) -> Result<Rooted, Error> {
        let entry = site.find(&params.context)?;
        Ok(site.node.look(&entry.context(), |look| {
            let summary = look.summary()?;
            Ok(Rooted {
                root: digest(&summary.root),
                heads: summary.heads.iter().map(ToString::to_string).collect(),
                deltas: summary.deltas,
                entities: look.count()?,
                cursor: cursor(look.cursor()?),
            })
        })?)
    }
}
