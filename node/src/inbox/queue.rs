//! One lane of an inbox: what waits in it, and who waits for room.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Instant;

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Key, OnFull};

use super::entry::Entry;

/// How much may wait in one lane. An event that is larger than all of it is taken when nothing else waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Events.
    pub events: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// Who may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Everybody.
    Open,
    /// Too much is in flight: only what was begun and has ended, and control.
    Closed,
}

impl Gate {
    /// Whether it lets in what was sent on the lane at this place.
    pub(super) fn admits(self, at: usize) -> bool {
        self == Self::Open || at == Lane::Control.index()
    }
}

/// What has been counted of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken from senders.
    pub posted: u64,
    /// Took the place of an earlier one.
    pub coalesced: u64,
    /// Dropped for lack of room.
    pub shed: u64,
    /// Sent away for lack of room, to be sent again.
    pub parked: u64,
    /// Had to wait for room.
    pub waited: u64,
    /// Came after the inbox was sealed.
    pub refused: u64,
    /// Handed on.
    pub served: u64,
}

/// How a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneView {
    /// Which one.
    pub lane: Lane,
    /// What waits.
    pub depth: usize,
    /// Bytes of it.
    pub bytes: u64,
    /// The most that ever waited.
    pub peak: usize,
    /// What may wait.
    pub capacity: Capacity,
    /// Since when the oldest waits.
    pub oldest: Option<Instant>,
    /// What has been counted.
    pub counts: Counts,
}

/// What became of an event that only counts if it is the latest.
pub(super) enum Replaced<E> {
    /// It took the place of this one.
    Earlier(Entry<E>),
    /// There is none in whose place it could be put.
    Nothing(Entry<E>),
}

/// One lane.
#[derive(Debug)]
pub(super) struct Queue<E> {
    capacity: Capacity,
    /// Ends of what events of this lane began. They have their room already, and go first.
    pub(super) returned: VecDeque<Entry<E>>,
    pub(super) posted: VecDeque<Entry<E>>,
    returned_bytes: u64,
    /// Bytes of what is posted, which is what room is about.
    bytes: u64,
    /// The number of the first that is posted, counted from the beginning.
    first: u64,
    /// Those that a later one may stand for, by their number.
    latest: BTreeMap<Key, u64>,
    /// Senders that wait for room, the first of them first.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) peak: usize,
    pub(super) counts: Counts,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ticket: u64,
    pub(super) bytes: u64,
    pub(super) waker: Waker,
}

impl<E: Event> Queue<E> {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            returned: VecDeque::new(),
            posted: VecDeque::new(),
            returned_bytes: 0,
            bytes: 0,
            first: 0,
            latest: BTreeMap::new(),
            waiting: VecDeque::new(),
            peak: 0,
            counts: Counts::default(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.returned.len() + self.posted.len()
    }

    pub(super) fn fits(&self, bytes: u64) -> bool {
        let has_bytes = self.bytes.saturating_add(bytes) <= self.capacity.bytes;
        self.posted.len() < self.capacity.events && (has_bytes || self.posted.is_empty())
    }

    pub(super) fn push(&mut self, entry: Entry<E>) {
        if let OnFull::Coalesce(key) = entry.event.on_full() {
            self.latest.insert(key, self.first + self.posted.len() as u64);
        }
        self.bytes = self.bytes.saturating_add(entry.meta.bytes);
        self.counts.posted += 1;
        self.posted.push_back(entry);
        self.peak = self.peak.max(self.depth());
    }

    /// Puts an event in the place of an earlier one with its key, which is given out; or gives the new one back.
    pub(super) fn replace(&mut self, key: &Key, entry: Entry<E>) -> Replaced<E> {
        let number = self.latest.get(key).copied();
        let at = number.and_then(|number| usize::try_from(number - self.first).ok());
        let Some(earlier) = at.and_then(|at| self.posted.get_mut(at)) else {
            return Replaced::Nothing(entry);
        };
        self.bytes = self.bytes.saturating_sub(earlier.meta.bytes);
        self.bytes = self.bytes.saturating_add(entry.meta.bytes);
        self.counts.coalesced += 1;
        Replaced::Earlier(std::mem::replace(earlier, entry))
    }

    /// The end of what an event began.
    pub(super) fn bring_back(&mut self, entry: Entry<E>) {
        self.returned_bytes = self.returned_bytes.saturating_add(entry.meta.bytes);
        self.returned.push_back(entry);
        self.peak = self.peak.max(self.depth());
    }

    /// All ends.
    pub(super) fn forget_returned(&mut self) -> VecDeque<Entry<E>> {
        self.returned_bytes = 0;
        std::mem::take(&mut self.returned)
    }

    pub(super) fn pop(&mut self, posted: bool) -> Option<Entry<E>> {
        let entry = self.pop_returned().or_else(|| posted.then(|| self.pop_posted()).flatten())?;
        self.counts.served += 1;
        Some(entry)
    }

    fn pop_returned(&mut self) -> Option<Entry<E>> {
        let entry = self.returned.pop_front()?;
        self.returned_bytes = self.returned_bytes.saturating_sub(entry.meta.bytes);
        Some(entry)
    }

    fn pop_posted(&mut self) -> Option<Entry<E>> {
        let entry = self.posted.pop_front()?;
        if let OnFull::Coalesce(key) = entry.event.on_full()
            && self.latest.get(&key) == Some(&self.first)
        {
            self.latest.remove(&key);
        }
        self.first += 1;
        self.bytes = self.bytes.saturating_sub(entry.meta.bytes);
        Some(entry)
    }

    /// The first of those that wait, if there is room for it.
    pub(super) fn next_waiting(&self) -> Option<Waker> {
        let first = self.waiting.front().filter(|first| self.fits(first.bytes))?;
        Some(first.waker.clone())
    }

    pub(super) fn view(&self, lane: Lane) -> LaneView {
        let oldest = [self.returned.front(), self.posted.front()];
        LaneView {
            lane,
            depth: self.depth(),
            bytes: self.bytes.saturating_add(self.returned_bytes),
            peak: self.peak,
            capacity: self.capacity,
            oldest: oldest.into_iter().flatten().map(|entry| entry.meta.since).min(),
            counts: self.counts,
        }
    }
}
