//! Whoever says however much: reads, control, memory and honest members are none the worse for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, park_timeout};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mangrove_cluster::{
    Acks, Cluster, Kind, Node, Pace, Plan, Rpc, Stranger, Writers, edits, eventually,
};
use mangrove_protocol::gossip::{Body, Message, Signed, Topic};
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::{NODE_KEYS_BYTES, NodeKeys};
use mangrove_protocol::replica::beat::Heartbeat;
use serde_json::json;

use crate::place;

/// How long it goes on.
const WHILE: Duration = Duration::from_secs(8);
/// How often control is tried, and something honest is written.
const EVERY: Duration = Duration::from_millis(400);
/// Within this, of a hundred reads 99 are answered. A debug build has to share two cores with those who flood it.
const READ: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 50 });
/// Within this, control answers.
const CONTROL: Duration = Duration::from_secs(1);
/// Within this, what an honest member writes is there.
const ARRIVAL: Duration = Duration::from_secs(5);
/// A node needs no more memory than it does at rest and this.
const MEMORY: u64 = 64 << 20;
/// Something that has not happened then never will.
const LONG: Duration = Duration::from_secs(60);

/// Something that goes on until it is stopped.
struct Going<T> {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Going<T> {
    fn start(name: &str, go: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::Builder::new().name(name.to_owned());
        Self { is_over, thread: thread.spawn(move || go(&over)).unwrap() }
    }

    fn stop(self) -> T {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}

/// Reads one key again and again; how long each of them took, in order.
fn read(rpc: Rpc, context: String) -> Going<Vec<Duration>> {
    Going::start("reader", move |is_over| {
        let (mut times, mut pace) = (Vec::new(), Pace::steady());
        while !is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            let entry = rpc.get(&context, Kind::Register, "read").unwrap().entry.unwrap();
            times.push(began.elapsed());
            assert_eq!(entry.value, Some(json!("me")));
            pace.wait();
        }
        times.sort_unstable();
        times
    })
}

/// What was seen of a node while others flooded it.
#[derive(Debug)]
struct Watched {
    idle_bytes: u64,
    most_bytes: u64,
    slowest_control: Duration,
    slowest_arrival: Duration,
}

/// Looks after the first node of a cluster, to which the second one, which is honest, writes now and then.
fn watch(cluster: &Cluster, idle_bytes: u64) -> Watched {
    let (node, honest) = (cluster.node(0), cluster.rpc(1));
    let mut watched = Watched {
        idle_bytes,
        most_bytes: 0,
        slowest_control: Duration::ZERO,
        slowest_arrival: Duration::ZERO,
    };
    let began = Instant::now();
    for number in 0.. {
        if began.elapsed() >= WHILE {
            break;
        }
        let asked = Instant::now();
        let queues = node.diag("queues");
        watched.slowest_control = watched.slowest_control.max(asked.elapsed());
        assert!(queues.to_string().contains("delta"), "{queues}");

        let key = format!("honest/{number}");
        write(&honest, &cluster.context, &key);
        let wrote = Instant::now();
        eventually("what an honest member writes is there", ARRIVAL, || {
            let got = node.rpc().get(&cluster.context, Kind::Register, &key).unwrap();
            got.entry.ok_or("it is not")
        });
        watched.slowest_arrival = watched.slowest_arrival.max(wrote.elapsed());
        watched.most_bytes = watched.most_bytes.max(node.resident_bytes());
        park_timeout(EVERY);
    }
    watched
}

/// Writes once it is let to.
fn write(rpc: &Rpc, context: &str, key: &str) {
    eventually("it may write", LONG, || {
        let applied = rpc.apply(context, &[edits::put(key, 1)]);
        applied.map_err(|why| {
            assert_eq!(why.kind(), "busy", "{why}");
            why
        })
    });
}

/// What 99 of a hundred did not exceed, or another share.
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

impl Watched {
    fn grown(&self) -> u64 {
        self.most_bytes.saturating_sub(self.idle_bytes)
    }

    /// What was seen, in a line.
    fn told(&self, reads: &[Duration]) -> String {
        let [median, p99, worst] = [50, 99, 100].map(|percent| quantile(reads, percent));
        format!(
            "{} reads: median {median:.1?}, p99 {p99:.1?}, worst {worst:.1?}; control within {:.1?}, \
             arrivals within {:.1?}; {} MiB at rest, {} MiB more",
            reads.len(),
            self.slowest_control,
            self.slowest_arrival,
            self.idle_bytes >> 20,
            self.grown() >> 20,
        )
    }
}

/// The first node stood it.
fn assert_unharmed(cluster: &Cluster, watched: &Watched, reads: &[Duration]) {
    let (node, rpc) = (cluster.node(0), cluster.rpc(0));
    let actors = node.diag("actors");
    for actor in actors["actors"].as_array().unwrap() {
        assert_eq!(
            (&actor["condition"], &actor["restarts"]),
            (&json!("running"), &json!(0)),
            "{actor}"
        );
    }
    let metrics = rpc.metrics().unwrap();
    let broken = ["falls", "quarantined", "repairs"];
    let broken = broken.map(|it| metrics.count(&format!("mangrove_context_{it}")));
    assert!(broken.iter().all(|count| *count == 0), "{broken:?}");
    assert_eq!(rpc.context(&cluster.context).unwrap().state, "ready");
    let net = node.diag("net");
    let honest = net["peers"].as_array().unwrap().iter();
    let honest = honest.filter(|it| it["peer"] == cluster.node(1).peer()).collect::<Vec<_>>();
    assert_eq!(honest[0]["refused"], json!(null), "{net}");
    assert!(reads.len() > 100, "only {} reads", reads.len());
    assert!(quantile(reads, 99) <= READ, "{}", watched.told(reads));
    assert!(watched.slowest_control <= CONTROL, "{watched:?}");
    assert!(watched.grown() <= MEMORY, "{watched:?}");
}

/// How somebody floods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Says what no honest node would, and is soon turned away.
    Crude,
    /// Says what a stranger may say, in far too many words.
    Smooth,
}

/// What came of a flood.
#[derive(Debug, Default)]
struct Flooded {
    said: AtomicU64,
    lives: AtomicU64,
}

/// Where a flood goes.
#[derive(Clone, Copy)]
struct Target<'a> {
    node: &'a Node,
    context: ContextId,
    /// In whose name is forged.
    victim: PeerId,
}

/// Says as much as it can where a context meets, under ever new names, until it is over.
fn flood(to: Target<'_>, (manner, seed): (Manner, u64), so_far: &Flooded, over: &AtomicBool) {
    let topic = Topic::of(to.context);
    let mut number = 0;
    for life in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let mut secret = [0; NODE_KEYS_BYTES];
        secret[..8].copy_from_slice(&((seed << 32) | life).to_le_bytes());
        let keys = NodeKeys::from_bytes(&secret);
        let stranger = Stranger::start(&keys);
        if !stranger.meet(to.node) {
            // It has knocked too often, and does so again.
            park_timeout(Duration::from_millis(20));
            continue;
        }
        so_far.lives.fetch_add(1, Ordering::Relaxed);
        stranger.join(topic);
        while !over.load(Ordering::Relaxed) && stranger.is_connected(to.node) {
            let is_said = stranger.finds(to.node, topic)
                && stranger.say(topic, message(number, manner, (&keys, to)));
            if is_said {
                so_far.said.fetch_add(1, Ordering::Relaxed);
                number += 1;
            } else {
                park_timeout(Duration::from_millis(1));
            }
        }
    }
}

/// What is said. What is crude is the same of the same number, whoever says it.
fn message(number: u64, manner: Manner, (keys, to): (&NodeKeys, Target<'_>)) -> Vec<u8> {
    if manner == Manner::Crude && number.is_multiple_of(2) {
        // A version that is known, and a kind that is not.
        return [&[1, 99][..], &number.to_le_bytes()].concat();
    }
    let beat = Heartbeat {
        stored: [1; 32],
        applied: [2; 32],
        root: None,
        fold_version: 1,
        deltas: number,
        time_ms: now_ms(),
        nonce: number,
    };
    match manner {
        Manner::Smooth => Message::sign(to.context, Body::Heartbeat(beat), keys).encode(),
        Manner::Crude => {
            let (context, sender, signature) = (to.context, to.victim, [7; 64]);
            let body = Body::Heartbeat(Heartbeat { time_ms: 0, ..beat });
            Message::Signed(Box::new(Signed { context, sender, body, signature })).encode()
        }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// Two nodes that share a context in which there is something to read; what the first needs at rest.
fn meet(first: Plan) -> (Cluster, u64) {
    let cluster = Cluster::meet(&place(), [first, Plan::new("b")]);
    cluster.rpc(0).apply(&cluster.context, &[edits::put("read", "me")]).unwrap();
    cluster.converge();
    let idle_bytes = cluster.node(0).resident_bytes();
    (cluster, idle_bytes)
}

#[test]
fn strangers_at_full_speed_and_writers_at_full_speed_harm_nobody() {
    let (mut cluster, idle_bytes) = meet(Plan::new("a"));
    let acks = Arc::new(Acks::default());
    let (flooded, is_over) = (Flooded::default(), AtomicBool::new(false));
    let to = Target {
        node: cluster.node(0),
        context: cluster.context.parse().unwrap(),
        victim: cluster.node(1).peer().parse().unwrap(),
    };
    let (watched, reads) = thread::scope(|scope| {
        for how in [(Manner::Crude, 1), (Manner::Crude, 2), (Manner::Smooth, 3)] {
            let (flooded, is_over) = (&flooded, &is_over);
            scope.spawn(move || flood(to, how, flooded, is_over));
        }
        let writers = Writers::new(&acks).at(to.node, &cluster.context, 4);
        let reader = read(to.node.rpc(), cluster.context.clone());
        let watched = watch(&cluster, idle_bytes);
        is_over.store(true, Ordering::Relaxed);
        let reads = reader.stop();
        writers.stop();
        (watched, reads)
    });
    let metrics = cluster.rpc(0).metrics().unwrap();
    let judged = |opinion| metrics.count_of("mangrove_network_messages_judged", "opinion", opinion);
    let heard = metrics.count("mangrove_network_messages_heard");
    println!(
        "{flooded:?}; heard {heard}, rejected {}, ignored {}, beyond its quota {}; {} writes",
        judged("reject"),
        judged("ignore"),
        metrics.count_of("mangrove_network_messages_shed", "reason", "quota"),
        acks.count(),
    );
    println!("{}", watched.told(&reads));
    assert_unharmed(&cluster, &watched, &reads);
    assert!(judged("reject") > 128, "what is crude was heard");
    assert!(judged("ignore") > 1_000, "what is smooth was heard");
    assert!(
        flooded.lives.load(Ordering::Relaxed) > 5,
        "who was turned away came back: {flooded:?}"
    );
    let dump = cluster.converge();
    acks.check(&dump).unwrap();
    cluster.stop_and_compare(&dump);
}

#[test]
fn what_a_member_writes_faster_than_it_is_taken_is_fetched_later() {
    let tiny = Plan::new("a").set("node.lane_events", "2").set("network.messages", "2");
    let (mut cluster, idle_bytes) = meet(tiny);
    let acks = Arc::new(Acks::default());
    let writers = Writers::new(&acks).at(cluster.node(0), &cluster.context, 4).at(
        cluster.node(1),
        &cluster.context,
        8,
    );
    let reader = read(cluster.rpc(0), cluster.context.clone());
    let watched = watch(&cluster, idle_bytes);
    let reads = reader.stop();
    writers.stop();
    let metrics = cluster.rpc(0).metrics().unwrap();
    let by_network = metrics.count_of("mangrove_network_messages_shed", "reason", "full");
    let by_actors = metrics.count("mangrove_delta_shed");
    let taken = metrics.count("mangrove_delta_accepted");
    println!(
        "{} by the first, {} by the other, of which the mesh brought {taken}; shed {by_network} and \
         {by_actors}",
        acks.acked_by("a"),
        acks.acked_by("b"),
    );
    println!("{}", watched.told(&reads));
    assert_unharmed(&cluster, &watched, &reads);
    assert!(by_network + by_actors > 0, "nothing was shed");
    assert!(taken < acks.acked_by("b"), "the mesh brought all of it: no delta was shed");
    let dump = cluster.converge();
    acks.check(&dump).unwrap();
    cluster.stop_and_compare(&dump);
}
