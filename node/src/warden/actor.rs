//! An actor that the warden looks after: a loop on an arbiter, and how it is begun again.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use actix::fut::wrap_future;
use actix::{Actor as _, ActorContext, ActorFutureExt, ArbiterHandle, AsyncContext, Context};
use mangrove_protocol::machine::{Machine, Reason};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::drive::{Config, Driver, Ended, Hands, Metrics};
use crate::inbox::Inbox;
use crate::stop::Stop;

/// A loop, on the thread that runs it.
pub type Loop = Pin<Box<dyn Future<Output = Ended>>>;

type Recipe = Arc<dyn Fn(Stop) -> Loop + Send + Sync>;

/// What becomes of the node when an actor panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPanic {
    /// The actor is begun again, from what is stored; when that happens too often, the node stops.
    Restart,
    /// The node stops.
    StopTheNode,
}

/// An actor: where it runs, and how it is begun.
pub struct Actor {
    pub(super) name: Arc<str>,
    pub(super) arbiter: ArbiterHandle,
    pub(super) on_panic: OnPanic,
    recipe: Recipe,
}

impl Actor {
    /// A loop that can be begun any number of times.
    pub fn new(
        name: impl Into<Arc<str>>,
        arbiter: ArbiterHandle,
        begin: impl Fn(Stop) -> Loop + Send + Sync + 'static,
    ) -> Self {
        let (name, on_panic) = (name.into(), OnPanic::Restart);
        Self { name, arbiter, on_panic, recipe: Arc::new(begin) }
    }

    /// A loop that can be begun once, and without which the node cannot go on.
    pub fn once(
        name: impl Into<Arc<str>>,
        arbiter: ArbiterHandle,
        begin: impl FnOnce(Stop) -> Loop + Send + 'static,
    ) -> Self {
        let begin = Mutex::new(Some(begin));
        let begin = move |stop| match begin.lock().take() {
            Some(begin) => begin(stop),
            None => Box::pin(async { Ended::Fatal("it cannot be begun twice".into()) }),
        };
        Self { on_panic: OnPanic::StopTheNode, ..Self::new(name, arbiter, begin) }
    }

    /// A machine that is driven. Its inbox outlives it: when it panics, another is made, and serves what waits.
    pub fn driven<M, H, F>(
        arbiter: ArbiterHandle,
        inbox: Inbox<M::Event>,
        (config, metrics): (Config, Metrics),
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: Machine + 'static,
        H: Hands<M> + 'static,
        F: Future<Output = Result<(M, H), Reason>> + 'static,
    {
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        let make = Arc::new(make);
        let name = Arc::clone(&config.name);
        Self::new(name, arbiter, move |stop| {
            let (inbox, make) = (Arc::clone(&inbox), Arc::clone(&make));
            let (config, metrics) = (config.clone(), metrics.clone());
            Box::pin(async move {
                let mut inbox = inbox.lock().await;
                let made = tokio::select! {
                    biased;
                    () = stop.forced() => None,
                    made = make() => Some(made),
                };
                let ended = match made {
                    Some(Ok((machine, hands))) => {
                        let driver = Driver::new(machine, hands, config, &metrics);
                        driver.run(&mut inbox, stop).await
                    }
                    Some(Err(why)) => Ended::Fatal(why),
                    None => Ended::Stopped,
                };
                // One that is not begun again serves nobody: who waits for it is told so, and who comes later.
                if !matches!(ended, Ended::Panicked(_)) {
                    inbox.drain();
                }
                ended
            })
        })
    }

    /// Begins it. When it ends, however it does, that is reported once.
    pub(super) fn begin(&self, stop: Stop, report: Report) {
        let recipe = Arc::clone(&self.recipe);
        let begun = self.arbiter.spawn_fn(move || {
            Host { body: Some(Box::pin(contained(recipe, stop))), report: Some(report) }.start();
        });
        if !begun {
            tracing::error!(actor = %self.name, "its arbiter has ended");
        }
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("name", &self.name).field("on_panic", &self.on_panic).finish()
    }
}

/// Begins a loop and runs it; a panic of either ends here.
async fn contained(recipe: Recipe, stop: Stop) -> Ended {
    let mut body = match catch_unwind(AssertUnwindSafe(|| recipe(stop))) {
        Ok(body) => body,
        Err(panic) => return fallen(panic.as_ref()),
    };
    let ended = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(fallen(panic.as_ref())),
    });
    let ended = ended.await;
    // What it held is let go of before it is said that it ended. That may panic as well.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
    dropped.map_or_else(|panic| fallen(panic.as_ref()), |()| ended)
}

fn fallen(panic: &(dyn Any + Send)) -> Ended {
    Ended::Panicked(crate::drive::reason(panic))
}

/// The actor itself. All it does is own the loop; what is sent to it goes by its inbox.
struct Host {
    body: Option<Loop>,
    report: Option<Report>,
}

impl actix::Actor for Host {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(body) = self.body.take() else { return ctx.stop() };
        ctx.spawn(wrap_future(body).map(|ended, host: &mut Self, ctx| {
            if let Some(report) = host.report.take() {
                report.send(ended);
            }
            ctx.stop();
        }));
    }
}

/// How the warden hears of the end of an actor. One that is dropped tells that too.
#[derive(Debug)]
pub(super) struct Report {
    at: usize,
    to: Option<mpsc::Sender<(usize, Ended)>>,
}

impl Report {
    /// For the actor at this place. There must be room for one report of each actor.
    pub(super) fn new(at: usize, to: &mpsc::Sender<(usize, Ended)>) -> Self {
        Self { at, to: Some(to.clone()) }
    }

    fn send(mut self, ended: Ended) {
        self.tell(ended);
    }

    fn tell(&mut self, ended: Ended) {
        if let Some(to) = self.to.take() {
            // A warden that has gone is interested in nobody.
            to.try_send((self.at, ended)).ok();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.tell(Ended::Panicked("its arbiter dropped it".into()));
    }
}
