//! The methods that tests call, with what they answer.

use serde_json::{Map, Value, json};

use super::answers::{
    self, Applied, ContextInfo, Got, Invitation, Joined, MemberInfo, Page, Rooted, Status,
};
use super::{Rpc, RpcError};
use crate::dump::Kind;

/// What of a context is to be shown. Everything else is left to the node.
#[derive(Debug, Clone, Default)]
pub struct Scan<'a> {
    /// Only keys that begin so.
    pub prefix: Option<&'a str>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only what comes after this key.
    pub after: Option<&'a str>,
    /// So many at most.
    pub limit: Option<u64>,
}

impl Rpc {
    /// `context.create`: the id of the new context.
    pub fn create(&self, name: &str) -> Result<String, RpcError> {
        let answer = self.call("context.create", &json!({ "name": name }))?;
        answers::text("context.create", &answer, "context")
    }

    /// `invite.create`, with all that can be left out left to the node.
    pub fn invite(&self, context: &str) -> Result<Invitation, RpcError> {
        self.invite_as(json!({ "context": context }))
    }

    /// `invite.create` with these params.
    #[expect(clippy::needless_pass_by_value, reason = "params are written where they are needed")]
    pub fn invite_as(&self, params: Value) -> Result<Invitation, RpcError> {
        answers::invitation(&self.call("invite.create", &params)?)
    }

    /// `context.join`, waiting until all is there or the time is over.
    pub fn join(&self, ticket: &str, wait_secs: u64) -> Result<Joined, RpcError> {
        let params = json!({ "ticket": ticket, "waitSecs": wait_secs });
        answers::joined(&self.call("context.join", &params)?)
    }

    /// `context.get`.
    pub fn context(&self, context: &str) -> Result<ContextInfo, RpcError> {
        answers::context_info(&self.call("context.get", &json!({ "context": context }))?)
    }

    /// `member.list`.
    pub fn members(&self, context: &str) -> Result<Vec<MemberInfo>, RpcError> {
        answers::members(&self.call("member.list", &json!({ "context": context }))?)
    }

    /// `member.remove`, and its answer as it came.
    pub fn remove_member(&self, context: &str, member: &str) -> Result<Value, RpcError> {
        self.call("member.remove", &json!({ "context": context, "member": member }))
    }

    /// `state.apply` of some operations, which happen all together.
    pub fn apply(&self, context: &str, ops: &[Value]) -> Result<Applied, RpcError> {
        self.apply_as(json!({ "context": context, "ops": ops }))
    }

    /// `state.apply` with these params: with conditions, or with a request id.
    #[expect(clippy::needless_pass_by_value, reason = "params are written where they are needed")]
    pub fn apply_as(&self, params: Value) -> Result<Applied, RpcError> {
        answers::applied(&self.call("state.apply", &params)?)
    }

    /// `state.get`.
    pub fn get(&self, context: &str, kind: Kind, key: &str) -> Result<Got, RpcError> {
        let params = json!({ "context": context, "key": key, "kind": kind.name() });
        answers::got(&self.call("state.get", &params)?)
    }

    /// `state.scan`: one page.
    pub fn scan(&self, context: &str, scan: &Scan<'_>) -> Result<Page, RpcError> {
        let mut params = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            value.map(|value| params.insert(name.to_owned(), value));
        };
        set("context", Some(context.into()));
        set("prefix", scan.prefix.map(Value::from));
        set("kind", scan.kind.map(|kind| kind.name().into()));
        set("after", scan.after.map(Value::from));
        set("limit", scan.limit.map(Value::from));
        answers::page(&self.call("state.scan", &params.into())?)
    }

    /// `state.root`.
    pub fn root(&self, context: &str) -> Result<Rooted, RpcError> {
        answers::rooted(&self.call("state.root", &json!({ "context": context }))?)
    }

    /// `node.status`.
    pub fn status(&self) -> Result<Status, RpcError> {
        answers::status(&self.call("node.status", &json!({}))?)
    }

    /// `node.connect`: the peer that was found there.
    pub fn connect(&self, address: &str) -> Result<String, RpcError> {
        let answer = self.call("node.connect", &json!({ "address": address }))?;
        answers::text("node.connect", &answer, "peer")
    }
}
