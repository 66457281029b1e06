//! An event on its way, and what becomes of it.

use std::time::Instant;

use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::Event;

use crate::cause::EventId;

/// What is known of an event, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Its number.
    pub id: EventId,
    /// The event during which it was sent.
    pub ancestor: Option<EventId>,
    /// Where it waits.
    pub lane: Lane,
    /// What it is.
    pub label: &'static str,
    /// The context it is about.
    pub context: Option<ContextId>,
    /// The peer it came from.
    pub peer: Option<PeerId>,
    /// The memory it takes.
    pub bytes: u64,
    /// Since when it waits.
    pub since: Instant,
}

impl Meta {
    /// What is to be known of an event that is sent.
    pub fn of(event: &impl Event) -> Self {
        Self {
            id: EventId::next(),
            ancestor: EventId::current(),
            lane: event.lane(),
            label: event.label(),
            context: event.context(),
            peer: event.peer(),
            bytes: event.bytes(),
            since: Instant::now(),
        }
    }
}

/// An event on its way.
#[derive(Debug)]
pub struct Entry<E> {
    /// What is known of it.
    pub meta: Meta,
    /// The span in which the first of its ancestors was sent.
    pub span: tracing::Span,
    /// The event.
    pub event: E,
}

impl<E: Event> Entry<E> {
    /// An event that is sent here.
    pub fn new(event: E) -> Self {
        Self { meta: Meta::of(&event), span: EventId::root(), event }
    }
}

/// What became of an event that was sent.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was not taken comes back, and has to be made up for"]
pub enum Posted<E> {
    /// It waits for its turn.
    Queued,
    /// It took the place of an earlier one.
    Coalesced,
    /// There was no room, and it is dropped unless somebody keeps it.
    Shed(E),
    /// There was no room: pause what sends such events.
    Parked(E),
    /// There was no room, and it must not be lost: wait with it.
    Full(E),
    /// The inbox takes nothing more.
    Sealed(E),
}
