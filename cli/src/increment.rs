//! `mangrove increment`: adds to a counter.

use crate::failure::Failure;
use crate::human::printable;
use crate::present::Report;
use crate::session::Session;
use crate::write::{Op, write};

/// Add to a counter
///
/// What several members add at the same time is all counted.
#[derive(Debug, clap::Args)]
pub(crate) struct IncrementArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The key
    key: String,
    /// How much; less than 0 takes away
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    by: i64,
}

pub(crate) fn run(args: &IncrementArgs, session: &Session) -> Result<Report, Failure> {
    let IncrementArgs { context, key, by } = args;
    let words = format!("added {by} to {}", printable(key));
    write(session, context, Op::Increment { key, by: *by }, &words)
}
