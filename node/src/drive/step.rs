//! One step of a driver: what it finds to do without waiting, in a fixed order.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mangrove_config::failpoint;
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Machine, Reason, Turn, Verdict};
use mangrove_protocol::replica::Entropy;

use super::flight::{Cause, Flights, Landed, reason};
use super::metrics::{Metrics, Tally};
use super::{Ended, Hands};
use crate::budget::{Budget, Permit};
use crate::cause::EventId;
use crate::inbox::{Entry, Gate, Inbox, Meta};
use crate::stop::Stop;

/// An event of the actor of this name makes its machine panic.
const EVENT_PANICS: &str = "node.event_panics";

/// What tells the Unix time in milliseconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The one of this machine.
    pub fn system() -> Self {
        Self::new(|| {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// One that began with that of this machine and goes on evenly, also when that is set.
    pub fn steady() -> Self {
        let (began, since) = (Self::system().now_ms(), Instant::now());
        Self::new(move || {
            let passed = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            began.saturating_add(passed)
        })
    }

    /// One that tells this.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// The time.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ms)", self.now_ms())
    }
}

/// How a machine is driven.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose it is, as logs and metrics show it.
    pub name: Arc<str>,
    /// What it may have begun at a time.
    pub in_flight: usize,
    /// Bytes of it.
    pub in_flight_bytes: u64,
    /// A step that takes longer is worth a warning.
    pub slow: Duration,
    /// What tells the time.
    pub clock: Clock,
}

/// What drives a machine.
#[derive(Debug)]
pub struct Driver<M: Machine, H> {
    machine: M,
    hands: H,
    config: Config,
    flights: Flights<M::Event>,
    /// Leaves of what has ended and waits in the inbox, by the number of its event.
    landed: BTreeMap<EventId, Permit>,
    /// The last step was the deadline's: an event goes before the next one.
    has_woken: bool,
    tally: Tally,
}

/// What a step found to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Stepped {
    /// Nothing.
    Nothing,
    /// It handled an event with this label.
    Event(&'static str),
    /// It woke the machine.
    Deadline,
    /// Something that had been begun has ended, and waits for its turn.
    Landed,
    /// It was the last step.
    Ended(Ended),
}

impl<M: Machine, H: Hands<M>> Driver<M, H> {
    /// A machine that was just made, and what carries out what it wants.
    pub fn new(machine: M, hands: H, config: Config, metrics: &Metrics) -> Self {
        // Of its own: what an earlier driver began may still be ending.
        let flights = Flights::new(Budget::new(config.in_flight, config.in_flight_bytes));
        let tally = metrics.of(&config.name);
        let landed = BTreeMap::new();
        Self { machine, hands, config, flights, landed, has_woken: false, tally }
    }

    /// The machine.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// Does the next thing that can be done without waiting.
    pub fn step(&mut self, inbox: &mut Inbox<M::Event>, stop: &Stop) -> Stepped {
        if stop.is_forced() {
            self.give_up(inbox);
            return Stepped::Ended(Ended::Stopped);
        }
        if stop.is_told() && !inbox.is_sealed() {
            inbox.seal();
        }
        if let Some(landed) = self.flights.try_land() {
            self.bring_back(landed, inbox);
            return Stepped::Landed;
        }
        if self.is_due() && !self.has_woken {
            return ended_or(self.wake(), Stepped::Deadline);
        }
        if let Some(entry) = inbox.try_next(self.gate()) {
            let label = entry.meta.label;
            return ended_or(self.dispatch(entry), Stepped::Event(label));
        }
        // Nothing waits that it could keep from its turn.
        self.has_woken = false;
        if self.is_due() {
            return ended_or(self.wake(), Stepped::Deadline);
        }
        match inbox.is_spent() && self.flights.is_empty() {
            true => Stepped::Ended(Ended::Stopped),
            false => Stepped::Nothing,
        }
    }

    /// Whether something that was begun has not ended.
    pub(super) fn is_waiting(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Who may be served.
    pub(super) fn gate(&self) -> Gate {
        if self.flights.has_room() { Gate::Open } else { Gate::Closed }
    }

    /// How long until the machine wants to be woken.
    pub(super) fn until_deadline(&self) -> Option<Duration> {
        let deadline_ms = self.machine.deadline_ms()?;
        Some(Duration::from_millis(deadline_ms.saturating_sub(self.config.clock.now_ms())))
    }

    /// Waits until something that was begun has ended.
    pub(super) async fn landing(&mut self) -> Option<Landed<M::Event>> {
        self.flights.landing().await
    }

    fn is_due(&self) -> bool {
        self.machine.deadline_ms().is_some_and(|at| at <= self.config.clock.now_ms())
    }

    /// Puts an end where it waits for its turn.
    pub(super) fn bring_back(&mut self, landed: Landed<M::Event>, inbox: &mut Inbox<M::Event>) {
        let Landed { entry, permit, panicked } = landed;
        if panicked {
            self.tally.work_panicked();
        }
        self.landed.insert(entry.meta.id, permit);
        inbox.bring_back(entry);
    }

    /// Handles an event.
    fn dispatch(&mut self, entry: Entry<M::Event>) -> Result<(), Ended> {
        self.has_woken = false;
        let Entry { meta, span: root, event } = entry;
        let Meta { id, lane, label, .. } = meta;
        // Given back when the step is over.
        let _permit = self.landed.remove(&id);
        let (actor, a) = (&*self.config.name, meta.ancestor.map(EventId::get));
        let span = tracing::debug_span!(parent: &root, "event", actor, ev = id.get(), a, label);
        let cause = Cause { id: Some(id), lane, root, span };
        let is_planted = failpoint::global().fire::<bool>(EVENT_PANICS, Some(&self.config.name));
        let begun = Instant::now();
        let stepped = self.act(&cause, |machine, turn| {
            assert_ne!(is_planted, Some(true), "failpoint {EVENT_PANICS}");
            machine.on(event, turn)
        });
        self.tally.waited(&meta, begun);
        self.took(begun, &cause, label);
        stepped
    }

    /// Wakes the machine.
    fn wake(&mut self) -> Result<(), Ended> {
        self.has_woken = true;
        let (root, span) = (tracing::Span::none(), tracing::Span::none());
        let cause = Cause { id: None, lane: Lane::Done, root, span };
        let begun = Instant::now();
        let stepped = self.act(&cause, M::on_deadline);
        self.took(begun, &cause, "deadline");
        stepped
    }

    /// Counts a step, and says so if it took long.
    fn took(&mut self, begun: Instant, cause: &Cause, label: &'static str) {
        let took = begun.elapsed();
        self.tally.dispatched(label, took);
        if took > self.config.slow {
            let (actor, lane) = (&*self.config.name, cause.lane.name());
            let (ev, took_ms) = (cause.id.map(EventId::get), took.as_millis());
            tracing::warn!(actor, label, lane, ev, took_ms, "an event took long to handle");
        }
    }

    /// Steps the machine, and carries out what it wants. A panic ends here.
    fn act(
        &mut self,
        cause: &Cause,
        step: impl FnOnce(&mut M, &mut Turn<'_, M::Effect>) -> Verdict,
    ) -> Result<(), Ended> {
        let Self { machine, hands, flights, config, .. } = self;
        let act = || {
            let mut dice = Dice::default();
            let mut turn = Turn::new(config.clock.now_ms(), &mut dice);
            let verdict = step(machine, &mut turn);
            let effects = turn.into_effects();
            if let Some(why) = dice.broken {
                return Err(Ended::Fatal(why));
            }
            let verdict = ended(verdict);
            // What a machine wanted before it saw that the node must not go on is not done.
            if !matches!(verdict, Err(Ended::Fatal(_))) {
                let begun = effects.into_iter().filter_map(|effect| hands.carry_out(effect));
                // Nobody would be told of the end of what a quarantined machine begins.
                let begun = begun.filter(|_| verdict.is_ok());
                begun.for_each(|begun| flights.begin(begun, cause.clone()));
            }
            verdict
        };
        let guarded = || catch_unwind(AssertUnwindSafe(act));
        let stepped = cause.span.in_scope(|| match cause.id {
            Some(id) => id.during(&cause.root, guarded),
            None => guarded(),
        });
        stepped.unwrap_or_else(|panic| Err(Ended::Panicked(reason(panic.as_ref()))))
    }

    /// Lets go of everything, with a line for each that is not served.
    fn give_up(&mut self, inbox: &mut Inbox<M::Event>) {
        let dropped = inbox.drain();
        let cut_off = self.flights.drop_all();
        if dropped + cut_off > 0 {
            let actor = &*self.config.name;
            tracing::warn!(actor, events = dropped, work = cut_off, "dropped what was in hand");
        }
    }
}

fn ended_or(handled: Result<(), Ended>, stepped: Stepped) -> Stepped {
    match handled {
        Ok(()) => stepped,
        Err(ended) => Stepped::Ended(ended),
    }
}

fn ended(verdict: Verdict) -> Result<(), Ended> {
    match verdict {
        Verdict::Go => Ok(()),
        Verdict::Quarantine(why) => Err(Ended::Quarantined(why)),
        Verdict::Fatal(why) => Err(Ended::Fatal(why)),
    }
}

/// The randomness of the system.
#[derive(Debug, Default)]
struct Dice {
    broken: Option<Reason>,
}

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let Err(why) = getrandom::fill(bytes) {
            self.broken = Some(format!("the system gives no randomness: {why}").into());
        }
    }
}
