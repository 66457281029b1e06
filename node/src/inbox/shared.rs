//! What senders and the receiver of an inbox share: the state behind its lock, and who is woken when.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::Event;

use super::entry::{Entry, Meta, Posted};
use super::lock::Mutex;
use super::queue::{Capacity, Gate, LaneView};
use super::state::{Alarm, Offered, State, Waited};

/// What senders and the receiver share.
#[derive(Debug)]
pub(super) struct Shared<E> {
    state: Mutex<State<E>>,
}

impl<E: Event> Shared<E> {
    /// An empty inbox.
    pub(super) fn new(capacity: Capacity, quiet: usize) -> Self {
        Self { state: Mutex::new(State::new(capacity, quiet)) }
    }

    /// Takes an event, or says why not.
    pub(super) fn post(&self, entry: Entry<E>) -> (Posted<E>, Option<Alarm>) {
        let mut state = self.state.lock();
        let (posted, earlier) = state.post(entry);
        let (receiver, alarm) = match &posted {
            Posted::Queued => (state.receiver(), state.alarm()),
            _ => (None, None),
        };
        drop(state);
        // Without the lock: what an event holds may do things when it goes.
        drop(earlier);
        wake(receiver);
        (posted, alarm)
    }

    /// Takes an event as soon as there is room.
    pub(super) fn send(self: &Arc<Self>, entry: Entry<E>) -> Sending<E> {
        Sending {
            shared: Arc::clone(self),
            lane: entry.meta.lane,
            entry: Some(entry),
            ticket: None,
        }
    }

    /// Until there is a next event, or there will be no other.
    pub(super) fn poll_ready(&self, cx: &Context<'_>, gate: Gate) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_ready(gate) || state.is_spent() {
            return Poll::Ready(());
        }
        state.await_with(cx.waker());
        Poll::Pending
    }

    /// The next event, if one waits.
    pub(super) fn try_next(&self, gate: Gate) -> Option<Entry<E>> {
        let mut state = self.state.lock();
        let entry = state.pop(gate)?;
        let sender = state.next_waiting(entry.meta.lane);
        drop(state);
        wake(sender);
        Some(entry)
    }

    /// The end of what an event began.
    pub(super) fn bring_back(&self, entry: Entry<E>) {
        self.state.lock().bring_back(entry);
    }

    /// Takes nothing more from now on.
    pub(super) fn seal(&self) {
        let wakers = self.state.lock().seal();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it takes nothing more.
    pub(super) fn is_sealed(&self) -> bool {
        self.state.lock().is_sealed()
    }

    /// Whether it takes nothing more, and nothing waits.
    pub(super) fn is_spent(&self) -> bool {
        self.state.lock().is_spent()
    }

    /// Drops the ends of what an earlier receiver began.
    pub(super) fn forget_returned(&self) {
        // Dropped without the lock: what an event holds may do things when it goes.
        let forgotten = self.state.lock().forget_returned();
        drop(forgotten);
    }

    /// How each lane stands.
    pub(super) fn view(&self) -> Vec<LaneView> {
        self.state.lock().view()
    }

    /// What waits.
    pub(super) fn dump(&self) -> Vec<(LaneView, Vec<Meta>)> {
        self.state.lock().dump()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// An event whose sender waits for room. Dropped, it was never sent.
#[derive(Debug)]
#[must_use = "nothing is sent unless it is awaited"]
pub(super) struct Sending<E: Event> {
    shared: Arc<Shared<E>>,
    lane: Lane,
    entry: Option<Entry<E>>,
    ticket: Option<u64>,
}

// Nothing in it is ever pinned.
impl<E: Event> Unpin for Sending<E> {}

/// What became of an event that was sent by waiting, and of the alarm that it may have raised.
pub(super) type Sent<E> = Result<Option<Alarm>, E>;

impl<E: Event> Sending<E> {
    /// Tries for the first time; without room it gets a place in the row.
    fn begin(&mut self, entry: Entry<E>, waker: &Waker) -> Poll<Sent<E>> {
        let mut state = self.shared.state.lock();
        match state.offer(entry) {
            Offered::Coalesced(earlier) => {
                drop(state);
                drop(earlier);
                Poll::Ready(Ok(None))
            }
            Offered::Taken => {
                let (receiver, alarm) = (state.receiver(), state.alarm());
                drop(state);
                wake(receiver);
                Poll::Ready(Ok(alarm))
            }
            Offered::Sealed(entry) => Poll::Ready(Err(entry.event)),
            Offered::NoRoom(entry) => {
                self.ticket = Some(state.queue_up(&entry.meta, waker.clone()));
                self.entry = Some(entry);
                Poll::Pending
            }
        }
    }

    /// Tries again, if it is its turn.
    fn go_on(&mut self, ticket: u64, entry: Entry<E>, waker: &Waker) -> Poll<Sent<E>> {
        let mut state = self.shared.state.lock();
        match state.try_waiting(ticket, entry, waker) {
            Waited::Taken => {
                self.ticket = None;
                let (receiver, alarm) = (state.receiver(), state.alarm());
                let next = state.next_waiting(self.lane);
                drop(state);
                wake(receiver);
                wake(next);
                Poll::Ready(Ok(alarm))
            }
            Waited::Coalesced(earlier) => {
                self.ticket = None;
                let next = state.next_waiting(self.lane);
                drop(state);
                drop(earlier);
                wake(next);
                Poll::Ready(Ok(None))
            }
            Waited::Wait(entry) => {
                self.entry = Some(entry);
                Poll::Pending
            }
            Waited::Sealed(entry) => {
                self.ticket = None;
                Poll::Ready(Err(entry.event))
            }
        }
    }
}

impl<E: Event> Future for Sending<E> {
    type Output = Sent<E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent<E>> {
        match (self.entry.take(), self.ticket) {
            (Some(entry), None) => self.begin(entry, cx.waker()),
            (Some(entry), Some(ticket)) => self.go_on(ticket, entry, cx.waker()),
            // Polled again after its end: it stays at its end.
            (None, _) => Poll::Pending,
        }
    }
}

impl<E: Event> Drop for Sending<E> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.shared.state.lock();
        state.give_up(self.lane, ticket);
        // It may have been its turn.
        let next = state.next_waiting(self.lane);
        drop(state);
        wake(next);
    }
}
