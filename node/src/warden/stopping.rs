//! Stopping in stages, each within its share of the time, and in the end by force.

use std::time::Duration;

use mangrove_config::failpoint;
use mangrove_protocol::machine::Reason;
use tokio::time::{Instant, timeout_at};

use super::actor::Actor;
use super::exit::{Exit, Signal};
use super::signals::Signals;
use super::stage::{Manner, Stage, What};
use super::standing::{Condition, Phase};
use super::{Cause, Warden};
use crate::drive::Ended;

/// What a node that cannot go on, or whose user is impatient, has for stopping.
const ABRUPT: Duration = Duration::from_secs(1);
/// What an actor has that is told to drop everything, before it is taken for stuck.
const FORCED: Duration = Duration::from_millis(200);

/// A signal that comes again so soon is the same one: some tools send it to a process and to its group.
const ECHO: Duration = Duration::from_millis(500);

/// The stage of this name never stops by itself.
const HANGS: &str = "node.stop_hangs";

/// When each stage has to have stopped.
struct Schedule {
    manner: Manner,
    begun: Instant,
    within: Duration,
    parts: u32,
    parts_gone: u32,
}

impl Schedule {
    fn new(manner: Manner, drain: Duration, stages: &[Stage]) -> Self {
        let within = if manner == Manner::Drain { drain } else { drain.min(ABRUPT) };
        let parts = stages.iter().map(|stage| stage.parts).sum::<u32>().max(1);
        Self { manner, begun: Instant::now(), within, parts, parts_gone: 0 }
    }

    /// The end of what the next stage has: what earlier ones did not use is its as well.
    fn next(&mut self, stage: &Stage) -> Instant {
        self.parts_gone += stage.parts;
        self.begun + self.within * self.parts_gone / self.parts
    }

    /// Somebody is impatient: what is left has little time.
    fn hurry(&mut self) {
        self.manner = Manner::Cut;
        self.begun = Instant::now();
        self.within = self.within.min(ABRUPT);
        self.parts = self.parts.saturating_sub(self.parts_gone).max(1);
        self.parts_gone = 0;
    }
}

impl Warden {
    /// Stops everything, the last stage first.
    pub(super) async fn stop(mut self, cause: Cause, mut signals: impl Signals) -> Exit {
        self.standing.enter(Phase::Stopping);
        let mut exit = told(cause);
        let is_fatal = matches!(exit, Exit::Fatal(_));
        let manner = if is_fatal { Manner::Cut } else { Manner::Drain };
        let begun = Instant::now();
        let mut schedule = Schedule::new(manner, self.drain, &self.stages);
        while let Some(mut stage) = self.stages.pop() {
            let end = schedule.next(&stage);
            let name = stage.name;
            tracing::debug!(stage = name, "stopping");
            let manner = schedule.manner;
            let stopped = tokio::select! {
                biased;
                stopped = self.stop_stage(&mut stage, manner, end) => stopped,
                signal = again(&mut signals, begun) => {
                    let signal = signal.name();
                    tracing::warn!(signal, stage = name, "told again: what is left is dropped");
                    schedule.hurry();
                    Stopped::Hurried
                }
            };
            match stopped {
                Stopped::Well => {}
                Stopped::Late => {
                    let late_ms = end.elapsed().as_millis();
                    tracing::error!(stage = name, late_ms, "did not stop in time: it is forced to");
                    self.force(&stage).await;
                }
                Stopped::Hurried => self.force(&stage).await,
                Stopped::Undone(why) => {
                    tracing::error!(stage = name, %why, "something was left undone");
                    // The first cause stands.
                    if !matches!(exit, Exit::Fatal(_)) {
                        exit = Exit::Fatal(why);
                    }
                }
            }
        }
        tracing::info!(code = exit.code(), "stopped");
        exit
    }

    async fn stop_stage(&mut self, stage: &mut Stage, manner: Manner, end: Instant) -> Stopped {
        let is_stuck = failpoint::global().fire::<bool>(HANGS, Some(stage.name)) == Some(true);
        let stopping = async {
            if is_stuck {
                std::future::pending::<()>().await;
            }
            match &mut stage.what {
                What::Hook(hook) => match hook.take() {
                    Some(hook) => hook(manner).await,
                    None => Ok(()),
                },
                What::Actors { places, stop } => {
                    match manner {
                        Manner::Drain => stop.tell(),
                        Manner::Cut => stop.force(),
                    }
                    self.ended(places).await;
                    Ok(())
                }
            }
        };
        match timeout_at(end, stopping).await {
            Ok(Ok(())) => Stopped::Well,
            Ok(Err(why)) => Stopped::Undone(why),
            Err(_) => Stopped::Late,
        }
    }

    /// Lets go of what a stage has, and goes on without it.
    async fn force(&mut self, stage: &Stage) {
        let What::Actors { places, stop } = &stage.what else { return };
        stop.force();
        if timeout_at(Instant::now() + FORCED, self.ended(places)).await.is_err() {
            for actor in self.running(places) {
                tracing::error!(actor = %actor.name, "is stuck, and left behind");
            }
        }
    }

    /// Until all of these have ended.
    async fn ended(&mut self, places: &[usize]) {
        while self.running(places).next().is_some() {
            let Some((at, ended)) = self.reports.recv().await else { return };
            let Some(watched) = self.watched.get_mut(at) else { continue };
            watched.is_running = false;
            let name = &watched.actor.name;
            // Nothing is begun again any more.
            if let Ended::Panicked(why) | Ended::Fatal(why) | Ended::Quarantined(why) = ended {
                tracing::error!(actor = %name, %why, "ended while the node was stopping");
            }
            self.standing.note(name, Condition::Stopped);
        }
    }

    fn running(&self, places: &[usize]) -> impl Iterator<Item = &Actor> {
        let watched = places.iter().filter_map(|at| self.watched.get(*at));
        watched.filter(|watched| watched.is_running).map(|watched| &watched.actor)
    }
}

/// Until a signal comes from somebody who is impatient.
async fn again(signals: &mut impl Signals, begun: Instant) -> Signal {
    loop {
        let signal = signals.next().await;
        if begun.elapsed() >= ECHO {
            return signal;
        }
    }
}

/// How a stage stopped.
enum Stopped {
    Well,
    Late,
    Hurried,
    Undone(Reason),
}

/// Says why the node stops, and how it will have ended.
fn told(cause: Cause) -> Exit {
    match cause {
        Cause::Asked => {
            tracing::info!("asked to stop");
            Exit::Done
        }
        Cause::Signal(signal) => {
            tracing::info!(signal = Signal::name(signal), "stopping");
            Exit::Signal(signal)
        }
        Cause::Fatal(why) => {
            tracing::error!(%why, "the node cannot go on");
            Exit::Fatal(why)
        }
    }
}
