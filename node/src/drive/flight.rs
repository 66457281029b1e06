//! Work that a machine began, and how it lands: always, also when it panics.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Reason};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::budget::{Budget, Permit};
use crate::cause::EventId;
use crate::inbox::{Entry, Meta};

/// Work that was begun: what it is, and what the machine is told of its end.
pub struct Begun<E> {
    label: &'static str,
    bytes: u64,
    work: Pin<Box<dyn Future<Output = E> + Send>>,
    fallen: E,
}

impl<E> Begun<E> {
    /// Work whose end is an event. Should it panic, the machine is told `fallen` instead.
    pub fn new(
        label: &'static str,
        work: impl Future<Output = E> + Send + 'static,
        fallen: E,
    ) -> Self {
        Self { label, bytes: 0, work: Box::pin(work), fallen }
    }

    /// The same, holding so much memory meanwhile.
    #[must_use]
    pub fn holding(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

impl<E> fmt::Debug for Begun<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Begun({})", self.label)
    }
}

/// What is on account of an event, so that what follows from it can be too.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    pub(super) id: Option<EventId>,
    pub(super) lane: Lane,
    /// The span in which the first of its ancestors was sent.
    pub(super) root: tracing::Span,
    /// Its own.
    pub(super) span: tracing::Span,
}

/// An end that was not handled yet. It holds its leave until it is.
#[derive(Debug)]
pub(super) struct Landed<E> {
    pub(super) entry: Entry<E>,
    pub(super) permit: Permit,
    pub(super) panicked: bool,
}

/// All that was begun and has not ended.
#[derive(Debug)]
pub(super) struct Flights<E: 'static> {
    set: JoinSet<Landed<E>>,
    budget: Budget,
}

impl<E: Event> Flights<E> {
    pub(super) fn new(budget: Budget) -> Self {
        Self { set: JoinSet::new(), budget }
    }

    pub(super) fn has_room(&self) -> bool {
        self.budget.has_room()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Begins work on account of an event.
    pub(super) fn begin(&mut self, begun: Begun<E>, cause: Cause) {
        let Begun { label, bytes, mut work, fallen } = begun;
        let permit = self.budget.take(bytes);
        let span = cause.span.clone();
        let flight = async move {
            let ended = poll_fn(|cx| {
                let polled = || match cause.id {
                    Some(id) => id.during(&cause.root, || work.as_mut().poll(cx)),
                    None => work.as_mut().poll(cx),
                };
                match catch_unwind(AssertUnwindSafe(polled)) {
                    Ok(Poll::Ready(event)) => Poll::Ready(Ok(event)),
                    Ok(Poll::Pending) => Poll::Pending,
                    Err(panic) => Poll::Ready(Err(reason(panic.as_ref()))),
                }
            });
            let ended = ended.await;
            // What the work held is let go of before its end is told, and that may panic as well.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(work)));
            let ended = match dropped {
                Ok(()) => ended,
                Err(panic) => Err(reason(panic.as_ref())),
            };
            let panicked = ended.is_err();
            let event = ended.unwrap_or_else(|why| {
                tracing::error!(work = label, why = %why, "work panicked");
                fallen
            });
            Landed { entry: returned(event, &cause), permit, panicked }
        };
        self.set.spawn(flight.instrument(span));
    }

    /// Something that has ended.
    pub(super) fn try_land(&mut self) -> Option<Landed<E>> {
        // What was begun cannot panic, and is never cancelled while this lives.
        self.set.try_join_next()?.ok()
    }

    /// Until something ends, if anything was begun.
    pub(super) async fn landing(&mut self) -> Option<Landed<E>> {
        match self.set.join_next().await {
            Some(landed) => landed.ok(),
            None => std::future::pending().await,
        }
    }

    /// Lets go of everything.
    pub(super) fn drop_all(&mut self) -> usize {
        let dropped = self.set.len();
        self.set.abort_all();
        dropped
    }
}

/// The end of what an event began: on its lane, with it as its ancestor.
fn returned<E: Event>(event: E, cause: &Cause) -> Entry<E> {
    let meta = Meta {
        id: EventId::next(),
        ancestor: cause.id,
        lane: cause.lane,
        label: event.label(),
        context: event.context(),
        peer: event.peer(),
        bytes: event.bytes(),
        since: Instant::now(),
    };
    Entry { meta, span: cause.root.clone(), event }
}

/// What a panic said.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> Reason {
    match (panic.downcast_ref::<&'static str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => Reason::Borrowed(text),
        (None, Some(text)) => Reason::Owned(text.clone()),
        (None, None) => Reason::Borrowed("it did not say why"),
    }
}
