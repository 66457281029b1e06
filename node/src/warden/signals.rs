//! Signals, as values that can be awaited.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::exit::Signal;

/// What tells of signals, wherever they come from.
pub trait Signals {
    /// The next one.
    fn next(&mut self) -> impl Future<Output = Signal>;
}

/// The signals of this process. From when it exists on, they end nothing by themselves.
#[derive(Debug)]
pub struct OfProcess {
    interrupt: Stream,
    quit: Stream,
    terminate: Stream,
}

impl OfProcess {
    /// Listens for them.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }
}

impl Signals for OfProcess {
    async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.quit.recv() => Signal::Quit,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
