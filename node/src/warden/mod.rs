//! The warden: starts what the node is made of, looks after it, and stops it in stages.
//!
//! Stages are started in order and stopped in the opposite one, each within its share of the time there is. An
//! actor that panics is begun again; one that does so too often ends the node, as does whatever says that the
//! node must not go on. Then nothing is finished any more: what was not acknowledged never is.

mod actor;
mod exit;
mod metrics;
mod panics;
mod signals;
mod stage;
mod standing;
mod stopping;
mod strikes;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mangrove_protocol::machine::Reason;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

use crate::drive::Ended;
use crate::stop::Stop;
use actor::Report;
pub use actor::{Actor, Loop, OnPanic};
pub use exit::{Exit, Signal};
use metrics::Metrics;
pub use panics::log_panics;
pub use signals::{OfProcess, Signals};
pub use stage::{Ending, Manner};
use stage::{Stage, What};
pub use standing::{ActorView, Condition, Phase, Standing};
use strikes::{MOST, Strikes, WITHIN};

/// Actors that one warden can look after.
const MOST_ACTORS: usize = 256;

/// What tells that the node must not go on.
type Alarm = Pin<Box<dyn Future<Output = Reason>>>;

/// The one that looks after everything.
pub struct Warden {
    drain: Duration,
    stages: Vec<Stage>,
    watched: Vec<Watched>,
    alarms: Vec<Alarm>,
    reporting: mpsc::Sender<(usize, Ended)>,
    reports: mpsc::Receiver<(usize, Ended)>,
    standing: Standing,
    metrics: Metrics,
}

struct Watched {
    actor: Actor,
    stop: Stop,
    strikes: Strikes,
    is_running: bool,
}

/// What made the node stop.
enum Cause {
    Signal(Signal),
    Asked,
    Fatal(Reason),
}

impl Warden {
    /// One that looks after nothing yet. Stopping may take so long.
    pub fn new(drain: Duration, registry: &mut Registry) -> Self {
        let (reporting, reports) = mpsc::channel(MOST_ACTORS);
        let metrics = Metrics::default();
        metrics.register(registry);
        Self {
            drain,
            stages: Vec::new(),
            watched: Vec::new(),
            alarms: Vec::new(),
            reporting,
            reports,
            standing: Standing::default(),
            metrics,
        }
    }

    /// How the node stands.
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Begins actors. They are stopped together, before what is there already, and for that they have so many
    /// parts of the time.
    pub fn begin(
        &mut self,
        name: &'static str,
        parts: u32,
        actors: impl IntoIterator<Item = Actor>,
    ) {
        let stop = Stop::new();
        let first = self.watched.len();
        for actor in actors {
            self.standing.begun(&actor.name);
            actor.begin(stop.clone(), Report::new(self.watched.len(), &self.reporting));
            let (strikes, stop) = (Strikes::default(), stop.clone());
            self.watched.push(Watched { actor, stop, strikes, is_running: true });
        }
        debug_assert!(self.watched.len() <= MOST_ACTORS, "there must be room for a report of each");
        let places = (first..self.watched.len()).collect();
        self.stages.push(Stage { name, parts, what: What::Actors { places, stop } });
    }

    /// Remembers how something is ended that was started, before what is there already. What takes too long is
    /// ended once more, and then to be cut.
    pub fn on_stop<F>(
        &mut self,
        name: &'static str,
        parts: u32,
        mut end: impl FnMut(Manner) -> F + 'static,
    ) where
        F: Future<Output = Result<(), Reason>> + 'static,
    {
        let hook = move |manner| -> Ending { Box::pin(end(manner)) };
        self.stages.push(Stage { name, parts, what: What::Hook(Box::new(hook)) });
    }

    /// Stops the node when this is ready, with its reason.
    pub fn alarm(&mut self, alarm: impl Future<Output = Reason> + 'static) {
        self.alarms.push(Box::pin(alarm));
    }

    /// Says that everything is there.
    pub fn ready(&self) {
        self.standing.enter(Phase::Ready);
    }

    /// Looks after everything until the node has to stop, and stops it.
    pub async fn run(mut self, mut signals: impl Signals) -> Exit {
        let cause = loop {
            tokio::select! {
                biased;
                signal = signals.next() => break Cause::Signal(signal),
                () = self.standing.asked_to_stop() => break Cause::Asked,
                Some((at, ended)) = self.reports.recv() => {
                    if let Err(why) = self.hear(at, ended) {
                        break Cause::Fatal(why);
                    }
                }
                why = alarmed(&mut self.alarms) => break Cause::Fatal(why),
            }
        };
        self.stop(cause, signals).await
    }

    /// An actor has ended: it is begun again, or the node goes on without it, or not at all.
    fn hear(&mut self, at: usize, ended: Ended) -> Result<(), Reason> {
        let Some(watched) = self.watched.get_mut(at) else { return Ok(()) };
        watched.is_running = false;
        let name = Arc::clone(&watched.actor.name);
        let lost = |why: Reason| {
            self.standing.note(&name, Condition::Lost(why.clone()));
            Err(format!("{name}: {why}").into())
        };
        match ended {
            // It was told to by itself, or nobody can send it anything any more.
            Ended::Stopped if watched.actor.on_panic == OnPanic::Restart => {
                self.standing.note(&name, Condition::Stopped);
                Ok(())
            }
            Ended::Stopped => lost("it ended by itself".into()),
            Ended::Quarantined(why) => {
                tracing::error!(actor = %name, %why, "quarantined: the node goes on without it");
                self.standing.note(&name, Condition::Quarantined(why));
                Ok(())
            }
            Ended::Fatal(why) => lost(why),
            Ended::Panicked(why) if watched.actor.on_panic == OnPanic::StopTheNode => {
                lost(format!("it panicked: {why}").into())
            }
            Ended::Panicked(why) if !watched.strikes.fell(Instant::now()) => {
                let (times, within) = (MOST + 1, WITHIN.as_secs());
                lost(format!("it panicked {times} times in {within} s, at last: {why}").into())
            }
            Ended::Panicked(why) => {
                tracing::error!(actor = %name, %why, "panicked, and is begun again");
                self.metrics.restarted(&name);
                self.standing.begun_again(&name);
                watched.is_running = true;
                watched.actor.begin(watched.stop.clone(), Report::new(at, &self.reporting));
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Warden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warden").field("stages", &self.stages).finish_non_exhaustive()
    }
}

/// Until one of them tells that the node must not go on. Each is asked whenever one might.
async fn alarmed(alarms: &mut [Alarm]) -> Reason {
    poll_fn(|cx| {
        let polled = alarms.iter_mut().map(|alarm| alarm.as_mut().poll(cx));
        polled.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}
