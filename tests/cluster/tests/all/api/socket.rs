//! A WebSocket to a node, as a program of others has it.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Duration;

use mangrove_cluster::Node;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use super::{PATIENCE, door};

/// An open socket.
pub(super) struct Socket {
    line: WebSocket<TcpStream>,
    /// What was told while an answer was waited for.
    told: VecDeque<Value>,
    next: u64,
}

impl Socket {
    #[track_caller]
    pub(super) fn open(node: &Node, token: &str) -> Self {
        Self::dial(node, &format!("ws://{}/ws", door(node)), Some(token)).unwrap()
    }

    /// Dials an address, and says what came of that if it is no socket.
    pub(super) fn dial(node: &Node, url: &str, token: Option<&str>) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        let stream = TcpStream::connect(door(node)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match tungstenite::client(request, stream) {
            Ok((line, _)) => Ok(Self { line, told: VecDeque::new(), next: 0 }),
            Err(tungstenite::HandshakeError::Failure(Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// Sends something, letter by letter.
    #[track_caller]
    pub(super) fn send(&mut self, text: &str) {
        self.line.send(Message::text(text)).unwrap();
    }

    #[track_caller]
    pub(super) fn send_bytes(&mut self, bytes: &[u8]) {
        self.line.send(Message::binary(bytes.to_vec())).unwrap();
    }

    /// Sends a call, and says by which id it is answered.
    #[track_caller]
    pub(super) fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let call = json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        self.send(&call.to_string());
        self.next
    }

    /// The next document that comes.
    #[track_caller]
    fn document(&mut self) -> Value {
        loop {
            match self.line.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next answer that comes, whichever it is.
    #[track_caller]
    pub(super) fn answer(&mut self) -> Value {
        loop {
            let document = self.document();
            match document.get("method") {
                None => return document,
                Some(_) => self.told.push_back(document),
            }
        }
    }

    /// Calls, and waits for the result.
    #[track_caller]
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        let id = self.begin(method, params);
        let mut answer = self.answer();
        assert_eq!(answer["id"], json!(id), "{answer}");
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(answer["error"]["data"]["kind"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// The next thing that is told.
    #[track_caller]
    pub(super) fn told(&mut self) -> Value {
        match self.told.pop_front() {
            Some(told) => told,
            None => {
                let told = self.document();
                assert!(told.get("method").is_some(), "an answer to nothing: {told}");
                told
            }
        }
    }

    /// The next thing that is told, unless the line ends.
    pub(super) fn try_told(&mut self) -> Option<Value> {
        match self.line.read() {
            Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
            Ok(Message::Ping(_) | Message::Pong(_)) => self.try_told(),
            Ok(_) | Err(_) => None,
        }
    }

    /// The line itself.
    pub(super) fn stream(&self) -> &TcpStream {
        self.line.get_ref()
    }

    /// The next entry of a feed, of whatever subscription.
    #[track_caller]
    pub(super) fn item(&mut self) -> Value {
        let mut told = self.told();
        assert_eq!(told["method"], "feed.event", "{told}");
        told["params"]["item"].take()
    }

    /// Whether nothing is told for a while.
    pub(super) fn is_silent(&mut self, wait: Duration) -> bool {
        if !self.told.is_empty() {
            return false;
        }
        self.line.get_ref().set_read_timeout(Some(wait)).unwrap();
        let read = self.line.read();
        self.line.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Err(Error::Io(why)) => why.kind() == std::io::ErrorKind::WouldBlock,
            _ => false,
        }
    }

    /// With which code the other side ends it, whatever it says before.
    #[track_caller]
    pub(super) fn ends(mut self) -> CloseCode {
        loop {
            match self.line.read() {
                Ok(Message::Close(Some(frame))) => return frame.code,
                Ok(Message::Close(None)) => return CloseCode::Status,
                Ok(_) => {}
                Err(why) => panic!("it ends without a word: {why}"),
            }
        }
    }
}
