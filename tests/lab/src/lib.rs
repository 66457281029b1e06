//! What tests run real processes with: processes that talk, networks of their own, foreign peers.
//!
//! A [`Process`] speaks JSON, a line each, and is never waited for by luck. A [`Lab`] makes network
//! namespaces and joins them: by a [`Wire`], by a [`Switch`] with many members, or by a [`Link`] that
//! delays and loses; a [`Partition`] cuts them apart. [`Foreign`] finds the peers that somebody else
//! has written.
//!
//! Networks need root, Linux, `ip` and `nft`, links need `python3` and `/dev/net/tun` too. Where
//! something is missing, a line on the standard error says so, and the test returns early:
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let Some(lab) = mangrove_lab::Lab::open() else { return Ok(()) };
//! let (here, there) = (lab.namespace("here")?, lab.namespace("there")?);
//! let wire = lab.connect(&here, &there)?;
//! let command = there.command("some-node");
//! let node = mangrove_lab::Process::start(command, "some-node")?;
//! # drop((wire, node));
//! # Ok(())
//! # }
//! ```
//!
//! Whatever is made here is removed when it is dropped, also by a panic; what a killed test has left
//! is removed by the next one that opens a lab.

mod cuts;
mod foreign;
mod heard;
mod lab;
mod leftovers;
mod link;
mod missed;
mod namespace;
mod notice;
mod partition;
mod process;
mod subnet;
mod switch;
mod tool;
mod usage;
mod wire;

pub use foreign::Foreign;
pub use lab::Lab;
pub use link::{Conditions, Counters, Flow, Link};
pub use missed::Missed;
pub use namespace::Namespace;
pub use partition::Partition;
pub use process::Process;
pub use switch::Switch;
pub use wire::Wire;
