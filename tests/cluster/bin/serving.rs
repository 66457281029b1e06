//! What the API of a node does in a second, and how soon others hear of it.
//!
//! ```sh
//! cargo run --release -p mangrove-cluster --bin serving
//! ```
//! Reads of 64 connections, writes pipelined over one WebSocket, and 100 subscribers on another node while 50 writes a
//! second are made; the last alone if `MANGROVE_HEARING_ALONE` is set. Callers and nodes share this machine. With arguments
//! it is the program under test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "whoever measures reads what it prints, and a panic is the report"
)]

use std::io::{self, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mangrove_cluster::{Cluster, Node, Place, edits};
use nix::cmsg_space;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::task::JoinSet;
use tungstenite::client::IntoClientRequest;
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
/// Bytes that a subscriber reads at a time: more than it is told of one of them.
const READ_BYTES: usize = 2 << 10;
/// How a frame begins that is a text, and a whole one.
const TEXT: u8 = 0x81;

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
    if std::env::var_os("MANGROVE_HEARING_ALONE").is_none() {
        let (reads, writes) = (rounds(&|| reading(&cluster)), rounds(&|| writing(&cluster)));
        println!("state.get of {READERS} connections, a second: {reads}");
        println!("state.apply over one socket, a second: {writes}");
    }
    let given = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u32>().unwrap());
    let subscribers = given("MANGROVE_SUBSCRIBERS").unwrap_or(SUBSCRIBERS);
    let a_second = given("MANGROVE_WRITES_A_SECOND").unwrap_or(A_SECOND);
    let took = hearing(&cluster, subscribers, a_second);
    let (mut arrived, mut read): (Vec<_>, Vec<_>) = took.into_iter().unzip();
    println!("{subscribers} subscribers on another node, {a_second} writes a second");
    for (what, took) in [("in the socket", &mut arrived), ("read by a program", &mut read)] {
        took.sort_unstable();
        let at = |share: usize| took[took.len() * share / 1_000];
        let (half, most, all) = (at(500), at(990), at(999));
        println!(
            "  {what}: half within {half:.2?}, 99 of 100 within {most:.2?}, 999 of 1,000 within {all:.2?}"
        );
    }
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
    let (request, address) = (request(node, "state.get", &params), address(node));
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
            if let Some(said) = whole(&answer[..length]) {
                assert!(said.contains(VALUE), "{said}");
                break;
            }
        }
        count += 1;
    }
    count
}

/// A call as it goes over the line: making it is none of what is measured.
fn request(node: &Node, method: &str, params: &Value) -> String {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let (call, address) = (call.to_string(), address(node));
    format!(
        "POST /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{call}",
        node.token(),
        call.len()
    )
}

/// An answer, once all of it is there: it ends with the end of its object.
fn whole(answer: &[u8]) -> Option<&str> {
    let said = std::str::from_utf8(answer).unwrap();
    assert!(said.len() < 12 || said.starts_with("HTTP/1.1 200"), "{said}");
    said.ends_with("}}").then_some(said)
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

/// How long it took until a message lay in the subscriber's socket, and until its program had read it.
type Took = (Duration, Duration);

/// How long each subscriber of one node waited for each write to the other.
fn hearing(cluster: &Cluster, subscribers: u32, a_second: u32) -> Vec<Took> {
    let subscribe = |_| {
        let mut socket = socket(cluster.node(1));
        let params = json!({ "contexts": [{ "context": cluster.context }], "prefix": "heard/" });
        let call =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "feed.subscribe", "params": params });
        socket.send(Message::text(call.to_string())).unwrap();
        assert!(heard(&mut socket).get("result").is_some(), "subscribed");
        socket.into_inner()
    };
    let subscribers = (0..subscribers).map(subscribe).collect::<Vec<_>>();
    let (heard, begun) = thread::scope(|scope| {
        let subscribers = scope.spawn(|| {
            // Those who listen would be on machines of their own: here they wait until the nodes have done their part.
            rustix::process::nice(19).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listening: JoinSet<_> = subscribers.into_iter().map(listen).collect();
                listening.join_all().await
            })
        });
        let begun = write_at(cluster, a_second);
        (subscribers.join().unwrap(), begun)
    });
    let took = |Heard { arrived, read, text }: Heard| {
        let begun = begun[written(&text)];
        (arrived - begun, read - begun)
    };
    heard.into_iter().flatten().map(took).collect()
}

/// Writes, so many a second. When each was handed to the system.
fn write_at(cluster: &Cluster, a_second: u32) -> Vec<Duration> {
    let node = cluster.node(0);
    let write = |number| {
        let ops = [edits::put(&format!("heard/{number}"), number)];
        request(node, "state.apply", &json!({ "context": cluster.context, "ops": ops }))
    };
    let writes = (0..WRITES).map(write).collect::<Vec<_>>();
    let mut line = TcpStream::connect(address(node)).unwrap();
    line.set_nodelay(true).unwrap();
    let (mut answer, since, mut begun) = ([0; 4_096], Instant::now(), Vec::new());
    for (write, number) in writes.iter().zip(0..) {
        let due = since + Duration::from_secs(1) / a_second * number;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
        begun.push(now());
        line.write_all(write.as_bytes()).unwrap();
        let mut length = 0;
        while whole(&answer[..length]).is_none_or(|said| !said.contains("\"result\"")) {
            let more = line.read(&mut answer[length..]).unwrap();
            assert_ne!(more, 0, "the node hung up: {:?}", std::str::from_utf8(&answer[..length]));
            length += more;
        }
    }
    begun
}

/// The time of day: what the system says that a message came at is on no other clock.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Which write it tells of.
fn written(text: &str) -> usize {
    let told = serde_json::from_str::<Value>(text).unwrap();
    let value = &told["params"]["item"]["event"]["changes"][0]["value"];
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Something that a subscriber was told.
struct Heard {
    /// When it lay in its socket.
    arrived: Duration,
    /// When its program had it.
    read: Duration,
    text: String,
}

/// All that a subscriber hears, and when. What it means is looked at later: that takes time from the node.
async fn listen(line: TcpStream) -> Vec<Heard> {
    line.set_nonblocking(true).unwrap();
    setsockopt(&line, ReceiveTimestampns, &true).unwrap();
    let line = tokio::net::TcpStream::from_std(line).unwrap();
    let (mut bytes, mut begins, mut heard) = (Vec::new(), 0, Vec::new());
    while heard.len() < WRITES {
        line.readable().await.unwrap();
        let arrived = match line.try_io(Interest::READABLE, || receive(&line, &mut bytes)) {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => continue,
            arrived => arrived.unwrap(),
        };
        let read = now();
        while let Some((is_text, body)) = frame(&bytes[begins..]) {
            let text = bytes[begins..][body.clone()].to_vec();
            begins += body.end;
            let text = String::from_utf8(text).unwrap();
            heard.extend(is_text.then_some(Heard { arrived, read, text }));
        }
        bytes.drain(..std::mem::take(&mut begins));
    }
    heard
}

/// Reads what is there, and says when the last of it came.
fn receive(line: &impl AsRawFd, bytes: &mut Vec<u8>) -> io::Result<Duration> {
    let (mut room, mut notes) = ([0; READ_BYTES], cmsg_space!(TimeSpec));
    let mut rooms = [IoSliceMut::new(&mut room)];
    let received =
        recvmsg::<()>(line.as_raw_fd(), &mut rooms, Some(&mut notes), MsgFlags::empty())?;
    let arrived = received.cmsgs()?.find_map(|note| match note {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    let length = received.bytes;
    assert_ne!(length, 0, "the node hung up");
    bytes.extend(&room[..length]);
    // Where the system does not know, it came no later than this.
    Ok(arrived.unwrap_or_else(now))
}

/// The frame that some bytes begin with, if all of it is there: whether it is text, and where its body lies. A server
/// masks nothing, and what is told here is shorter than 64 KiB.
fn frame(bytes: &[u8]) -> Option<(bool, Range<usize>)> {
    let (kind, length) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let (begins, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        ..126 => (2, length),
        _ => panic!("a frame that is masked or long"),
    };
    (bytes.len() >= begins + length).then_some((kind == TEXT, begins..begins + length))
}
