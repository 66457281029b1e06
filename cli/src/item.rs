//! `mangrove insert` and `mangrove remove`: the items of a set.

use crate::failure::Failure;
use crate::human::printable;
use crate::present::Report;
use crate::session::Session;
use crate::value::Typed;
use crate::write::{Op, write};

#[derive(Debug, clap::Args)]
pub(crate) struct ItemArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The key of the set
    key: String,
    /// The item: JSON; what is no JSON is taken as a text
    #[arg(allow_hyphen_values = true)]
    item: String,
    #[command(flatten)]
    typed: Typed,
}

pub(crate) fn insert(args: &ItemArgs, session: &Session) -> Result<Report, Failure> {
    let ItemArgs { context, key, item, typed } = args;
    let words = format!("inserted into {}", printable(key));
    write(session, context, Op::Insert { key, item: &typed.value(item)? }, &words)
}

pub(crate) fn remove(args: &ItemArgs, session: &Session) -> Result<Report, Failure> {
    let ItemArgs { context, key, item, typed } = args;
    let words = format!("removed from {}", printable(key));
    write(session, context, Op::Remove { key, item: &typed.value(item)? }, &words)
}
