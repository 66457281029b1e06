//! Methods of state.

mod apply;
mod get;
mod get_many;
mod op;
mod root;
mod scan;

pub(crate) use apply::Apply;
pub(crate) use get::Get;
pub(crate) use get_many::GetMany;
pub(crate) use root::Root;
pub(crate) use scan::{Scan, page_limit};

use mangrove_protocol::op::Key;

use crate::rpc::{Error, Kind};

/// A key in the field of this name.
pub(crate) fn key(what: &str, text: &str) -> Result<Key, Error> {
    Key::new(text).map_err(|why| Error::new(Kind::TooLarge, format!("`{what}`: {why}")))
}
