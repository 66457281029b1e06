//! Replicas: how a node calls for some, and how one offers to be one.
//!
//! ```text
//! caller: Handle::enlist ── says the call, and waits      replica: intake ── judges it, as everybody does
//!           └ office ── its open calls                               └ allowed ── whom this node serves
//!               └ hire ── one exchange, by its stream                    └ applicant ── whose turn it is
//!                                                                            └ offer ── one exchange
//! ```
//! A call is heard by all who are on the topic of invites, and whoever answers its nonce may be hired: what a
//! replica then sees of a context are its members, roles, sizes and times, and nothing that is sealed.

mod allowed;
mod applicant;
mod hire;
mod message;
mod offer;
mod office;
mod pace;
#[cfg(test)]
mod tests;

use mangrove_network::Protocol;
use mangrove_protocol::enlist::MESSAGE_BYTES;

pub(crate) use allowed::{Allowed, Listener, allowed};
pub(crate) use applicant::{Applicant, Hands};
pub(crate) use hire::hire;
pub(crate) use message::Message;
pub(crate) use office::Office;
pub(crate) use pace::Pace;

/// How a replica is told what it is for.
pub(crate) const ENLIST: Protocol =
    Protocol { name: "/mangrove/enlist/1", frame_bytes: MESSAGE_BYTES };
