//! What outlives the process, written one after the other, away from the loop.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use libp2p::Multiaddr;
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
    /// What was written of where peers were met, or is being written.
    written_of: BTreeSet<(PeerId, Multiaddr)>,
    /// Bans that are not yet written, and who waits until they are.
    bans: Option<BTreeSet<PeerId>>,
    waiting: Vec<oneshot::Sender<()>>,
    told: Vec<oneshot::Sender<()>>,
}

impl Keeper {
    pub(crate) fn new(peers_file: Option<Utf8PathBuf>, bans_file: Option<Utf8PathBuf>) -> Self {
        let (waiting, told, written_of) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { peers_file, bans_file, writing: None, written_of, bans: None, waiting, told }
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
            self.written_of = all(&peers);
            let write = move || notebook::write_cache(&file, &peers);
            self.writing = Some(tokio::task::spawn_blocking(write));
        }
    }

    /// The same, if there is somebody, or somewhere to meet them, that was not written yet: a process may end at
    /// any moment, and the next one knows nobody else.
    pub(crate) fn new_peers(&mut self, peers: Vec<Remembered>) {
        if !all(&peers).is_subset(&self.written_of) {
            self.peers(peers);
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

fn all(peers: &[Remembered]) -> BTreeSet<(PeerId, Multiaddr)> {
    let of_one = |it: &Remembered| {
        let peer = it.peer;
        it.addresses.clone().into_iter().map(move |address| (peer, address))
    };
    peers.iter().flat_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_new_is_written_at_once_and_what_is_known_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8PathBuf::try_from(folder.path().join("peers.json")).unwrap();
        let mut keeper = Keeper::new(Some(file.clone()), None);
        let peer = |number: u8, port: u16| Remembered {
            peer: PeerId::from_bytes([number; 32]),
            addresses: vec![format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()],
        };
        keeper.new_peers(vec![peer(1, 1), peer(2, 2)]);
        keeper.written().await;
        let known = notebook::read_cache(&file).unwrap();
        assert_eq!(known.peers, [peer(1, 1), peer(2, 2)]);
        keeper.new_peers(vec![peer(2, 2), peer(1, 1)]);
        assert!(keeper.writing.is_none(), "nobody is new");
        keeper.new_peers(vec![peer(2, 3), peer(1, 1)]);
        keeper.written().await;
        let known = notebook::read_cache(&file).unwrap();
        assert_eq!(known.peers, [peer(2, 3), peer(1, 1)]);
    }
}
