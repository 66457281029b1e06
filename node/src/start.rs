//! The composition of a node: what it is made of, in the order in which it is started.

use std::fmt;
use std::io;
use std::sync::Arc;

use actix::System;
use mangrove_config::{Home, Settings};
use mangrove_network::{self as network, Driver, Opened};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::machine::Reason;
use mangrove_store::seal::DataKey;
use mangrove_store::{self as store, Health, Reader, Writer};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

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
use crate::warden::{Actor, Exit, Loop, Manner, OfProcess, Warden};

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

/// Runs something on this thread, where actors can live: the one that becomes the warden's.
pub fn block_on<F: Future>(future: F) -> F::Output {
    System::new().block_on(future)
}

/// Starts a node, from the bottom up. Within [`block_on`].
pub async fn open(setup: Setup) -> Result<Node, StartError> {
    let mut registry = Registry::with_prefix("mangrove");
    let tuning = Tuning(&setup.settings.node);
    let signals = OfProcess::listen()?;
    let mut warden = Warden::new(tuning.drain(), &mut registry);
    let most_files = rlimit::raise(setup.settings.node.open_files);
    let Ground { arbiters, writer, reader, opened } = Ground::open(&setup, &mut registry).await?;
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
    let (on_delta, on_network) = (arbiters.get("arb-delta")?, arbiters.get("arb-network")?);
    warden.on_stop("arbiters", 0, async move |_| {
        arbiters.stop();
        Ok(())
    });
    if setup.settings.node.diagnostics {
        warden.begin("diagnostics", 1, [diagnostics(&setup, &handle)?]);
    }
    warden.alarm(failed(handle.reader.clone()));
    warden.on_stop("store", 3, move |manner| close(writer, manner));
    let run = move |stop| -> Loop { Box::pin(run_network(driver, stop)) };
    warden.begin("network", 2, [Actor::once("network", on_network, run)]);
    let drive = (tuning.drive("delta"), metrics);
    let intake = Actor::driven(on_delta.clone(), delta_inbox, drive, async || Ok(delta::intake()));
    let bridge = move |stop| -> Loop { Box::pin(delta::bridge(ears, delta, stop)) };
    warden.begin("actors", 4, [intake, Actor::once("bridge", on_delta, bridge)]);
    Ok(Node { warden, handle, signals })
}

/// What everything else stands on.
struct Ground {
    arbiters: Arbiters,
    writer: Writer,
    reader: Reader,
    opened: Opened,
}

impl Ground {
    async fn open(setup: &Setup, registry: &mut Registry) -> Result<Self, StartError> {
        let arbiters = Arbiters::start(setup.settings.node.context_threads)?;
        let (writer, reader) = open_store(setup).await?;
        reader.register(registry);
        let opened = network::open(network::Setup {
            keys: &setup.keys,
            settings: &setup.settings.network,
            protocols: Vec::new(),
            peers_file: Some(setup.home.peers_file()),
            bans_file: Some(setup.home.bans_file()),
            registry,
        })
        .await?;
        Ok(Self { arbiters, writer, reader, opened })
    }
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
    let opening = move || store::open(&folder, &settings, key.as_ref());
    let opened = tokio::task::spawn_blocking(opening).await;
    Ok(opened.map_err(io::Error::other)??)
}

/// Makes everything durable that was handed in, and closes the store.
async fn close(writer: Writer, _manner: Manner) -> Result<(), Reason> {
    let closed = tokio::task::spawn_blocking(move || writer.close()).await;
    closed.map_err(|why| format!("closing the store panicked: {why}").into())
}

/// Until the store has failed.
async fn failed(reader: Reader) -> Reason {
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
