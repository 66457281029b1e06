//! `context.join`

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::rpc::{Aim, Error, Method, Reach};
use crate::shape::RoleName;
use crate::site::Site;

/// For how long it is waited for what there is, unless something else is said, and at most.
const WAIT_SECS: (u64, u64) = (10, 3_600);

/// Comes in by a ticket.
pub(crate) struct Join;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Params {
    /// What somebody was given to come in by.
    ticket: String,
    /// What this node is to call the context; otherwise it is called what its members call it.
    name: Option<String>,
    /// For how long to wait until what others know is here: 10 unless something else is said.
    wait_secs: Option<u64>,
}

/// How far it came.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ContextJoined")]
pub(crate) struct Joined {
    context: String,
    /// Null until that is known here.
    role: Option<RoleName>,
    /// Whether what others know is here.
    synced: bool,
}

impl Aim for Params {}

impl Method for Join {
    const NAME: &'static str = "context.join";
    const WHAT: &'static str = "Comes into a context by a ticket.";
    const ACCESS: Access = Access::Admin;
    const REACH: Reach = Reach::Any;
    type Params = Params;
    type Result = Joined;

    async fn call(site: &Site, params: Params) -> Result<Joined, Error> {
        let (usual, most) = WAIT_SECS;
        let secs = params.wait_secs.unwrap_or(usual);
        if secs > most {
            return Err(Error::params("waitSecs", format!("{secs} is more than {most}")));
        }
        let wait = Duration::from_secs(secs);
        let joined = site.node.join(&params.ticket, params.name, wait).await?;
        Ok(Joined {
            context: joined.context.to_string(),
            role: joined.role.map(RoleName::from),
            synced: joined.is_synced,
        })
    }
}
