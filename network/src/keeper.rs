//! What outlives the process, written one after the other, away from the loop.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use mangrove_protocol::id::PeerId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::notebook::{self, Cache, NotebookError};
use crate::peers::Remembered;

/// What outlives the process.
#[derive(Debug)]
pub(crate) struct Keeper {
    peers_file: Option<Utf8PathBuf>,
    bans_file: Option<Utf8PathBuf>,
    writing: Option<JoinHandle<Result<(), NotebookError>>>,
    /// Bans that are not yet written, and who waits until they are.
    bans: Option<BTreeSet<PeerId>>,
    waiting: Vec<oneshot::Sender<()>>,
    told: Vec<oneshot::Sender<()>>,
}

impl Keeper {
    pub(crate) fn new(peers_file: Option<Utf8PathBuf>, bans_file: Option<Utf8PathBuf>) -> Self {
        let (waiting, told) = (Vec::new(), Vec::new());
        Self { peers_file, bans_file, writing: None, bans: None, waiting, told }
    }

    /// What an earlier process has left: addresses, if they can be read, and bans.
    pub(crate) fn read(&self) -> Result<(Vec<Remembered>, BTreeSet<PeerId>), NotebookError> {
        let bans = self.bans_file.as_deref().map(notebook::read_bans).transpose()?;
        let cache = self.peers_file.as_deref().map(notebook::read_cache).transpose();
        let cache = cache.unwrap_or_else(|why| {
            tracing::warn!(%why, "where peers were met cannot be read");
            None
        });
        let Cache { peers, omission } = cache.unwrap_or_default();
        if let Some(omission) = omission {
            tracing::warn!(?omission, "some of where peers were met is forgotten");
        }
        Ok((peers, bans.unwrap_or_default()))
    }

    /// Writes who is banned, soon, and tells when it is written.
    pub(crate) fn bans(&mut self, bans: BTreeSet<PeerId>, reply: oneshot::Sender<()>) {
        self.bans = Some(bans);
        self.waiting.push(reply);
        self.start();
    }

    /// Writes where peers were met, unless something is being written.
    pub(crate) fn peers(&mut self, peers: Vec<Remembered>) {
        let Some(file) = self.peers_file.clone() else { return };
        if self.writing.is_none() {
            let write = move || notebook::write_cache(&file, &peers);
            self.writing = Some(tokio::task::spawn_blocking(write));
        }
    }

    /// Returns when something has been written. Never, if nothing is.
    pub(crate) async fn written(&mut self) {
        match &mut self.writing {
            None => std::future::pending().await,
            Some(writing) => {
                let outcome = writing.await;
                self.writing = None;
                self.settle(outcome.unwrap_or(Ok(())));
            }
        }
    }

    /// Writes all that is to be written, and then these addresses.
    pub(crate) async fn close(&mut self, peers: Vec<Remembered>) {
        while self.writing.is_some() {
            self.written().await;
        }
        self.peers(peers);
        while self.writing.is_some() {
            self.written().await;
        }
    }

    fn settle(&mut self, outcome: Result<(), NotebookError>) {
        if let Err(why) = outcome {
            tracing::warn!(%why, "what is known of peers may not outlive this process");
        }
        // Whoever waits is told in any case: the ban holds for as long as this process runs.
        for reply in self.told.drain(..) {
            reply.send(()).ok();
        }
        self.start();
    }

    fn start(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let Some(bans) = self.bans.take() else { return };
        self.told = std::mem::take(&mut self.waiting);
        let file = self.bans_file.clone();
        let write = move || file.map_or(Ok(()), |file| notebook::write_bans(&file, &bans));
        self.writing = Some(tokio::task::spawn_blocking(write));
    }
}
