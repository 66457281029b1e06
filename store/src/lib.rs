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
//! What stands so far is [`seal`]: the data key of an encrypted home and the passphrase that opens
//! it.

pub mod seal;
