//! Contexts, as programs see them.

use std::collections::BTreeMap;

use mangrove_node::directory::{self, Facts};
use mangrove_node::handle::Look;
use mangrove_node::{ReadError, Tie};
use schemars::JsonSchema;
use serde::Serialize;

use super::text::{RoleName, digest};

/// A context.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContextInfo {
    context: String,
    /// What this node calls it, or what its members do; null until that can be read.
    name: Option<String>,
    /// What this node may do there; null if it is no member.
    role: Option<RoleName>,
    members: usize,
    root: String,
    heads: Vec<String>,
    deltas: u64,
    entities: u64,
    /// What it takes of the disk, about.
    bytes: u64,
    parked: Vec<Parked>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    sync: Sync,
    /// What this node has written down about it.
    labels: BTreeMap<String, String>,
    /// Since when this node has it, in Unix ms.
    created_at: u64,
}

/// Deltas that wait for something.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Parked {
    reason: &'static str,
    count: u64,
    oldest_age_ms: u64,
}

/// How far this node agrees with its peers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Sync {
    /// `converged`, `syncing`, `behind`, `unknown` or `offline`.
    state: &'static str,
    peers: Vec<SyncPeer>,
}

/// How far this node agrees with one of them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SyncPeer {
    peer: String,
    state: &'static str,
    /// Whether either of the two lacks something; null if that is not known.
    behind: Option<bool>,
    /// When it was heard of last, in Unix ms.
    last_at: Option<u64>,
    /// Why it is so, for people.
    why: Option<&'static str>,
}

/// What is known of a context beside what is stored of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) entry: &'a directory::Entry,
    pub(crate) ties: &'a [Tie],
    pub(crate) bytes: u64,
    pub(crate) now_ms: u64,
}

impl ContextInfo {
    pub(crate) fn of(seen: Seen<'_>, look: &Look<'_>) -> Result<Self, ReadError> {
        let (facts, summary) = (&look.facts, look.summary()?);
        let parked = look.parked(seen.now_ms);
        let has_unread = parked.iter().any(|it| it.reason == "version");
        let parked = parked.into_iter().map(|it| Parked {
            reason: it.reason,
            count: it.count,
            oldest_age_ms: it.oldest_age_ms,
        });
        Ok(Self {
            context: seen.entry.context().to_string(),
            name: facts.called().map(ToString::to_string),
            role: facts.role.map(RoleName::from),
            members: facts.roster.members().len(),
            root: digest(&summary.root),
            heads: summary.heads.iter().map(ToString::to_string).collect(),
            deltas: summary.deltas,
            entities: look.count()?,
            bytes: seen.bytes,
            parked: parked.collect(),
            state: facts.state.name(),
            why: why(facts, has_unread),
            sync: Sync::of(seen.ties),
            labels: facts.labels.as_ref().clone(),
            created_at: facts.since_ms,
        })
    }
}

fn why(facts: &Facts, has_unread: bool) -> Option<String> {
    let upgrade = match (has_unread, facts.needs_upgrade) {
        (true, _) => Some("needs upgrade: deltas wait that a later version wrote".to_owned()),
        (false, true) => Some("needs upgrade: a peer speaks a later version".to_owned()),
        (false, false) => None,
    };
    facts.why.as_ref().map(ToString::to_string).or(upgrade)
}

impl Sync {
    fn of(ties: &[Tie]) -> Self {
        let there: Vec<_> = ties.iter().filter(|tie| tie.is_reachable).collect();
        let state = match there.as_slice() {
            [] => "offline",
            there if there.iter().any(|tie| tie.is_comparing) => "syncing",
            there if there.iter().all(|tie| tie.is_equal == Some(true)) => "converged",
            there if there.iter().any(|tie| tie.is_equal == Some(false)) => "behind",
            _ => "unknown",
        };
        Self { state, peers: ties.iter().map(SyncPeer::of).collect() }
    }
}

impl SyncPeer {
    fn of(tie: &Tie) -> Self {
        let (state, why) = match (tie.is_reachable, tie.is_comparing, tie.is_equal) {
            (false, ..) => ("offline", Some("it cannot be reached")),
            (true, true, _) => ("syncing", None),
            (true, false, Some(true)) => ("converged", None),
            (true, false, Some(false)) => {
                ("behind", Some("what it holds is not what this node holds"))
            }
            (true, false, None) => ("unknown", Some("it has said nothing since this node went on")),
        };
        Self {
            peer: tie.peer.to_string(),
            state,
            behind: tie.is_equal.map(|is_equal| !is_equal),
            last_at: tie.at_ms,
            why,
        }
    }
}
