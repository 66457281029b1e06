//! `invite.close`

use mangrove_protocol::governance::Command;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::Nothing;
use crate::site::Site;

/// Lets nobody in by it any more.
pub(crate) struct Close;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// Which.
    invite: String,
}

aims!(Params);

impl Method for Close {
    const NAME: &'static str = "invite.close";
    const WHAT: &'static str = "Closes an invite. Who came in by it stays.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = Params;
    type Result = Nothing;

    async fn call(site: &Site, params: Params) -> Result<Nothing, Error> {
        let entry = site.find(&params.context)?;
        let invite = params.invite.parse().map_err(|why| Error::params("invite", why))?;
        site.node.decide(entry.context(), Command::CloseInvite { invite }).await?;
        Ok(Nothing {})
    }
}
