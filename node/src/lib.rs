//! The running node: arbiters, actors, the warden and the wiring between them.
//!
//! The hard logic lives in `mangrove-protocol` as machines; here an actor on its arbiter drives
//! each one, carries out its effects in the order disk, mesh, ears, and posts completions back on
//! the lane of the event that caused them. The warden starts everything in order, restarts what may
//! be restarted, and stops everything in stages.
//!
//! It will never decide what a delta means, never queue without a bound, and never let one actor
//! wait for another's queue while holding its own turn.

#[cfg(test)]
extern crate self as mangrove_node;

mod arbiters;
mod budget;
mod cause;
mod context;
mod delta;
pub mod diagnostics;
pub mod directory;
pub mod drive;
mod enlist;
mod error;
mod fault;
mod gc;
pub mod handle;
#[cfg(test)]
mod house;
pub mod hub;
pub mod inbox;
mod joining;
mod metrics;
#[cfg(test)]
mod mutants;
mod process;
mod rlimit;
mod start;
mod stop;
mod sync;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together;
mod tuning;
pub mod warden;

pub use arbiters::Arbiters;
pub use budget::{Budget, Permit};
pub use cause::EventId;
pub use context::{Compared, Presence, Tie};
pub use error::{Refused, StartError, Unanswered};
pub use fault::{Fault, RETRY};
pub use handle::{Handle, Readiness};
pub use hub::Since;
/// What the server tells of the network.
pub use mangrove_network::{Fault as PeerFault, PeerView};
/// What the server needs of the store, which it never meets itself.
pub use mangrove_store::ReadError;
pub use mangrove_store::backup::Backup;
pub use mangrove_store::feed::Cursor;
pub use start::{Node, Setup, block_on, open};
pub use stop::Stop;
