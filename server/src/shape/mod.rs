//! What the node says, as programs see it.
//!
//! Every result is made of these types, and so is the description of the API: what is told and what is described
//! cannot differ.

mod context;
mod delta;
mod entry;
mod feed;
mod member;
mod text;

pub(crate) use context::{ContextInfo, Seen};
pub(crate) use delta::DeltaInfo;
pub(crate) use entry::{Entry, Page};
pub(crate) use feed::{Event, FeedItem};
pub(crate) use member::MemberInfo;
pub(crate) use text::{Json, KindName, RoleName, cursor, digest, read_cursor};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nothing is to be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl crate::rpc::Aim for Nothing {}
