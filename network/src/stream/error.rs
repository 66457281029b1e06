//! What can become of a stream.

use std::io;
use std::time::Duration;

/// What can become of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer is not connected. Say first that it is wanted.
    #[error("the peer is not connected")]
    NotConnected,
    /// The peer does not speak this protocol.
    #[error("the peer does not know this protocol")]
    Unsupported,
    /// This node has as many streams open as it may. Try again when some have ended.
    #[error("too many streams are open")]
    Busy,
    /// The peer says nothing. It may be slow, or gone.
    #[error("the peer did not answer in time")]
    Silent,
    /// A frame began and got no further in time.
    #[error("a frame got no further for {0:?}")]
    Stalled(Duration),
    /// A frame is longer than frames of this protocol may be.
    #[error("a frame of {bytes} bytes, where {most} is the most")]
    Oversized {
        /// How long it is.
        bytes: u64,
        /// How long one may be.
        most: u64,
    },
    /// The other side has ended it, in the middle of something or before it began.
    #[error("the stream has ended early")]
    Ended,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The network is closing down.
    #[error("the network is closed")]
    Closed,
}

impl StreamError {
    pub(crate) fn broken(why: &io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::WriteZero => Self::Ended,
            _ => Self::Broken(why.to_string()),
        }
    }

    /// Whether the peer did what no honest and healthy peer does.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Stalled(_) => Some("stalled"),
            Self::Oversized { .. } => Some("oversized"),
            _ => None,
        }
    }
}
