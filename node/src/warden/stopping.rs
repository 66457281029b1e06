//! Stopping in stages, each within its share of the time, and in the end by force.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use mangrove_config::failpoint;
use mangrove_protocol::machine::Reason;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::actor::Actor;
use super::exit::{Exit, Signal};
use super::signals::Signals;
use super::stage::{Manner, Stage, What};
use super::standing::{Condition, Phase};
use super::{Cause, Warden, alarmed};
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
        let end = self.begun + self.within * self.parts_gone / self.parts;
        // What it cost to force earlier ones is not this one's fault.
        end.max(Instant::now() + FORCED)
    }

    /// Somebody is impatient: what is left has little time.
    fn hurry(&mut self) {
        if self.manner == Manner::Cut {
            return;
        }
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
        let stages = std::mem::take(&mut self.stages);
        let mut schedule = Schedule::new(manner_of(&exit), self.drain, &stages);
        if schedule.manner == Manner::Cut {
            self.alarms.clear();
        }
        let begun = Instant::now();
        for mut stage in stages.into_iter().rev() {
            let end = schedule.next(&stage);
            let name = stage.name;
            tracing::debug!(stage = name, "stopping");
            let stopping = self.stop_stage(&mut stage, schedule.manner, sleep_until(end));
            let stopped = tokio::select! {
                biased;
                stopped = stopping => stopped,
                signal = again(&mut signals, begun) => Stopped::Hurried(signal),
            };
            match stopped {
                Stopped::Well => continue,
                Stopped::Undone(why) => {
                    tracing::error!(stage = name, %why, "something was left undone");
                    blame(&mut exit, why);
                    continue;
                }
                Stopped::Late => {
                    let late_ms = end.elapsed().as_millis();
                    let left = self.standing.running();
                    tracing::error!(stage = name, late_ms, %left, "did not stop in time: it is forced to");
                }
                Stopped::Hurried(signal) => {
                    let signal = signal.name();
                    tracing::warn!(signal, stage = name, "told again: what is left is dropped");
                    schedule.hurry();
                }
                Stopped::Fatal(why) => {
                    tracing::error!(stage = name, %why, "the node cannot go on");
                    blame(&mut exit, why);
                    self.alarms.clear();
                    schedule.hurry();
                }
            }
            if let Err(why) = self.force(&mut stage).await {
                tracing::error!(stage = name, %why, "failed while it was forced to stop");
                blame(&mut exit, why);
            }
        }
        tracing::info!(code = exit.code(), "stopped");
        exit
    }

    /// Stops a stage. Meanwhile everything else is looked after as ever.
    async fn stop_stage(
        &mut self,
        stage: &mut Stage,
        manner: Manner,
        late: impl Future<Output = ()>,
    ) -> Stopped {
        let is_stuck = failpoint::global().fire::<bool>(HANGS, Some(stage.name)) == Some(true);
        let mut ending = match is_stuck {
            true => Box::pin(pending()),
            false => stage.begin_to_end(manner),
        };
        let mut late = pin!(late);
        loop {
            if let What::Actors { places, .. } = &stage.what
                && self.running(places).next().is_none()
            {
                return Stopped::Well;
            }
            tokio::select! {
                biased;
                ended = &mut ending => return ended.map_or_else(Stopped::Undone, |()| Stopped::Well),
                Some((at, ended)) = self.reports.recv() => {
                    if let Err(why) = self.hear_while_stopping(at, ended, manner) {
                        return Stopped::Fatal(why);
                    }
                }
                why = alarmed(&mut self.alarms) => return Stopped::Fatal(why),
                () = &mut late => return Stopped::Late,
            }
        }
    }

    /// An actor has ended while the node stops. One that panics is begun again also now, unless
    /// nothing is to be finished: the next serves what waits, and then ends as it was told to.
    fn hear_while_stopping(
        &mut self,
        at: usize,
        ended: Ended,
        manner: Manner,
    ) -> Result<(), Reason> {
        let Some(watched) = self.watched.get_mut(at) else { return Ok(()) };
        let is_cut = manner == Manner::Cut || watched.stop.is_forced();
        match ended {
            // Perhaps late, when its stage has been left behind.
            Ended::Stopped if watched.stop.is_told() => self.ended(at),
            Ended::Panicked(why) if is_cut => {
                tracing::error!(actor = %watched.actor.name, %why, "panicked while the node stopped");
                self.ended(at);
            }
            ended => return self.hear(at, ended),
        }
        Ok(())
    }

    fn ended(&mut self, at: usize) {
        if let Some(watched) = self.watched.get_mut(at) {
            watched.is_running = false;
            self.standing.note(&watched.actor.name, Condition::Stopped);
        }
    }

    /// Lets go of what a stage has, and goes on without it.
    async fn force(&mut self, stage: &mut Stage) -> Result<(), Reason> {
        let end = Instant::now() + FORCED;
        let ending = stage.begin_to_end(Manner::Cut);
        let What::Actors { places, .. } = &stage.what else {
            return timeout_at(end, ending).await.unwrap_or_else(|_| {
                tracing::error!(stage = stage.name, "is stuck, and left behind");
                Ok(())
            });
        };
        let mut heard = Ok(());
        while self.running(places).next().is_some() {
            let Ok(Some((at, ended))) = timeout_at(end, self.reports.recv()).await else { break };
            let this = self.hear_while_stopping(at, ended, Manner::Cut);
            heard = heard.and(this);
        }
        for actor in self.running(places) {
            tracing::error!(actor = %actor.name, "is stuck, and left behind");
        }
        heard
    }

    fn running(&self, places: &[usize]) -> impl Iterator<Item = &Actor> {
        let watched = places.iter().filter_map(|at| self.watched.get(*at));
        watched.filter(|watched| watched.is_running).map(|watched| &watched.actor)
    }
}

const fn manner_of(exit: &Exit) -> Manner {
    match exit {
        Exit::Fatal(_) => Manner::Cut,
        Exit::Done | Exit::Signal(_) => Manner::Drain,
    }
}

/// The node ends for this reason, unless there was one before.
fn blame(exit: &mut Exit, why: Reason) {
    if !matches!(exit, Exit::Fatal(_)) {
        *exit = Exit::Fatal(why);
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
    Hurried(Signal),
    Undone(Reason),
    Fatal(Reason),
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
