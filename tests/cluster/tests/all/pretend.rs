//! Something that answers as a node would, or as no node should.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use mangrove_cluster::{Access, Door};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What is answered to a call.
pub(crate) enum Reply {
    /// A result.
    Result(Value),
    /// An error of JSON-RPC.
    Error(Value),
    /// These bytes, with `ID` replaced by the id of the call.
    Raw(String),
    /// These bytes, and then the connection ends.
    Last(String),
    /// Nothing: the connection ends.
    Silence,
}

/// A server of JSON-RPC on a port of its own, which answers as it is told to.
pub(crate) struct Pretend {
    pub(crate) door: Door,
    address: SocketAddr,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    ended: AtomicUsize,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

pub(crate) const TOKEN: &str = "mgt_pretended";

impl Pretend {
    /// Answers each call, by its method and params, as `answer` says.
    pub(crate) fn start(answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let attending = Arc::clone(&seen);
        let attend = move || attending.attend(&listener, &answer);
        let thread = thread::Builder::new().name("pretend".to_owned()).spawn(attend).unwrap();
        let door = Door::at(Access { address, token: TOKEN.to_owned() });
        Self { door, address, seen, thread: Some(thread) }
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many of them have ended.
    pub(crate) fn ended(&self) -> usize {
        self.seen.ended.load(Ordering::SeqCst)
    }
}

impl Seen {
    /// Talks to everybody who comes, until it is over.
    fn attend(&self, listener: &TcpListener, answer: &(impl Fn(&str, &Value) -> Reply + Sync)) {
        let came = listener.incoming().map_while(Result::ok);
        thread::scope(|scope| {
            for stream in came.take_while(|_| !self.is_over.load(Ordering::SeqCst)) {
                self.connections.fetch_add(1, Ordering::SeqCst);
                self.open.lock().push(stream.try_clone().unwrap());
                scope.spawn(move || self.talk(stream, answer));
            }
        });
    }

    fn talk(&self, stream: TcpStream, answer: &impl Fn(&str, &Value) -> Reply) {
        // To be dropped is not enough to end it: it is kept to be ended early.
        let whole = stream.try_clone().unwrap();
        talk(stream, answer);
        whole.shutdown(Shutdown::Both).unwrap_or_default();
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Pretend {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::SeqCst);
        for stream in self.seen.open.lock().iter() {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_some_and(|it| it.is_ok()) || thread::panicking(), "it panicked");
    }
}

fn talk(stream: TcpStream, answer: &impl Fn(&str, &Value) -> Reply) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    while let Some(body) = request(&mut input) {
        let call = serde_json::from_slice::<Value>(&body).unwrap();
        let reply = answer(call["method"].as_str().unwrap(), &call["params"]);
        let id = &call["id"];
        let answered = |what: &str, value: Value| {
            let text = json!({ "jsonrpc": "2.0", "id": id, what: value }).to_string();
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
        };
        let (text, goes_on) = match reply {
            Reply::Result(value) => (answered("result", value), true),
            Reply::Error(value) => (answered("error", value), true),
            Reply::Raw(text) => (text.replace("ID", &id.to_string()), true),
            Reply::Last(text) => (text, false),
            Reply::Silence => return,
        };
        if output.write_all(text.as_bytes()).is_err() || !goes_on {
            return;
        }
    }
}

/// The body of the next request, which must bear the token.
fn request(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut length, mut is_meant) = (0, false);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or_default() == 0 {
            return None;
        }
        if let Some(text) = line.strip_prefix("Content-Length: ") {
            length = text.trim().parse().unwrap();
        }
        is_meant |= line.trim() == format!("Authorization: Bearer {TOKEN}");
        if line == "\r\n" {
            break;
        }
    }
    assert!(is_meant, "a request without the token");
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok().map(|()| body)
}

/// A node that keeps registers, in memory.
#[derive(Default)]
pub(crate) struct Registers(Mutex<BTreeMap<String, Value>>);

impl Registers {
    /// Puts what is to be put; each call is a delta of its own.
    pub(crate) fn apply(&self, params: &Value) -> Value {
        let mut rows = self.0.lock();
        let key = params["ops"][0]["key"].as_str().unwrap();
        rows.insert(key.to_owned(), params["ops"][0]["value"].clone());
        json!({
            "delta": delta_of(key),
            "seq": rows.len(),
            "cursor": "c",
            "durability": "fsync",
            "versions": ["v"],
        })
    }

    /// Forgets a register, as no node should.
    pub(crate) fn forget(&self, key: &str) {
        assert!(self.0.lock().remove(key).is_some());
    }

    /// Sets a register without a delta, as no node should.
    pub(crate) fn set(&self, key: &str, value: impl Into<Value>) {
        self.0.lock().insert(key.to_owned(), value.into());
    }

    /// The answer to a read.
    pub(crate) fn read(&self, method: &str, params: &Value) -> Value {
        let rows = self.0.lock();
        if method == "state.root" {
            let entities = rows.len();
            return json!({
                "root": format!("{:?}", *rows).len().to_string(),
                "heads": [],
                "deltas": entities,
                "entities": entities,
                "cursor": entities.to_string(),
            });
        }
        let after = params["after"].as_str().map(str::to_owned);
        let limit = usize::try_from(params["limit"].as_u64().unwrap()).unwrap();
        let is_asked = |key: &str| params["kind"] == "register" && after.as_deref() < Some(key);
        let mut asked = rows.iter().filter(|(key, _)| is_asked(key));
        let entries = asked.by_ref().take(limit).map(entry).collect::<Vec<_>>();
        let last = entries.last().map(|entry| entry["key"].clone());
        let next = asked.next().and(last);
        json!({ "entries": entries, "next": next, "cursor": "c", "state": "ready" })
    }
}

fn entry((key, value): (&String, &Value)) -> Value {
    json!({
        "key": key,
        "kind": "register",
        "value": value,
        "version": "v",
        "author": "a",
        "delta": delta_of(key),
        "hlc": "1",
    })
}

fn delta_of(key: &str) -> String {
    format!("delta-of-{key}")
}
