//! A connection that fails when the other side stops reading.
//!
//! Without this a peer that hangs while its system keeps the connection would be held for ever:
//! TCP itself waits without end, and so does the closing of what was not yet sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

/// Bytes both ways, with an end to waiting for room.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    inner: S,
    patience: Duration,
    /// Runs from the first attempt to write for which there was no room.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(crate) const fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience, waiting: None }
    }

    /// What becomes of an attempt to write.
    fn settle<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.waiting = None;
            return attempt;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(cx).map(|()| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the other side has stopped reading"))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
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
        this.settle(cx, attempt)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.inner).poll_close(cx);
        this.settle(cx, attempt)
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
            Poll::Ready(Ok(0))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_in_time_fails() {
        let mut stall = Stall::new(Full(10), Duration::from_secs(5));
        assert_eq!(stall.write(&[0; 8]).await.unwrap(), 8);
        let before = tokio::time::Instant::now();
        let failed = stall.write_all(&[0; 8]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_does_not_wait_for_ever_either() {
        let mut stall = Stall::new(Full(10), Duration::from_secs(5));
        assert_eq!(stall.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_something_to_read_is_no_fault() {
        let mut stall = Stall::new(Full(0), Duration::from_secs(5));
        assert_eq!(stall.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
