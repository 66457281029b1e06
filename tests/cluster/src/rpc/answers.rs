//! What methods answer, as far as tests look at it.

use serde_json::Value;

use super::error::RpcError;
use super::shape::Shape;
use crate::dump::Kind;

/// What `invite.create` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// What lets somebody in.
    pub ticket: String,
    /// Its name.
    pub invite: String,
    /// Until when, in Unix milliseconds.
    pub expires_at: Option<u64>,
}

/// What `context.join` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The context.
    pub context: String,
    /// The role one has there now.
    pub role: String,
    /// Whether everything has been fetched.
    pub synced: bool,
}

/// What `state.apply` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The delta that holds the write.
    pub delta: String,
    /// Its place in the node's log.
    pub seq: u64,
    /// From here on everything is news to the caller.
    pub cursor: String,
    /// What it has survived already.
    pub durability: String,
    /// For each operation the version that it gave its entity.
    pub versions: Vec<Option<String>>,
    /// Whether this was answered before.
    pub duplicate: bool,
}

/// An entity, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its kind.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// What it holds; nothing if only keys were asked for.
    pub value: Option<Value>,
    /// Changes with every write of it.
    pub version: String,
    /// Who wrote it last.
    pub author: String,
    /// In which delta.
    pub delta: String,
    /// When, in whatever form.
    pub hlc: Value,
}

/// What `state.get` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// The entity, if it is there.
    pub entry: Option<Entry>,
    /// From here on everything is news to the caller.
    pub cursor: String,
    /// The context's state word.
    pub state: String,
}

/// What `state.scan` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Entities, in the order of their keys.
    pub entries: Vec<Entry>,
    /// After which key the next page begins; nothing if this is the last one.
    pub next: Option<String>,
    /// From here on everything is news to the caller.
    pub cursor: String,
    /// The context's state word.
    pub state: String,
}

/// What `state.root` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rooted {
    /// The hash over all live state.
    pub root: String,
    /// The deltas that none cites, in order.
    pub heads: Vec<String>,
    /// How many deltas there are.
    pub deltas: u64,
    /// How many entities there are.
    pub entities: u64,
    /// Where the feed is.
    pub cursor: String,
}

/// What `context.get` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextInfo {
    /// Its id.
    pub context: String,
    /// Its name.
    pub name: String,
    /// One's own role in it.
    pub role: String,
    /// The hash over all live state.
    pub root: String,
    /// How many deltas there are.
    pub deltas: u64,
    /// How many entities there are.
    pub entities: u64,
    /// Deltas that wait, whatever for.
    pub parked: u64,
    /// Its state word.
    pub state: String,
    /// How equal it is to the others.
    pub sync: String,
    /// The whole answer.
    pub raw: Value,
}

/// An element of what `member.list` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberInfo {
    /// Who it is.
    pub member: String,
    /// What it may do.
    pub role: String,
    /// Whether this is the node that was asked.
    pub is_self: bool,
    /// Whether it is connected.
    pub online: bool,
}

/// What `node.status` answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Who it is.
    pub peer: String,
    /// `starting`, `ready` or `stopping`.
    pub state: String,
    /// What acknowledged writes survive.
    pub durability: String,
    /// Where peers reach it.
    pub addresses: Vec<String>,
    /// The whole answer.
    pub raw: Value,
}

pub(super) fn invitation(value: &Value) -> Result<Invitation, RpcError> {
    let shape = Shape::of("invite.create", value);
    let expires_at = shape.field("expiresAt")?.as_u64();
    Ok(Invitation { ticket: shape.text("ticket")?, invite: shape.text("invite")?, expires_at })
}

pub(super) fn joined(value: &Value) -> Result<Joined, RpcError> {
    let shape = Shape::of("context.join", value);
    let (context, role) = (shape.text("context")?, shape.text("role")?);
    Ok(Joined { context, role, synced: shape.flag("synced")? })
}

pub(super) fn applied(value: &Value) -> Result<Applied, RpcError> {
    let shape = Shape::of("state.apply", value);
    let version = |version: &Value| match version {
        Value::Null => Some(None),
        version => version.as_str().map(|text| Some(text.to_owned())),
    };
    let versions = shape.list("versions")?.iter().map(version).collect::<Option<_>>();
    Ok(Applied {
        delta: shape.text("delta")?,
        seq: shape.number("seq")?,
        cursor: shape.text("cursor")?,
        durability: shape.text("durability")?,
        versions: versions.ok_or_else(|| shape.misshapen("versions", "holds something else"))?,
        duplicate: value.get("duplicate").and_then(Value::as_bool).unwrap_or_default(),
    })
}

pub(super) fn got(value: &Value) -> Result<Got, RpcError> {
    let shape = Shape::of("state.get", value);
    let found = shape.field("entry")?;
    let entry = if found.is_null() { None } else { Some(entry(found)?) };
    Ok(Got { entry, cursor: shape.text("cursor")?, state: shape.text("state")? })
}

pub(super) fn page(value: &Value) -> Result<Page, RpcError> {
    let shape = Shape::of("state.scan", value);
    let entries = shape.list("entries")?.iter().map(entry).collect::<Result<_, _>>()?;
    let (cursor, state) = (shape.text("cursor")?, shape.text("state")?);
    Ok(Page { entries, next: shape.text_or_null("next")?, cursor, state })
}

fn entry(value: &Value) -> Result<Entry, RpcError> {
    let shape = Shape::of("an entry", value);
    let kind = Kind::named(&shape.text("kind")?);
    Ok(Entry {
        kind: kind.ok_or_else(|| shape.misshapen("kind", "is unknown"))?,
        key: shape.text("key")?,
        value: value.get("value").cloned(),
        version: shape.text("version")?,
        author: shape.text("author")?,
        delta: shape.text("delta")?,
        hlc: shape.field("hlc")?.clone(),
    })
}

pub(super) fn rooted(value: &Value) -> Result<Rooted, RpcError> {
    let shape = Shape::of("state.root", value);
    let mut heads = shape.texts("heads")?;
    heads.sort();
    Ok(Rooted {
        root: shape.text("root")?,
        heads,
        deltas: shape.number("deltas")?,
        entities: shape.number("entities")?,
        cursor: shape.text("cursor")?,
    })
}

pub(super) fn context_info(value: &Value) -> Result<ContextInfo, RpcError> {
    let shape = Shape::of("context.get", value);
    let count = |parked: &Value| Shape::of("parked", parked).number("count");
    let parked = shape.list("parked")?.iter().map(count).sum::<Result<u64, _>>()?;
    Ok(ContextInfo {
        context: shape.text("context")?,
        name: shape.text("name")?,
        role: shape.text("role")?,
        root: shape.text("root")?,
        deltas: shape.number("deltas")?,
        entities: shape.number("entities")?,
        parked,
        state: shape.text("state")?,
        sync: Shape::of("sync", shape.field("sync")?).text("state")?,
        raw: value.clone(),
    })
}

pub(super) fn members(value: &Value) -> Result<Vec<MemberInfo>, RpcError> {
    let not_a_list = || RpcError::misshapen("member.list", "not a list", &value.to_string());
    value.as_array().ok_or_else(not_a_list)?.iter().map(member).collect()
}

fn member(value: &Value) -> Result<MemberInfo, RpcError> {
    let shape = Shape::of("a member", value);
    Ok(MemberInfo {
        member: shape.text("member")?,
        role: shape.text("role")?,
        is_self: shape.flag("self")?,
        online: shape.flag("online")?,
    })
}

pub(super) fn status(value: &Value) -> Result<Status, RpcError> {
    let shape = Shape::of("node.status", value);
    Ok(Status {
        peer: shape.text("peer")?,
        state: shape.text("state")?,
        durability: shape.text("durability")?,
        addresses: shape.texts("addresses")?,
        raw: value.clone(),
    })
}

/// The one text in an answer.
pub(super) fn text(what: &'static str, value: &Value, name: &str) -> Result<String, RpcError> {
    Shape::of(what, value).text(name)
}
