//! Methods of members.

mod list;
mod remove;
mod set_role;

pub(crate) use list::List;
pub(crate) use remove::Remove;
pub(crate) use set_role::SetRole;

use mangrove_node::directory::Entry;
use mangrove_protocol::governance::Command;
use mangrove_protocol::id::PeerId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::rpc::Error;
use crate::site::Site;

/// What was decided.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Decision")]
pub(crate) struct Decided {
    /// The delta that says so.
    delta: String,
    /// Members whose roles fell with it, since they were given them by who has lost his.
    falls: Vec<String>,
}

fn member(text: &str) -> Result<PeerId, Error> {
    text.parse().map_err(|why| Error::params("member", why))
}

async fn decide(site: &Site, entry: &Entry, command: Command) -> Result<Decided, Error> {
    let decided = site.node.decide(entry.context(), command).await?;
    let falls = decided.falls.iter().map(ToString::to_string).collect();
    Ok(Decided { delta: decided.delta.to_string(), falls })
}
