//! Frames: a length in four bytes, little end first, and as many bytes.
//!
//! Every wait has an end. A frame may take its time to begin, for as long as the reader says; once it
//! has begun it has to get through. Room for it is made as it comes, so that a length alone costs
//! nothing.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use libp2p::futures::io::{ReadHalf, WriteHalf};
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use mangrove_protocol::id::PeerId;
use tokio::time::timeout;

use super::error::StreamError;
use super::permit::Permit;
use crate::blame::Blame;

/// How long one frame may take, once it has begun.
pub(crate) const FRAME: Duration = Duration::from_secs(20);
/// What is asked for at a time while a frame comes in, and what is sent together with its length.
const PIECE: usize = 64 * 1024;
const LENGTH: usize = 4;

/// Bytes both ways, over whatever carries them.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A conversation with one peer, in frames.
pub struct Stream {
    peer: PeerId,
    wire: Pin<Box<dyn Wire>>,
    rules: Rules,
}

/// What halves of a stream have in common.
#[derive(Debug, Clone)]
struct Rules {
    most_bytes: u64,
    frame: Duration,
    peer: PeerId,
    blame: Option<Blame>,
    /// Given back with the last half.
    _permit: Option<Arc<Permit>>,
}

impl Stream {
    /// A conversation over anything that carries bytes, whose frames have at most so many.
    pub fn over(wire: impl Wire + 'static, peer: PeerId, most_bytes: u64) -> Self {
        let rules = Rules { most_bytes, frame: FRAME, peer, blame: None, _permit: None };
        Self { peer, wire: Box::pin(wire), rules }
    }

    pub(crate) fn accountable(mut self, permit: Permit, blame: Blame) -> Self {
        self.rules.blame = Some(blame);
        self.rules._permit = Some(Arc::new(permit));
        self
    }

    /// The same, with another end to how long one frame may take.
    #[must_use]
    pub fn frame_within(mut self, frame: Duration) -> Self {
        self.rules.frame = frame;
        self
    }

    /// Who is at the other end.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// One half to send with, one to receive with.
    pub fn split(self) -> (Sender, Receiver) {
        let (read, write) = AsyncReadExt::split(self.wire);
        let sender = Sender { wire: write, rules: self.rules.clone(), buffer: Vec::new() };
        (sender, Receiver { wire: read, rules: self.rules })
    }
}

/// The half of a stream that sends.
pub struct Sender {
    wire: WriteHalf<Pin<Box<dyn Wire>>>,
    rules: Rules,
    buffer: Vec<u8>,
}

impl Sender {
    /// Sends one frame, and returns once the transport has it.
    ///
    /// After an error, or when the future is dropped in the middle, nothing more can be sent.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), StreamError> {
        let most = self.rules.most_bytes;
        let length = u32::try_from(frame.len()).ok().filter(|length| u64::from(*length) <= most);
        let Some(length) = length else {
            return Err(StreamError::Oversized { bytes: frame.len() as u64, most });
        };
        let patience = self.rules.frame;
        let sent = timeout(patience, self.write(length, frame)).await;
        let outcome = sent.unwrap_or(Err(StreamError::Stalled(patience)));
        self.rules.settle(outcome)
    }

    async fn write(&mut self, length: u32, frame: &[u8]) -> Result<(), StreamError> {
        let (first, rest) = frame.split_at(frame.len().min(PIECE - LENGTH));
        self.buffer.clear();
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(first);
        let broken = |why: io::Error| StreamError::broken(&why);
        self.wire.write_all(&self.buffer).await.map_err(broken)?;
        self.wire.write_all(rest).await.map_err(broken)?;
        self.wire.flush().await.map_err(broken)
    }

    /// Says that nothing more will be sent.
    pub async fn finish(mut self) -> Result<(), StreamError> {
        let closed = timeout(self.rules.frame, self.wire.close()).await;
        closed
            .map_err(|_| StreamError::Stalled(self.rules.frame))?
            .map_err(|why| StreamError::broken(&why))
    }
}

/// The half of a stream that receives.
pub struct Receiver {
    wire: ReadHalf<Pin<Box<dyn Wire>>>,
    rules: Rules,
}

impl Receiver {
    /// The next frame, if it begins within this time; `None` if the other side has finished, or has
    /// hung up between two frames. What has to be complete says so in a frame.
    ///
    /// After an error, or when the future is dropped in the middle, nothing more can be received.
    pub async fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, StreamError> {
        let mut length = [0; LENGTH];
        let begun = timeout(patience, self.wire.read(&mut length)).await;
        let begun = begun.map_err(|_| StreamError::Silent)?;
        let begun = match begun.map_err(|why| StreamError::broken(&why))? {
            0 => return Ok(None),
            begun => begun,
        };
        let read = timeout(self.rules.frame, self.read(length, begun)).await;
        let outcome = read.unwrap_or(Err(StreamError::Stalled(self.rules.frame)));
        self.rules.settle(outcome).map(Some)
    }

    async fn read(
        &mut self,
        mut length: [u8; LENGTH],
        begun: usize,
    ) -> Result<Vec<u8>, StreamError> {
        let broken = |why: io::Error| StreamError::broken(&why);
        if let Some(rest) = length.get_mut(begun..) {
            self.wire.read_exact(rest).await.map_err(broken)?;
        }
        let bytes = u64::from(u32::from_le_bytes(length));
        let most = self.rules.most_bytes;
        if bytes > most {
            return Err(StreamError::Oversized { bytes, most });
        }
        let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut frame = Vec::with_capacity(whole.min(PIECE));
        while frame.len() < whole {
            let held = frame.len();
            // At most twice what has come: a peer pays for the room that it takes.
            let next = whole.min((held * 2).max(PIECE));
            frame.resize(next, 0);
            let piece = frame.get_mut(held..).unwrap_or_default();
            self.wire.read_exact(piece).await.map_err(broken)?;
        }
        Ok(frame)
    }
}

impl Rules {
    /// What the peer is to blame for is written down.
    fn settle<T>(&self, outcome: Result<T, StreamError>) -> Result<T, StreamError> {
        if let (Err(why), Some(blame)) = (&outcome, &self.blame)
            && let Some(fault) = why.fault()
        {
            blame.record(self.peer, fault);
        }
        outcome
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.peer)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({:?})", self.rules.peer)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({:?})", self.rules.peer)
    }
}
