//! What the node says, as programs see it.

use data_encoding::BASE32_NOPAD;
use mangrove_node::directory::{Entry, Facts};
use mangrove_node::handle::{Entity, Look, Shown};
use mangrove_node::{Cursor, Handle, ReadError, Tie};
use mangrove_protocol::governance::Role;
use mangrove_protocol::id::{DeltaId, PeerId};
use serde_json::{Value, json};

use crate::canonical::shown;

/// Counts beyond this are told as text, since many programs cannot hold them otherwise.
const EXACT: i128 = 1 << 53;

/// An id that is not shown as one elsewhere, as all ids are.
pub(super) fn digest(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// A place in a feed, opaque to whoever keeps it.
pub(super) fn cursor(cursor: Cursor) -> String {
    let mut bytes = cursor.generation.to_be_bytes().to_vec();
    bytes.extend(cursor.next.to_be_bytes());
    digest(&bytes)
}

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Writer => "writer",
        Role::Reader => "reader",
    }
}

/// A value as the JSON that it is.
fn value(bytes: &[u8]) -> Value {
    serde_json::from_str(&shown(bytes)).unwrap_or(Value::Null)
}

pub(super) fn entity(entity: &Entity) -> Value {
    let shown = match &entity.shown {
        Shown::Value(bytes) => value(bytes.as_bytes()),
        Shown::Count(count) if count.abs() <= EXACT => json!(i64::try_from(*count).ok()),
        Shown::Count(count) => json!(count.to_string()),
        Shown::Items(items) => items.iter().map(|item| value(item.as_bytes())).collect(),
    };
    json!({
        "key": entity.key.as_str(),
        "kind": entity.kind.to_string(),
        "value": shown,
        "version": entity.version.to_string(),
        "author": entity.author.to_string(),
        "delta": entity.stamp.delta.to_string(),
        "hlc": entity.stamp.hlc.bits().to_string(),
    })
}

/// A context, as far as it is known without looking at its state row by row.
pub(super) fn context(
    entry: &Entry,
    look: &Look<'_>,
    (ties, now_ms): (&[Tie], u64),
) -> Result<Value, ReadError> {
    let (facts, summary) = (&look.facts, look.summary()?);
    let parked = look.parked(now_ms);
    let unread = parked.iter().any(|it| it.reason == "version");
    let parked: Vec<_> = parked
        .into_iter()
        .map(
            |it| json!({ "reason": it.reason, "count": it.count, "oldestAgeMs": it.oldest_age_ms }),
        )
        .collect();
    let heads: Vec<_> = summary.heads.iter().map(ToString::to_string).collect();
    Ok(json!({
        "context": entry.context().to_string(),
        "name": facts.called().map(ToString::to_string),
        "role": facts.role.map(role),
        "members": facts.roster.members().len(),
        "root": digest(&summary.root),
        "heads": heads,
        "deltas": summary.deltas,
        "entities": look.count()?,
        "parked": parked,
        "state": facts.state.name(),
        "why": why(facts, unread),
        "sync": sync(ties),
        "createdAt": facts.since_ms,
    }))
}

fn why(facts: &Facts, has_unread: bool) -> Option<String> {
    let upgrade = match (has_unread, facts.needs_upgrade) {
        (true, _) => Some("needs upgrade: deltas wait that a later version wrote".to_owned()),
        (false, true) => Some("needs upgrade: a peer speaks a later version".to_owned()),
        (false, false) => None,
    };
    facts.why.as_ref().map(ToString::to_string).or(upgrade)
}

/// How far this node agrees with its peers.
fn sync(ties: &[Tie]) -> Value {
    let peer = |tie: &Tie| {
        let state = match (tie.is_reachable, tie.is_comparing, tie.is_equal) {
            (false, ..) => "offline",
            (true, true, _) => "syncing",
            (true, false, Some(true)) => "converged",
            (true, false, Some(false)) => "behind",
            (true, false, None) => "unknown",
        };
        json!({ "peer": tie.peer.to_string(), "state": state, "lastAt": tie.at_ms })
    };
    let there: Vec<_> = ties.iter().filter(|tie| tie.is_reachable).collect();
    let state = match there.as_slice() {
        [] => "offline",
        there if there.iter().any(|tie| tie.is_comparing) => "syncing",
        there if there.iter().all(|tie| tie.is_equal == Some(true)) => "converged",
        there if there.iter().any(|tie| tie.is_equal == Some(false)) => "behind",
        _ => "unknown",
    };
    json!({ "state": state, "peers": ties.iter().map(peer).collect::<Vec<_>>() })
}

/// The members of a context.
pub(super) fn members(entry: &Entry, node: &Handle, ties: &[Tie]) -> Value {
    let roster = entry.facts().roster;
    let granted_by = |member: PeerId| {
        let conferred = roster.authority(member)?.id();
        Some(roster.deed(&DeltaId::from_bytes(*conferred.as_bytes()))?.log.author.to_string())
    };
    let member = |(member, of): (&PeerId, &Role)| {
        let is_self = *member == node.peer();
        let tie = ties.iter().find(|tie| tie.peer == *member);
        json!({
            "member": member.to_string(),
            "role": role(*of),
            "self": is_self,
            "grantedBy": granted_by(*member),
            "online": is_self || tie.is_some_and(|tie| tie.is_reachable),
            "lastSeenAt": if is_self { Some(node.now_ms()) } else { tie.and_then(|tie| tie.at_ms) },
        })
    };
    roster.members().iter().map(member).collect()
}
