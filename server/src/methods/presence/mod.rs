//! `presence.set` and `presence.get`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::canonical::canonical;
use crate::methods::context::OfContext;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::{Json, Nothing};
use crate::site::Site;

/// Says what others may know of it at the moment.
pub(crate) struct Set;

/// What others say of themselves.
pub(crate) struct Get;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Where.
    context: String,
    /// What others may know, as any JSON.
    state: Json,
}

/// What somebody said of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PresenceInfo {
    member: String,
    state: Json,
    /// When, in Unix ms.
    at: u64,
}

aims!(Params);

impl Method for Set {
    const NAME: &'static str = "presence.set";
    const WHAT: &'static str =
        "Tells the others what this node is at. It is not kept: it is gone after 30 s.";
    const ACCESS: Access = Access::Write;
    const REACH: Reach = Reach::Context(How::Write);
    type Params = Params;
    type Result = Nothing;

    async fn call(site: &Site, params: Params) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        let state = canonical(params.state.get());
        let state = state.map_err(|why| Error::params("state", &why).hint(why.hint()))?;
        site.node.present(entry.context(), state).await?;
        if let Some(desk) = &site.desk {
            desk.is_present(entry.context());
        }
        Ok(Nothing {})
    }
}

impl Method for Get {
    const NAME: &'static str = "presence.get";
    const WHAT: &'static str = "Lists what members say they are at.";
    const ACCESS: Access = Access::Read;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = OfContext;
    type Result = Vec<PresenceInfo>;

    async fn call(site: &Site, params: OfContext) -> Result<Vec<PresenceInfo>, Error> {
        let entry = site.find(&params.context)?;
        let present = site.node.presence(entry.context()).await?;
        let info = |it: mangrove_node::Presence| PresenceInfo {
            member: it.member.to_string(),
            state: Json::of(&it.state),
            at: it.at_ms,
        };
        Ok(present.into_iter().map(info).collect())
    }
}
