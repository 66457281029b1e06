//! `mangrove delete`: deletes an entity.

use crate::failure::Failure;
use crate::human::printable;
use crate::present::Report;
use crate::session::Session;
use crate::value::EntityKind;
use crate::write::{Op, write};

/// Delete a key
///
/// What others write at the same time, without having seen this, stays.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The key
    key: String,
    /// What it is
    #[arg(long, value_enum, default_value_t)]
    kind: EntityKind,
}

pub(crate) fn run(args: &DeleteArgs, session: &Session) -> Result<Report, Failure> {
    let DeleteArgs { context, key, kind } = args;
    let words = format!("deleted the {} {}", kind.name(), printable(key));
    write(session, context, Op::Delete { key, kind: kind.name() }, &words)
}
