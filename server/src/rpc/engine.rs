//! Calls of one socket or of one batch, as they are in hand.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, Stream};
use tracing::{Instrument, Span};

use super::envelope::{Call, Id, Refused, answer};
use super::fault::{Error, Kind};
use super::method::{Prepared, Reach};
use super::order::{Order, Touch};
use super::table::find;
use crate::site::Site;

/// A call that was understood.
struct Ready {
    /// Whether an answer is wanted, and by what it is known.
    id: Option<Id>,
    call: Box<dyn Prepared>,
}

/// A call that has ended.
struct Ended {
    id: Option<Id>,
    touched: Touch,
    outcome: Result<Box<str>, Error>,
}

type Running = Pin<Box<dyn Future<Output = Ended>>>;

/// What came of something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An answer, to be sent.
    Answer(String),
    /// An end that nobody wants to hear of.
    Silence,
}

impl Step {
    fn text(self) -> Option<String> {
        match self {
            Self::Answer(text) => Some(text),
            Self::Silence => None,
        }
    }
}

/// Calls in hand. They take effect in the order that [`Order`] says, and are answered as they end.
pub(crate) struct Engine {
    site: Rc<Site>,
    order: Order<Ready>,
    running: FuturesUnordered<Running>,
    /// How many were taken, and have not ended.
    pub(crate) in_hand: usize,
}

impl Engine {
    pub(crate) fn new(site: Rc<Site>) -> Self {
        Self { site, order: Order::default(), running: FuturesUnordered::new(), in_hand: 0 }
    }

    /// Takes a call. What can be said at once is.
    pub(crate) fn take(&mut self, call: Result<Call, Refused>) -> Option<Step> {
        let call = match call {
            Ok(call) => call,
            Err(Refused { id, error }) => return Some(Step::Answer(answer(&id, &Err(error)))),
        };
        match self.prepare(&call) {
            Ok(prepared) => {
                self.in_hand += 1;
                let ready = Ready { id: call.id, call: prepared };
                let site = Rc::clone(&self.site);
                let begun = self.order.take(ready, |ready| touch(&site, ready));
                if let Some((touched, ready)) = begun {
                    self.begin(touched, ready);
                }
                None
            }
            Err(error) => Some(told(call.id.as_ref(), &Err(error))),
        }
    }

    fn prepare(&self, call: &Call) -> Result<Box<dyn Prepared>, Error> {
        let unknown = || {
            let why = format!("there is no method `{}`", call.method);
            Error::new(Kind::MethodNotFound, why).hint("rpc.discover lists the methods")
        };
        let prepared = find(&call.method).ok_or_else(unknown)?.prepare(&call.params)?;
        self.site.admit(&*prepared)?;
        Ok(prepared)
    }

    /// Begins a call, and polls it at once: what it hands over is handed over before the next is begun.
    fn begin(&mut self, touched: Touch, ready: Ready) {
        let (site, Ready { id, call }) = (Rc::clone(&self.site), ready);
        let span = span(&site, &*call, id.as_ref());
        let mut running: Running = Box::pin(
            async move {
                let outcome = call.begin(&site).await.map_err(|error| told_of(error, &site));
                Ended { id, touched, outcome }
            }
            .instrument(span),
        );
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        match running.as_mut().poll(&mut nobody) {
            Poll::Ready(ended) => self.running.push(Box::pin(std::future::ready(ended))),
            Poll::Pending => self.running.push(running),
        }
    }

    fn end(&mut self, Ended { id, touched, outcome }: Ended) -> Step {
        self.in_hand -= 1;
        let site = Rc::clone(&self.site);
        for (touched, ready) in self.order.ended(touched, |ready| touch(&site, ready)) {
            self.begin(touched, ready);
        }
        told(id.as_ref(), &outcome)
    }

    /// The next end. `None` while nothing is in hand.
    pub(crate) async fn next(&mut self) -> Option<Step> {
        let ended = std::future::poll_fn(|cx| Pin::new(&mut self.running).poll_next(cx)).await?;
        Some(self.end(ended))
    }
}

fn told(id: Option<&Id>, outcome: &Result<Box<str>, Error>) -> Step {
    match id {
        Some(id) => Step::Answer(answer(id, outcome)),
        None => Step::Silence,
    }
}

/// Whatever is logged while a call is answered says which it was, also in the actors that it comes to.
fn span(site: &Site, call: &dyn Prepared, id: Option<&Id>) -> Span {
    let (req, id) = (site.request.as_str(), id.map(|id| cut(id.as_str(), 64)));
    tracing::debug_span!("call", req, method = call.name(), id, token = &*site.caller.token)
}

/// The beginning of what may be longer than a line of a log should be.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// An error as the caller is told of it. A fault of the node is logged, and the caller told where to look.
fn told_of(error: Error, site: &Site) -> Error {
    if error.kind != Kind::Internal {
        tracing::debug!(kind = error.kind.name(), why = ?cut(&error.message, 256), "refused");
        return error;
    }
    let req = site.request.as_str();
    tracing::error!(req, why = ?cut(&error.message, 1_024), "a call failed by a fault of this node");
    Error { request: Some(req.to_owned()), ..error }
}

/// What a call touches, as things stand.
fn touch(site: &Site, ready: &Ready) -> Touch {
    let (reach, context) = (ready.call.reach(), ready.call.context());
    match reach {
        Reach::Nothing => Touch::Nothing,
        Reach::Any => Touch::Any,
        Reach::Context(how) => match context.map(|text| site.find(text)) {
            Some(Ok(entry)) => Touch::One(entry.context(), how),
            // It will be told why.
            Some(Err(_)) | None => Touch::Missing,
        },
    }
}

/// Answers one call, if it wants an answer.
pub(crate) async fn one(site: Rc<Site>, call: Result<Call, Refused>) -> Option<String> {
    let mut engine = Engine::new(site);
    let step = match engine.take(call) {
        Some(step) => Some(step),
        None => engine.next().await,
    };
    step.and_then(Step::text)
}

/// Answers a batch, if any of its calls wants an answer.
pub(crate) async fn batch(site: Rc<Site>, calls: Vec<Result<Call, Refused>>) -> Option<String> {
    let mut engine = Engine::new(site);
    let mut answers = calls.into_iter().filter_map(|call| engine.take(call)).collect::<Vec<_>>();
    while let Some(step) = engine.next().await {
        answers.push(step);
    }
    let answers = answers.into_iter().filter_map(Step::text).collect::<Vec<_>>();
    (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
}
