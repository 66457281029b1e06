//! Many who listen, or only hold a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use mangrove_cluster::{Node, Plan, Rpc, edits, eventually};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::socket::Socket;
use super::{begin, door, say};
use crate::place;

const MIB: u64 = 1 << 20;
/// Those who listen, beside the one that takes nothing.
const OTHERS: usize = 999;
/// Writes that all of the others hear of, each time that is measured.
const HEARD: u64 = 100;
/// What the one that takes nothing is told: so many values of so many bytes.
const BULK: (u64, usize) = (192, 128 << 10);
/// So long one is held that takes nothing.
const LET_GO: Duration = Duration::from_secs(30);
/// Connections that nothing is asked on.
const IDLE: usize = 5_000;

/// This process holds as many connections as it may.
#[track_caller]
fn hold_many() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most >= 8_192, "this needs 8,192 open files, and the system allows {most}");
}

/// Hears of changes of keys that begin so, from now on.
#[track_caller]
fn listen(node: &Node, token: &str, (context, prefix, after): (&str, &str, &Value)) -> Socket {
    let mut socket = Socket::open(node, token);
    let from = json!({ "context": context, "after": after });
    socket.call("feed.subscribe", &json!({ "contexts": [from], "prefix": prefix })).unwrap();
    socket
}

/// How long each waited for each of some writes, the longest last.
#[track_caller]
fn waits(rpc: &Rpc, context: &str, others: &mut [Socket]) -> Vec<Duration> {
    let mut waits = Vec::new();
    for number in 0..HEARD {
        let since = Instant::now();
        rpc.apply(context, &[edits::put("heard/k", number)]).unwrap();
        for socket in &mut *others {
            let item = socket.item();
            assert_eq!(item["event"]["changes"][0]["value"], json!(number));
            waits.push(since.elapsed());
        }
    }
    waits.sort_unstable();
    waits
}

#[track_caller]
fn write_bulk(rpc: &Rpc, context: &str, from: u64) {
    let (count, bytes) = BULK;
    let value = "x".repeat(bytes);
    for number in from..from + count {
        rpc.apply(context, &[edits::put("bulk/k", format!("{number} {value}"))]).unwrap();
    }
}

/// What is told of the bulk, until the line ends or this one was told: the numbers, and the last cursor.
fn drain(socket: &mut Socket, last: u64) -> (Vec<u64>, Value) {
    let (mut numbers, mut cursor) = (Vec::new(), Value::Null);
    while numbers.last() != Some(&last)
        && let Some(told) = socket.try_told()
    {
        let item = &told["params"]["item"];
        let value = item["event"]["changes"][0]["value"].as_str().unwrap();
        numbers.push(value.split(' ').next().unwrap().parse().unwrap());
        cursor = item["cursor"].clone();
    }
    (numbers, cursor)
}

/// One that takes nothing of what it asked for.
struct Stuck {
    socket: Socket,
    context: String,
    /// It was told something after this, which it did not take.
    since: Instant,
    /// It had taken all that it could before this.
    last_taken: Instant,
    first: u64,
    last: u64,
}

impl Stuck {
    #[track_caller]
    fn begin(node: &Node, context: &str) -> Self {
        let socket = listen(node, &node.token(), (context, "bulk/", &json!("now")));
        // The system takes little for it.
        set_socket_recv_buffer_size(socket.stream(), 64 << 10).unwrap();
        let (first, last, since) = (BULK.0, 3 * BULK.0 - 1, Instant::now());
        Self { socket, context: context.to_owned(), since, last_taken: since, first, last }
    }

    /// Writes more than it can be sent.
    #[track_caller]
    fn overwhelm(&mut self, rpc: &Rpc) {
        write_bulk(rpc, &self.context, self.first);
        self.last_taken = Instant::now();
        write_bulk(rpc, &self.context, self.first + BULK.0);
    }

    /// How much it is to be told.
    const fn told(&self) -> u64 {
        (self.last + 1 - self.first) * BULK.1 as u64
    }
}

#[test]
fn one_of_a_thousand_that_takes_nothing_delays_nobody() {
    hold_many();
    let node = Node::start(&place(), Plan::new("node"));
    let (rpc, token) = (node.rpc(), node.token());
    let context = rpc.create("crowd").unwrap();
    // All that the node keeps anyway, it keeps from here on.
    (0..3).for_each(|_| write_bulk(&rpc, &context, 0));
    let now = json!("now");
    let other = |_| listen(&node, &token, (&context, "heard/", &now));
    let mut others = (0..OTHERS).map(other).collect::<Vec<_>>();
    waits(&rpc, &context, &mut others);
    let before = waits(&rpc, &context, &mut others);

    let mut stuck = Stuck::begin(&node, &context);
    let resident = node.resident_bytes();
    stuck.overwhelm(&rpc);
    let during = waits(&rpc, &context, &mut others);
    let grown = node.resident_bytes().saturating_sub(resident);
    assert!(stuck.since.elapsed() < LET_GO, "it is still held");
    assert!(grown < stuck.told() / 2, "{} MiB more, of {}", grown / MIB, stuck.told() / MIB);
    let (numbers, _) = drain(&mut stuck.socket, stuck.last);
    assert_eq!(numbers, (stuck.first..=stuck.last).collect::<Vec<_>>(), "each once, in order");

    let after = waits(&rpc, &context, &mut others);
    let late = |waits: &[Duration]| waits[waits.len() * 99 / 100];
    let usual = late(&before).max(late(&after));
    println!("99 of 100 within {:?}, otherwise {usual:?}; {} KiB more", late(&during), grown >> 10);
    assert!(
        late(&during) < usual * 2 + Duration::from_millis(20),
        "99 of 100 within {:?} while one was stuck, {usual:?} otherwise",
        late(&during)
    );
}

#[test]
fn who_takes_nothing_is_let_go_and_goes_on_from_the_feed() {
    let node = Node::start(&place(), Plan::new("node"));
    let (rpc, context) = (node.rpc(), node.rpc().create("crowd").unwrap());
    let mut stuck = Stuck::begin(&node, &context);
    stuck.overwhelm(&rpc);
    let left = LET_GO.saturating_sub(stuck.last_taken.elapsed());
    thread::park_timeout(left + Duration::from_secs(2));
    let (mut numbers, cursor) = drain(&mut stuck.socket, stuck.last);
    assert!(numbers.last().is_some_and(|last| *last < stuck.last), "{numbers:?}");
    let (rest, _) =
        drain(&mut listen(&node, &node.token(), (&context, "bulk/", &cursor)), stuck.last);
    numbers.extend(rest);
    assert_eq!(numbers, (stuck.first..=stuck.last).collect::<Vec<_>>(), "each once, in order");
}

/// Whether the other side has hung up, by now.
fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut answer = [0; 1_024];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(why) => return why.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn thousands_of_idle_connections_cost_little_and_who_asks_slowly_is_cut_off() {
    hold_many();
    let node = Node::start(&place(), Plan::new("node"));
    let health = || say(&node, "GET /health", &[], b"").status;
    assert_eq!(health(), 200);
    let resident = node.resident_bytes();
    let head = format!("GET /health HTTP/1.1\r\nHost: {}\r\n", door(&node));
    let idle = |_| {
        let mut stream = begin(&node, &format!("{head}\r\n"));
        let mut answer = [0; 16];
        stream.read_exact(&mut answer).unwrap();
        stream
    };
    let idle = (0..IDLE).map(idle).collect::<Vec<_>>();
    let grown = node.resident_bytes().saturating_sub(resident);
    assert!(grown <= 64 * MIB, "{} MiB for {IDLE} connections", grown / MIB);
    println!("{} KiB for {IDLE} connections", grown >> 10);

    let bearer = format!("Authorization: Bearer {}", node.token());
    let post = format!("POST /rpc HTTP/1.1\r\nHost: {}\r\n{bearer}\r\n", door(&node));
    let in_body =
        format!("{post}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{");
    let mut slow = ["", &head, &in_body].map(|said| (0..100).map(|_| begin(&node, said)).collect());
    eventually("all of them cut off", Duration::from_secs(60), || {
        assert_eq!(health(), 200, "the node answers others");
        let left = slow.iter_mut().map(|of_a_kind: &mut Vec<TcpStream>| {
            // A byte now and then does not help.
            of_a_kind.iter_mut().for_each(|stream| drop(stream.write_all(b"a")));
            of_a_kind.retain_mut(|stream| !is_over(stream));
            of_a_kind.len()
        });
        let left = left.collect::<Vec<_>>();
        if left.iter().all(|left| *left == 0) { Ok(()) } else { Err(format!("{left:?} are left")) }
    });
    let grown = node.resident_bytes().saturating_sub(resident);
    assert!(grown <= 64 * MIB, "{} MiB for {IDLE} connections", grown / MIB);
    assert_eq!(health(), 200);
    drop(idle);
}
