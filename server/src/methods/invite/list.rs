//! `invite.list`

use mangrove_node::handle::Invite;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Access;
use crate::methods::context::OfContext;
use crate::rpc::{Error, How, Method, Reach};
use crate::shape::RoleName;
use crate::site::Site;

/// The open ones.
pub(crate) struct List;

/// An invite that is open.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InviteInfo {
    invite: String,
    /// As what somebody comes in by it.
    role: RoleName,
    /// How often it lets somebody in; 0 for any number.
    uses: u32,
    /// How often it has, as far as this node knows.
    used: u64,
    expires_at: u64,
    /// Who made it.
    by: String,
}

impl From<Invite> for InviteInfo {
    fn from(invite: Invite) -> Self {
        Self {
            invite: invite.invite.to_string(),
            role: invite.role.into(),
            uses: invite.uses,
            used: invite.used,
            expires_at: invite.expires_at_ms,
            by: invite.by.to_string(),
        }
    }
}

impl Method for List {
    const NAME: &'static str = "invite.list";
    const WHAT: &'static str = "Lists the invites of a context that are open.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Look);
    type Params = OfContext;
    type Result = Vec<InviteInfo>;

    async fn call(site: &Site, params: OfContext) -> Result<Vec<InviteInfo>, Error> {
        let entry = site.find(&params.context)?;
        Ok(entry.facts().invites().into_iter().map(InviteInfo::from).collect())
    }
}
