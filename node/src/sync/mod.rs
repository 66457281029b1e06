//! The sync-session actor: conversations with peers, each a routine of its own.
//!
//! A routine moves frames between a stream and whoever works on the context, and knows nothing of what they say.
//! It owns all there is of its peer here; however it ends, by the peer, by this node, or by a panic, that is told
//! once. While who works on the context is busy, it stops reading, and the peer has to wait.

mod door;
mod machine;
mod message;
mod routine;

use mangrove_network::Protocol;
use mangrove_protocol::{join, sync};

use crate::enlist::ENLIST;

pub(crate) use machine::{Hands, Sessions};
pub(crate) use message::Message;

/// How two nodes come to hold the same.
pub(crate) const SYNC: Protocol =
    Protocol { name: "/mangrove/sync/1", frame_bytes: sync::FRAME_BYTES };
/// How somebody with a ticket is let in.
pub(crate) const JOIN: Protocol =
    Protocol { name: "/mangrove/join/1", frame_bytes: join::MESSAGE_BYTES };

/// What peers may open streams for.
pub(crate) fn protocols() -> Vec<Protocol> {
    vec![SYNC, JOIN, ENLIST]
}
