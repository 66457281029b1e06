//! `GET /ws`: the same methods over a WebSocket, and subscriptions.
//!
//! One task has a socket, and all that goes on in it: calls in hand, subscriptions, and the two ends of the line. What
//! it sends it waits for, so that whoever reads slowly is told slowly, and nothing heaps up: of each subscription one
//! delivery is in hand, and the rest is in the feed.

mod desk;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::stream::{FuturesUnordered, StreamExt};
use mangrove_protocol::limits::RPC_BODY_BYTES;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use desk::Desk;

use crate::http::{Admitted, Door, Ending, Gate, RequestName};
use crate::item::Item;
use crate::listen::{Listening, Told};
use crate::rpc::{Call, Engine, Error, Id, Refused, Said, Step, answer, batch};
use crate::site::Site;

/// Calls of one socket in hand. While there are so many, no more are read.
const IN_HAND: usize = 256;
/// Who takes nothing for so long is let go, and comes back with its cursors.
const STUCK: Duration = Duration::from_secs(30);
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
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    let most = usize::try_from(RPC_BODY_BYTES).unwrap_or(usize::MAX);
    let messages = messages.max_frame_size(most).aggregate_continuations();
    let messages = messages.max_continuation_size(most);
    let (node, tokens, desk) = (door.node.clone(), door.tokens.clone(), Desk::default());
    let name = RequestName::given(&request);
    let site = Rc::new(Site { node, tokens, caller, desk: Some(desk.clone()), request: name });
    let socket = Socket {
        engine: Engine::new(Rc::clone(&site)),
        listening: FuturesUnordered::new(),
        line: Line { session, heard: Instant::now() },
        site,
        desk,
        gate: door.gate.clone(),
    };
    let ending = door.ending();
    rt::spawn(socket.run(messages, ending));
    Ok(response)
}

/// A socket, and all that goes on in it.
struct Socket {
    site: Rc<Site>,
    engine: Engine,
    desk: Desk,
    gate: Gate,
    listening: FuturesUnordered<std::pin::Pin<Box<dyn Future<Output = Heard>>>>,
    line: Line,
}

/// What somebody who listens has heard.
struct Heard {
    subscription: Rc<str>,
    listening: Listening,
    told: Told,
}

/// Why a socket ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The other side is gone, or takes nothing.
    Gone,
    /// It is told why.
    Told(CloseCode, &'static str),
}

/// The way to the other side.
struct Line {
    session: Session,
    /// When something was heard from there last.
    heard: Instant,
}

impl Socket {
    async fn run(mut self, mut messages: AggregatedMessageStream, ending: Ending) {
        let end = self.serve(&mut messages, ending).await;
        for context in self.desk.present() {
            // Where it fails, it is over by itself soon.
            self.site.node.absent(context).await.ok();
        }
        if let End::Told(code, why) = end {
            let reason = CloseReason { code, description: Some(why.to_owned()) };
            timeout(STUCK, self.line.session.close(Some(reason))).await.map(drop).ok();
        }
    }

    async fn serve(&mut self, messages: &mut AggregatedMessageStream, ending: Ending) -> End {
        let (mut caller, node) = (self.site.caller.clone(), self.site.node.clone());
        // They wait all the time: each turn that would begin them anew takes its time from what is told.
        let (mut ending, mut over) = (pin!(ending.told()), pin!(caller.ended(&node)));
        let mut ask = pin!(sleep(ASKED));
        loop {
            let step = tokio::select! {
                () = &mut ending => return self.finish().await,
                () = &mut over => {
                    return End::Told(CloseCode::Policy, "the token was revoked, or has run out");
                }
                Some(step) = self.engine.next() => self.answer(step).await,
                Some(heard) = self.listening.next() => self.tell(heard).await,
                message = messages.recv(), if self.engine.in_hand < IN_HAND => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) => Err(End::Told(CloseCode::Protocol, "what was sent makes no sense")),
                    None => return End::Gone,
                },
                () = &mut ask => {
                    ask.as_mut().reset(Instant::now() + ASKED);
                    self.line.ask().await
                }
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
                if self.answer(step).await.is_err() {
                    break;
                }
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
                Err(End::Told(CloseCode::Unsupported, "messages are text"))
            }
            AggregatedMessage::Ping(bytes) => self.line.pong(&bytes).await,
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(_) => Err(End::Told(CloseCode::Normal, "")),
        }
    }

    async fn said(&mut self, text: &str) -> Result<(), End> {
        let too_fast = self.gate.ask(&self.site.caller.token).err();
        match Said::read(text) {
            Ok(Said::One(call)) => {
                let call = slowed(call, too_fast.as_ref());
                match call.and_then(|call| self.engine.take(call)) {
                    Some(step) => self.answer(step).await,
                    None => Ok(()),
                }
            }
            Ok(Said::Batch(calls)) => {
                self.gate.owe(&self.site.caller.token, calls.len().saturating_sub(1));
                let slowed = |call| slowed(call, too_fast.as_ref());
                let calls = calls.into_iter().filter_map(slowed).collect();
                // What was sent before it takes effect before it.
                while let Some(step) = self.engine.next().await {
                    self.answer(step).await?;
                }
                let answered = batch(Rc::clone(&self.site), calls).await;
                match answered {
                    Some(text) => self.answer(Step::Answer(text)).await,
                    None => self.answer(Step::Silence).await,
                }
            }
            Err(error) => self.line.send(answer(&Id::null(), &Err(error))).await,
        }
    }

    async fn answer(&mut self, step: Step) -> Result<(), End> {
        if let Step::Answer(text) = step {
            self.line.send(text).await?;
        }
        // Whoever subscribed has been told by now what its subscription is called.
        for (subscription, listening) in self.desk.fresh() {
            self.listen(subscription, listening);
        }
        Ok(())
    }

    fn listen(&self, subscription: Rc<str>, mut listening: Listening) {
        self.listening.push(Box::pin(async move {
            let told = listening.next().await;
            Heard { subscription, listening, told }
        }));
    }

    async fn tell(&mut self, heard: Heard) -> Result<(), End> {
        let Heard { subscription, listening, told } = heard;
        if !self.desk.is_open(&subscription) {
            return Ok(());
        }
        match told {
            Told::Happened(items) => {
                for item in items {
                    self.line.send(event(&subscription, &item)).await?;
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
                self.line.send(told.to_string()).await?;
                self.listen(subscription, listening);
            }
            Told::Over(last) => {
                self.desk.ended(&subscription);
                if let Some(item) = last {
                    self.line.send(event(&subscription, &item)).await?;
                }
            }
        }
        Ok(())
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
    async fn send(&mut self, text: String) -> Result<(), End> {
        taken(timeout(STUCK, self.session.text(text)).await)
    }

    async fn pong(&mut self, bytes: &[u8]) -> Result<(), End> {
        taken(timeout(STUCK, self.session.pong(bytes)).await)
    }

    /// Asks whether the other side is there.
    async fn ask(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENT {
            return Err(End::Gone);
        }
        taken(timeout(STUCK, self.session.ping(b"")).await)
    }
}

/// What was sent, if it was taken in time.
fn taken<E, T>(sent: Result<Result<(), E>, T>) -> Result<(), End> {
    sent.ok().and_then(Result::ok).ok_or(End::Gone)
}
