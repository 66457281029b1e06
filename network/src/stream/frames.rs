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

/// How long one piece of a frame may take, once it has begun.
const FRAME_PIECE: Duration = Duration::from_secs(20);
/// A piece of a frame: what moves at a time.
const PIECE: usize = 64 * 1024;
const LENGTH: usize = 4;
/// So much of a frame is a sign of life.
const PART: usize = 4 * 1024;

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
    piece: Duration,
    peer: PeerId,
    blame: Option<Blame>,
    /// Given back with the last half.
    _permit: Option<Arc<Permit>>,
}

impl Stream {
    /// A conversation over anything that carries bytes, whose frames have at most so many.
    pub fn over(wire: impl Wire + 'static, peer: PeerId, most_bytes: u64) -> Self {
        let rules = Rules { most_bytes, piece: FRAME_PIECE, peer, blame: None, _permit: None };
        Self { peer, wire: Box::pin(wire), rules }
    }

    pub(crate) fn accountable(mut self, permit: Permit, blame: Blame) -> Self {
        self.rules.blame = Some(blame);
        self.rules._permit = Some(Arc::new(permit));
        self
    }

    /// The same, with another end to how long a piece of 64 KiB may take.
    #[must_use]
    pub fn piece_within(mut self, piece: Duration) -> Self {
        self.rules.piece = piece;
        self
    }

    /// Who is at the other end.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// One half to send with, one to receive with.
    pub fn split(self) -> (Sender, Receiver) {
        let (read, write) = AsyncReadExt::split(self.wire);
        let (rules, buffer) = (self.rules.clone(), Vec::new());
        let sender = Sender { wire: write, rules, buffer, is_torn: false };
        (sender, Receiver { wire: read, rules: self.rules, is_torn: false })
    }
}

/// The half of a stream that sends.
pub struct Sender {
    wire: WriteHalf<Pin<Box<dyn Wire>>>,
    rules: Rules,
    buffer: Vec<u8>,
    /// Whether a frame was begun and not ended: what followed would be taken for its rest.
    is_torn: bool,
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
        if std::mem::replace(&mut self.is_torn, true) {
            return Err(StreamError::Ended);
        }
        let (first, rest) = frame.split_at(frame.len().min(PIECE - LENGTH));
        self.buffer.clear();
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(first);
        self.rules.within(self.wire.write_all(&self.buffer)).await?;
        for piece in rest.chunks(PIECE) {
            self.rules.within(self.wire.write_all(piece)).await?;
        }
        self.rules.within(self.wire.flush()).await?;
        self.is_torn = false;
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub async fn finish(mut self) -> Result<(), StreamError> {
        self.rules.within(self.wire.close()).await
    }
}

/// The half of a stream that receives.
pub struct Receiver {
    wire: ReadHalf<Pin<Box<dyn Wire>>>,
    rules: Rules,
    /// Whether a frame was begun and not ended.
    is_torn: bool,
}

impl Receiver {
    /// The next frame, if it begins within this time; `None` if the other side has finished, or has
    /// hung up between two frames. What has to be complete says so in a frame.
    ///
    /// Where nothing has begun in time, or nobody waits any longer, the next frame can still be had.
    /// Where one has begun and did not get through, nothing more can.
    pub async fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, StreamError> {
        self.receive_in_parts(patience, || {}).await
    }

    /// The same, and says whenever another 4 KiB of a frame have come that is not whole yet.
    pub async fn receive_in_parts(
        &mut self,
        patience: Duration,
        part: impl FnMut() + Send,
    ) -> Result<Option<Vec<u8>>, StreamError> {
        if self.is_torn {
            return Err(StreamError::Ended);
        }
        let mut length = [0; LENGTH];
        let begun = timeout(patience, self.wire.read(&mut length)).await;
        let begun = begun.map_err(|_| StreamError::Silent)?;
        let begun = begun.map_err(|why| StreamError::broken(&why))?;
        if begun == 0 {
            return Ok(None);
        }
        self.is_torn = true;
        let frame =
            self.rest(length, begun, part).await.inspect_err(|why| self.rules.blame(why))?;
        self.is_torn = false;
        Ok(Some(frame))
    }

    async fn rest(
        &mut self,
        mut length: [u8; LENGTH],
        begun: usize,
        mut part: impl FnMut() + Send,
    ) -> Result<Vec<u8>, StreamError> {
        let rest = length.get_mut(begun..).unwrap_or_default();
        self.rules.within(self.wire.read_exact(rest)).await?;
        let bytes = u64::from(u32::from_le_bytes(length));
        let most = self.rules.most_bytes;
        if bytes > most {
            return Err(StreamError::Oversized { bytes, most });
        }
        let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut frame = Vec::with_capacity(whole.min(PIECE));
        while frame.len() < whole {
            let held = frame.len();
            frame.resize(whole.min(held + PIECE), 0);
            let piece = frame.get_mut(held..).unwrap_or_default();
            let moving = in_parts(&mut self.wire, piece, &mut part);
            self.rules.within(moving).await?;
        }
        Ok(frame)
    }
}

/// Reads all of a piece, and says whenever another part of it has come.
async fn in_parts(
    wire: &mut (impl AsyncRead + Unpin),
    piece: &mut [u8],
    part: &mut impl FnMut(),
) -> io::Result<()> {
    for few in piece.chunks_mut(PART) {
        wire.read_exact(few).await?;
        if few.len() == PART {
            part();
        }
    }
    Ok(())
}

impl Rules {
    /// One piece, moved in time.
    async fn within<T>(
        &self,
        moving: impl Future<Output = io::Result<T>>,
    ) -> Result<T, StreamError> {
        match timeout(self.piece, moving).await {
            Ok(moved) => moved.map_err(|why| StreamError::broken(&why)),
            Err(_) => Err(StreamError::Stalled(self.piece)),
        }
    }

    /// What the peer is to blame for is written down.
    fn blame(&self, why: &StreamError) {
        if let (Some(fault), Some(blame)) = (why.fault(), &self.blame) {
            blame.record(self.peer, fault);
        }
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
