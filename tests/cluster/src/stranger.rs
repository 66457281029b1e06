//! Somebody in the mesh who is no node: it says what it is told to say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mangrove_config::network::{Network as Settings, Profile};
use mangrove_network::{
    Ears, Network, News, Open, Opened, Posted, Protocol, Receiver, Sender, Setup, StreamError, open,
};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::NodeKeys;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::node::Node;

/// How long the other side of a conversation may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody in the mesh who is no node: a network by itself, on a thread of its own. It keeps to the rules of
/// the mesh as the product does, except that it has no measure in what it says, and what it hears it keeps to
/// itself.
#[derive(Debug)]
pub struct Stranger {
    network: Network,
    handle: Handle,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it knows of others.
#[derive(Debug, Default)]
struct Seen {
    connected: Mutex<BTreeSet<PeerId>>,
    there: Mutex<BTreeSet<(PeerId, Topic)>>,
    heard: AtomicU64,
}

/// A stream to somebody.
#[derive(Debug)]
pub struct Talk {
    handle: Handle,
    sender: Sender,
    receiver: Receiver,
}

impl Stranger {
    /// One with these keys, which nobody can dial.
    #[track_caller]
    pub fn start(keys: &NodeKeys) -> Self {
        let (told, started) = sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let seen = Arc::new(Seen::default());
        let (keys, seeing) = (keys.clone(), Arc::clone(&seen));
        let run = move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&keys, &seeing, told, stopped));
        };
        let thread = thread::Builder::new().name("stranger".to_owned()).spawn(run).unwrap();
        let (network, handle) = started.recv().unwrap();
        Self { network, handle, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Who it is.
    pub fn peer(&self) -> PeerId {
        self.network.peer()
    }

    /// Connects to a node; whether it could.
    pub fn meet(&self, node: &Node) -> bool {
        let address = node.address().parse().unwrap();
        self.handle.block_on(self.network.connect(address)).is_ok()
    }

    /// Listens to a topic, and is known to.
    pub fn join(&self, topic: Topic) {
        assert!(self.handle.block_on(self.network.join(topic)), "it cannot join");
    }

    /// Says something to all who listen to a topic; whether there was room for it.
    pub fn say(&self, topic: Topic, bytes: Vec<u8>) -> bool {
        self.network.publish(topic, bytes) == Posted::Queued
    }

    /// Whether it is connected to a node.
    pub fn is_connected(&self, node: &Node) -> bool {
        self.seen.connected.lock().contains(&peer(node))
    }

    /// Whether a node listens to a topic, as far as is known here.
    pub fn finds(&self, node: &Node, topic: Topic) -> bool {
        self.seen.there.lock().contains(&(peer(node), topic))
    }

    /// How much it has heard.
    pub fn heard(&self) -> u64 {
        self.seen.heard.load(Ordering::Relaxed)
    }

    /// Opens a stream to a node.
    pub fn talk(&self, node: &Node, protocol: Protocol) -> Result<Talk, StreamError> {
        let stream = self.handle.block_on(self.network.open(peer(node), protocol))?;
        let (sender, receiver) = stream.split();
        Ok(Talk { handle: self.handle.clone(), sender, receiver })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking(), "a stranger panicked");
    }
}

impl Talk {
    /// Says something.
    pub fn say(&mut self, frame: &[u8]) -> Result<(), StreamError> {
        self.handle.block_on(self.sender.send(frame))
    }

    /// What the other side says; nothing when it has no more to say.
    pub fn hear(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        self.handle.block_on(self.receiver.receive(PATIENCE))
    }
}

/// Who a node is.
pub(crate) fn peer(node: &Node) -> PeerId {
    node.peer().parse().unwrap()
}

async fn run(
    keys: &NodeKeys,
    seen: &Seen,
    told: SyncSender<(Network, Handle)>,
    stopped: oneshot::Receiver<()>,
) {
    let settings = Settings {
        listen: Vec::new(),
        profile: Profile::Test,
        messages_per_second: 1 << 30,
        ..Settings::default()
    };
    let setup = Setup {
        keys,
        settings: &settings,
        protocols: Vec::new(),
        peers_file: None,
        bans_file: None,
        registry: &mut Registry::default(),
    };
    let Opened { driver, network, ears, .. } = open(setup).await.unwrap();
    told.send((network, Handle::current())).unwrap();
    tokio::select! {
        () = driver.run(async { drop(stopped.await) }) => {}
        () = listen(ears, seen) => {}
    }
}

async fn listen(mut ears: Ears, seen: &Seen) {
    loop {
        tokio::select! {
            Some(news) = ears.news.recv() => seen.note(news),
            Some(_unanswered) = ears.streams.recv() => {}
            Some(_unjudged) = ears.heard.recv() => {
                seen.heard.fetch_add(1, Ordering::Relaxed);
            }
            else => return,
        }
    }
}

impl Seen {
    fn note(&self, news: News) {
        match news {
            News::Connected(peer) => self.connected.lock().extend([peer]),
            News::Disconnected(gone) => {
                self.connected.lock().remove(&gone);
                self.there.lock().retain(|(peer, _)| *peer != gone);
            }
            News::Topics { peer, joined, left } => {
                let mut there = self.there.lock();
                there.extend(joined.into_iter().map(|topic| (peer, topic)));
                there.retain(|(found, topic)| *found != peer || !left.contains(topic));
            }
            News::Missed { .. } | News::Listening(_) | News::NotListening(_) => {}
        }
    }
}
