//! `state.apply`

use mangrove_node::Cursor;
use mangrove_protocol::request::{Request, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::op::{Expected, Op, OpShape};
use crate::access::Access;
use crate::methods::node::durability;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::cursor;
use crate::site::Site;

/// Writes.
pub(crate) struct Apply;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Params {
    /// To which context.
    context: String,
    /// What: all of it, or nothing.
    #[schemars(with = "Vec<OpShape>")]
    ops: Vec<Op>,
    /// What has to be so, else nothing is written.
    #[serde(default)]
    conditions: Vec<Expected>,
    /// The same one within a day is answered as the first was, and written once.
    request_id: Option<String>,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    /// The delta that holds it.
    delta: String,
    /// Its place among those of this node.
    seq: u64,
    /// Where the feed is after it.
    cursor: String,
    /// What it survives: `fsync` or `buffered`.
    durability: &'static str,
    /// Of each operation, the version that its key has now; null for what has none.
    versions: Vec<Option<String>>,
    /// There if it was written earlier, by the same request id.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

aims!(Params);

impl Method for Apply {
    const NAME: &'static str = "state.apply";
    const WHAT: &'static str =
        "Writes, all of it or nothing. It is answered once it is durable here.";
    const ACCESS: Access = Access::Write;
    const REACH: Reach = Reach::Context(How::Write);
    type Params = Params;
    type Result = Applied;

    async fn call(site: &Site, params: Params) -> Result<Applied, Error> {
        let context = site.find(&params.context)?.context();
        let edits = params.ops.into_iter().enumerate().map(|(at, op)| op.edit(at));
        let edits = edits.collect::<Result<Vec<_>, _>>()?;
        let conditions = params.conditions.into_iter().enumerate();
        let conditions = conditions.map(|(at, it)| it.condition(at));
        let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
        let scope = || site.caller.token.to_string();
        let id = params.request_id.map(|name| RequestId { scope: scope(), name });
        let written = site.node.apply(context, Request { id, edits, conditions }).await?;
        let generation = site.node.generation(&context)?;
        Ok(Applied {
            delta: written.delta.to_string(),
            seq: written.seq.get(),
            cursor: cursor(Cursor { generation, next: written.cursor }),
            durability: durability(site),
            versions: written.versions.iter().map(|it| it.map(|it| it.to_string())).collect(),
            duplicate: written.duplicate,
        })
    }
}
