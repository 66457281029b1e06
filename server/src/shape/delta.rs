//! Deltas, as programs see them.

use mangrove_node::handle::Past;
use mangrove_protocol::graph::Status;
use mangrove_protocol::id::{PeerId, Plane};
use mangrove_protocol::op::{AppEvent, Op, Payload};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::text::{Json, KindName};

/// A delta.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaInfo {
    delta: String,
    author: String,
    /// In which of the lives of its author's home it was written.
    incarnation: String,
    seq: u64,
    /// What its author had seen: the delta before it in its log, and others.
    parents: Vec<String>,
    hlc: String,
    /// `data` or `governance`.
    plane: &'static str,
    /// Why it counts for nothing; null if it counts.
    void: Option<String>,
    /// Whether this node wrote it.
    local: bool,
    /// What it does, where one delta was asked for and a key for it is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<Vec<Json>>,
}

impl DeltaInfo {
    pub(crate) fn of(past: &Past, me: PeerId, said: Option<&Payload>) -> Self {
        let (header, log) = (past.delta.header(), past.delta.log());
        let void = match &past.place.status {
            Status::Void { why, .. } => Some(why.to_string()),
            Status::Applied { .. } | Status::Parked { .. } => None,
        };
        Self {
            delta: past.delta.id().to_string(),
            author: log.author.to_string(),
            incarnation: log.incarnation.to_string(),
            seq: past.delta.seq().get(),
            parents: header.tips().map(|tip| tip.id.to_string()).collect(),
            hlc: past.place.hlc.bits().to_string(),
            plane: match log.plane {
                Plane::Governance => "governance",
                Plane::Data => "data",
            },
            void,
            local: log.author == me,
            ops: said.map(ops),
        }
    }
}

fn ops(payload: &Payload) -> Vec<Json> {
    let transactions = payload.transactions().iter();
    let all = transactions.flat_map(|it| it.ops.iter().map(op).chain(it.events.iter().map(event)));
    all.collect()
}

fn op(op: &Op) -> Json {
    let (key, kind) = (op.key().as_str(), KindName::from(op.kind()));
    Json::told(&match op {
        Op::Put { value, .. } => {
            json!({ "op": "put", "key": key, "value": Json::of(value.as_bytes()) })
        }
        Op::Delete { .. } => json!({ "op": "delete", "key": key, "kind": kind }),
        Op::Increment { by, .. } => json!({ "op": "increment", "key": key, "by": by }),
        // A counter is deleted by taking away what its author saw.
        Op::Reset { .. } => json!({ "op": "delete", "key": key, "kind": kind }),
        Op::Insert { item, .. } => {
            json!({ "op": "insert", "key": key, "item": Json::of(item.as_bytes()) })
        }
        Op::Remove { item, .. } => {
            json!({ "op": "remove", "key": key, "item": Json::of(item.as_bytes()) })
        }
    })
}

fn event(event: &AppEvent) -> Json {
    Json::told(&json!({ "op": "emit", "name": event.name, "data": Json::of(&event.data) }))
}
