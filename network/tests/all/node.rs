//! A node on loopback, on a thread of its own.

use std::time::Duration;

use mangrove_config::network::{Network as Settings, Profile};
use mangrove_config::setting::Text;
use mangrove_network::{
    Ears, Heard, Multiaddr, Network, News, Opened, Opinion, Protocol, Setup, StartError, open,
};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Long enough for a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What streams are opened for.
pub(crate) const TALK: Protocol = Protocol { name: "/mangrove/talk/1", frame_bytes: 1 << 20 };

pub(crate) struct Node {
    pub(crate) network: Network,
    pub(crate) ears: Ears,
    pub(crate) address: Multiaddr,
    pub(crate) registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What a node that has started is held by.
type Started = ((Network, Ears, Vec<Multiaddr>), Registry);

/// How a node is made.
pub(crate) struct Plan {
    pub(crate) number: u8,
    pub(crate) settings: Settings,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) folder: Option<camino::Utf8PathBuf>,
}

pub(crate) fn settings() -> Settings {
    let listen = vec![mangrove_config::address::Multiaddr::parse("/ip4/127.0.0.1/tcp/0").unwrap()];
    Settings { listen, profile: Profile::Test, ..Settings::default() }
}

pub(crate) fn keys(number: u8) -> NodeKeys {
    NodeKeys::from_bytes(&[number; 64])
}

pub(crate) fn topic(number: u16) -> Topic {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_le_bytes());
    Topic::of(ContextId::from_bytes(id))
}

impl Plan {
    pub(crate) fn new(number: u8) -> Self {
        Self { number, settings: settings(), protocols: vec![TALK], folder: None }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub(crate) async fn start(self) -> Node {
        self.try_start().await.unwrap()
    }

    async fn run(
        self,
        told: oneshot::Sender<Result<Started, StartError>>,
        stopped: oneshot::Receiver<()>,
    ) {
        let mut registry = Registry::default();
        let setup = Setup {
            keys: &keys(self.number),
            settings: &self.settings,
            protocols: self.protocols,
            peers_file: self.folder.as_ref().map(|folder| folder.join("peers.json")),
            bans_file: self.folder.as_ref().map(|folder| folder.join("bans.json")),
            registry: &mut registry,
        };
        match open(setup).await {
            Err(why) => drop(told.send(Err(why))),
            Ok(Opened { driver, network, ears, addresses }) => {
                drop(told.send(Ok(((network, ears, addresses), registry))));
                driver.run(async { drop(stopped.await) }).await;
            }
        }
    }

    /// Starts it. What it logs is told as `RUST_LOG` says.
    pub(crate) async fn try_start(self) -> Result<Node, StartError> {
        let log = tracing_subscriber::fmt().with_test_writer();
        log.with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).try_init().ok();
        let (told, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(format!("node-{}", self.number));
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(self.run(told, stopped));
        };
        let thread = thread.spawn(run).unwrap();
        let (opened, registry) = started.await.unwrap()?;
        let (network, ears, addresses) = opened;
        let address = addresses.into_iter().next().unwrap_or_else(Multiaddr::empty);
        Ok(Node { network, ears, address, registry, stop: Some(stop), thread: Some(thread) })
    }
}

impl Node {
    pub(crate) async fn start(number: u8) -> Self {
        Plan::new(number).start().await
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.network.peer()
    }

    /// Where it listens, with its name.
    pub(crate) fn full_address(&self) -> Multiaddr {
        format!("{}/p2p/{}", self.address, self.peer()).parse().unwrap()
    }

    /// Connects to another node and waits until both know.
    pub(crate) async fn meet(&mut self, other: &mut Self) {
        let found = self.network.connect(other.full_address()).await;
        assert_eq!(found, Ok(other.peer()));
        other.until_connected(self.peer()).await;
        self.until_connected(other.peer()).await;
    }

    /// Waits until the overview says that a peer is connected.
    pub(crate) async fn until_connected(&self, peer: PeerId) {
        self.until(|overview| {
            let mut peers = overview.peers.iter();
            peers.any(|it| it.peer == peer && !it.connections.is_empty())
        })
        .await;
    }

    /// Waits until the overview is as wanted.
    pub(crate) async fn until(&self, is_so: impl Fn(&mangrove_network::Overview) -> bool) {
        let look = async {
            while !is_so(&self.network.overview().await.unwrap()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(PATIENCE, look).await.is_err() {
            panic!("it never came to be: {:#?}", self.network.overview().await);
        }
    }

    /// Waits for news of a kind.
    pub(crate) async fn until_news(&mut self, is_it: impl Fn(&News) -> bool) -> News {
        let mut seen = Vec::new();
        let look = async {
            loop {
                let news = self.ears.news.recv().await.unwrap();
                if is_it(&news) {
                    return news;
                }
                seen.push(news);
            }
        };
        let found = timeout(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("the news never came; there were {seen:?}"))
    }

    /// Waits until these peers are on a topic.
    pub(crate) async fn until_joined(&mut self, topic: Topic, mut peers: Vec<PeerId>) {
        while !peers.is_empty() {
            let is_it = |news: &News| matches!(news, News::Topics { joined, .. } if joined.contains(&topic));
            let News::Topics { peer, .. } = self.until_news(is_it).await else { unreachable!() };
            peers.retain(|other| *other != peer);
        }
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Heard {
        timeout(PATIENCE, self.ears.heard.recv()).await.expect("nothing was heard").unwrap()
    }

    /// The next message, accepted.
    pub(crate) async fn accept(&mut self) -> Vec<u8> {
        let Heard { bytes, judge, .. } = self.hear().await;
        judge.settle(Opinion::Accept);
        bytes
    }

    /// Asserts that nothing is heard for a while.
    pub(crate) async fn assert_quiet(&mut self, time: Duration) {
        if let Ok(Some(heard)) = timeout(time, self.ears.heard.recv()).await {
            panic!("heard {:?} from {}", heard.bytes, heard.from);
        }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a node has panicked");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}
