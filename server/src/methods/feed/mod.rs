//! Methods of feeds.

mod read;
mod subscribe;

pub(crate) use read::Read;
pub(crate) use subscribe::{Subscribe, Unsubscribe};

use mangrove_node::Since;

use crate::rpc::Error;
use crate::shape::read_cursor;

/// From where on somebody wants to be told, in the field of this name.
pub(crate) fn since(what: &str, text: Option<&str>, usual: Since) -> Result<Since, Error> {
    Ok(match text {
        None => usual,
        Some("start") => Since::Start,
        Some("now") => Since::Now,
        Some(text) => Since::After(read_cursor(what, text)?),
    })
}
