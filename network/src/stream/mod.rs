//! Streams: conversations with one peer.

pub(crate) mod behaviour;
mod error;
mod frames;
pub(crate) mod handler;
pub(crate) mod permit;

pub use error::StreamError;
pub use frames::{Receiver, Sender, Stream, Wire};

/// What streams are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Its name on the wire, such as `/mangrove/sync/1`.
    pub name: &'static str,
    /// The bytes of its longest frame.
    pub frame_bytes: u64,
}

/// A stream that a peer has opened.
#[derive(Debug)]
pub struct Incoming {
    /// What for.
    pub protocol: Protocol,
    /// The stream.
    pub stream: Stream,
}
