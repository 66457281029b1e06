//! A connection that fails when the other side falls silent, or stops reading.
//!
//! Each side asks the other every few seconds whether it is there, so silence means that it is not.
//! Without this a peer that hangs while its system keeps the connection would be held for ever: TCP
//! itself waits without end, and so does the orderly closing of what was not yet sent. A connection
//! that fails ends at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

/// Bytes both ways, with an end to waiting for them.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    inner: S,
    silence: Wait,
    blockage: Wait,
}

/// How long nothing has moved in one direction.
#[derive(Debug)]
struct Wait {
    patience: Duration,
    /// Runs from the first attempt that came to nothing.
    since: Option<Pin<Box<Sleep>>>,
    why: &'static str,
}

impl<S> Stall<S> {
    /// Fails when nothing comes, or nothing is taken, for so long.
    pub(crate) const fn new(inner: S, silence: Duration, blockage: Duration) -> Self {
        let silence = Wait { patience: silence, since: None, why: "the other side is silent" };
        let why = "the other side has stopped reading";
        Self { inner, silence, blockage: Wait { patience: blockage, since: None, why } }
    }
}

impl Wait {
    /// What becomes of an attempt.
    fn settle<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.since = None;
            return attempt;
        }
        let patience = self.patience;
        let since = self.since.get_or_insert_with(|| Box::pin(sleep(patience)));
        since.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, self.why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.inner).poll_read(cx, buffer);
        this.silence.settle(cx, attempt)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.blockage.settle(cx, attempt)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.inner).poll_close(cx);
        this.blockage.settle(cx, attempt)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Takes this many bytes and then has no room.
    struct Full(usize);

    impl AsyncWrite for Full {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncRead for Full {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    const LONG: Duration = Duration::from_secs(9);
    const SHORT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_in_time_fails() {
        let mut stall = Stall::new(Full(10), LONG, SHORT);
        assert_eq!(stall.write(&[0; 8]).await.unwrap(), 8);
        let before = tokio::time::Instant::now();
        let failed = stall.write_all(&[0; 8]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_does_not_wait_for_ever_either() {
        let mut stall = Stall::new(Full(10), LONG, SHORT);
        assert_eq!(stall.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_in_time_fails() {
        let mut stall = Stall::new(Full(0), LONG, SHORT);
        let before = tokio::time::Instant::now();
        let failed = stall.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed(), LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn every_byte_starts_the_silence_anew() {
        let (near, far) = tokio::io::duplex(8);
        let far = tokio_util::compat::TokioAsyncReadCompatExt::compat(far);
        let mut stall = Stall::new(far, LONG, SHORT);
        let (_read, mut near) = tokio::io::split(near);
        for _ in 0..3 {
            tokio::time::advance(LONG / 2).await;
            tokio::io::AsyncWriteExt::write_all(&mut near, b"x").await.unwrap();
            assert_eq!(stall.read(&mut [0; 8]).await.unwrap(), 1);
        }
        assert_eq!(stall.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
