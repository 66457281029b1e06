//! JSON-RPC 2.0: what is said, who answers it, and in what order.
//!
//! A message is read once, into the types of the methods that it calls; what those do not know is refused. What comes
//! back is made of the types in `shape`, and nowhere else.

mod discover;
mod engine;
mod envelope;
mod fault;
mod method;
mod order;
mod table;

pub(crate) use discover::document;
pub(crate) use engine::{Engine, Step, batch, one};
pub(crate) use envelope::{Call, Id, Refused, Said, answer};
pub(crate) use fault::{Error, Kind};
pub(crate) use method::{Aim, Method, Prepared, Reach, aims};
pub(crate) use order::How;
