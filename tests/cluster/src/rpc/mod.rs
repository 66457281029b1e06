//! Calling a node.

mod answers;
mod calls;
mod error;
mod shape;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

pub use answers::{
    Applied, ContextInfo, Entry, Got, Invitation, Joined, MemberInfo, Page, Rooted, Status,
};
pub use calls::Scan;
pub use error::{Refusal, RpcError};

use crate::door::{Access, Door};
use crate::http::{Connection, Response};
use crate::metrics::Metrics;

/// How long an answer is waited for, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// A caller of one node, with a connection that it keeps.
///
/// One call at a time; who wants more makes more callers. A request is sent once and never again: what comes
/// of it is for the caller to judge. After a restart it finds the node again.
#[derive(Debug)]
pub struct Rpc {
    door: Door,
    patience: Duration,
    line: Mutex<Option<Line>>,
    next: AtomicU64,
}

/// A connection, and where to.
#[derive(Debug)]
struct Line {
    to: SocketAddr,
    connection: Connection,
}

impl Rpc {
    /// A caller of whatever is behind a door.
    pub fn new(door: &Door) -> Self {
        let next = AtomicU64::new(1);
        Self { door: door.clone(), patience: PATIENCE, line: Mutex::default(), next }
    }

    /// The same, waiting for answers no longer than so.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Another caller of the same node.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(&self.door).patient(self.patience)
    }

    /// Calls a method by name, and returns its result as it came.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value, RpcError> {
        let gone = || RpcError::Unreachable("it does not run".to_owned());
        let access = self.door.access().ok_or_else(gone)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let response = self.post(&access, &request.to_string())?;
        error::result_of(&response, id)
    }

    /// What the node counts.
    pub fn metrics(&self) -> Result<Metrics, RpcError> {
        let gone = || RpcError::Unreachable("it does not run".to_owned());
        let access = self.door.access().ok_or_else(gone)?;
        let mut connection = Connection::open(access.address, self.patience)
            .map_err(|why| RpcError::Unreachable(why.to_string()))?;
        let response = connection.get("/metrics", &access.token);
        let response = response.map_err(|why| RpcError::Lost(why.to_string()))?;
        let text = String::from_utf8_lossy(&response.body);
        match response.status {
            200 => Ok(Metrics::read(&text)),
            status => Err(RpcError::misshapen("/metrics", format!("status {status}"), &text)),
        }
    }

    fn post(&self, access: &Access, body: &str) -> Result<Response, RpcError> {
        let mut kept = self.line.lock();
        let usable = kept.take().filter(|line| line.to == access.address);
        let mut connection = match usable.filter(|line| !line.connection.has_ended()) {
            Some(line) => line.connection,
            None => Connection::open(access.address, self.patience)
                .map_err(|why| RpcError::Unreachable(why.to_string()))?,
        };
        let response = connection.post("/rpc", &access.token, body);
        let response = response.map_err(|why| RpcError::Lost(why.to_string()))?;
        if !response.is_last {
            *kept = Some(Line { to: access.address, connection });
        }
        Ok(response)
    }
}
