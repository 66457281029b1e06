//! What peers do that they should not: who suffers from it, and for how long.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
use mangrove_network::{Multiaddr, News, Posted};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::child::Child;
use crate::hostile::Hostile;
use crate::node::{Node, PATIENCE, Plan, topic};

/// What a victim may need beyond what it needs when nobody does anything.
const MORE_BYTES: u64 = 64 << 20;

/// The process of a peer stands still while its system keeps the connection: that is noticed, also
/// if nothing that is sent can be delivered.
#[tokio::test]
async fn a_peer_that_hangs_is_noticed_within_twenty_seconds() {
    let (idle, busy) = (Child::start(2), Child::start(3));
    let mut node = Node::start(1).await;
    for child in [&idle, &busy] {
        node.network.connect(child.address.clone()).await.unwrap();
    }
    assert!(node.network.join(topic(1)).await);
    busy.tell(&json!({"do": "subscribe", "topic": 1}));
    node.until_joined(topic(1), vec![busy.peer]).await;
    idle.process.stop_signal().unwrap();
    busy.process.stop_signal().unwrap();
    let began = Instant::now();
    let network = node.network.clone();
    let chatter = async {
        for number in 0_u32.. {
            let mut bytes = number.to_le_bytes().to_vec();
            bytes.resize(60_000, 0);
            assert_ne!(network.publish(topic(1), bytes), Posted::Closed);
            sleep(Duration::from_millis(20)).await;
        }
    };
    let notice = async {
        let mut gone = Vec::new();
        while gone.len() < 2 {
            let is_it = |news: &News| matches!(news, News::Disconnected(_));
            let News::Disconnected(peer) = node.until_news(is_it).await else { unreachable!() };
            println!(
                "{} after {:?}",
                if peer == idle.peer { "idle" } else { "busy" },
                began.elapsed()
            );
            gone.push(peer);
        }
    };
    tokio::select! {
        () = chatter => {}
        () = notice => {}
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// Two honest peers that know each other through a victim.
struct Village {
    victim: Child,
    one: Node,
    two: Node,
    said: u32,
}

impl Village {
    async fn start() -> Self {
        let victim = Child::start(9);
        victim.tell(&json!({"do": "subscribe", "topic": 1}));
        let [mut one, mut two] = [Node::start(1).await, Node::start(2).await];
        for node in [&mut one, &mut two] {
            node.network.connect(victim.address.clone()).await.unwrap();
            assert!(node.network.join(topic(1)).await);
            node.until_joined(topic(1), vec![victim.peer]).await;
        }
        Self { victim, one, two, said: 0 }
    }

    /// How long it takes until the other hears what one says: the median, and all but one in fifty.
    async fn gossip(&mut self, times: u32) -> (Duration, Duration) {
        let mut took = Vec::new();
        for _ in 0..times {
            self.said += 1;
            let said = self.said.to_le_bytes();
            let began = Instant::now();
            assert_eq!(self.one.network.publish(topic(1), said.to_vec()), Posted::Queued);
            while self.two.accept().await != said {}
            took.push(began.elapsed());
            sleep(Duration::from_millis(10)).await;
        }
        took.sort_unstable();
        (took[took.len() / 2], took[took.len() * 98 / 100])
    }

    fn needs(&self) -> u64 {
        self.victim.process.resident_bytes().unwrap()
    }

    /// Asserts that a peer was found out.
    async fn blames(&self, peer: mangrove_protocol::id::PeerId, what: &str) {
        let look = async {
            while self.victim.faults(peer)[what].as_u64().is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let found = timeout(PATIENCE, look).await;
        assert!(
            found.is_ok(),
            "{what} is not held against the culprit: {}",
            self.victim.faults(peer)
        );
    }

    /// Asserts that honest peers do as well as before, and that the victim needs little more.
    async fn fares_as(&mut self, before: (Duration, Duration), idle: u64, attack: &str) {
        let now = self.gossip(100).await;
        let peak = self.victim.process.peak_resident_bytes().unwrap();
        let more = peak.saturating_sub(idle) >> 20;
        println!("{attack}: median {:?}, late {:?}, {more} MiB more", now.0, now.1);
        assert!(peak <= idle + MORE_BYTES, "{attack}: {more} MiB more");
        // The attack takes its share of this machine too: below this nothing can be told apart.
        let noise = Duration::from_millis(40);
        let most = (before.1 * 2).max(noise);
        assert!(now.1 <= most, "{attack}: {:?} where {:?} was", now.1, before.1);
    }
}

fn socket(address: &Multiaddr) -> std::net::SocketAddr {
    let text = address.to_string();
    let port = text.split('/').nth(4).unwrap().parse().unwrap();
    std::net::SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test]
async fn connections_that_lead_nowhere_hurt_nobody() {
    let mut village = Village::start().await;
    let (before, idle) = (village.gossip(50).await, village.needs());
    let address = socket(&village.victim.address);
    let mut held = Vec::new();
    for _ in 0..1_000 {
        held.extend(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
    }
    village.fares_as(before, idle, "connections").await;
    drop(held);
    // A peer with a name: no more than a few connections, and it is written down.
    let hostile = Hostile::meet(&village.victim.address).await;
    for _ in 0..20 {
        hostile.dial().await;
    }
    village.blames(hostile.peer, "connections").await;
}

#[tokio::test]
async fn streams_without_end_hurt_nobody() {
    let mut village = Village::start().await;
    let (before, idle) = (village.gossip(50).await, village.needs());
    let mut hostile = Hostile::meet(&village.victim.address).await;
    let mut held = Vec::new();
    let flood = async {
        // Until it is turned away. Those that were refused are let go: they are of no use.
        while let Some(mut stream) = hostile.stream().await {
            drop(stream.write_all(b"\x01").await);
            held.push(stream);
            held.truncate(32);
        }
    };
    tokio::join!(flood, village.fares_as(before, idle, "streams"));
    village.blames(hostile.peer, "streams").await;
}

#[tokio::test]
async fn frames_that_never_end_or_are_too_long_hurt_nobody() {
    let mut village = Village::start().await;
    let (before, idle) = (village.gossip(50).await, village.needs());
    let mut slow = Hostile::meet(&village.victim.address).await;
    let mut long = Hostile::meet(&village.victim.address).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        // A megabyte is announced, and three bytes come.
        held.extend(slow.say(b"\x00\x00\x10\x00abc").await);
        held.extend(long.say(b"\xff\xff\xff\xffabc").await);
    }
    village.fares_as(before, idle, "frames").await;
    village.blames(long.peer, "oversized").await;
    drop(held);
}

#[tokio::test]
async fn a_frame_that_does_not_go_on_is_ended_and_written_down() {
    let village = Village::start().await;
    let mut slow = Hostile::meet(&village.victim.address).await;
    let mut stream = slow.say(b"\x00\x00\x10\x00abc").await.unwrap();
    village.blames(slow.peer, "stalled").await;
    let ended = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("it is still open");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn a_hundred_megabytes_of_nonsense_hurt_nobody() {
    const MEGABYTES: usize = 100;
    let mut village = Village::start().await;
    let (before, idle) = (village.gossip(50).await, village.needs());
    let address = village.victim.address.clone();
    let nonsense = (0..1 << 20).map(|number: u32| ((number * 31) >> 3).to_le_bytes()[0]);
    let nonsense = nonsense.collect::<Vec<_>>();

    // To where a handshake is expected.
    let mut raw = TcpStream::connect(socket(&address)).unwrap();
    let sent = (0..MEGABYTES).take_while(|_| raw.write_all(&nonsense).is_ok()).count();
    assert!(sent < MEGABYTES, "it took everything");
    village.fares_as(before, idle, "nonsense for a handshake").await;

    // On a stream, as frames that nobody asked for and whose echo nobody reads.
    let mut hostile = Hostile::meet(&address).await;
    let mut stream = hostile.stream().await.unwrap();
    let pour = async {
        for _ in 0..MEGABYTES {
            let length = u32::try_from(nonsense.len()).unwrap().to_le_bytes();
            let all = async {
                stream.write_all(&length).await?;
                stream.write_all(&nonsense).await
            };
            if !matches!(timeout(Duration::from_secs(2), all).await, Ok(Ok(()))) {
                break;
            }
        }
    };
    tokio::join!(pour, village.fares_as(before, idle, "nonsense on a stream"));

    // As messages that say nothing, from somebody who is part of the mesh.
    let loud = Node::start(7).await;
    loud.network.connect(address).await.unwrap();
    assert!(loud.network.join(topic(1)).await);
    loud.until_connected(village.victim.peer).await;
    let network = loud.network.clone();
    let shout = async {
        for number in 0..u32::try_from(MEGABYTES * 4).unwrap() {
            let mut message = b"no".to_vec();
            message.extend_from_slice(&number.to_le_bytes());
            message.resize(250_000, 1);
            assert_ne!(network.publish(topic(1), message), Posted::Closed);
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::join!(shout, village.fares_as(before, idle, "nonsense on the mesh"));
    village.blames(loud.peer(), "rejected").await;
}

/// A node that knows no measure.
async fn loud(village: &Village) -> Node {
    let plan = Plan::new(7).with(|settings| settings.messages_per_second = 1 << 20);
    let mut loud = plan.start().await;
    loud.network.connect(village.victim.address.clone()).await.unwrap();
    assert!(loud.network.join(topic(1)).await);
    loud.until_joined(topic(1), vec![village.victim.peer]).await;
    loud
}

/// Says something new as fast as it goes, on a thread of its own, until its node ends.
fn shout(node: &Node, beginning: &'static [u8]) {
    let network = node.network.clone();
    let shout = move || {
        for number in 0_u32.. {
            let mut message = beginning.to_vec();
            message.extend_from_slice(&number.to_le_bytes());
            message.resize(1_100, 0);
            match network.publish(topic(1), message) {
                Posted::Queued => {}
                Posted::Shed => std::thread::park_timeout(Duration::from_millis(1)),
                Posted::Closed => return,
            }
        }
    };
    std::thread::Builder::new().name("shout".to_owned()).spawn(shout).unwrap();
}

/// Whoever says nonsense as fast as it goes is turned away, and nobody else notices.
#[tokio::test]
async fn a_flood_of_nonsense_hurts_nobody() {
    let mut village = Village::start().await;
    let (before, idle) = (village.gossip(50).await, village.needs());
    let mut loud = loud(&village).await;
    shout(&loud, b"no");
    village.fares_as(before, idle, "a flood of nonsense").await;
    village.blames(loud.peer(), "rejected").await;
    let victim = village.victim.peer;
    loud.until_news(|news| *news == News::Disconnected(victim)).await;
}
