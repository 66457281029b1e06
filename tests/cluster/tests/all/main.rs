//! Clusters of real nodes, and what they are tested with.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

mod acks;
mod api;
mod dumps;
mod flood;
mod folds;
mod graceful;
mod homes;
mod joining;
mod kills;
mod nodes;
mod offline;
mod partition;
mod pretend;
mod proxies;
mod replicas;
mod rpc;
mod three_nodes;
mod versions;
mod waiting;

use mangrove_cluster::Place;

/// A fresh folder for nodes.
fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_cluster-node"))
}
