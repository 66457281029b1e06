//! How long a dial may take, all of it: the name, the connection, the proof of who is there.
//!
//! A transport has one timeout for all dials. But what is lost on its way through a partition is lost,
//! and only a new dial finds soon that the partition has healed; while a peer behind a slow link needs
//! time. So whoever dials says how long that dial may take.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Multiaddr;
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::core::{Transport, muxing::StreamMuxerBox};
use libp2p::futures::future::BoxFuture;
use tokio::time::timeout;

type Output = (libp2p::PeerId, StreamMuxerBox);
type Inner = Boxed<Output>;

/// How long the dials that begin now may take.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Arc<AtomicU64>);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(u64::from(u32::MAX))))
    }

    /// Dials that begin from now on may take so long.
    pub(crate) fn set(&self, patience: Duration) {
        let ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.0.store(ms, Ordering::Release);
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Acquire))
    }
}

/// A transport whose dials have an end.
pub(crate) struct Patient {
    inner: Inner,
    patience: Patience,
}

impl Patient {
    pub(crate) fn new(inner: Inner, patience: &Patience) -> Self {
        Self { inner, patience: patience.clone() }
    }
}

impl Transport for Patient {
    type Output = Output;
    type Error = io::Error;
    type ListenerUpgrade = <Inner as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<Output>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let dial = self.inner.dial(address, options)?;
        let patience = self.patience.get();
        Ok(Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
            timeout(patience, dial).await.map_err(late)?
        }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}
