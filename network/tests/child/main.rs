//! A peer in a process of its own, which does what it is told, a JSON document a line, and says what
//! happens likewise. The peers in `tests/foreign` speak the same.
//!
//! ```text
//! {"do":"dial","address":…}          {"event":"ready","peer":…,"addresses":[…]}
//! {"do":"want","peer":…,"address":…} {"event":"connected","peer":…}
//! {"do":"subscribe","topic":NUMBER}  {"event":"disconnected","peer":…}
//! {"do":"publish","topic":…,"data":HEX}  {"event":"message","topic":…,"data":HEX,"from":…}
//! {"do":"stream","peer":…,"bytes":N} {"event":"answer","bytes":N}
//! {"do":"overview"}                  {"event":"overview","peers":[…]}
//! {"do":"stop"}                      {"event":"error","what":…}
//! ```
//! Arguments: its number, which decides its key, a profile, and where to listen.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for tests: a panic is the report"
)]

use std::io::BufRead;
use std::time::Duration;

use mangrove_config::network::{Network as Settings, Profile};
use mangrove_config::setting::Text;
use mangrove_network::{
    Ears, Heard, Incoming, Multiaddr, Network, News, Open, Opened, Opinion, Overview, Posted,
    Protocol, Setup, Source, Stream, Why, open,
};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const TALK: Protocol = Protocol { name: "/mangrove/talk/1", frame_bytes: 1 << 20 };
/// Streams are answered side by side, as many as there may be.
const ANSWERING: usize = 256;

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [number, profile, listen] = arguments.try_into().unwrap();
    let listen = listen.split(',').filter(|it| !it.is_empty());
    let listen = listen.map(|it| mangrove_config::address::Multiaddr::parse(it).unwrap());
    let settings = Settings {
        listen: listen.collect(),
        profile: Profile::parse(&profile).unwrap(),
        ..Settings::default()
    };
    let (lines, orders) = mpsc::channel(1_024);
    let read = move || read(&lines);
    std::thread::Builder::new().name("orders".to_owned()).spawn(read).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(number.parse().unwrap(), settings, orders));
}

/// Hands on what stands in standard input, until it ends.
fn read(lines: &mpsc::Sender<Value>) {
    for line in std::io::stdin().lock().lines() {
        let order = serde_json::from_str(&line.unwrap()).unwrap();
        if lines.blocking_send(order).is_err() {
            return;
        }
    }
}

async fn run(number: u8, settings: Settings, orders: mpsc::Receiver<Value>) {
    let mut registry = Registry::default();
    let setup = Setup {
        keys: &NodeKeys::from_bytes(&[number; 64]),
        settings: &settings,
        protocols: vec![TALK],
        peers_file: None,
        bans_file: None,
        registry: &mut registry,
    };
    let Opened { driver, network, ears, addresses } = match open(setup).await {
        Ok(opened) => opened,
        Err(why) => return say(&json!({"event": "error", "what": why.to_string()})),
    };
    let full = |address: &Multiaddr| format!("{address}/p2p/{}", network.peer());
    let addresses = addresses.iter().map(full).collect::<Vec<_>>();
    say(&json!({"event": "ready", "peer": network.peer().to_string(), "addresses": addresses}));
    let Ears { heard, news, streams } = ears;
    tokio::select! {
        () = obey(&network, orders) => {}
        () = driver.run(std::future::pending()) => {}
        () = tell_heard(heard) => {}
        () = tell_news(news) => {}
        () = answer(streams) => {}
    }
}

async fn obey(network: &Network, mut orders: mpsc::Receiver<Value>) {
    while let Some(order) = orders.recv().await {
        let text = |key: &str| order.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| order.get(key).and_then(Value::as_u64).unwrap_or_default();
        match text("do") {
            "stop" => return,
            "dial" => {
                if let Err(why) = network.connect(text("address").parse().unwrap()).await {
                    say(&json!({"event": "error", "what": why.to_string()}));
                }
            }
            "want" => {
                let peer = text("peer").parse().unwrap();
                let address = text("address").parse().unwrap();
                network.learn(peer, vec![address], Source::Ticket).await;
                network.want(peer, Why::Member).await;
            }
            "subscribe" => assert!(network.join(topic(number("topic"))).await),
            "publish" => {
                assert_ne!(
                    network.publish(topic(number("topic")), bytes(text("data"))),
                    Posted::Closed
                );
            }
            "stream" => echo(network, text("peer").parse().unwrap(), number("bytes")).await,
            "overview" => say(&told(&network.overview().await.unwrap())),
            other => panic!("what is {other}?"),
        }
    }
}

/// Sends a frame to a peer, and says how much comes back.
async fn echo(network: &Network, peer: PeerId, bytes: u64) {
    let talk = async {
        let (mut send, mut receive) = network.open(peer, TALK).await?.split();
        send.send(&vec![7; usize::try_from(bytes).unwrap()]).await?;
        receive.receive(Duration::from_secs(20)).await
    };
    match talk.await {
        Ok(frame) => say(&json!({"event": "answer", "bytes": frame.map(|frame| frame.len())})),
        Err(why) => say(&json!({"event": "error", "what": why.to_string()})),
    }
}

/// Accepts all that begins otherwise than with "no".
async fn tell_heard(mut heard: mpsc::Receiver<Heard>) {
    while let Some(Heard { topic, from, bytes, judge }) = heard.recv().await {
        let is_good = !bytes.starts_with(b"no");
        judge.settle(if is_good { Opinion::Accept } else { Opinion::Reject });
        // A flood is judged, and not told.
        if bytes.len() <= 1_024 {
            let (topic, data) = (topic.to_string(), hex(&bytes));
            let from = from.to_string();
            say(&json!({"event": "message", "topic": topic, "data": data, "from": from}));
        }
    }
}

async fn tell_news(mut news: mpsc::Receiver<News>) {
    while let Some(news) = news.recv().await {
        match news {
            News::Connected(peer) => {
                say(&json!({"event": "connected", "peer": peer.to_string()}));
            }
            News::Disconnected(peer) => {
                say(&json!({"event": "disconnected", "peer": peer.to_string()}));
            }
            News::Topics { peer, joined, .. } => {
                let topics = joined.iter().map(ToString::to_string).collect::<Vec<_>>();
                let peer = peer.to_string();
                say(&json!({"event": "subscribed", "peer": peer, "topics": topics}));
            }
            News::Listening(address) => {
                say(&json!({"event": "listening", "address": address.to_string()}));
            }
            News::NotListening(_) | News::Missed { .. } => {}
        }
    }
}

/// Sends back what comes on streams, on all of them at once.
async fn answer(mut streams: mpsc::Receiver<Incoming>) {
    let mut answering = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Some(incoming) = streams.recv(), if answering.len() < ANSWERING => {
                answering.spawn(send_back(incoming.stream));
            }
            Some(answered) = answering.join_next() => answered.unwrap(),
            else => return,
        }
    }
}

async fn send_back(stream: Stream) {
    let (mut send, mut receive) = stream.split();
    while let Ok(Some(frame)) = receive.receive(Duration::from_secs(60)).await {
        if send.send(&frame).await.is_err() {
            return;
        }
    }
    send.finish().await.ok();
}

fn told(overview: &Overview) -> Value {
    let peers = overview.peers.iter().map(|peer| {
        let faults = peer.faults.iter().map(|fault| (fault.what.to_owned(), json!(fault.count)));
        json!({
            "peer": peer.peer.to_string(),
            "connections": peer.connections.len(),
            "refusal": peer.refusal.map(|it| it.label()),
            "faults": faults.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({"event": "overview", "peers": peers.collect::<Vec<_>>()})
}

fn say(event: &Value) {
    println!("{event}");
}

fn topic(number: u64) -> Topic {
    let mut id = [0; 32];
    id.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    Topic::of(ContextId::from_bytes(id))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| hex.get(at..at + 2).and_then(|it| u8::from_str_radix(it, 16).ok());
    (0..hex.len()).step_by(2).map(|at| digits(at).unwrap()).collect()
}
