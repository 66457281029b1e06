//! Contexts: who works on them, and what each is made of.
//!
//! ```text
//! shard, a machine on an arbiter ── one of a few, each with its share of the contexts
//!   └ cell ── one context, whatever becomes of it: opening, open, quarantined, forgotten
//!       └ open ── its replica and the desk of its sessions, while all is well
//! ```
//! What one context does to itself stays there: a panic ends what it was about, and the context is loaded again
//! from the store.

mod broken;
mod calls;
mod cell;
mod comparing;
#[cfg(test)]
mod crowded;
mod doubt;
mod flights;
mod hands;
mod message;
mod notes;
mod open;
mod outside;
mod presence;
mod shard;
mod sight;
mod standing;
#[cfg(test)]
mod tests;
mod ties;
mod unsent;

use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::ContextId;

pub use comparing::Compared;
pub(crate) use hands::Hands;
pub use message::Presence;
pub(crate) use message::{Ask, Beginning, Given, Heard, Message, Seat};
pub(crate) use outside::{Acquaintances, Outside};
pub(crate) use shard::Shard;
pub use ties::Tie;

fn topic(context: ContextId) -> Topic {
    Topic::of(context)
}
