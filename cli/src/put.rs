//! `mangrove put`: sets a register.

use crate::failure::Failure;
use crate::human::printable;
use crate::present::Report;
use crate::session::Session;
use crate::value::Typed;
use crate::write::{Op, write};

/// Set a key to a value
///
/// It returns once the write is durable on this node; others get it when they meet it.
#[derive(Debug, clap::Args)]
pub(crate) struct PutArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The key
    key: String,
    /// The value: JSON; what is no JSON is taken as a text
    #[arg(allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    typed: Typed,
}

pub(crate) fn run(args: &PutArgs, session: &Session) -> Result<Report, Failure> {
    let PutArgs { context, key, value, typed } = args;
    let value = typed.value(value)?;
    let words = format!("put {}", printable(key));
    write(session, context, Op::Put { key, value: &value }, &words)
}
