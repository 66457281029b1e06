//! The mesh: gossip, streams and peers, over libp2p.
//!
//! One driver owns the swarm and waits for nobody. Commands come in and events go out over bounded
//! channels; gossip that does not fit is shed and remembered as missing, while stream and
//! connection events are never lost. What a message means is judged elsewhere and comes back as
//! accept, ignore or reject before anything is forwarded.
//!
//! It will never read or write the store, decode more of a message than its size and topic, or
//! trust a peer's claim about itself beyond the identity its connection has proved.
//!
//! [`open()`] gives a [`Driver`] that has to run, a [`Network`] to give it orders by, and [`Ears`] to
//! hear what happens.

mod behaviour;
mod blame;
mod calls;
mod command;
mod door;
mod driver;
mod error;
mod gauge;
mod gossip;
mod keeper;
mod metrics;
mod name;
mod network;
mod news;
mod notebook;
mod overview;
mod patience;
mod peers;
mod quota;
mod stall;
mod start;
mod stream;
mod transport;

pub use driver::Driver;
pub use error::{ConnectError, StartError};
pub use gossip::{Heard, Judge, MOST_TOPICS, Opinion};
pub use libp2p::Multiaddr;
pub use network::{Network, Open, Posted};
pub use news::News;
pub use notebook::NotebookError;
pub use overview::{Overview, Queue};
pub use peers::{Direction, Fault, LinkView, PeerView, Refusal, Source, Transport, Why};
pub use start::{Ears, Opened, Setup, open};
pub use stream::{Incoming, Protocol, Receiver, Sender, Stream, StreamError, Wire};
