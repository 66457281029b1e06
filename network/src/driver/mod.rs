//! The driver: the one loop that owns the swarm.
//!
//! It never waits for another part of the node. What it has to tell is kept until there is room for it
//! (news, streams: bounded by what they are about) or shed and remembered (messages).

mod commands;
mod connections;
mod discovery;
mod links;
mod mesh;
mod streams;
mod upkeep;
mod vice;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::metrics::{Metrics as Libp2pMetrics, Recorder};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, Swarm, TransportError};
use mangrove_protocol::id::PeerId;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::behaviour::{Behaviour, BehaviourEvent, NEGOTIATING};
use crate::blame::Blame;
use crate::calls::Calls;
use crate::command::Command;
use crate::error::StartError;
use crate::gauge::Gauge;
use crate::gossip::{Intake, Judged, Sieve};
use crate::keeper::Keeper;
use crate::metrics::{Metrics, count};
use crate::name;
use crate::network::Network;
use crate::news::{News, Outbox};
use crate::patience::Patience;
use crate::peers::{Peers, Rules};
use crate::quota::Quota;
use crate::start::{Ears, Setup, closed};
use crate::stream::behaviour::Streams;
use crate::stream::permit::Permits;
use crate::stream::{Incoming, Protocol};
use crate::transport::transport;
use links::Links;
use vice::Vice;

/// How often the driver looks after what nothing else reminds it of.
const TICK: Duration = Duration::from_secs(1);
/// News and streams that wait in a channel. More wait in the driver.
const NEWS: usize = 256;

type Event = SwarmEvent<BehaviourEvent>;

/// The one that owns the swarm. Nothing happens unless it runs.
pub struct Driver {
    swarm: Swarm<Behaviour>,
    protocols: Vec<Protocol>,
    peers: Peers,
    intake: Intake,
    outbox: Outbox,
    /// Bounded by the permits that they hold.
    incoming: VecDeque<Incoming>,
    calls: Calls,
    keeper: Keeper,
    links: Links,
    sieve: Sieve,
    /// Dials whose outcome is not known yet, but for those that somebody waits for.
    dials: BTreeMap<ConnectionId, PeerId>,
    /// Connections to peers on this machine.
    locals: BTreeSet<ConnectionId>,
    patience: Patience,
    publishing: Quota,
    vices: BTreeMap<(PeerId, Vice), Quota>,
    nudged_ms: u64,
    commands: mpsc::Receiver<Command>,
    judged: mpsc::Receiver<Judged>,
    news: mpsc::Sender<News>,
    streams: mpsc::Sender<Incoming>,
    permits: [Arc<Permits>; 2],
    blame: Blame,
    gauges: [Gauge; 2],
    metrics: Metrics,
    libp2p: Libp2pMetrics,
    since: Instant,
    ticks: u64,
    /// When somebody is to be dialled next, if that is known.
    wake_ms: Option<u64>,
}

/// What the loop does next.
enum Turn {
    Stop,
    Event(Box<Event>),
    Command(Command),
    Judged(Judged),
    Told,
    Tick,
    Dial,
}

impl Driver {
    /// A driver and those who speak with it.
    pub(crate) fn new(setup: Setup<'_>) -> Result<(Self, Network, Ears), StartError> {
        let Setup { keys, settings, protocols, peers_file, bans_file, registry } = setup;
        let wrong = |why: &str| StartError::Setup(why.to_owned());
        let keypair = name::keypair(keys).ok_or_else(|| wrong("the key cannot be used"))?;
        let metrics = Metrics::default();
        metrics.register(registry);
        let inbound = Permits::new(settings.streams, settings.streams_per_peer);
        let outbound = Permits::new(settings.streams, settings.streams_per_peer);
        let offered = protocols.iter().map(|it| crate::behaviour::protocol(it.name)).collect();
        let streams = Streams::new(offered, Arc::clone(&inbound));
        let libp2p = Libp2pMetrics::new(registry);
        let (sieve, patience) = (Sieve::default(), Patience::new());
        let behaviour = Behaviour::new(&keypair, settings, (streams, &sieve), registry)?;
        let transport = transport(&keypair, &patience, registry);
        let transport = transport.map_err(|why| wrong(&why.to_string()))?;
        let config = libp2p::swarm::Config::with_tokio_executor()
            .with_max_negotiating_inbound_streams(NEGOTIATING)
            .with_per_connection_event_buffer_size(3);
        let pace = settings.messages_per_second.max(2);
        let swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
        let keeper = Keeper::new(peers_file, bans_file);
        let (intake, heard, judged) = Intake::new(settings);
        let (commands, orders) = mpsc::channel(capacity(settings.commands));
        let (news, hearing_news) = mpsc::channel(NEWS);
        let (streams, hearing_streams) = mpsc::channel(NEWS);
        let blame = Blame::default();
        let network = Network {
            me: keys.peer(),
            commands,
            outbound: Arc::clone(&outbound),
            blame: blame.clone(),
            published: metrics.published.clone(),
        };
        let mut driver = Self {
            swarm,
            protocols,
            peers: Peers::new(keys.peer(), Rules::default(), seed()?),
            intake,
            outbox: Outbox::default(),
            incoming: VecDeque::new(),
            calls: Calls::default(),
            keeper,
            links: Links::default(),
            sieve,
            dials: BTreeMap::new(),
            locals: BTreeSet::new(),
            patience,
            publishing: Quota::new(pace / 2, pace),
            vices: BTreeMap::new(),
            nudged_ms: 0,
            commands: orders,
            judged,
            news,
            streams,
            permits: [inbound, outbound],
            blame,
            gauges: [
                Gauge::new("messages", settings.messages),
                Gauge::new("commands", settings.commands),
            ],
            metrics,
            libp2p,
            since: Instant::now(),
            ticks: 0,
            wake_ms: None,
        };
        driver.recall(settings)?;
        Ok((driver, network, Ears { heard, news: hearing_news, streams: hearing_streams }))
    }

    /// Listens at an address.
    pub(crate) fn listen(
        &mut self,
        address: Multiaddr,
    ) -> Result<ListenerId, TransportError<std::io::Error>> {
        self.swarm.listen_on(address)
    }

    /// Where this node can be reached.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        self.swarm.listeners().cloned().collect()
    }

    /// Runs until each of these listeners can be reached somewhere.
    pub(crate) async fn until_listening(
        &mut self,
        mut quiet: Vec<ListenerId>,
    ) -> Result<(), StartError> {
        while !quiet.is_empty() {
            let event = self.swarm.select_next_some().await;
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    quiet.retain(|id| id != listener_id);
                }
                SwarmEvent::ListenerClosed { listener_id, addresses, reason: Err(why) }
                    if quiet.contains(listener_id) =>
                {
                    return Err(closed(addresses, why));
                }
                _ => {}
            }
            self.happened(event);
        }
        Ok(())
    }

    /// Runs until `stop` is ready, and then writes down what is to outlive the process.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        Box::pin(self.drive(stop)).await;
    }

    async fn drive(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let turn = {
                let wake = self.wake_ms.map(|wake_ms| self.since + Duration::from_millis(wake_ms));
                // Without `biased` each one that is ready gets its turn, whatever the others do.
                tokio::select! {
                    () = &mut stop => Turn::Stop,
                    event = self.swarm.select_next_some() => Turn::Event(Box::new(event)),
                    Some(command) = self.commands.recv() => Turn::Command(command),
                    Some(judged) = self.judged.recv() => Turn::Judged(judged),
                    Ok(room) = self.news.reserve(), if !self.outbox.is_empty() => {
                        if let Some(news) = self.outbox.next() {
                            room.send(news);
                        }
                        Turn::Told
                    }
                    Ok(room) = self.streams.reserve(), if !self.incoming.is_empty() => {
                        if let Some(incoming) = self.incoming.pop_front() {
                            room.send(incoming);
                        }
                        Turn::Told
                    }
                    () = self.keeper.written() => Turn::Told,
                    _ = tick.tick() => Turn::Tick,
                    () = sleep_until(wake.unwrap_or(self.since)), if wake.is_some() => Turn::Dial,
                }
            };
            match turn {
                Turn::Stop => break,
                Turn::Event(event) => self.happened(*event),
                Turn::Command(command) => self.obey(command),
                Turn::Judged(judged) => self.judge(judged),
                Turn::Tick => self.tick(),
                Turn::Dial => self.dial(),
                Turn::Told => {}
            }
        }
        self.keeper.close(self.peers.remembered()).await;
    }

    fn happened(&mut self, event: Event) {
        self.libp2p.record(&event);
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => {
                self.libp2p.record(&event);
                self.gossiped(event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => {
                self.libp2p.record(&event);
                self.identified(event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => {
                self.libp2p.record(&event);
                self.pinged(event);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(event)) => self.discovered(event),
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.streamed(event),
            event => self.connected_or_not(event),
        }
    }

    fn blame(&mut self, peer: PeerId, fault: &'static str) {
        count(&self.metrics.faults, "fault", fault);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.peers.record(peer, fault, millis(unix));
    }

    fn now_ms(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({} connections)", self.peers.links())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn capacity(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX).clamp(1, 1 << 20)
}

/// What chance starts from.
fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|why| StartError::Setup(why.to_string()))
}
