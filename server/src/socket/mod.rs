//! `GET /ws`: the same methods over a WebSocket, and subscriptions.
//!
//! One future has a socket, and all that goes on in it: calls in hand, subscriptions, and the two ends of the line. It
//! is carried by the connection, as the body of the response: see [`carried`]. What it sends it waits for, so that
//! whoever reads slowly is told slowly, and nothing heaps up: of each subscription one delivery is in hand, and the
//! rest is in the feed.

mod carried;
mod desk;

use std::rc::Rc;
use std::time::Duration;

use actix_http::ws::OpCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use mangrove_protocol::limits::RPC_BODY_BYTES;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use carried::Outgoing;
pub(crate) use desk::Desk;

use crate::http::{Admitted, Door, Ending, Gate, RequestName};
use crate::item::Item;
use crate::listen::{Listening, Told};
use crate::rpc::{Call, Engine, Error, Id, Refused, Said, Step, answer, batch};
use crate::site::Site;

/// Calls of one socket in hand. While there are so many, no more are read.
const IN_HAND: usize = 256;
/// How often it is asked whether the other side is there.
const ASKED: Duration = Duration::from_secs(20);
/// Who has said nothing for so long, although asked, is gone.
const SILENT: Duration = Duration::from_secs(60);
/// How long calls in hand have to end in when the node stops.
const ENDING: Duration = Duration::from_secs(5);

/// Becomes a socket.
pub(crate) async fn open(
    Admitted(caller): Admitted,
    request: HttpRequest,
    door: Data<Door>,
    body: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    // Its session, which would send from another task, is not needed.
    let (response, _, messages) = actix_ws::handle(&request, body)?;
    let most = usize::try_from(RPC_BODY_BYTES).unwrap_or(usize::MAX);
    let messages = messages.max_frame_size(most).aggregate_continuations();
    let messages = messages.max_continuation_size(most);
    let (node, tokens, desk) = (door.node.clone(), door.tokens.clone(), Desk::default());
    let name = RequestName::given(&request);
    let site = Rc::new(Site { node, tokens, caller, desk: Some(desk.clone()), request: name });
    let outgoing = Outgoing::default();
    let socket = Socket {
        engine: Engine::new(Rc::clone(&site)),
        listening: FuturesUnordered::new(),
        line: Line { outgoing: outgoing.clone(), heard: Instant::now() },
        site: Rc::clone(&site),
        desk: desk.clone(),
        gate: door.gate.clone(),
    };
    let (carried, watch) = carried::carry(outgoing, socket.run(messages, door.ending()));
    let ending = door.ending();
    rt::spawn(async move {
        tokio::select! {
            () = watch.until_over() => {}
            // A connection without room does not hear of it.
            () = ending.told() => {}
        }
        leave(&desk, &site).await;
    });
    Ok(response.map_body(|_, open| carried.keeping(open)).map_into_boxed_body())
}

/// A socket, and all that goes on in it.
struct Socket {
    site: Rc<Site>,
    engine: Engine,
    desk: Desk,
    gate: Gate,
    listening: FuturesUnordered<LocalBoxFuture<'static, Heard>>,
    line: Line,
}

/// What somebody who listens has heard.
struct Heard {
    subscription: Rc<str>,
    listening: Listening,
    told: Told,
}

/// What does not happen often.
enum Rare {
    /// The node stops.
    Stopping,
    /// The token holds no longer.
    Revoked,
    /// It is time to ask whether the other side is there.
    Quiet,
}

/// Why a socket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The other side is gone.
    Gone,
    /// It is told why.
    Told(CloseCode, &'static str),
}

/// The way to the other side.
struct Line {
    outgoing: Outgoing,
    /// When something was heard from there last.
    heard: Instant,
}

impl Socket {
    async fn run(mut self, mut messages: AggregatedMessageStream, ending: Ending) {
        let end = self.serve(&mut messages, ending).await;
        // Before the other side hears of the end: it may come back at once.
        leave(&self.desk, &self.site).await;
        if let End::Told(code, why) = end {
            self.line.outgoing.close(code, why);
        }
    }

    async fn serve(&mut self, messages: &mut AggregatedMessageStream, ending: Ending) -> End {
        let (mut caller, node) = (self.site.caller.clone(), self.site.node.clone());
        // Looked at when one of them has happened, and not with all that is told.
        let mut rare = FuturesUnordered::<LocalBoxFuture<'_, Rare>>::new();
        rare.push(ending.told().map(|()| Rare::Stopping).boxed_local());
        rare.push(caller.ended(&node).map(|()| Rare::Revoked).boxed_local());
        rare.push(sleep(ASKED).map(|()| Rare::Quiet).boxed_local());
        loop {
            let step = tokio::select! {
                Some(happened) = rare.next() => match happened {
                    Rare::Stopping => return self.finish().await,
                    Rare::Revoked => {
                        return End::Told(CloseCode::Policy, "the token was revoked, or has run out");
                    }
                    Rare::Quiet => {
                        rare.push(sleep(ASKED).map(|()| Rare::Quiet).boxed_local());
                        self.line.ask().await
                    }
                },
                Some(step) = self.engine.next() => {
                    self.answer(step).await;
                    Ok(())
                }
                Some(heard) = self.listening.next() => {
                    self.tell(heard).await;
                    Ok(())
                }
                message = messages.recv(), if self.engine.in_hand < IN_HAND => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) => Err(End::Told(CloseCode::Protocol, "what was sent makes no sense")),
                    None => return End::Gone,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// The node stops: what is in hand ends, and no more is taken.
    async fn finish(&mut self) -> End {
        let all = async {
            while let Some(step) = self.engine.next().await {
                self.answer(step).await;
            }
        };
        timeout(ENDING, all).await.ok();
        End::Told(CloseCode::Away, "the node is stopping")
    }

    async fn hear(&mut self, message: AggregatedMessage) -> Result<(), End> {
        self.line.heard = Instant::now();
        match message {
            AggregatedMessage::Text(text) => self.said(&text).await,
            AggregatedMessage::Binary(_) => {
                return Err(End::Told(CloseCode::Unsupported, "messages are text"));
            }
            AggregatedMessage::Ping(bytes) => self.line.pong(&bytes).await,
            AggregatedMessage::Pong(_) => {}
            AggregatedMessage::Close(_) => return Err(End::Told(CloseCode::Normal, "")),
        }
        Ok(())
    }

    async fn said(&mut self, text: &str) {
        let too_fast = self.gate.ask(&self.site.caller.token).err();
        match Said::read(text) {
            Ok(Said::One(call)) => {
                let call = slowed(call, too_fast.as_ref());
                if let Some(step) = call.and_then(|call| self.engine.take(call)) {
                    self.answer(step).await;
                }
            }
            Ok(Said::Batch(calls)) => {
                self.gate.owe(&self.site.caller.token, calls.len().saturating_sub(1));
                let slowed = |call| slowed(call, too_fast.as_ref());
                let calls = calls.into_iter().filter_map(slowed).collect();
                // What was sent before it takes effect before it.
                while let Some(step) = self.engine.next().await {
                    self.answer(step).await;
                }
                let answered = batch(Rc::clone(&self.site), calls).await;
                match answered {
                    Some(text) => self.answer(Step::Answer(text)).await,
                    None => self.answer(Step::Silence).await,
                }
            }
            Err(error) => {
                self.line.send(answer(&Id::null(), &Err(error))).await;
            }
        }
    }

    async fn answer(&mut self, step: Step) {
        if let Step::Answer(text) = step {
            self.line.send(text).await;
        }
        // Whoever subscribed has been told by now what its subscription is called.
        for (subscription, listening) in self.desk.fresh() {
            self.listen(subscription, listening);
        }
    }

    fn listen(&self, subscription: Rc<str>, mut listening: Listening) {
        self.listening.push(Box::pin(async move {
            let told = listening.next().await;
            Heard { subscription, listening, told }
        }));
    }

    async fn tell(&mut self, heard: Heard) {
        let Heard { subscription, listening, told } = heard;
        if !self.desk.is_open(&subscription) {
            return;
        }
        match told {
            Told::Happened(items) => {
                for item in items {
                    self.line.send(event(&subscription, &item)).await;
                }
                self.listen(subscription, listening);
            }
            Told::Present { member, state } => {
                let context = listening.context().to_string();
                let params = json!({
                    "subscription": &*subscription,
                    "context": context,
                    "member": member,
                    "state": state,
                });
                let told =
                    json!({ "jsonrpc": "2.0", "method": "presence.event", "params": params });
                self.line.send(told.to_string()).await;
                self.listen(subscription, listening);
            }
            Told::Over(last) => {
                self.desk.ended(&subscription);
                if let Some(item) = last {
                    self.line.send(event(&subscription, &item)).await;
                }
            }
        }
    }
}

/// Whoever was said to be present by a socket is so no longer.
async fn leave(desk: &Desk, site: &Site) {
    while let Some(context) = desk.leave() {
        // Where it fails, it is over by itself soon.
        site.node.absent(context).await.ok();
    }
}

/// What is told of an item. A subscription is called by letters and digits, which need no escapes.
fn event(subscription: &str, item: &Item) -> String {
    let begins = r#"{"jsonrpc":"2.0","method":"feed.event","params":{"subscription":""#;
    [begins, subscription, r#"","item":"#, &item.json, "}}"].concat()
}

/// A call, unless too much is asked. Who wants no answer is told nothing.
fn slowed(call: Result<Call, Refused>, too_fast: Option<&Error>) -> Option<Result<Call, Refused>> {
    match (call, too_fast) {
        (Ok(call), Some(error)) => call.id.map(|id| Err(Refused { id, error: error.clone() })),
        (call, _) => Some(call),
    }
}

impl Line {
    async fn send(&self, text: String) {
        self.outgoing.put(OpCode::Text, text.as_bytes()).await;
    }

    async fn pong(&self, bytes: &[u8]) {
        self.outgoing.put(OpCode::Pong, bytes).await;
    }

    /// Asks whether the other side is there.
    async fn ask(&self) -> Result<(), End> {
        if self.heard.elapsed() > SILENT {
            return Err(End::Gone);
        }
        self.outgoing.put(OpCode::Ping, b"").await;
        Ok(())
    }
}
