//! Methods of invites.

mod close;
mod create;
mod list;

pub(crate) use close::Close;
pub(crate) use create::Create;
pub(crate) use list::List;
