//! The public contract, over HTTP, as programs of others see it.

#![expect(
    clippy::panic,
    clippy::unwrap_in_result,
    clippy::string_slice,
    reason = "in a test, a panic is the report"
)]

mod batches;
mod borders;
mod crowds;
mod documents;
mod faults;
mod foreign;
mod recipes;
mod socket;
mod sockets;
mod tokens;
mod watchers;
mod words;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mangrove_cluster::Node;
use serde_json::Value;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The document that it is.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// What kind of error it tells.
    #[track_caller]
    fn kind(&self) -> String {
        let json = self.json();
        json.pointer("/error/data/kind").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Where the API of a node is.
#[track_caller]
fn door(node: &Node) -> SocketAddr {
    node.api().trim_start_matches("http://").parse().unwrap()
}

/// Says something over HTTP, letter by letter: the first line, fields of the head, and a body.
#[track_caller]
fn say(node: &Node, line: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(door(node)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {}\r\n", door(node)));
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    // Who refuses may do so before all of it was said.
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// A connection on which something was begun to be said.
#[track_caller]
fn begin(node: &Node, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(door(node)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    stream
}

/// Posts something to the API, with a token.
#[track_caller]
fn post_as(node: &Node, token: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    say(node, "POST /rpc", &fields, body.as_bytes())
}

#[track_caller]
fn post(node: &Node, body: &str) -> Answer {
    post_as(node, &node.token(), body)
}
