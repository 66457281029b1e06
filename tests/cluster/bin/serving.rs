//! What the API of a node does in a second, and how soon others hear of it.
//!
//! ```sh
//! cargo run --release -p mangrove-cluster --bin serving
//! ```
//! Reads of 64 connections, writes pipelined over one WebSocket, and 100 subscribers on another node while 50 writes a
//! second are made. Callers and nodes share this machine. With arguments it is the program under test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "whoever measures reads what it prints, and a panic is the report"
)]

use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mangrove_cluster::{Cluster, Kind, Node, Place, edits};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

const READERS: usize = 64;
const FOR: Duration = Duration::from_secs(5);
const ROUNDS: usize = 5;
/// Writes of the socket that are not answered yet.
const WINDOW: u64 = 128;
const SUBSCRIBERS: usize = 100;
const A_SECOND: u32 = 50;
const WRITES: usize = 1_000;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some() {
        return mangrove_cli::main();
    }
    let program = std::env::current_exe().unwrap();
    let place = Place::new(camino::Utf8PathBuf::try_from(program).unwrap());
    let cluster = Cluster::meet(&place, Cluster::plans(2));
    let median = |measure: &dyn Fn() -> f64| {
        let mut rounds = (0..ROUNDS).map(|_| measure()).collect::<Vec<_>>();
        rounds.sort_by(f64::total_cmp);
        (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1])
    };
    let (least, half, most) = median(&|| reading(&cluster));
    println!("state.get of {READERS} connections: {least:.0} / {half:.0} / {most:.0} a second");
    let (least, half, most) = median(&|| writing(&cluster));
    println!(
        "state.apply over one socket: {least:.0} / {half:.0} / {most:.0} acknowledged a second"
    );
    let mut took = hearing(&cluster);
    took.sort_unstable();
    let at = |share: usize| took[took.len() * share / 1_000];
    println!(
        "{SUBSCRIBERS} subscribers on another node, {A_SECOND} writes a second: half within {:.2?}, \
         99 of 100 within {:.2?}, 999 of 1,000 within {:.2?}",
        at(500),
        at(990),
        at(999)
    );
    ExitCode::SUCCESS
}

fn a_second(count: u64, since: Instant) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from) / since.elapsed().as_secs_f64()
}

fn reading(cluster: &Cluster) -> f64 {
    let context = &cluster.context;
    cluster.rpc(0).apply(context, &[edits::put("read", "a value of some length")]).unwrap();
    let (goes_on, since) = (AtomicBool::new(true), Instant::now());
    let count: u64 = thread::scope(|scope| {
        let read = || {
            let (rpc, mut count) = (cluster.rpc(0), 0);
            while goes_on.load(Ordering::Relaxed) {
                rpc.get(context, Kind::Register, "read").unwrap();
                count += 1;
            }
            count
        };
        let readers = (0..READERS).map(|_| scope.spawn(read)).collect::<Vec<_>>();
        thread::park_timeout(FOR);
        goes_on.store(false, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    a_second(count, since)
}

fn socket(node: &Node) -> WebSocket<TcpStream> {
    let address: SocketAddr = node.api().trim_start_matches("http://").parse().unwrap();
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    let bearer = format!("Bearer {}", node.token()).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    tungstenite::client(request, stream).unwrap().0
}

fn heard(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn writing(cluster: &Cluster) -> f64 {
    let (mut socket, since) = (socket(cluster.node(0)), Instant::now());
    let (mut sent, mut acknowledged) = (0, 0);
    while since.elapsed() < FOR || acknowledged < sent {
        while sent < acknowledged + WINDOW && since.elapsed() < FOR {
            let op = edits::put(&format!("w/{}", sent % 1_000), "a value of some length");
            let params = json!({ "context": cluster.context, "ops": [op] });
            let call =
                json!({ "jsonrpc": "2.0", "id": sent, "method": "state.apply", "params": params });
            socket.write(Message::text(call.to_string())).unwrap();
            sent += 1;
        }
        socket.flush().unwrap();
        assert!(heard(&mut socket).get("result").is_some(), "acknowledged");
        acknowledged += 1;
    }
    a_second(acknowledged, since)
}

/// How long each subscriber of one node waited for each write to the other.
fn hearing(cluster: &Cluster) -> Vec<Duration> {
    let begun = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let subscribers = (0..SUBSCRIBERS).map(|_| {
            let mut socket = socket(cluster.node(1));
            let params =
                json!({ "contexts": [{ "context": cluster.context }], "prefix": "heard/" });
            let call =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "feed.subscribe", "params": params });
            socket.send(Message::text(call.to_string())).unwrap();
            assert!(heard(&mut socket).get("result").is_some(), "subscribed");
            socket
        });
        let subscribers = subscribers.collect::<Vec<_>>();
        let threads = subscribers.into_iter().map(|socket| scope.spawn(|| listen(socket, &begun)));
        let threads = threads.collect::<Vec<_>>();
        let (rpc, since) = (cluster.rpc(0), Instant::now());
        for number in 0..WRITES {
            let due = since + Duration::from_secs(1) / A_SECOND * u32::try_from(number).unwrap();
            thread::park_timeout(due.saturating_duration_since(Instant::now()));
            begun.lock().push(Instant::now());
            rpc.apply(&cluster.context, &[edits::put(&format!("heard/{number}"), number)]).unwrap();
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// How long it took until each write was heard of.
fn listen(mut socket: WebSocket<TcpStream>, begun: &Mutex<Vec<Instant>>) -> Vec<Duration> {
    let mut took = Vec::new();
    while took.len() < WRITES {
        let told = heard(&mut socket);
        let now = Instant::now();
        let changes = &told["params"]["item"]["event"]["changes"];
        for change in changes.as_array().into_iter().flatten() {
            let at = usize::try_from(change["value"].as_u64().unwrap()).unwrap();
            let begun: Instant = begun.lock()[at];
            took.push(now - begun);
        }
    }
    took
}
