//! Gossip: how the mesh is tuned, and what is heard on it.

mod heard;
mod intake;
mod sieve;
mod tuning;

pub(crate) use heard::Judged;
pub use heard::{Heard, Judge, Opinion};
pub(crate) use intake::{Intake, Message, Shed};
pub(crate) use sieve::Sieve;
pub use tuning::MOST_TOPICS;
pub(crate) use tuning::{Gossip, behaviour};
