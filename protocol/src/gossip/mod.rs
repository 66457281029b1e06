//! Gossip: what is said to all who take part in a context, and what of it is passed on.
//!
//! ```text
//! version 1 · kind 1
//! kind 1   a delta, as it is stored
//! kind 2   context 32 · sender 32 · body · signature 64
//!
//! body 1   announce:  tips [log 73, seq 8, id 32] · bytes 8
//! body 2   heartbeat: stored 32 · applied 32 · root [epoch 32, tag 32]? · fold version 4 · deltas 8
//!                     time 8 · nonce 8
//! body 3   ephemeral: epoch 32 · nonce 12 · sealed []
//! ```
//! The signature is over `mangrove gossip v1\0`, the context, the sender and the body. It only speeds
//! things up: whatever is lost or dropped here is found by comparing.

mod judge;
mod message;
pub mod presence;

use std::fmt;

use data_encoding::BASE32_NOPAD;

use crate::id::{ContextId, ID_BYTES};
pub use judge::{Accepted, Ignored, Known, Rejected, Right, Rights, Verdict, judge};
pub use message::{
    Announce, Body, EPHEMERAL_NONCE_BYTES, Ephemeral, MESSAGE_BYTES, Message, SEALED_BYTES, Signed,
    TIPS_PER_ANNOUNCE, Unreadable, VERSION, WHOLE_DELTA_BYTES, name,
};

/// Parts topics from every other use of the same hash.
const TOPIC_CONTEXT: &str = "mangrove 2026 gossip topic v1";
/// Parts the one topic of invites from those of contexts.
const INVITES_CONTEXT: &str = "mangrove 2026 invites topic v1";

/// Where those meet who know a context, without telling others which one; or all who look for
/// replicas, and all who are some.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic([u8; ID_BYTES]);

impl Topic {
    /// The topic of a context.
    pub fn of(context: ContextId) -> Self {
        Self(blake3::derive_key(TOPIC_CONTEXT, context.as_bytes()))
    }

    /// The one topic on which replicas are looked for: see [`crate::enlist`].
    pub fn invites() -> Self {
        Self(blake3::derive_key(INVITES_CONTEXT, &[]))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for Topic {
    /// The name of the topic on the mesh: lowercase base32 without padding, as ids print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.to_string().get(..8).unwrap_or_default())
    }
}
