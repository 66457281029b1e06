//! A node in this process, with a home of its own.

use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::address::Multiaddr;
use mangrove_config::network::Profile;
use mangrove_config::setting::Text;
use mangrove_config::{Home, Settings};
use mangrove_node::handle::Terms;
use mangrove_node::warden::Exit;
use mangrove_node::{Fault, Handle, Setup, block_on, open};
use mangrove_protocol::governance::Role;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::request::{Edit, Request, Written};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A node in this process.
pub(crate) struct House {
    pub(crate) node: Handle,
    runtime: Runtime,
    home: Arc<TempDir>,
    keys: NodeKeys,
    settings: Settings,
    running: Option<JoinHandle<Exit>>,
}

/// Settings of a node that meets nobody by itself, and is quick about everything else.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.network.listen = vec![Multiaddr::parse("/ip4/127.0.0.1/tcp/0").unwrap()];
    settings.network.profile = Profile::Test;
    settings.node.diagnostics = false;
    settings.node.context_threads = 2;
    settings.store.min_free_mib = 0;
    settings
}

impl House {
    /// Starts the node of this number.
    pub(crate) fn start(number: u8) -> Self {
        Self::start_with(number, settings())
    }

    pub(crate) fn start_with(number: u8, settings: Settings) -> Self {
        let keys = NodeKeys::from_bytes(&[number; 64]);
        Self::open(Arc::new(tempfile::tempdir().unwrap()), keys, (settings, true))
    }

    fn open(home: Arc<TempDir>, keys: NodeKeys, (settings, settles): (Settings, bool)) -> Self {
        let root = Utf8Path::from_path(home.path()).unwrap().join("home");
        std::fs::create_dir_all(root.join("run")).unwrap();
        let (home_of, given, secret) =
            (Home::at(&root, Utf8Path::new("/")), settings.clone(), keys.clone());
        let (tell, told) = mpsc::sync_channel(1);
        let run = move || {
            let log = Arc::new(|_: &str| Ok(()));
            let setup = Setup { home: home_of, settings: given, keys: secret, data_key: None, log };
            block_on(async {
                let node = open(setup).await.unwrap();
                if settles {
                    node.settle(Duration::from_secs(10)).await;
                }
                node.warden.ready();
                tell.send(node.handle.clone()).unwrap();
                node.run().await
            })
            .unwrap()
        };
        let running = Builder::new().name("node".to_owned()).spawn(run).unwrap();
        let node = told.recv_timeout(Duration::from_secs(30)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self { node, runtime, home, keys, settings, running: Some(running) }
    }

    /// Does something that the node is asked for.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap() })
    }

    /// Stops the node in good order.
    pub(crate) fn stop(&mut self) -> Exit {
        self.node.stop();
        self.running.take().unwrap().join().unwrap()
    }

    /// Waits for its end, which is its own doing.
    pub(crate) fn end(&mut self) -> Exit {
        self.running.take().unwrap().join().unwrap()
    }

    /// Stops it, and starts another on the same home.
    pub(crate) fn restart(mut self) -> Self {
        assert_eq!(self.stop().code(), 0);
        self.again(true)
    }

    /// Starts another on the home of one that was stopped; waits for what is stored to be looked through, or not.
    pub(crate) fn again(&self, settles: bool) -> Self {
        let settings = (self.settings.clone(), settles);
        Self::open(Arc::clone(&self.home), self.keys.clone(), settings)
    }

    /// The folder of its store.
    pub(crate) fn store(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.home.path()).unwrap().join("home/store")
    }

    pub(crate) fn put(&self, context: ContextId, key: &str, value: &str) -> Result<Written, Fault> {
        self.wait(self.node.apply(context, put(key, value)))
    }

    pub(crate) fn root(&self, context: ContextId) -> [u8; 32] {
        self.node.look(&context, |look| look.summary()).unwrap().root
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.node.stop();
            let ended = running.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the node panicked");
        }
    }
}

/// A request that sets a register.
pub(crate) fn put(key: &str, value: &str) -> Request {
    let value = Value::new(format!("\"{value}\"").as_bytes()).unwrap();
    let edits = vec![Edit::Put(Key::new(key).unwrap(), value)];
    Request { id: None, edits, conditions: vec![] }
}

/// As a writer, any number of times.
pub(crate) fn writer() -> Terms {
    Terms { role: Role::Writer, lasts: Duration::from_secs(3_600), uses: 0 }
}

/// A context that the first node founds and the others join.
pub(crate) fn share(houses: &[House]) -> ContextId {
    let first = &houses[0];
    let context = first.wait(first.node.create("shared")).unwrap();
    let ticket = first.wait(first.node.invite(context, writer())).unwrap().ticket;
    for house in &houses[1..] {
        let joined = house.wait(house.node.join(&ticket, None, Duration::from_secs(20))).unwrap();
        assert!(joined.is_synced, "{joined:?}");
        assert_eq!(joined.role, Some(Role::Writer));
    }
    context
}

/// Waits until something holds; panics with why it does not.
pub(crate) fn eventually(what: &str, within: Duration, check: impl Fn() -> Result<(), String>) {
    let until = Instant::now() + within;
    let mut pause = Duration::from_millis(2);
    loop {
        match check() {
            Ok(()) => return,
            Err(why) if Instant::now() > until => panic!("{what}: {why}"),
            Err(_) => std::thread::park_timeout(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
