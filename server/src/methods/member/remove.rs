//! `member.remove`

use mangrove_protocol::governance::Command;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Decided, decide, member};
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::site::Site;

/// Has a member go.
pub(crate) struct Remove;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// Who.
    member: String,
}

aims!(Params);

impl Method for Remove {
    const NAME: &'static str = "member.remove";
    const WHAT: &'static str = "Removes a member, who reads nothing that is written from then on.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = Params;
    type Result = Decided;

    async fn call(site: &Site, params: Params) -> Result<Decided, Error> {
        let (entry, member) = (site.find(&params.context)?, member(&params.member)?);
        decide(site, &entry, Command::Remove { member }).await
    }
}
