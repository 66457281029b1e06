//! The node, as commands ask it: where it is, and what it answers.

mod answer;
mod feed;
mod find;
mod pause;
mod sse;
mod tls;

use std::time::Duration;

use mangrove_protocol::limits::RPC_BODY_BYTES;
use serde::Serialize;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use self::feed::Feed;
use self::find::Place;
pub(crate) use self::pause::Pause;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::human::span;
use crate::running::PATIENCE;
use crate::session::Session;

/// An answer with more bytes than this is none.
const ANSWER_BYTES: u64 = 1 << 30;

/// Somebody who asks a node. A connection is kept between calls.
pub(crate) struct Client {
    agent: Agent,
    place: Place,
    patience: Duration,
}

/// A call, as it is sent.
#[derive(Serialize)]
struct Call<'a, P> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    params: &'a P,
}

impl Client {
    /// Finds the node that is meant. It is not asked anything yet.
    pub(crate) fn open(session: &Session) -> Result<Self, Failure> {
        let place = find::find(session)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A token is for the node alone, and a node on this machine is behind no proxy.
            .proxy(None)
            .user_agent(concat!("mangrove/", env!("CARGO_PKG_VERSION")));
        let config = match place.url.starts_with("https://") {
            true => config.tls_config(tls::config(session)?),
            false => config,
        };
        let agent = config.build().new_agent();
        Ok(Self { agent, place, patience: session.timeout.unwrap_or(PATIENCE) })
    }

    /// Calls a method, and waits for its result.
    pub(crate) fn call(&self, method: &str, params: &impl Serialize) -> Result<Value, Failure> {
        self.call_within(method, params, self.patience)
    }

    /// The same, waiting for another time.
    pub(crate) fn call_within(
        &self,
        method: &str,
        params: &impl Serialize,
        within: Duration,
    ) -> Result<Value, Failure> {
        let call = serde_json::to_string(&Call { jsonrpc: "2.0", id: 1, method, params });
        let call = call.map_err(|why| {
            Failure::new(Kind::Internal, "cannot write down what to ask").because(why)
        })?;
        if call.len() as u64 > RPC_BODY_BYTES {
            let what = format!("{} bytes are too much for one call", call.len());
            let why = format!("a node takes {RPC_BODY_BYTES} at most");
            return Err(Failure::new(Kind::TooLarge, what).because(why));
        }
        let url = format!("{}/rpc", self.place.url);
        let request = self.agent.post(url.as_str()).config().timeout_global(Some(within)).build();
        let request = request.header("authorization", self.bearer().as_str());
        let sent = request.content_type("application/json").send(call.as_str());
        let (status, body) = self.read(sent, within)?;
        answer::read(status, &body).map_err(|refusal| self.refused(refusal))
    }

    /// What lies at a path that is no method: the status, and the document.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, Value), Failure> {
        let url = format!("{}{path}", self.place.url);
        let within = self.patience;
        let request = self.agent.get(url.as_str()).config().timeout_global(Some(within)).build();
        let sent = request.header("authorization", self.bearer().as_str()).call();
        let (status, body) = self.read(sent, within)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Listens to a context, from after a cursor on, to what concerns keys that begin so.
    pub(crate) fn listen(&self, context: &str, after: &str, prefix: &str) -> Result<Feed, Failure> {
        let url = format!("{}/v1/contexts/{context}/feed", self.place.url);
        let within = Some(self.patience);
        let request = self
            .agent
            .get(url.as_str())
            .query("after", after)
            .query("prefix", prefix)
            .config()
            .timeout_connect(within)
            .timeout_recv_response(within)
            .timeout_per_read(Some(feed::SILENCE))
            .build();
        let request = request.header("authorization", self.bearer().as_str());
        let sent = request.header("accept", "text/event-stream").call();
        let response = sent.map_err(|why| self.unanswered(&why, self.patience))?;
        if response.status().as_u16() == 200 {
            return Ok(Feed::new(response.into_body()));
        }
        let (status, body) = self.read(Ok(response), self.patience)?;
        let refused = answer::read(status, &body).err();
        let garbled = || answer::Refusal::garbled(status);
        Err(self.refused(refused.unwrap_or_else(garbled)))
    }

    /// How long an answer is waited for.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Where it is asked.
    pub(crate) fn url(&self) -> &str {
        &self.place.url
    }

    fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.place.token.as_str()))
    }

    fn read(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        within: Duration,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let mut response = sent.map_err(|why| self.unanswered(&why, within))?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|why| self.unanswered(&why, within))?;
        Ok((response.status().as_u16(), body))
    }

    /// Nothing came back.
    fn unanswered(&self, why: &ureq::Error, within: Duration) -> Failure {
        let url = &self.place.url;
        match why {
            ureq::Error::Timeout(_) => {
                let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                let what = format!("the node gives no answer within {}", span(ms));
                Failure::new(Kind::Busy, what)
                    .because(format!("it was asked at {url}"))
                    .hint("wait longer: --timeout SECS; or see what it is at: mangrove diag queues")
            }
            ureq::Error::Protocol(_)
            | ureq::Error::LargeResponseHeader(..)
            | ureq::Error::BodyExceedsLimit(_) => {
                Failure::new(Kind::Internal, format!("what answers at {url} is no node"))
                    .because(why)
            }
            ureq::Error::Io(why) => self.unreached(why),
            why => self.unreached(why),
        }
    }

    fn unreached(&self, why: &dyn std::fmt::Display) -> Failure {
        let what = format!("no node answers at {}", self.place.url);
        Failure::new(Kind::NotReachable, what).because(why).hint(self.place.hint.as_str())
    }

    /// The node has said no.
    fn refused(&self, mut refusal: answer::Refusal) -> Failure {
        if refusal.kind == Kind::Refused {
            let file = &self.place.token_file;
            refusal.hint =
                Some(format!("the token is that of {file}; name another: --token-file F"));
        }
        refusal.into()
    }
}
