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
    clippy::panic,
    clippy::print_stdout,
    reason = "whoever measures reads what it prints, and a panic is the report"
)]

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use mangrove_cluster::{Cluster, Node, Place, edits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

const VALUE: &str = "a value of some length";
const READERS: usize = 64;
const FOR: Duration = Duration::from_secs(5);
const ROUNDS: usize = 5;
/// Writes of the socket that are not answered yet.
const WINDOW: u64 = 128;
/// Who hears of writes, unless `MANGROVE_SUBSCRIBERS` says otherwise.
const SUBSCRIBERS: u32 = 100;
/// Writes a second that they hear of, unless `MANGROVE_WRITES_A_SECOND` does.
const A_SECOND: u32 = 50;
const WRITES: usize = 1_000;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some() {
        return mangrove_cli::main();
    }
    let program = std::env::current_exe().unwrap();
    let place = Place::new(camino::Utf8PathBuf::try_from(program).unwrap());
    let cluster = Cluster::meet(&place, Cluster::plans(2));
    let rounds = |measure: &dyn Fn() -> (f64, Duration)| {
        let mut rounds = (0..ROUNDS).map(|_| measure()).collect::<Vec<_>>();
        rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        let at = |round: usize| {
            format!("{:.0} ({:.1?} computed for each)", rounds[round].0, rounds[round].1)
        };
        format!("{}, {}, {}", at(0), at(ROUNDS / 2), at(ROUNDS - 1))
    };
    println!("state.get of {READERS} connections, a second: {}", rounds(&|| reading(&cluster)));
    println!("state.apply over one socket, a second: {}", rounds(&|| writing(&cluster)));
    let given = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u32>().unwrap());
    let subscribers = given("MANGROVE_SUBSCRIBERS").unwrap_or(SUBSCRIBERS);
    let a_second = given("MANGROVE_WRITES_A_SECOND").unwrap_or(A_SECOND);
    let mut took = hearing(&cluster, subscribers, a_second);
    took.sort_unstable();
    let at = |share: usize| took[took.len() * share / 1_000];
    println!(
        "{subscribers} subscribers on another node, {a_second} writes a second: half within {:.2?}, \
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

/// How many reads are answered a second, and how much the node computes for each.
fn reading(cluster: &Cluster) -> (f64, Duration) {
    let (context, node) = (&cluster.context, cluster.node(0));
    cluster.rpc(0).apply(context, &[edits::put("read", VALUE)]).unwrap();
    let params = json!({ "context": context, "key": "read" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "state.get", "params": params });
    let (call, address) = (call.to_string(), address(node));
    let request = format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{call}",
        node.token(),
        call.len()
    );
    // One thread has all connections: what many take to take turns is not the node's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (computed, since) = (node.cpu_time(), Instant::now());
    let count = runtime.block_on(async {
        let readers = (0..READERS).map(|_| read_on(address, &request, since));
        futures_util::future::join_all(readers).await.into_iter().sum::<u64>()
    });
    let computed = node.cpu_time() - computed;
    (a_second(count, since), computed / u32::try_from(count).unwrap())
}

/// Reads one time after the other on one connection. How often it was answered.
async fn read_on(address: SocketAddr, request: &str, since: Instant) -> u64 {
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    line.set_nodelay(true).unwrap();
    let (mut answer, mut count) = ([0; 4_096], 0);
    while since.elapsed() < FOR {
        line.write_all(request.as_bytes()).await.unwrap();
        let mut length = 0;
        loop {
            length += line.read(&mut answer[length..]).await.unwrap();
            let said = std::str::from_utf8(&answer[..length]).unwrap();
            // The answer ends with the end of its object.
            if said.ends_with("}}") {
                assert!(said.starts_with("HTTP/1.1 200") && said.contains(VALUE), "{said}");
                break;
            }
        }
        count += 1;
    }
    count
}

fn address(node: &Node) -> SocketAddr {
    node.api().trim_start_matches("http://").parse().unwrap()
}

fn socket(node: &Node) -> WebSocket<TcpStream> {
    let address = address(node);
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

fn writing(cluster: &Cluster) -> (f64, Duration) {
    let node = cluster.node(0);
    let (mut socket, computed, since) = (socket(node), node.cpu_time(), Instant::now());
    let (mut sent, mut acknowledged) = (0, 0);
    while since.elapsed() < FOR || acknowledged < sent {
        while sent < acknowledged + WINDOW && since.elapsed() < FOR {
            let op = edits::put(&format!("w/{}", sent % 1_000), VALUE);
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
    let computed = node.cpu_time() - computed;
    (a_second(acknowledged, since), computed / u32::try_from(acknowledged).unwrap())
}

/// How long each subscriber of one node waited for each write to the other.
fn hearing(cluster: &Cluster, subscribers: u32, a_second: u32) -> Vec<Duration> {
    let subscribe = |_| {
        let mut socket = socket(cluster.node(1));
        let params = json!({ "contexts": [{ "context": cluster.context }], "prefix": "heard/" });
        let call =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "feed.subscribe", "params": params });
        socket.send(Message::text(call.to_string())).unwrap();
        assert!(heard(&mut socket).get("result").is_some(), "subscribed");
        socket
    };
    let subscribers = (0..subscribers).map(subscribe).collect::<Vec<_>>();
    let (heard, begun) = thread::scope(|scope| {
        let subscribers = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let listening = subscribers.into_iter().map(listen);
            runtime.unwrap().block_on(futures_util::future::join_all(listening))
        });
        let (rpc, since, mut begun) = (cluster.rpc(0), Instant::now(), Vec::new());
        for number in 0..WRITES {
            let due = since + Duration::from_secs(1) / a_second * u32::try_from(number).unwrap();
            thread::park_timeout(due.saturating_duration_since(Instant::now()));
            begun.push(Instant::now());
            rpc.apply(&cluster.context, &[edits::put(&format!("heard/{number}"), number)]).unwrap();
        }
        (subscribers.join().unwrap(), begun)
    });
    heard.into_iter().flatten().map(|(at, text)| at - begun[written(&text)]).collect()
}

/// Which write it tells of.
fn written(text: &str) -> usize {
    let told = serde_json::from_str::<Value>(text).unwrap();
    let value = &told["params"]["item"]["event"]["changes"][0]["value"];
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// All that a subscriber hears, and when. What it means is looked at later: that takes time from the node.
async fn listen(socket: WebSocket<TcpStream>) -> Vec<(Instant, String)> {
    let line = socket.into_inner();
    line.set_nonblocking(true).unwrap();
    let line = Line(tokio::net::TcpStream::from_std(line).unwrap());
    let mut socket = WebSocket::from_raw_socket(line, Role::Client, None);
    let mut heard = Vec::new();
    while heard.len() < WRITES {
        match socket.read() {
            Ok(Message::Text(text)) => heard.push((Instant::now(), text.to_string())),
            Ok(_) => {}
            Err(tungstenite::Error::Io(why)) if why.kind() == io::ErrorKind::WouldBlock => {
                socket.get_ref().0.readable().await.unwrap();
            }
            Err(why) => panic!("{why}"),
        }
    }
    heard
}

/// A line of which a runtime tells when there is something to read.
struct Line(tokio::net::TcpStream);

impl io::Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
