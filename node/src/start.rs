//! The composition of a node: what it is made of, in the order in which it is started.

use std::fmt;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{ArbiterHandle, System};
use mangrove_config::{Home, Settings, failpoint};
use mangrove_network::{self as network, Driver, Ears, Network, Opened};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::machine::Reason;
use mangrove_store::seal::DataKey;
use mangrove_store::{self as store, Health, Pens, Reader, Writer};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arbiters::Arbiters;
use crate::context::{self, Acquaintances, Outside, Shard};
use crate::delta::{self, Intake};
use crate::diagnostics::{self, Asked, LogFilter, Place};
use crate::directory::{Directory, State};
use crate::drive::{Clock, Ended, Metrics};
use crate::enlist::{self, Allowed, Applicant, Listener, Office};
use crate::error::StartError;
use crate::gc;
use crate::handle::Handle;
use crate::hub::Hub;
use crate::inbox::{Gauges, Inbox, Outlet, inbox, reply};
use crate::joining;
use crate::metrics;
use crate::process::Process;
use crate::rlimit;
use crate::stop::Stop;
use crate::sync;
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
    let allowed = enlist::allowed(&setup.settings)?;
    let mut registry = Registry::with_prefix("mangrove");
    let tuning = Tuning(&setup.settings.node);
    let mut signals = OfProcess::listen()?;
    let mut warden = Warden::new(tuning.drain(), &mut registry);
    let most_files = rlimit::raise(setup.settings.node.open_files);
    let arbiters = Arbiters::start(setup.settings.node.context_threads)?;
    let (writer, reader) = uninterrupted(&mut signals, open_store(&setup)).await?;
    let pens = writer.pens();
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
    let rooms = Rooms::new(&tuning, arbiters.contexts(), allowed);
    let counted = Counted::new(&mut registry, &rooms, (&warden, most_files));
    let outside = outside(&setup, (reader.clone(), pens, network), (&rooms, &counted));
    outside.hub.register(&mut registry);
    let (gauges, standing) = (counted.gauges.clone(), warden.standing());
    let handle = Handle::new(&setup, (&outside, addresses), (gauges, standing, registry));

    // All actors, bottom up. They are stopped top down.
    let Rooms { delta, sync, shards, replica } = rooms;
    let office = &handle.office;
    let crew = Crew { setup: &setup, tuning, outside: &outside, counted: &counted, office };
    let (on_delta, on_sync) = (arbiters.get("arb-delta")?, arbiters.get("arb-sync")?);
    let contexts = crew.contexts(shards, arbiters.for_contexts()?);
    warden.on_stop("arbiters", 0, move |_| {
        arbiters.stop();
        async { Ok(()) }
    });
    if setup.settings.node.diagnostics {
        warden.begin("diagnostics", 1, [diagnostics(&setup, &handle)?]);
    }
    warden.alarm(failed(reader));
    warden.on_stop("store", 3, move |_| closing.clone().close());
    let run = move |stop| -> Loop { Box::pin(run_network(driver, stop)) };
    warden.begin("network", 1, [Actor::once("network", on_network, run)]);
    let ending = Stop::new();
    let bridge = bridge(ears, (&delta, &sync), on_delta.clone());
    let listener = replica.as_ref().map(|(listener, _)| listener.clone());
    let intake = crew.intake(delta, listener, on_delta);
    let sessions = crew.sessions(sync, on_sync.clone(), &ending);
    let applicant = replica.map(|(_, inbox)| crew.applicant(inbox, on_sync, &ending));
    let others = [sessions, intake, bridge, crew.gc()].into_iter().chain(applicant);
    warden.begin("actors", 2, contexts.into_iter().chain(others));
    let (directory, hub) = (outside.directory, outside.hub);
    warden.on_stop("contexts", 3, move |_| quiet(directory.clone(), hub.clone(), ending.clone()));
    Ok(Node { warden, handle, signals })
}

/// An inbox, and a way to send to it.
type Room<E> = (Outlet<E>, Inbox<E>);

/// The inboxes of all actors that have one.
struct Rooms {
    delta: Room<delta::Message>,
    sync: Room<sync::Message>,
    shards: Vec<Room<context::Message>>,
    /// Where a replica hears those whom it serves.
    replica: Option<(Listener, Inbox<enlist::Message>)>,
}

impl Rooms {
    fn new(tuning: &Tuning<'_>, shards: usize, allowed: Option<Allowed>) -> Self {
        let shard = |at| inbox(tuning.inbox(&format!("context-{at}")));
        let replica = |allowed| {
            let (applicant, inbox) = inbox(tuning.inbox("replica"));
            (Listener { allowed, applicant }, inbox)
        };
        Self {
            delta: inbox(tuning.inbox("delta")),
            sync: inbox(tuning.inbox("sync")),
            shards: (0..shards).map(shard).collect(),
            replica: allowed.map(replica),
        }
    }

    fn shards(&self) -> impl Iterator<Item = &Outlet<context::Message>> {
        self.shards.iter().map(|(outlet, _)| outlet)
    }
}

/// Everything that is counted, beside what the parts count for themselves.
struct Counted {
    drive: Metrics,
    contexts: metrics::Contexts,
    intake: metrics::Intake,
    gauges: Gauges,
}

impl Counted {
    fn new(
        registry: &mut Registry,
        rooms: &Rooms,
        (warden, most_files): (&Warden, Option<u64>),
    ) -> Self {
        let gauges = Gauges::default();
        gauges.add(&rooms.delta.0);
        gauges.add(&rooms.sync.0);
        rooms.shards().for_each(|shard| gauges.add(shard));
        rooms.replica.iter().for_each(|(listener, _)| gauges.add(&listener.applicant));
        let (drive, contexts, intake) = Default::default();
        let counted = Self { drive, contexts, intake, gauges };
        counted.drive.register(registry);
        counted.contexts.register(registry);
        counted.intake.register(registry);
        registry.register_collector(Box::new(counted.gauges.clone()));
        registry.register_collector(Box::new(Process { standing: warden.standing(), most_files }));
        counted
    }
}

/// What those who work on contexts reach of the rest of the node.
fn outside(
    setup: &Setup,
    (reader, pens, network): (Reader, Pens, Network),
    (rooms, counted): (&Rooms, &Counted),
) -> Outside {
    let tuning = Tuning(&setup.settings.node);
    let directory = Directory::new(setup.keys.peer(), rooms.shards().cloned().collect());
    // Those that are stored are known from the start, also while they are still being opened.
    reader.contexts().into_iter().for_each(|context| drop(directory.enter(context)));
    Outside {
        keys: setup.keys.clone(),
        mode: tuning.mode(),
        durability: tuning.durability(setup.settings.store.durability),
        keep: setup.settings.feed.keep,
        hub: Hub::new(reader.clone()),
        reader,
        pens,
        network,
        sync: rooms.sync.0.clone(),
        directory,
        acquaintances: Acquaintances::default(),
        wall: Clock::system(),
        metrics: counted.contexts.clone(),
    }
}

/// How actors are made.
struct Crew<'a> {
    setup: &'a Setup,
    tuning: Tuning<'a>,
    outside: &'a Outside,
    counted: &'a Counted,
    office: &'a Office,
}

impl Crew<'_> {
    /// Those who work on contexts: each has a share of them, with a thread of its own.
    fn contexts(&self, rooms: Vec<Room<context::Message>>, on: Vec<ArbiterHandle>) -> Vec<Actor> {
        let one = |(at, ((_, inbox), on)): (usize, (Room<context::Message>, ArbiterHandle))| {
            let outside = self.outside.clone();
            let make = move || ready(Ok(shard(&outside, at)));
            let config = self.tuning.drive(&format!("context-{at}"));
            Actor::driven(on, inbox, (config, self.counted.drive.clone()), make)
        };
        rooms.into_iter().zip(on).enumerate().map(one).collect()
    }

    /// The one that talks with peers.
    fn sessions(&self, room: Room<sync::Message>, on: ArbiterHandle, ending: &Stop) -> Actor {
        let (network, directory) = (self.outside.network.clone(), self.outside.directory.clone());
        let (office, ending) = (self.office.clone(), ending.clone());
        let make = move || {
            let (network, directory) = (network.clone(), directory.clone());
            let (office, ending) = (office.clone(), ending.clone());
            let hands = sync::Hands { network, directory, office, ending };
            ready(Ok((sync::Sessions::default(), hands)))
        };
        let config = self.tuning.sessions("sync", self.setup.settings.network.streams);
        Actor::driven(on, room.1, (config, self.counted.drive.clone()), make)
    }

    /// The one that offers this node as a replica, and so is where replicas are called for.
    fn applicant(&self, inbox: Inbox<enlist::Message>, on: ArbiterHandle, ending: &Stop) -> Actor {
        let (network, directory) = (self.outside.network.clone(), self.outside.directory.clone());
        let ending = ending.clone();
        let make = move || {
            let (network, directory) = (network.clone(), directory.clone());
            let hands = enlist::Hands { network, directory, ending: ending.clone() };
            async move {
                if !hands.network.join(Topic::invites()).await {
                    tracing::error!("on too many topics: nobody is heard who calls for replicas");
                }
                Ok((Applicant::default(), hands))
            }
        };
        let config = self.tuning.drive("replica");
        Actor::driven(on, inbox, (config, self.counted.drive.clone()), make)
    }

    /// The one that judges what is heard.
    fn intake(
        &self,
        room: Room<delta::Message>,
        listener: Option<Listener>,
        on: ArbiterHandle,
    ) -> Actor {
        let (directory, reader) = (self.outside.directory.clone(), self.outside.reader.clone());
        let told = (listener, self.counted.intake.clone());
        let make = move || ready(Ok(Intake::new(directory.clone(), reader.clone(), told.clone())));
        let config = self.tuning.drive("delta");
        Actor::driven(on, room.1, (config, self.counted.drive.clone()), make)
    }

    /// The one that forgets what is old.
    fn gc(&self) -> Actor {
        let Outside { keep, directory, pens, .. } = &self.outside;
        let kept = (*keep, directory.clone(), pens.clone());
        let here = System::current().arbiter().clone();
        Actor::new("gc", here, move |stop| Box::pin(gc::run(kept.clone(), stop)))
    }
}

/// The one that carries what the network tells.
fn bridge(
    ears: Ears,
    (delta, sync): (&Room<delta::Message>, &Room<sync::Message>),
    on: ArbiterHandle,
) -> Actor {
    let outlets = (delta.0.clone(), sync.0.clone());
    let run = move |stop| -> Loop { Box::pin(delta::bridge(ears, outlets, stop)) };
    Actor::once("bridge", on, run)
}

/// Those who work on a share of the contexts, with all that is stored of it.
fn shard(outside: &Outside, at: usize) -> (Shard, context::Hands) {
    let mut shard = Shard::new(outside.clone());
    for context in outside.reader.contexts() {
        if outside.directory.place(context) == Some(at) {
            shard.load(context);
        }
    }
    (shard, context::Hands(outside.clone()))
}

/// Lets all contexts finish what is in hand. Then nobody listens any more, and conversations end.
async fn quiet(directory: Directory, hub: Hub, ending: Stop) -> Result<(), Reason> {
    let mut stopped = Vec::new();
    for shard in directory.shards() {
        let (reply, answer) = reply();
        // One that takes nothing more has nothing in hand.
        if shard.send(context::Message::Stop(reply)).await.is_ok() {
            stopped.push(answer);
        }
    }
    for answer in stopped {
        answer.await.ok();
    }
    hub.stop();
    ending.tell();
    Ok(())
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
            protocols: sync::protocols(),
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
        directory: handle.directory.clone(),
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
    /// Comes into contexts by tickets, in its own time.
    pub fn join(&mut self, tickets: Vec<String>) {
        let (node, here) = (self.handle.clone(), System::current().arbiter().clone());
        let run =
            move |stop| -> Loop { Box::pin(joining::run(node.clone(), tickets.clone(), stop)) };
        self.warden.begin("joining", 0, [Actor::new("joining", here, run)]);
    }

    /// Waits until all that was stored has had its turn, but not for longer than this: what takes longer is told
    /// by the states of contexts.
    pub async fn settle(&self, within: Duration) {
        let settled = async {
            for entry in self.handle.contexts() {
                let mut facts = entry.watch();
                // A context that goes away is waited for no longer.
                facts.wait_for(|facts| facts.state != State::Replaying).await.ok();
            }
        };
        timeout(within, settled).await.ok();
    }

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
