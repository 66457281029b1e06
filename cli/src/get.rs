//! `mangrove get`: reads one entity.

use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::human::printable;
use crate::present::Report;
use crate::session::Session;
use crate::value::EntityKind;

/// Print the value of a key, as JSON
///
/// Exits 4 if there is none.
#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The key
    key: String,
    /// What it is
    #[arg(long, value_enum, default_value_t)]
    kind: EntityKind,
}

pub(crate) fn run(args: &GetArgs, session: &Session) -> Result<Report, Failure> {
    let GetArgs { context, key, kind } = args;
    let client = Client::open(session)?;
    let params = json!({ "context": context, "key": key, "kind": kind.name() });
    let found = client.call("state.get", &params)?;
    match found.get("entry") {
        None | Some(Value::Null) => Err(absent(args).data(found)),
        Some(entry) => {
            let value = entry.get("value").unwrap_or(&Value::Null);
            Ok(Report::answer(format!("{value}\n"), found))
        }
    }
}

fn absent(args: &GetArgs) -> Failure {
    let GetArgs { context, key, kind } = args;
    let what = format!("there is no {} {} in {context}", kind.name(), printable(key));
    let failure = Failure::new(Kind::NotFound, what);
    match kind {
        EntityKind::Register => failure.hint("if it is a counter or a set, say so: --kind KIND"),
        EntityKind::Counter | EntityKind::Set => failure,
    }
}
