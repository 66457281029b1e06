//! Whole clusters in one thread, from one seed.
//!
//! The simulator drives the machines of `mangrove-protocol` over links that delay, drop, duplicate
//! and reorder, and over a store model that crashes and loses power under the same contract as the
//! real store. The same seed gives the same run, event for event.
//!
//! It depends on the protocol alone: a seed never links a database, a network or a runtime. It will
//! never read a clock or roll dice of its own; all randomness comes from the seed.

mod assembly;
pub mod attrition;
pub mod bug;
pub mod campaign;
mod cast;
mod chaos;
mod crooked;
pub mod dice;
mod drive;
mod exchange;
mod founding;
pub mod hostile;
mod intrigue;
mod ledger;
mod life;
mod network;
mod node;
mod oracle;
pub mod politics;
mod recovery;
pub mod settings;
pub mod store;
pub mod tally;
pub mod trace;
pub mod verdict;
mod workload;
pub mod world;
