//! The rules of Mangrove: pure, synchronous, deterministic.
//!
//! Everything that must come out the same on every node is decided here: what a delta is, which
//! deltas count, what state they fold into, who may write, and how two nodes find out what the
//! other lacks. A machine in this crate takes an input, the time, some entropy and a view of what is
//! stored, and returns effects; somebody else carries them out.
//!
//! It will never await, read a clock, roll dice or touch a disk or a socket. Time, entropy, reads
//! and failpoints are arguments; a peer's fault is a value, never an error.

pub mod clock;
pub mod delta;
pub mod effect;
pub mod enlist;
pub mod fold;
pub mod gossip;
pub mod governance;
pub mod graph;
pub mod id;
pub mod join;
pub mod keybox;
pub mod keys;
pub mod lane;
pub mod limits;
pub mod log;
pub mod machine;
pub mod op;
pub mod ordered;
pub mod overlay;
pub mod planted;
pub mod replica;
pub mod request;
pub mod root;
pub mod seal;
pub mod sync;
pub mod ticket;
pub mod view;
pub mod wire;
