//! Deltas that came and have not been handed to the replica yet.

use std::collections::{BTreeMap, VecDeque};

use crate::delta::Delta;
use crate::id::{LogId, PeerId};
use crate::sync::work::{Came, Link, Work};

/// Deltas in one row of one log.
#[derive(Debug)]
struct Held {
    link: Link,
    from: PeerId,
    deltas: VecDeque<Delta>,
}

/// What is in this node's hands: in turn, or early.
#[derive(Debug, Default)]
pub(super) struct Hand {
    queue: VecDeque<Held>,
    /// By log and first place.
    early: BTreeMap<(LogId, u64), Held>,
    bytes: BTreeMap<Link, u64>,
}

fn size(deltas: &VecDeque<Delta>) -> u64 {
    deltas.iter().map(|delta| delta.bytes().len() as u64).sum()
}

impl Hand {
    /// Whether nothing waits for its turn with the replica.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes that came from a session.
    pub(super) fn bytes_of(&self, link: Link) -> u64 {
        self.bytes.get(&link).copied().unwrap_or_default()
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.values().sum()
    }

    /// Takes deltas that are in turn.
    pub(super) fn put(&mut self, link: Link, from: PeerId, deltas: Vec<Delta>) {
        if !deltas.is_empty() {
            self.keep(Held { link, from, deltas: deltas.into() });
        }
    }

    fn keep(&mut self, held: Held) {
        *self.bytes.entry(held.link).or_default() += size(&held.deltas);
        self.queue.push_back(held);
    }

    /// Takes deltas of the data, each in its turn; returns how many places are new.
    pub(super) fn sort(
        &mut self,
        work: &mut Work,
        link: Link,
        from: PeerId,
        deltas: Vec<Delta>,
    ) -> usize {
        let mut new = 0;
        for row in rows(deltas) {
            let (Some(first), Some(last)) = (row.front(), row.back()) else { continue };
            let (log, first, last) = (*first.log(), first.seq().get(), last.seq().get());
            match work.came(link, &log, first, last) {
                Came::InTurn => {
                    new += row.len();
                    self.keep(Held { link, from, deltas: row });
                    self.release(work, &log);
                }
                Came::Early => {
                    new += row.len();
                    *self.bytes.entry(link).or_default() += size(&row);
                    let before = self.early.insert((log, first), Held { link, from, deltas: row });
                    if let Some(before) = before {
                        self.forget(&before);
                    }
                }
                Came::Stray => {}
            }
        }
        new
    }

    /// What came early and is in turn now.
    pub(super) fn release(&mut self, work: &mut Work, log: &LogId) {
        loop {
            // What a log lacks no more has all been covered.
            let covered = work.covered(log).unwrap_or(u64::MAX);
            let next = covered.saturating_add(1);
            let first = self.early.range((*log, 0)..=(*log, next)).next().map(|(key, _)| *key);
            let Some(held) = first.and_then(|key| self.early.remove(&key)) else { return };
            if let Some(last) = held.deltas.back() {
                work.cover(log, last.seq().get());
            }
            self.queue.push_back(held);
        }
    }

    /// Drops what came early of logs that nobody offers the beginning of any more.
    pub(super) fn drop_useless(&mut self, work: &Work) {
        let useless: Vec<_> =
            self.early.keys().filter(|(log, _)| work.covered(log).is_none()).copied().collect();
        for key in useless {
            if let Some(held) = self.early.remove(&key) {
                self.forget(&held);
            }
        }
    }

    /// The next deltas for the replica, as many of one row as there is room for; at least one if
    /// `any` is to be had.
    pub(super) fn take(&mut self, room: &mut u64, any: bool) -> Option<(PeerId, Vec<Delta>)> {
        let held = self.queue.front_mut()?;
        let mut deltas = Vec::new();
        while let Some(bytes) = held.deltas.front().map(|it| it.bytes().len() as u64) {
            if bytes > *room && !(any && deltas.is_empty()) {
                break;
            }
            *room = room.saturating_sub(bytes);
            let of_link = self.bytes.entry(held.link).or_default();
            *of_link = of_link.saturating_sub(bytes);
            deltas.extend(held.deltas.pop_front());
        }
        let (link, from, is_done) = (held.link, held.from, held.deltas.is_empty());
        if is_done {
            self.queue.pop_front();
        }
        self.bytes.retain(|of, bytes| *of != link || *bytes > 0);
        (!deltas.is_empty()).then_some((from, deltas))
    }

    fn forget(&mut self, held: &Held) {
        let of_link = self.bytes.entry(held.link).or_default();
        *of_link = of_link.saturating_sub(size(&held.deltas));
        self.bytes.retain(|_, bytes| *bytes > 0);
    }
}

/// Parts deltas where one does not continue the one before.
fn rows(deltas: Vec<Delta>) -> Vec<VecDeque<Delta>> {
    let mut rows: Vec<VecDeque<Delta>> = Vec::new();
    for delta in deltas {
        let continues =
            |row: &VecDeque<Delta>| row.back().is_some_and(|last| last.id() == delta.header().prev);
        match rows.last_mut().filter(|row| continues(row)) {
            Some(row) => row.push_back(delta),
            None => rows.push(VecDeque::from([delta])),
        }
    }
    rows
}
