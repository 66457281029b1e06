//! What the network costs, beside bare libp2p in the same run: `cargo bench -p mangrove-network`.
//!
//! Ours and the bare one take turns, each at both ends of a connection over loopback; figures are
//! medians.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot prepare its input has nothing to say, and what it says it prints"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use libp2p::futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use mangrove_config::address::Multiaddr as Written;
use mangrove_config::network::{Network as Settings, Profile};
use mangrove_config::setting::Text;
use mangrove_lab::Process;
use mangrove_network::{Ears, Multiaddr, Network, Open, Opened, Protocol, Setup, open};
use mangrove_protocol::keys::NodeKeys;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::oneshot;

const ROUNDS: usize = 5;
const BYTES: usize = 1 << 30;
/// As long as frames of sessions are.
const FRAME: usize = 1 << 20;
const TALK: Protocol = Protocol { name: "/mangrove/talk/1", frame_bytes: FRAME as u64 };
const PEERS: u8 = 20;
const IDLE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    throughput();
    idle();
}

/// One stream, one way.
fn throughput() {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(megabytes_per_second(ours_takes()));
        bare.push(megabytes_per_second(bare_takes()));
    }
    let (ours, bare) = (median(ours), median(bare));
    let share = ours * 100.0 / bare;
    println!("one stream      ours {ours:.0} MB/s, bare {bare:.0} MB/s: {share:.0} %");
}

fn megabytes_per_second(time: Duration) -> f64 {
    BYTES as f64 / 1e6 / time.as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Runs something on a thread of its own with a runtime of its own, as a node does.
fn apart<F>(name: &str, what: impl FnOnce() -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(what());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
}

/// A node on a thread of its own.
fn node(number: u8) -> (Network, Ears, Multiaddr) {
    let (told, started) = oneshot::channel();
    apart("node", move || async move {
        let listen = vec![Written::parse("/ip4/127.0.0.1/tcp/0").unwrap()];
        let settings = Settings { listen, profile: Profile::Test, ..Settings::default() };
        let setup = Setup {
            keys: &NodeKeys::from_bytes(&[number; 64]),
            settings: &settings,
            protocols: vec![TALK],
            peers_file: None,
            bans_file: None,
            registry: &mut Registry::default(),
        };
        let Opened { driver, network, ears, addresses } = open(setup).await.unwrap();
        drop(told.send((network, ears, addresses[0].clone())));
        driver.run(std::future::pending()).await;
    });
    started.blocking_recv().unwrap()
}

fn ours_takes() -> Duration {
    let (one, _ears, _) = node(1);
    let (two, mut ears, address) = node(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (taken, all) = oneshot::channel();
    apart("taker", move || async move {
        let (_, mut receive) = ears.streams.recv().await.unwrap().stream.split();
        let mut bytes = 0;
        while bytes < BYTES {
            bytes += receive.receive(PATIENCE).await.unwrap().unwrap().len();
        }
        taken.send(Instant::now()).unwrap();
    });
    runtime.block_on(async {
        one.connect(address).await.unwrap();
        let (mut send, _receive) = one.open(two.peer(), TALK).await.unwrap().split();
        let frame = vec![7; FRAME];
        let began = Instant::now();
        for _ in 0..BYTES / FRAME {
            send.send(&frame).await.unwrap();
        }
        all.await.unwrap() - began
    })
}

fn bare_swarm() -> Swarm<libp2p_stream::Behaviour> {
    let swarm = SwarmBuilder::with_new_identity().with_tokio();
    let options = tcp::Config::new().nodelay(true);
    let swarm = swarm.with_tcp(options, noise::Config::new, yamux::Config::default).unwrap();
    let swarm = swarm.with_behaviour(|_| libp2p_stream::Behaviour::new()).unwrap();
    let idle = |config: libp2p::swarm::Config| config.with_idle_connection_timeout(PATIENCE);
    swarm.with_swarm_config(idle).build()
}

fn bare_takes() -> Duration {
    let (told, address) = oneshot::channel();
    let (taken, all) = oneshot::channel();
    apart("bare taker", move || async move {
        let mut swarm = bare_swarm();
        let mut incoming =
            swarm.behaviour().new_control().accept(StreamProtocol::new(TALK.name)).unwrap();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let mut told = Some(told);
        let peer = *swarm.local_peer_id();
        let run = async {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await
                    && let Some(told) = told.take()
                {
                    drop(told.send((peer, address)));
                }
            }
        };
        let take = async {
            let (_, mut stream) = incoming.next().await.unwrap();
            let (mut bytes, mut buffer) = (0, vec![0; FRAME]);
            while bytes < BYTES {
                bytes += stream.read(&mut buffer).await.unwrap();
            }
            taken.send(Instant::now()).unwrap();
        };
        tokio::select! {
            () = run => {}
            () = take => {}
        }
    });
    let (peer, address) = address.blocking_recv().unwrap();
    let (told, control) = oneshot::channel();
    apart("bare giver", move || async move {
        let mut swarm = bare_swarm();
        let mut told = Some(told);
        swarm.dial(address).unwrap();
        loop {
            if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await
                && let Some(told) = told.take()
            {
                drop(told.send(swarm.behaviour().new_control()));
            }
        }
    });
    let mut control = control.blocking_recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = control.open_stream(peer, StreamProtocol::new(TALK.name)).await;
        let mut stream = stream.unwrap();
        let frame = vec![7; FRAME];
        let began = Instant::now();
        for _ in 0..BYTES / FRAME {
            stream.write_all(&frame).await.unwrap();
        }
        stream.flush().await.unwrap();
        all.await.unwrap() - began
    })
}

/// A process with twenty peers, on a topic with them, and nothing to say.
fn idle() {
    let start = |number: u8| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mangrove-network-child"));
        command.args([&number.to_string(), "server", "/ip4/127.0.0.1/tcp/0"]);
        let process = Process::start(command, &format!("peer-{number}")).unwrap();
        let is_ready = |event: &Value| event["event"] == "ready";
        let ready = process.wait_for("it is ready", PATIENCE, is_ready).unwrap();
        process.tell(&json!({"do": "subscribe", "topic": 1})).unwrap();
        (process, ready["addresses"][0].clone())
    };
    let (node, _) = start(100);
    let peers = (1..=PEERS).map(start).collect::<Vec<_>>();
    for (_, address) in &peers {
        node.tell(&json!({"do": "dial", "address": address})).unwrap();
    }
    for _ in &peers {
        let is_connected = |event: &Value| event["event"] == "connected";
        node.wait_for("a peer is connected", PATIENCE, is_connected).unwrap();
    }
    let before = node.cpu_time().unwrap();
    let until = Instant::now() + IDLE;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    let busy = node.cpu_time().unwrap().saturating_sub(before);
    let percent = busy.as_secs_f64() * 100.0 / IDLE.as_secs_f64();
    let resident = node.resident_bytes().unwrap() >> 20;
    println!("idle, {PEERS} peers  {percent:.2} % of one core, {resident} MiB resident");
}
