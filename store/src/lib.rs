//! What a node keeps on disk: one RocksDB, one writer, and proofs that a crash loses nothing.
//!
//! The store keeps deltas, the state folded from them, the feed and the outbox of every context in
//! one database, and is the only crate that knows RocksDB. Everything that belongs to one step of a
//! context is written in one atomic batch, and whatever may leave the node after that step carries
//! a token that only the store can make, once the batch is durable.
//!
//! It will never decide what a delta means (that is `mangrove-protocol`), never talk to a peer, and
//! never hand out a second writer.
//!
//! [`open()`] gives a [`Writer`] and a [`Reader`]. The writer is a thread that makes everything that waits
//! durable with one sync; each context hands its commits in with a [`Pen`] of its own and gets a [`Receipt`].
//! Readers see what is durable, through a [`Snapshot`] of one context. What lies where is told in `schema`,
//! how values are written and sealed in `value`.

pub mod backup;
pub mod check;
pub mod error;
pub mod feed;
pub mod seal;

mod batch;
mod cipher;
mod claim;
mod contexts;
mod db;
mod gauges;
mod health;
mod lock;
mod metrics;
mod migrate;
mod open;
mod pen;
mod queue;
mod reader;
mod restored;
mod schema;
mod shared;
mod snapshot;
mod value;
mod writer;

pub use error::{OpenError, ReadError, WriteError};
pub use health::Health;
pub use open::{Pens, Writer, open};
pub use pen::{Pen, Taken, Unforgotten};
pub use queue::{NotTaken, Receipt};
pub use reader::{Reader, Reading};
pub use schema::FORMAT;
pub use snapshot::{Direction, Rows, Snapshot};
pub use writer::{Proof, STEPS};
