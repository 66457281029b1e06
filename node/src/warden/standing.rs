//! How the node stands, for whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mangrove_protocol::machine::Reason;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// What the node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is not there yet.
    Starting,
    /// It serves.
    Ready,
    /// It takes nothing new.
    Stopping,
}

impl Phase {
    /// Its name, as the API tells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
        }
    }
}

/// How an actor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Well.
    Running,
    /// It ended, as it was told to.
    Stopped,
    /// It ended, and is not begun again while the node goes on without it.
    Quarantined(Reason),
    /// It ended, and the node cannot go on without it.
    Lost(Reason),
}

impl Condition {
    /// A word for it, and the reason.
    pub fn told(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Running => ("running", None),
            Self::Stopped => ("stopped", None),
            Self::Quarantined(why) => ("quarantined", Some(why)),
            Self::Lost(why) => ("lost", Some(why)),
        }
    }
}

/// An actor, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorView {
    /// Its name.
    pub name: Arc<str>,
    /// How it is.
    pub condition: Condition,
    /// How often it was begun again.
    pub restarts: u64,
}

/// How the node stands. Cheap to clone; all see the same.
#[derive(Debug, Clone)]
pub struct Standing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    since: Instant,
    phase: Mutex<Phase>,
    actors: Mutex<BTreeMap<Arc<str>, (Condition, u64)>>,
    stop: CancellationToken,
}

impl Default for Standing {
    fn default() -> Self {
        Self(Arc::new(Inner {
            since: Instant::now(),
            phase: Mutex::new(Phase::Starting),
            actors: Mutex::default(),
            stop: CancellationToken::new(),
        }))
    }
}

impl Standing {
    /// What the node is doing.
    pub fn phase(&self) -> Phase {
        *self.0.phase.lock()
    }

    /// For how long there has been a node.
    pub fn uptime(&self) -> Duration {
        self.0.since.elapsed()
    }

    /// How each actor is, by name.
    pub fn actors(&self) -> Vec<ActorView> {
        let view = |(name, (condition, restarts)): (&Arc<str>, &(Condition, u64))| ActorView {
            name: Arc::clone(name),
            condition: condition.clone(),
            restarts: *restarts,
        };
        self.0.actors.lock().iter().map(view).collect()
    }

    /// Who has not stopped, by name.
    pub(super) fn running(&self) -> String {
        let actors = self.0.actors.lock();
        let running = actors.iter().filter(|(_, (condition, _))| *condition == Condition::Running);
        running.map(|(name, _)| &**name).collect::<Vec<_>>().join(", ")
    }

    /// Asks the node to stop.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Until somebody asks the node to stop.
    pub(super) async fn asked_to_stop(&self) {
        self.0.stop.cancelled().await;
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.0.phase.lock() = phase;
    }

    pub(super) fn begun(&self, name: &Arc<str>) {
        let mut actors = self.0.actors.lock();
        let (_, restarts) = actors.remove(name).unwrap_or((Condition::Running, 0));
        actors.insert(Arc::clone(name), (Condition::Running, restarts));
    }

    pub(super) fn begun_again(&self, name: &Arc<str>) {
        if let Some((_, restarts)) = self.0.actors.lock().get_mut(name) {
            *restarts += 1;
        }
        self.begun(name);
    }

    pub(super) fn note(&self, name: &Arc<str>, condition: Condition) {
        if let Some((known, _)) = self.0.actors.lock().get_mut(name) {
            *known = condition;
        }
    }
}
