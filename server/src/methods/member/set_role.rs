//! `member.setRole`

use mangrove_protocol::governance::Command;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Decided, decide, member};
use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::RoleName;
use crate::site::Site;

/// Gives a member another role.
pub(crate) struct SetRole;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which context.
    context: String,
    /// Whom.
    member: String,
    /// Which.
    role: RoleName,
}

aims!(Params);

impl Method for SetRole {
    const NAME: &'static str = "member.setRole";
    const WHAT: &'static str = "Gives a member another role.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = Params;
    type Result = Decided;

    async fn call(site: &Site, params: Params) -> Result<Decided, Error> {
        let (entry, member) = (site.find(&params.context)?, member(&params.member)?);
        decide(site, &entry, Command::SetRole { member, role: params.role.into() }).await
    }
}
