//! Real nodes, driven and broken on purpose, and what they hold compared with what they should.
//!
//! A [`Node`] is a process with a home of its own in a [`Place`], asked by [`Rpc`]; a [`Cluster`] is some of
//! them that share a context. A [`Proxy`] between two stalls, delays and cuts. [`Writers`] write as fast as
//! they are answered, and [`Acks`] keeps, outside of all nodes, what was acknowledged. A [`Dump`] is all
//! that a context shows; [`naive`] makes the same from the deltas of a stopped node by rules so simple
//! that they can be seen to be right.
//!
//! A [`Stranger`] is in the mesh without being a node: it says what it is told to say. Together with a
//! [`Member`], which goes on where a node has stopped, it says what a later program would.
//!
//! This crate may see every other one. What it starts it stops by its own handle. Whatever fails here
//! fails a test, so most of it panics rather than return an error.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "only tests use this, and there a panic is the report"
)]

pub mod edits;
pub mod naive;

mod acks;
mod cluster;
mod dice;
mod door;
mod dump;
mod eventually;
mod http;
mod member;
mod metrics;
mod node;
mod pace;
mod place;
mod proxy;
mod rpc;
mod stranger;
mod writers;
mod wrong;

pub use acks::{Ack, Acks, Tally};
pub use cluster::Cluster;
pub use dice::Dice;
pub use door::{Access, Door};
pub use dump::{Dump, Kind, Shown, dump};
pub use eventually::eventually;
pub use member::Member;
pub use metrics::Metrics;
pub use node::{Node, Plan, Port};
pub use pace::Pace;
pub use place::{Place, Run};
pub use proxy::{Mode, Proxy};
pub use rpc::{
    Applied, ContextInfo, Entry, Got, Invitation, Joined, MemberInfo, Page, Refusal, Rooted, Rpc,
    RpcError, Scan, Status,
};
pub use stranger::{Stranger, Talk};
pub use writers::Writers;
pub use wrong::Wrong;
