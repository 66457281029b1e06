//! Members, as programs see them.

use mangrove_node::directory::Entry;
use mangrove_node::{Handle, Tie};
use mangrove_protocol::governance::Roster;
use mangrove_protocol::id::{DeltaId, PeerId};
use schemars::JsonSchema;
use serde::Serialize;

use super::text::RoleName;

/// A member of a context.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberInfo {
    member: String,
    role: RoleName,
    /// Whether it is this node.
    #[serde(rename = "self")]
    is_self: bool,
    /// Who let it in, or gave it the role that it has.
    granted_by: Option<String>,
    /// Whether it can be reached at this moment.
    online: bool,
    /// When it was heard of last, in Unix ms.
    last_seen_at: Option<u64>,
}

impl MemberInfo {
    /// The members of a context.
    pub(crate) fn all(entry: &Entry, node: &Handle, ties: &[Tie]) -> Vec<Self> {
        let roster = entry.facts().roster;
        let member = |(member, role)| {
            let is_self = member == node.peer();
            let tie = ties.iter().find(|tie| tie.peer == member);
            Self {
                member: member.to_string(),
                role: RoleName::from(role),
                is_self,
                granted_by: granted_by(&roster, member).map(|by| by.to_string()),
                online: is_self || tie.is_some_and(|tie| tie.is_reachable),
                last_seen_at: match is_self {
                    true => Some(node.now_ms()),
                    false => tie.and_then(|tie| tie.at_ms),
                },
            }
        };
        roster.members().into_iter().map(member).collect()
    }
}

fn granted_by(roster: &Roster, member: PeerId) -> Option<PeerId> {
    let conferred = roster.authority(member)?.id();
    Some(roster.deed(&DeltaId::from_bytes(*conferred.as_bytes()))?.log.author)
}
