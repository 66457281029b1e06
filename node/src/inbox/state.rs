//! What waits in an inbox, and whose turn it is: all that lies behind its lock.

use std::array;
use std::task::Waker;

use mangrove_protocol::lane::{Lane, RoundRobin};
use mangrove_protocol::machine::{Event, OnFull};

use super::entry::{Entry, Meta, Posted};
use super::queue::{Capacity, Gate, LaneView, Queue, Replaced, Waiting};

const LANES: usize = Lane::ALL.len();

/// More waits than ever before: so much in each lane.
pub(super) type Alarm = [usize; LANES];

/// What waits in an inbox.
#[derive(Debug)]
pub(super) struct State<E> {
    queues: [Queue<E>; LANES],
    turns: RoundRobin<LANES>,
    is_sealed: bool,
    receiver: Option<Waker>,
    tickets: u64,
    /// How much waited when it was last said that there is more than ever.
    alarmed_at: usize,
}

/// What became of an event that was offered.
#[derive(Debug)]
pub(super) enum Offered<E> {
    /// It waits for its turn.
    Taken,
    /// It took the place of this earlier one.
    Coalesced(Entry<E>),
    /// There is no room.
    NoRoom(Entry<E>),
    /// The inbox takes nothing more.
    Sealed(Entry<E>),
}

/// What a sender that waits is told.
#[derive(Debug)]
pub(super) enum Waited<E> {
    /// It was taken.
    Taken,
    /// It took the place of this earlier one.
    Coalesced(Entry<E>),
    /// There is no room yet.
    Wait(Entry<E>),
    /// The inbox takes nothing more.
    Sealed(Entry<E>),
}

impl<E: Event> State<E> {
    /// Nothing. It is not said that more waits than ever before there are `quiet` of them.
    pub(super) fn new(capacity: Capacity, quiet: usize) -> Self {
        Self {
            queues: array::from_fn(|_| Queue::new(capacity)),
            turns: RoundRobin::new(Lane::WEIGHTS),
            is_sealed: false,
            receiver: None,
            tickets: 0,
            alarmed_at: quiet,
        }
    }

    const fn queue(&mut self, lane: Lane) -> &mut Queue<E> {
        let [control, api, done, delta, sync, serve, gossip, idle] = &mut self.queues;
        match lane {
            Lane::Control => control,
            Lane::Api => api,
            Lane::Done => done,
            Lane::Delta => delta,
            Lane::Sync => sync,
            Lane::Serve => serve,
            Lane::Gossip => gossip,
            Lane::Idle => idle,
        }
    }

    /// Takes an event if there is room. Nobody overtakes a sender that waits for room in the same lane.
    pub(super) fn offer(&mut self, entry: Entry<E>) -> Offered<E> {
        let is_sealed = self.is_sealed;
        let queue = self.queue(entry.meta.lane);
        if is_sealed {
            queue.counts.refused += 1;
            return Offered::Sealed(entry);
        }
        // What was sent earlier and waits for room must not come after what is sent now.
        let entry = match entry.event.on_full() {
            OnFull::Coalesce(key) if queue.waiting.is_empty() => match queue.replace(&key, entry) {
                Replaced::Nothing(entry) => entry,
                Replaced::Earlier(earlier) => return Offered::Coalesced(earlier),
            },
            OnFull::Coalesce(_) | OnFull::Wait | OnFull::Shed | OnFull::Park => entry,
        };
        if !queue.waiting.is_empty() || !queue.fits(entry.meta.bytes) {
            return Offered::NoRoom(entry);
        }
        queue.push(entry);
        Offered::Taken
    }

    /// Takes an event, or does with it what its policy says. The one whose place it takes is given out.
    pub(super) fn post(&mut self, entry: Entry<E>) -> (Posted<E>, Option<Entry<E>>) {
        let entry = match self.offer(entry) {
            Offered::Taken => return (Posted::Queued, None),
            Offered::Coalesced(earlier) => return (Posted::Coalesced, Some(earlier)),
            Offered::Sealed(entry) => return (Posted::Sealed(entry.event), None),
            Offered::NoRoom(entry) => entry,
        };
        (self.no_room(entry), None)
    }

    fn no_room(&mut self, entry: Entry<E>) -> Posted<E> {
        let counts = &mut self.queue(entry.meta.lane).counts;
        match entry.event.on_full() {
            OnFull::Wait => Posted::Full(entry.event),
            OnFull::Shed | OnFull::Coalesce(_) => {
                counts.shed += 1;
                Posted::Shed(entry.event)
            }
            OnFull::Park => {
                counts.parked += 1;
                Posted::Parked(entry.event)
            }
        }
    }

    /// A place in the row of those that wait for room in a lane.
    pub(super) fn queue_up(&mut self, meta: &Meta, waker: Waker) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        let queue = self.queue(meta.lane);
        queue.counts.waited += 1;
        queue.waiting.push_back(Waiting { ticket, bytes: meta.bytes, waker });
        ticket
    }

    /// Takes the event of a sender that waits, if it is its turn.
    pub(super) fn try_waiting(&mut self, ticket: u64, entry: Entry<E>, waker: &Waker) -> Waited<E> {
        if self.is_sealed {
            return Waited::Sealed(entry);
        }
        let queue = self.queue(entry.meta.lane);
        let is_first = queue.waiting.front().is_some_and(|first| first.ticket == ticket);
        let entry = match entry.event.on_full() {
            OnFull::Coalesce(key) if is_first => match queue.replace(&key, entry) {
                Replaced::Nothing(entry) => entry,
                Replaced::Earlier(earlier) => {
                    queue.waiting.pop_front();
                    return Waited::Coalesced(earlier);
                }
            },
            OnFull::Coalesce(_) | OnFull::Wait | OnFull::Shed | OnFull::Park => entry,
        };
        if is_first && queue.fits(entry.meta.bytes) {
            queue.waiting.pop_front();
            queue.push(entry);
            return Waited::Taken;
        }
        let mine = queue.waiting.iter_mut().find(|waiting| waiting.ticket == ticket);
        if let Some(mine) = mine {
            mine.waker.clone_from(waker);
        }
        Waited::Wait(entry)
    }

    /// Leaves the row of those that wait.
    pub(super) fn give_up(&mut self, lane: Lane, ticket: u64) {
        self.queue(lane).waiting.retain(|waiting| waiting.ticket != ticket);
    }

    /// The sender that can go on in this lane, if any.
    pub(super) fn next_waiting(&mut self, lane: Lane) -> Option<Waker> {
        self.queue(lane).next_waiting()
    }

    /// The receiver, if it waits.
    pub(super) const fn receiver(&mut self) -> Option<Waker> {
        self.receiver.take()
    }

    /// The receiver waits.
    pub(super) fn await_with(&mut self, waker: &Waker) {
        match &mut self.receiver {
            Some(receiver) => receiver.clone_from(waker),
            receiver => *receiver = Some(waker.clone()),
        }
    }

    /// The end of what an event began. There is always room for it, since there was for the beginning.
    pub(super) fn bring_back(&mut self, entry: Entry<E>) {
        self.queue(entry.meta.lane).bring_back(entry);
    }

    /// The next event.
    pub(super) fn pop(&mut self, gate: Gate) -> Option<Entry<E>> {
        let at = self.turns.next(|at| waits(&self.queues, gate, at))?;
        self.queues.get_mut(at)?.pop(gate.admits(at))
    }

    /// Whether there is a next event.
    pub(super) fn is_ready(&self, gate: Gate) -> bool {
        (0..LANES).any(|at| waits(&self.queues, gate, at))
    }

    /// Drops the ends of what an earlier receiver began.
    pub(super) fn forget_returned(&mut self) -> Vec<Entry<E>> {
        self.queues.iter_mut().flat_map(Queue::forget_returned).collect()
    }

    /// Takes nothing more from now on. Those that wait for room are told.
    pub(super) fn seal(&mut self) -> Vec<Waker> {
        self.is_sealed = true;
        let waiting = self.queues.iter_mut().flat_map(|queue| queue.waiting.drain(..));
        waiting.map(|waiting| waiting.waker).chain(self.receiver.take()).collect()
    }

    /// Whether it takes nothing more.
    pub(super) const fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Whether it takes nothing more, and nothing waits.
    pub(super) fn is_spent(&self) -> bool {
        self.is_sealed && self.depth() == 0
    }

    /// How much waits.
    pub(super) fn depth(&self) -> usize {
        self.queues.iter().map(Queue::depth).sum()
    }

    /// Whether it has to be said that more waits than ever: once more than a tenth above the last time.
    pub(super) fn alarm(&mut self) -> Option<Alarm> {
        let depth = self.depth();
        if depth.saturating_mul(10) <= self.alarmed_at.saturating_mul(11) {
            return None;
        }
        self.alarmed_at = depth;
        Some(array::from_fn(|at| self.queues.get(at).map_or(0, Queue::depth)))
    }

    /// How each lane stands.
    pub(super) fn view(&self) -> Vec<LaneView> {
        let lanes = Lane::ALL.into_iter().zip(&self.queues);
        lanes.map(|(lane, queue)| queue.view(lane)).collect()
    }

    /// How each lane stands, and what waits in it in the order in which it will be served.
    pub(super) fn dump(&self) -> Vec<(LaneView, Vec<Meta>)> {
        let of = |(lane, queue): (Lane, &Queue<E>)| {
            let waiting = queue.returned.iter().chain(&queue.posted);
            (queue.view(lane), waiting.map(|entry| entry.meta).collect())
        };
        Lane::ALL.into_iter().zip(&self.queues).map(of).collect()
    }
}

/// Whether something waits at this place that may be served.
fn waits<E>(queues: &[Queue<E>; LANES], gate: Gate, at: usize) -> bool {
    let of = |queue: &Queue<E>| {
        !queue.returned.is_empty() || gate.admits(at) && !queue.posted.is_empty()
    };
    queues.get(at).is_some_and(of)
}
