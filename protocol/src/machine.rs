//! What all machines that are driven have in common.
//!
//! A machine is stepped by events and says what it wants done; it never waits and never does anything itself.
//! On its arbiter a driver steps it, in tests a hand crank does. What was begun for it elsewhere comes back as
//! an event, on the lane of the event that wanted it.

use std::borrow::Cow;

use crate::id::{ContextId, PeerId};
use crate::lane::Lane;
use crate::replica::Entropy;

/// Something that can happen to a machine. What is said of it here stands beside the type of the message, with
/// an arm for each kind.
pub trait Event: Send + 'static {
    /// What it is, in a word.
    fn label(&self) -> &'static str;

    /// Where it waits for its turn.
    fn lane(&self) -> Lane;

    /// What becomes of it when there is no room.
    fn on_full(&self) -> OnFull;

    /// The memory it takes, about.
    fn bytes(&self) -> u64 {
        0
    }

    /// The context it is about.
    fn context(&self) -> Option<ContextId> {
        None
    }

    /// The peer it came from.
    fn peer(&self) -> Option<PeerId> {
        None
    }
}

/// What becomes of an event when there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Whoever sends it waits. Nothing is lost.
    Wait,
    /// It is dropped, counted, and its sender told, who can remember what it was about.
    Shed,
    /// It takes the place of one with the same key that waits already, whether or not there is room: only the
    /// latest counts. Where none waits and there is no room, or where senders wait for room, it is shed.
    Coalesce(Key),
    /// Its sender is told to pause what it is doing until it is asked to go on.
    Park,
}

/// What makes a later event stand for an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is.
    pub label: &'static str,
    /// The context it is about.
    pub context: Option<ContextId>,
    /// The peer it came from.
    pub peer: Option<PeerId>,
}

impl Key {
    /// The key under which the latest event of this kind, context and peer counts.
    pub fn of(event: &impl Event) -> Self {
        Self { label: event.label(), context: event.context(), peer: event.peer() }
    }
}

/// How a machine is after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a machine that cannot go on must not be stepped again"]
pub enum Verdict {
    /// Well.
    Go,
    /// It must not be stepped again, and is shown to be so; others are unaffected. Of what it wants, only what takes
    /// no time is done.
    Quarantine(Reason),
    /// The node must not go on.
    Fatal(Reason),
}

/// Why, for people.
pub type Reason = Cow<'static, str>;

/// Something that can be stepped.
pub trait Machine {
    /// What can happen to it.
    type Event: Event;
    /// What it can want done.
    type Effect;

    /// Something happens.
    fn on(&mut self, event: Self::Event, turn: &mut Turn<'_, Self::Effect>) -> Verdict;

    /// When it wants to be woken, in milliseconds on the clock of its turns. One timer for all it waits for,
    /// asked anew after each step.
    fn deadline_ms(&self) -> Option<u64> {
        None
    }

    /// That time has come.
    fn on_deadline(&mut self, _turn: &mut Turn<'_, Self::Effect>) -> Verdict {
        Verdict::Go
    }
}

/// What a step has to work with.
pub struct Turn<'a, Effect> {
    now_ms: u64,
    entropy: &'a mut dyn Entropy,
    effects: Vec<Effect>,
}

impl<'a, Effect> Turn<'a, Effect> {
    /// A step at this time.
    pub fn new(now_ms: u64, entropy: &'a mut dyn Entropy) -> Self {
        Self { now_ms, entropy, effects: Vec::new() }
    }

    /// The Unix time in milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Where randomness comes from.
    pub fn entropy(&mut self) -> &mut dyn Entropy {
        self.entropy
    }

    /// Wants something done, after what was wanted before.
    pub fn want(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// What was wanted, in order.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects
    }
}

impl<Effect> std::fmt::Debug for Turn<'_, Effect> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turn(at {} ms, {} wanted)", self.now_ms, self.effects.len())
    }
}
