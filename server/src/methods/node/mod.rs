//! Methods of the node itself.

mod backup;
mod ban;
mod connect;
mod limits;
mod peers;
mod status;
mod stop;

pub(crate) use backup::Backup;
pub(crate) use ban::{Ban, Unban};
pub(crate) use connect::Connect;
pub(crate) use limits::Limits;
pub(crate) use peers::Peers;
pub(crate) use status::{Status, durability};
pub(crate) use stop::Stop;
