//! The limits table: every bound of the protocol, in one place.
//!
//! `mangrove limits` and `node.limits` print [`TABLE`]; code refers to the constants. A limit with
//! [`Scope::Validity`] decides whether a delta is one at all, so it belongs to the protocol's
//! version and can never be a setting.

use Scope::{Local, Validity};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Bytes of a key, as UTF-8.
pub const KEY_BYTES: u64 = KIB;
/// Bytes of a value, as canonical JSON.
pub const VALUE_BYTES: u64 = 512 * KIB;
/// Operations in one delta, over all its transactions.
pub const OPS_PER_DELTA: u64 = 4_096;
/// Bytes of one whole delta: header, payload and signature. Leaves room for a sync frame's own
/// header within [`SYNC_FRAME_BYTES`].
pub const DELTA_BYTES: u64 = MIB - 16 * KIB;
/// Parents that one delta may name besides the one before it in its own log.
pub const DEPS_PER_DELTA: u64 = 64;
/// Parents that one delta may name within one log.
pub const DEPS_PER_LOG: u64 = 4;
/// Boxes of epoch keys in one governance delta.
pub const BOXES_PER_ACT: u64 = 1_000;
/// Deltas at which a cut-off may end one log.
pub const HEADS_PER_CUT: u64 = 64;
/// Bytes of one gossip message.
pub const GOSSIP_MESSAGE_BYTES: u64 = 256 * KIB;
/// Bytes of one frame of a sync session.
pub const SYNC_FRAME_BYTES: u64 = MIB;
/// Bytes of the name of a context, a node or a member, as UTF-8.
pub const NAME_BYTES: u64 = 128;
/// Labels that a node writes down about a context.
pub const LABELS_PER_CONTEXT: u64 = 32;
/// A label of a context, or what it says.
pub const LABEL_BYTES: u64 = 128;
/// Members of one context; checked by the author of a grant.
pub const MEMBERS_PER_CONTEXT: u64 = 1_000;
/// Contexts of one node. Each is a topic of the mesh, of which a node may be on so many.
pub const CONTEXTS_PER_NODE: u64 = 3_900;
/// Bytes of stored but not yet applicable deltas, for one member of one context.
pub const PARKED_BYTES_PER_MEMBER: u64 = 16 * MIB;
/// Bytes of stored but not yet applicable deltas, for one context.
pub const PARKED_BYTES_PER_CONTEXT: u64 = 64 * MIB;
/// Bytes of a JSON-RPC request body, unless set otherwise.
pub const RPC_BODY_BYTES: u64 = 4 * MIB;
/// Calls in one JSON-RPC batch.
pub const RPC_BATCH_CALLS: u64 = 100;
/// Subscriptions on one WebSocket.
pub const SUBSCRIPTIONS_PER_SOCKET: u64 = 256;
/// Nesting of a JSON document.
pub const JSON_DEPTH: u64 = 64;
/// Bytes of a request id.
pub const REQUEST_ID_BYTES: u64 = 64;
/// Bytes of one member's presence state.
pub const PRESENCE_BYTES: u64 = 16 * KIB;
/// Entries in one page of a scan, a history or a feed.
pub const PAGE_ENTRIES: u64 = 1_000;

/// Who is bound by a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Decides validity: the same constant on every node, fixed for the protocol's version.
    Validity,
    /// Binds this node or the author alone; another version may choose another number.
    Local,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The name in the API, in camelCase with its unit last.
    pub name: &'static str,
    /// The number.
    pub value: u64,
    /// Who is bound by it.
    pub scope: Scope,
    /// What it bounds, as one line for a person.
    pub what: &'static str,
}

const fn limit(name: &'static str, value: u64, scope: Scope, what: &'static str) -> Limit {
    Limit { name, value, scope, what }
}

/// All limits, in the order they are printed.
pub const TABLE: &[Limit] = &[
    limit("keyBytes", KEY_BYTES, Validity, "a key"),
    limit("valueBytes", VALUE_BYTES, Validity, "a value, as canonical JSON"),
    limit("opsPerDelta", OPS_PER_DELTA, Validity, "operations in one delta"),
    limit("deltaBytes", DELTA_BYTES, Validity, "one whole delta"),
    limit("depsPerDelta", DEPS_PER_DELTA, Validity, "parents from other logs"),
    limit("depsPerLog", DEPS_PER_LOG, Validity, "parents from any one log"),
    limit("boxesPerAct", BOXES_PER_ACT, Validity, "boxes of keys in one governance delta"),
    limit("headsPerCut", HEADS_PER_CUT, Validity, "ends of one log in a cut-off"),
    limit("gossipMessageBytes", GOSSIP_MESSAGE_BYTES, Local, "one gossip message"),
    limit("syncFrameBytes", SYNC_FRAME_BYTES, Local, "one frame of a sync session"),
    limit("nameBytes", NAME_BYTES, Local, "a name of a context, node or member"),
    limit("labelsPerContext", LABELS_PER_CONTEXT, Local, "labels of a context on one node"),
    limit("labelBytes", LABEL_BYTES, Local, "a label, or what it says"),
    limit("membersPerContext", MEMBERS_PER_CONTEXT, Local, "members of one context"),
    limit("contextsPerNode", CONTEXTS_PER_NODE, Local, "contexts of one node"),
    limit("parkedBytesPerMember", PARKED_BYTES_PER_MEMBER, Local, "waiting deltas of one member"),
    limit("parkedBytesPerContext", PARKED_BYTES_PER_CONTEXT, Local, "waiting deltas of a context"),
    limit("rpcBodyBytes", RPC_BODY_BYTES, Local, "a JSON-RPC request (settable)"),
    limit("rpcBatchCalls", RPC_BATCH_CALLS, Local, "calls in one JSON-RPC batch"),
    limit("subscriptionsPerSocket", SUBSCRIPTIONS_PER_SOCKET, Local, "subscriptions on one socket"),
    limit("jsonDepth", JSON_DEPTH, Local, "nesting of a JSON document"),
    limit("requestIdBytes", REQUEST_ID_BYTES, Local, "a request id"),
    limit("presenceBytes", PRESENCE_BYTES, Local, "one member's presence state"),
    limit("pageEntries", PAGE_ENTRIES, Local, "entries in one page of an answer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_limit_says_what_it_bounds() {
        let mut names: Vec<_> = TABLE.iter().map(|limit| limit.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.iter().all(|limit| !limit.what.is_empty() && limit.value > 0));
    }

    #[test]
    fn a_whole_delta_fits_a_sync_frame_and_a_whole_value_fits_a_delta() {
        const { assert!(DELTA_BYTES < SYNC_FRAME_BYTES) };
        const { assert!(VALUE_BYTES + KEY_BYTES < DELTA_BYTES) };
        const { assert!(DEPS_PER_LOG < DEPS_PER_DELTA) };
    }

    #[test]
    fn the_limits_that_decide_validity_are_those_of_version_1() {
        let decide: Vec<_> = TABLE
            .iter()
            .filter(|limit| limit.scope == Validity)
            .map(|limit| (limit.name, limit.value))
            .collect();
        assert_eq!(
            decide,
            [
                ("keyBytes", 1_024),
                ("valueBytes", 524_288),
                ("opsPerDelta", 4_096),
                ("deltaBytes", 1_032_192),
                ("depsPerDelta", 64),
                ("depsPerLog", 4),
                ("boxesPerAct", 1_000),
                ("headsPerCut", 64),
            ]
        );
    }
}
