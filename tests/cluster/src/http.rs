//! One connection to an API, on which one request after another is made.
//!
//! Written by hand, since these tests have to know of each request whether it was sent and whether it was
//! answered: a client that keeps a pool and sends again by itself would blur just that.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A longer line of a head is refused.
const LINE_BYTES: u64 = 16 * 1024;
/// More lines of a head are refused.
const MOST_LINES: usize = 100;
/// A longer body is refused.
const BODY_BYTES: u64 = 64 * 1024 * 1024;

/// One connection, on which one request after another is made.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// When to try again, if that was said.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
    /// Whether nothing more will be answered on this connection.
    pub(crate) is_last: bool,
}

impl Connection {
    /// Connects. Whoever does not say anything for as long as `patience` is given up.
    pub(crate) fn open(to: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Whether the other side has ended it since it was last used.
    pub(crate) fn has_ended(&self) -> bool {
        let stream = self.stream.get_ref();
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        let is_silent = peeked.is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).is_err() || !is_silent
    }

    /// Posts a JSON document, and waits for the answer.
    pub(crate) fn post(&mut self, path: &str, token: &str, body: &str) -> io::Result<Response> {
        let host = self.stream.get_ref().peer_addr()?;
        let bytes = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.response()
    }

    /// Asks for what is at a path, and waits for the answer.
    pub(crate) fn get(&mut self, path: &str, token: &str) -> io::Result<Response> {
        let host = self.stream.get_ref().peer_addr()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.response()
    }

    fn response(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| garbled(&line))?;
        let head = self.head()?;
        let named = |name: &str| head.iter().find(|(found, _)| found == name);
        let value = |name: &str| named(name).map(|(_, value)| value.as_str());
        let retry_after = value("retry-after").and_then(|secs| secs.parse().ok());
        let is_last = value("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
        let is_chunked = value("transfer-encoding").is_some_and(|it| it.contains("chunked"));
        let length = value("content-length").map(str::to_owned);
        let body = match (status, is_chunked, length) {
            (204 | 304, ..) => Vec::new(),
            (_, true, _) => self.chunks()?,
            (_, false, Some(length)) => {
                self.exactly(length.parse().map_err(|_| garbled(&length))?)?
            }
            (_, false, None) => return Err(garbled("neither a length nor chunks")),
        };
        Ok(Response { status, retry_after: retry_after.map(Duration::from_secs), body, is_last })
    }

    /// The fields of a head, their names in lower case.
    fn head(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        while fields.len() < MOST_LINES {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| garbled(&line))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Err(garbled("too many fields"))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = line.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(length, 16).map_err(|_| garbled(&line))?;
            if length == 0 {
                // What may follow the last chunk is of no interest.
                self.head()?;
                return Ok(body);
            }
            if length > BODY_BYTES.saturating_sub(body.len() as u64) {
                return Err(garbled("too long a body"));
            }
            body.append(&mut self.exactly(length)?);
            self.line()?;
        }
    }

    fn exactly(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES {
            return Err(garbled("too long a body"));
        }
        let mut body = Vec::new();
        self.stream.by_ref().take(length).read_to_end(&mut body)?;
        if body.len() as u64 == length { Ok(body) } else { Err(ended()) }
    }

    /// A line without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.by_ref().take(LINE_BYTES).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None if line.is_empty() => Err(ended()),
            None => Err(garbled(&line)),
        }
    }
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP answer: {what}"))
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the answer did")
}
