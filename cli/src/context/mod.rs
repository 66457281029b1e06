//! `mangrove context`: contexts, from their founding to their end.

mod info;

use std::collections::BTreeMap;

use clap::Subcommand;
use mangrove_protocol::enlist::PEERS_PER_CALL;
use serde_json::{Map, Value, json};

pub(crate) use self::info::{page, story, table};
use crate::client::Client;
use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::field;
use crate::human::{bytes, now_ms, printable, short};
use crate::present::Report;
use crate::session::Session;
use crate::value::Role;

/// Found, list and change contexts
///
/// A context is a space of its own: its members, keys and history. Where a command takes one, it takes its name on
/// this node, its id, or at least four letters with which its id begins.
#[derive(Debug, clap::Args)]
pub(crate) struct ContextArgs {
    #[command(subcommand)]
    command: ContextCommand,
}

#[derive(Debug, Subcommand)]
enum ContextCommand {
    /// Found a context, of which this node is the owner
    Create(CreateArgs),
    /// List the contexts of this node
    List,
    /// Show how a context is: with whom it is equal, and what it waits for
    Show(One),
    /// Give a context another name
    Rename(RenameArgs),
    /// Compare a context with whoever can be reached, and fetch what is missing
    Sync(One),
    /// Make the state of a context anew from its history
    Rebuild(One),
    /// Call for replicas, which keep a context without being able to read it
    Enlist(EnlistArgs),
    /// Let a replica go
    Delist(DelistArgs),
    /// Leave a context
    ///
    /// The others are told. What is here stays, and can be read.
    Leave(EndArgs),
    /// Delete a context on this node
    ///
    /// The others keep theirs, and are told nothing.
    Forget(EndArgs),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The context
    context: String,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// What its members call it
    name: String,
    /// Print a ticket, too, that lets somebody in with this role
    #[arg(long, value_name = "ROLE", value_enum)]
    invite: Option<Role>,
    /// Write this down about it, on this node alone
    ///
    /// Can be given several times.
    #[arg(long = "label", value_name = "NAME=TEXT", value_parser = label)]
    labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, says) = text.split_once('=').ok_or("write it as NAME=TEXT")?;
    Ok((name.to_owned(), says.to_owned()))
}

#[derive(Debug, clap::Args)]
struct RenameArgs {
    /// The context
    context: String,
    /// Its new name
    name: String,
}

#[derive(Debug, clap::Args)]
struct EnlistArgs {
    /// The context
    context: String,
    /// How many more
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=PEERS_PER_CALL as u64))]
    count: u64,
}

#[derive(Debug, clap::Args)]
struct DelistArgs {
    /// The context
    context: String,
    /// The replica
    peer: String,
}

#[derive(Debug, clap::Args)]
struct EndArgs {
    /// The context
    context: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(crate) fn run(args: &ContextArgs, session: &Session) -> Result<Report, Failure> {
    match &args.command {
        ContextCommand::Create(args) => create(args, session),
        ContextCommand::List => list(session),
        ContextCommand::Show(args) => show(args, session),
        ContextCommand::Rename(RenameArgs { context, name }) => {
            let done = named("context.rename", context, session, ("name", json!(name)))?;
            Ok(Report::note(format!("{} is {}\n", printable(context), printable(name)), done))
        }
        ContextCommand::Sync(args) => sync(args, session),
        ContextCommand::Rebuild(One { context }) => {
            let done = of("context.rebuild", context, session)?;
            Ok(Report::note(format!("{} is made anew\n", printable(context)), done))
        }
        ContextCommand::Enlist(args) => enlist(args, session),
        ContextCommand::Delist(DelistArgs { context, peer }) => {
            let done = named("context.delist", context, session, ("replica", json!(peer)))?;
            Ok(Report::note(format!("{} is let go\n", printable(peer)), done))
        }
        ContextCommand::Leave(args) => leave(args, session),
        ContextCommand::Forget(args) => forget(args, session),
    }
}

fn create(args: &CreateArgs, session: &Session) -> Result<Report, Failure> {
    let client = Client::open(session)?;
    let labels = args.labels.iter().cloned().collect::<BTreeMap<_, _>>();
    let params = json!({ "name": args.name, "labels": labels });
    let mut created = client.call("context.create", &params)?;
    let id = field::text(&created, "context").to_owned();
    let text = format!("founded {}: {id}\n", printable(&args.name));
    let Some(role) = args.invite else { return Ok(Report::note(text, created)) };
    let params = json!({ "context": id, "role": role.name() });
    let invited = client.call("invite.create", &params).map_err(|failure| {
        failure.under(format!("the context {id} is founded, but nobody is invited"))
    })?;
    let ticket = field::text(&invited, "ticket").to_owned();
    if let (Value::Object(created), Value::Object(invited)) = (&mut created, invited) {
        created.extend(invited);
    }
    Ok(Report::answer(format!("{text}{ticket}\n"), created))
}

fn list(session: &Session) -> Result<Report, Failure> {
    let found = Client::open(session)?.call("context.list", &json!({}))?;
    Ok(Report::answer(table(field::items(&found), session.look), found))
}

fn show(args: &One, session: &Session) -> Result<Report, Failure> {
    let found = of("context.get", &args.context, session)?;
    Ok(Report::answer(page(&found, session.look, now_ms()), found))
}

fn sync(args: &One, session: &Session) -> Result<Report, Failure> {
    let done = of("context.sync", &args.context, session)?;
    let number = |name: &str| field::number(&done, name);
    let (received, sent) = (number("received"), number("sent"));
    let peer = printable(field::text(&done, "peer"));
    let text = format!("compared with {peer}: received {received}, sent {sent}\n");
    Ok(Report::note(text, done))
}

fn enlist(args: &EnlistArgs, session: &Session) -> Result<Report, Failure> {
    let EnlistArgs { context, count } = args;
    let done = named("context.enlist", context, session, ("count", json!(count)))?;
    let replicas = field::list(&done, "replicas").iter().filter_map(Value::as_str);
    let text = replicas.map(|replica| format!("{}\n", printable(replica))).collect::<String>();
    let text = if text.is_empty() { "nobody has come\n".to_owned() } else { text };
    Ok(Report::answer(text, done))
}

fn leave(args: &EndArgs, session: &Session) -> Result<Report, Failure> {
    let context = printable(&args.context);
    args.confirmation.obtain(|| {
        Ok(format!("Leave {context}? Only somebody else can let this node in again."))
    })?;
    let done = of("context.leave", &args.context, session)?;
    Ok(Report::note(format!("left {context}; what is here can still be read\n"), done))
}

fn forget(args: &EndArgs, session: &Session) -> Result<Report, Failure> {
    let context = printable(&args.context);
    args.confirmation.obtain(|| {
        let found = of("context.get", &args.context, session)?;
        let (id, size) = (field::text(&found, "context"), bytes(field::number(&found, "bytes")));
        Ok(format!("Delete {context} ({}, {size}) on this node?", short(id)))
    })?;
    let done = of("context.forget", &args.context, session)?;
    Ok(Report::note(format!("deleted {context} on this node\n"), done))
}

/// Calls a method that takes a context alone.
fn of(method: &str, context: &str, session: &Session) -> Result<Value, Failure> {
    Client::open(session)?.call(method, &json!({ "context": context }))
}

/// Calls a method that takes a context and one thing more.
fn named(
    method: &str,
    context: &str,
    session: &Session,
    (name, value): (&str, Value),
) -> Result<Value, Failure> {
    let mut params = Map::new();
    params.insert("context".to_owned(), context.into());
    params.insert(name.to_owned(), value);
    Client::open(session)?.call(method, &params)
}
