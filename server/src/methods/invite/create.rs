//! `invite.create`

use std::time::Duration;

use mangrove_node::handle::Terms;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Error, How, Method, Reach, aims};
use crate::shape::RoleName;
use crate::site::Site;

/// For how long an invite lets somebody in, unless something else is said.
const LASTS_SECS: u64 = 7 * 24 * 60 * 60;

/// Lets somebody in.
pub(crate) struct Create;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Params {
    /// Into which context.
    context: String,
    /// As what: `writer` unless something else is said.
    #[serde(default)]
    role: RoleName,
    /// For how long: a week unless something else is said.
    expires_in_secs: Option<u64>,
    /// How often: once unless something else is said, 0 for any number.
    uses: Option<u32>,
}

/// What lets somebody in.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invitation {
    /// To be given to whoever is let in, and to nobody else.
    ticket: String,
    invite: String,
    expires_at: u64,
}

aims!(Params);

impl Method for Create {
    const NAME: &'static str = "invite.create";
    const WHAT: &'static str = "Makes a ticket that lets somebody into a context.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Context(How::Alone);
    type Params = Params;
    type Result = Invitation;

    async fn call(site: &Site, params: Params) -> Result<Invitation, Error> {
        let entry = site.find(&params.context)?;
        let lasts = Duration::from_secs(params.expires_in_secs.unwrap_or(LASTS_SECS));
        let (role, uses) = (params.role.into(), params.uses.unwrap_or(1));
        let made = site.node.invite(entry.context(), Terms { role, lasts, uses }).await?;
        Ok(Invitation {
            ticket: made.ticket,
            invite: made.invite.to_string(),
            expires_at: made.expires_at_ms,
        })
    }
}
