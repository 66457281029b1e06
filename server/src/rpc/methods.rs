//! The methods: what each takes, and what it gives.

use std::time::Duration;

use mangrove_config::store::Durability;
use mangrove_node::directory::Entry;
use mangrove_node::handle::{Range, Terms};
use mangrove_node::{Fault, Handle};
use mangrove_protocol::governance::{Command, Role};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::limits::PAGE_ENTRIES;
use mangrove_protocol::request::{Request, RequestId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

use super::fault::{Error, Kind};
use super::op::{Expected, Op, key, kind};
use super::shape;

/// For how long an invite lets somebody in, unless something else is said.
const LASTS_SECS: u64 = 7 * 24 * 60 * 60;
/// For how long it is waited for a context that was joined, unless something else is said.
const WAIT_SECS: u64 = 10;

/// Calls a method with the text of its params.
pub(super) async fn call(node: &Handle, method: &str, params: &str) -> Result<Value, Error> {
    match method {
        "node.status" => status(node, read(params)?).await,
        "node.connect" => connect(node, read(params)?).await,
        "node.stop" => {
            let Nothing {} = read(params)?;
            node.stop();
            Ok(json!({}))
        }
        "context.create" => create(node, read(params)?).await,
        "context.list" => list(node, read(params)?).await,
        "context.get" => get_context(node, read(params)?).await,
        "context.join" => join(node, read(params)?).await,
        "context.rebuild" => {
            let entry = find(node, &read::<OfContext>(params)?)?;
            node.rebuild(entry.context()).await?;
            Ok(json!({}))
        }
        "context.leave" => {
            let entry = find(node, &read::<OfContext>(params)?)?;
            node.decide(entry.context(), Command::Leave).await?;
            Ok(json!({}))
        }
        "context.forget" => {
            let entry = find(node, &read::<OfContext>(params)?)?;
            node.forget(entry.context()).await?;
            Ok(json!({}))
        }
        "context.enlist" => enlist(node, read(params)?).await,
        "context.delist" => delist(node, read(params)?).await,
        "invite.create" => invite(node, read(params)?).await,
        "member.list" => members(node, &read(params)?).await,
        "member.remove" => remove(node, read(params)?).await,
        "member.setRole" => set_role(node, read(params)?).await,
        "state.apply" => apply(node, read(params)?).await,
        "state.get" => get(node, &read(params)?),
        "state.scan" => scan(node, read(params)?),
        "state.root" => root(node, &read(params)?),
        _ => Err(Error::new(Kind::MethodNotFound, format!("there is no method `{method}`"))),
    }
}

fn read<T: DeserializeOwned>(params: &str) -> Result<T, Error> {
    serde_json::from_str(params).map_err(|why| Error::new(Kind::InvalidParams, why.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfContext {
    context: String,
}

fn find(node: &Handle, of: &OfContext) -> Result<Arc<Entry>, Error> {
    Ok(node.find(&of.context)?)
}

async fn status(node: &Handle, Nothing {}: Nothing) -> Result<Value, Error> {
    let overview = node.network().overview().await;
    let overview = overview.ok_or(Fault::Stopping)?;
    let connected = overview.peers.iter().filter(|peer| !peer.connections.is_empty()).count();
    let uptime_ms = u64::try_from(node.uptime().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({
        "peer": node.peer().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "features": [],
        "uptimeMs": uptime_ms,
        "mode": node.settings().node.mode.to_string(),
        "addresses": node.addresses(),
        "peers": connected,
        "contexts": node.contexts().len(),
        "durability": durability(node),
        "state": node.phase().name(),
    }))
}

fn durability(node: &Handle) -> &'static str {
    match node.settings().store.durability {
        Durability::Fsync => "fsync",
        Durability::Buffered => "buffered",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connect {
    address: String,
}

async fn connect(node: &Handle, params: Connect) -> Result<Value, Error> {
    let address = params.address.parse().map_err(|why| Error::params("address", why))?;
    let connected = node.network().connect(address).await;
    let peer = connected.map_err(|why| Error::new(Kind::Unreachable, why.to_string()))?;
    Ok(json!({ "peer": peer.to_string() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
}

async fn create(node: &Handle, params: Create) -> Result<Value, Error> {
    let context = node.create(&params.name).await?;
    Ok(json!({ "context": context.to_string() }))
}

async fn list(node: &Handle, Nothing {}: Nothing) -> Result<Value, Error> {
    let mut all = Vec::new();
    for entry in node.contexts() {
        all.push(info(node, &entry).await?);
    }
    Ok(all.into())
}

async fn get_context(node: &Handle, params: OfContext) -> Result<Value, Error> {
    info(node, &*find(node, &params)?).await
}

async fn info(node: &Handle, entry: &Entry) -> Result<Value, Error> {
    // What cannot be asked is not known, and the rest can be looked up all the same.
    let ties = node.ties(entry.context()).await.unwrap_or_default();
    let seen = (ties.as_slice(), node.now_ms());
    Ok(node.look(&entry.context(), |look| shape::context(entry, look, seen))?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Join {
    ticket: String,
    name: Option<String>,
    wait_secs: Option<u64>,
}

async fn join(node: &Handle, params: Join) -> Result<Value, Error> {
    let wait = Duration::from_secs(params.wait_secs.unwrap_or(WAIT_SECS));
    let joined = node.join(&params.ticket, params.name, wait).await?;
    Ok(json!({
        "context": joined.context.to_string(),
        "role": joined.role.map(shape::role),
        "synced": joined.is_synced,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enlist {
    context: String,
    count: u64,
}

async fn enlist(node: &Handle, params: Enlist) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let replicas = node.enlist(entry.context(), params.count).await?;
    let replicas: Vec<_> = replicas.iter().map(ToString::to_string).collect();
    Ok(json!({ "replicas": replicas }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delist {
    context: String,
    replica: String,
}

async fn delist(node: &Handle, params: Delist) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let replica = params.replica.parse().map_err(|why| Error::params("replica", why))?;
    node.delist(entry.context(), replica).await?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Invite {
    context: String,
    role: Option<String>,
    expires_in_secs: Option<u64>,
    uses: Option<u32>,
}

fn role(text: Option<&str>) -> Result<Role, Error> {
    match text {
        None | Some("writer") => Ok(Role::Writer),
        Some("owner") => Ok(Role::Owner),
        Some("admin") => Ok(Role::Admin),
        Some("reader") => Ok(Role::Reader),
        Some(other) => {
            Err(Error::params("role", format!("`{other}` is none of owner, admin, writer, reader")))
        }
    }
}

async fn invite(node: &Handle, params: Invite) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let lasts = Duration::from_secs(params.expires_in_secs.unwrap_or(LASTS_SECS));
    let uses = params.uses.unwrap_or(1);
    let terms = Terms { role: role(params.role.as_deref())?, lasts, uses };
    let invitation = node.invite(entry.context(), terms).await?;
    Ok(json!({
        "ticket": invitation.ticket,
        "invite": invitation.invite.to_string(),
        "expiresAt": invitation.expires_at_ms,
    }))
}

async fn members(node: &Handle, params: &OfContext) -> Result<Value, Error> {
    let entry = find(node, params)?;
    let ties = node.ties(entry.context()).await.unwrap_or_default();
    Ok(shape::members(&entry, node, &ties))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfMember {
    context: String,
    member: String,
}

fn member(text: &str) -> Result<PeerId, Error> {
    text.parse().map_err(|why| Error::params("member", why))
}

async fn remove(node: &Handle, params: OfMember) -> Result<Value, Error> {
    let (entry, member) = (node.find(&params.context)?, member(&params.member)?);
    decide(node, &entry, Command::Remove { member }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetRole {
    context: String,
    member: String,
    role: String,
}

async fn set_role(node: &Handle, params: SetRole) -> Result<Value, Error> {
    let (entry, member) = (node.find(&params.context)?, member(&params.member)?);
    let role = role(Some(&params.role))?;
    decide(node, &entry, Command::SetRole { member, role }).await
}

async fn decide(node: &Handle, entry: &Entry, command: Command) -> Result<Value, Error> {
    let decided = node.decide(entry.context(), command).await?;
    let falls: Vec<_> = decided.falls.iter().map(ToString::to_string).collect();
    Ok(json!({ "delta": decided.delta.to_string(), "falls": falls }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Apply {
    context: String,
    ops: Vec<Op>,
    conditions: Option<Vec<Expected>>,
    request_id: Option<String>,
}

/// Whose request ids these are, while there is one token.
const SCOPE: &str = "api";

async fn apply(node: &Handle, params: Apply) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let edits = params.ops.into_iter().enumerate().map(|(at, op)| op.edit(at));
    let edits = edits.collect::<Result<Vec<_>, _>>()?;
    let conditions = params.conditions.unwrap_or_default().into_iter().enumerate();
    let conditions = conditions.map(|(at, it)| it.condition(at)).collect::<Result<Vec<_>, _>>()?;
    let id = params.request_id.map(|name| RequestId { scope: SCOPE.to_owned(), name });
    let context = entry.context();
    let written = node.apply(context, Request { id, edits, conditions }).await?;
    let generation = node.look(&context, |look| look.cursor())?.generation;
    let cursor = mangrove_node::Cursor { generation, next: written.cursor };
    let versions: Vec<_> =
        written.versions.iter().map(|it| it.map(|version| version.to_string())).collect();
    let mut result = json!({
        "delta": written.delta.to_string(),
        "seq": written.seq.get(),
        "cursor": shape::cursor(cursor),
        "durability": durability(node),
        "versions": versions,
    });
    if written.duplicate
        && let Some(object) = result.as_object_mut()
    {
        object.insert("duplicate".to_owned(), true.into());
    }
    Ok(result)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Get {
    context: String,
    key: String,
    kind: Option<String>,
}

fn get(node: &Handle, params: &Get) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let (key, kind) = (key("key", &params.key)?, kind(params.kind.as_deref())?);
    Ok(node.look(&entry.context(), |look| {
        let found = look.entity(kind, &key)?;
        Ok(json!({
            "entry": found.as_ref().map(shape::entity),
            "cursor": shape::cursor(look.cursor()?),
            "state": look.facts.state.name(),
        }))
    })?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    context: String,
    prefix: Option<String>,
    kind: Option<String>,
    after: Option<String>,
    limit: Option<u64>,
}

fn scan(node: &Handle, params: Scan) -> Result<Value, Error> {
    let entry = node.find(&params.context)?;
    let most = params.limit.unwrap_or(PAGE_ENTRIES);
    if !(1..=PAGE_ENTRIES).contains(&most) {
        return Err(Error::params("limit", format!("{most} is not between 1 and {PAGE_ENTRIES}")));
    }
    let limit = usize::try_from(most).unwrap_or(usize::MAX);
    let after = params.after.as_deref().map(|after| key("after", after)).transpose()?;
    let kind = kind(params.kind.as_deref())?;
    let prefix = params.prefix.unwrap_or_default();
    let range = Range { kind, prefix, after, limit: limit + 1 };
    Ok(node.look(&entry.context(), |look| {
        let mut found = look.entities(&range)?;
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|last| last.key.as_str().to_owned());
        Ok(json!({
            "entries": found.iter().map(shape::entity).collect::<Vec<_>>(),
            "next": next,
            "cursor": shape::cursor(look.cursor()?),
            "state": look.facts.state.name(),
        }))
    })?)
}

fn root(node: &Handle, params: &OfContext) -> Result<Value, Error> {
    let entry = find(node, params)?;
    Ok(node.look(&entry.context(), |look| {
        let summary = look.summary()?;
        let heads: Vec<_> = summary.heads.iter().map(ToString::to_string).collect();
        Ok(json!({
            "root": shape::digest(&summary.root),
            "heads": heads,
            "deltas": summary.deltas,
            "entities": look.count()?,
            "cursor": shape::cursor(look.cursor()?),
        }))
    })?)
}
