//! Methods of contexts.

mod create;
mod enlist;
mod forget;
mod get;
mod join;
mod leave;
mod rebuild;
mod rename;
mod sync;

pub(crate) use create::Create;
pub(crate) use enlist::{Delist, Enlist};
pub(crate) use forget::Forget;
pub(crate) use get::{Get, List};
pub(crate) use join::Join;
pub(crate) use leave::Leave;
pub(crate) use rebuild::Rebuild;
pub(crate) use rename::Rename;
pub(crate) use sync::Sync;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rpc::aims;

/// Params that are a context and nothing else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfContext {
    /// Its id, what this node calls it, or how its id begins.
    pub(crate) context: String,
}

aims!(OfContext);
