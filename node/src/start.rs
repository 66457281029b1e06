//! The composition of a node: what it is made of, in the order in which it is started.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{ArbiterHandle, System};
use mangrove_config::{Home, Settings, failpoint};
use mangrove_network::{self as network, Driver, Opened};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::machine::Reason;
use mangrove_store::seal::DataKey;
use mangrove_store::{self as store, Health, Reader, Writer};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arbiters::Arbiters;
use crate::delta;
use crate::diagnostics::{self, Asked, LogFilter, Place};
use crate::drive::{Ended, Metrics};
use crate::error::StartError;
use crate::handle::Handle;
use crate::inbox::{Gauges, inbox};
use crate::process::Process;
use crate::rlimit;
use crate::stop::Stop;
use crate::tuning::Tuning;
use crate::warden::{Actor, Exit, Loop, OfProcess, Signals, Warden};

/// Opening the store takes ten minutes.
const HANGS: &str = "node.start_hangs";

/// What a node is started from.
pub struct Setup {
    /// Where everything lies.
    pub home: Home,
    /// What it is told.
    pub settings: Settings,
    /// Who it is.
    pub keys: NodeKeys,
    /// What opens an encrypted home.
    pub data_key: Option<DataKey>,
    /// What changes what is logged.
    pub log: LogFilter,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("home", &self.home).finish_non_exhaustive()
    }
}

/// A node that has started. It does nothing more unless it is run.
#[derive(Debug)]
pub struct Node {
    /// Everything that is started is stopped by it.
    pub warden: Warden,
    /// How others have hold of it.
    pub handle: Handle,
    signals: OfProcess,
}

/// Runs something on this thread, where actors can live: the one that becomes the warden's. What still blocks
/// when it is done, such as a disk that hangs, is left behind.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Arc::new(Builder::new_current_thread().enable_all().build()?);
    let system = System::with_tokio_rt(|| Arc::clone(&runtime));
    let output = system.block_on(future);
    drop(system);
    if let Ok(runtime) = Arc::try_unwrap(runtime) {
        runtime.shutdown_background();
    }
    Ok(output)
}

/// Starts a node, from the bottom up. Within [`block_on`].
pub async fn open(setup: Setup) -> Result<Node, StartError> {
    let setup = Arc::new(setup);
    let mut registry = Registry::with_prefix("mangrove");
    let tuning = Tuning(&setup.settings.node);
    let mut signals = OfProcess::listen()?;
    let mut warden = Warden::new(tuning.drain(), &mut registry);
    let most_files = rlimit::raise(setup.settings.node.open_files);
    let arbiters = Arbiters::start(setup.settings.node.context_threads)?;
    let (writer, reader) = uninterrupted(&mut signals, open_store(&setup)).await?;
    let closing = Closing::new(writer, reader.clone());
    reader.register(&mut registry);
    let on_network = arbiters.get("arb-network")?;
    let opening = open_network(Arc::clone(&setup), &on_network, registry);
    let opened = uninterrupted(&mut signals, opening).await;
    let (opened, mut registry) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            // What was opened is closed, if the disk lets it.
            timeout(tuning.drain(), closing.close()).await.ok();
            return Err(why);
        }
    };
    let Opened { driver, network, ears, addresses } = opened;

    // All inboxes, before any actor: nobody is ever given a place that is not there yet.
    let (delta, delta_inbox) = inbox(tuning.inbox("delta"));
    let gauges = Gauges::default();
    gauges.add(&delta);
    let metrics = Metrics::default();
    metrics.register(&mut registry);
    registry.register_collector(Box::new(gauges.clone()));
    registry.register_collector(Box::new(Process { standing: warden.standing(), most_files }));
    let peer = setup.keys.peer();
    let handle = Handle {
        peer,
        addresses: addresses.iter().map(|it| format!("{it}/p2p/{peer}")).collect(),
        standing: warden.standing(),
        reader,
        network,
        gauges,
        registry: Arc::new(Mutex::new(registry)),
    };

    // All actors, bottom up. They are stopped top down.
    let on_delta = arbiters.get("arb-delta")?;
    warden.on_stop("arbiters", 0, move |_| {
        arbiters.stop();
        async { Ok(()) }
    });
    if setup.settings.node.diagnostics {
        warden.begin("diagnostics", 1, [diagnostics(&setup, &handle)?]);
    }
    warden.alarm(failed(handle.reader.clone()));
    warden.on_stop("store", 3, move |_| closing.clone().close());
    let run = move |stop| -> Loop { Box::pin(run_network(driver, stop)) };
    warden.begin("network", 2, [Actor::once("network", on_network, run)]);
    let drive = (tuning.drive("delta"), metrics);
    let intake = Actor::driven(on_delta.clone(), delta_inbox, drive, async || Ok(delta::intake()));
    let bridge = move |stop| -> Loop { Box::pin(delta::bridge(ears, delta, stop)) };
    warden.begin("actors", 4, [intake, Actor::once("bridge", on_delta, bridge)]);
    Ok(Node { warden, handle, signals })
}

/// Does something, unless a signal comes first.
async fn uninterrupted<T>(
    signals: &mut OfProcess,
    opening: impl Future<Output = Result<T, StartError>>,
) -> Result<T, StartError> {
    tokio::select! {
        biased;
        signal = signals.next() => Err(StartError::Interrupted(signal)),
        opened = opening => opened,
    }
}

/// Opens the network on its own thread, which is where its sockets are served for ever.
async fn open_network(
    setup: Arc<Setup>,
    on: &ArbiterHandle,
    mut registry: Registry,
) -> Result<(Opened, Registry), StartError> {
    let (tell, told) = oneshot::channel();
    let opening = async move {
        let opened = network::open(network::Setup {
            keys: &setup.keys,
            settings: &setup.settings.network,
            protocols: Vec::new(),
            peers_file: Some(setup.home.peers_file()),
            bans_file: Some(setup.home.bans_file()),
            registry: &mut registry,
        });
        let opened = opened.await;
        drop(tell.send(opened.map(|opened| (opened, registry))));
    };
    on.spawn(opening);
    Ok(told.await.map_err(io::Error::other)??)
}

/// The actor that is asked how the node is. It lives on the warden's thread, where nothing else takes long, and
/// can be asked from now on.
fn diagnostics(setup: &Setup, handle: &Handle) -> Result<Actor, StartError> {
    let asked = Arc::new(Asked {
        gauges: handle.gauges.clone(),
        standing: handle.standing.clone(),
        network: handle.network.clone(),
        reader: handle.reader.clone(),
        log: Arc::clone(&setup.log),
    });
    let path = setup.home.diagnostics_socket();
    let unheard = |why| StartError::Diagnostics { path: path.clone(), why };
    let place = Mutex::new(Some(Place::take(&path).map_err(unheard)?));
    let here = System::current().arbiter().clone();
    Ok(Actor::new("diagnostics", here, move |stop| {
        let place = place.lock().take().map_or_else(|| Place::take(&path), Ok);
        Box::pin(diagnostics::serve(place, Arc::clone(&asked), stop))
    }))
}

impl Node {
    /// Runs until it has to stop, and has.
    pub async fn run(self) -> Exit {
        self.warden.run(self.signals).await
    }
}

/// Opens the store where waiting for the disk keeps nobody waiting.
async fn open_store(setup: &Setup) -> Result<(Writer, Reader), StartError> {
    let (folder, settings) = (setup.home.store_folder(), setup.settings.store.clone());
    let key = setup.data_key.clone();
    let opening = move || {
        if failpoint::global().fire::<bool>(HANGS, None) == Some(true) {
            tracing::warn!("held up");
            std::thread::park_timeout(Duration::from_secs(600));
        }
        store::open(&folder, &settings, key.as_ref())
    };
    let opened = tokio::task::spawn_blocking(opening).await;
    Ok(opened.map_err(io::Error::other)??)
}

/// A store that is to be closed. Cheap to clone; however often it is closed, that is done once and awaited by all.
#[derive(Clone)]
pub(crate) struct Closing {
    state: Arc<tokio::sync::Mutex<ClosingState>>,
    reader: Reader,
}

enum ClosingState {
    Open(Writer),
    Closing(JoinHandle<()>),
    Closed,
}

impl Closing {
    pub(crate) fn new(writer: Writer, reader: Reader) -> Self {
        Self { state: Arc::new(tokio::sync::Mutex::new(ClosingState::Open(writer))), reader }
    }

    /// Makes everything durable that was handed in, and closes the store.
    pub(crate) async fn close(self) -> Result<(), Reason> {
        let mut state = self.state.lock().await;
        let before = std::mem::replace(&mut *state, ClosingState::Closed);
        let closing = match before {
            ClosingState::Open(writer) => tokio::task::spawn_blocking(move || writer.close()),
            ClosingState::Closing(closing) => closing,
            ClosingState::Closed => return Ok(()),
        };
        // It stays there while it is awaited: whoever gives up leaves it to the next.
        *state = ClosingState::Closing(closing);
        let ClosingState::Closing(closing) = &mut *state else { return Ok(()) };
        let closed = closing.await;
        *state = ClosingState::Closed;
        closed.map_err(|why| format!("closing the store panicked: {why}"))?;
        match self.reader.health() {
            Health::Failed(why) => Err(format!("the store has failed: {why}").into()),
            Health::Well | Health::Full => Ok(()),
        }
    }
}

/// Until the store has failed.
pub(crate) async fn failed(reader: Reader) -> Reason {
    let mut health = reader.watch();
    let failed = health.wait_for(|health| matches!(health, Health::Failed(_))).await;
    match failed.as_deref() {
        Ok(Health::Failed(why)) => format!("the store has failed: {why}").into(),
        _ => std::future::pending().await,
    }
}

async fn run_network(driver: Driver, stop: Stop) -> Ended {
    driver.run(stop.told()).await;
    Ended::Stopped
}
