//! A store as a crash leaves it.
//!
//! The contract is that of the real one: a batch is atomic; the end of the process keeps what was
//! written; a power loss keeps a prefix of what was not synced; a sync that fails poisons the store,
//! which confirms nothing afterwards.

use std::collections::VecDeque;

use mangrove_protocol::effect::Durable;
use mangrove_protocol::view::{Batch, Memory};

use crate::dice::Dice;

/// A proof that what it stands for survives what the node was told that it survives. Made here alone.
#[derive(Debug)]
pub struct Proof(());

impl Durable for Proof {}

/// What the contexts of one node have stored.
#[derive(Debug)]
pub struct Store {
    synced: Vec<Memory>,
    written: Vec<Memory>,
    tail: VecDeque<Written>,
    next: Ticket,
    poisoned: bool,
}

/// The place of a batch in the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Written {
    ticket: Ticket,
    context: usize,
    batch: Batch,
}

/// What a power loss did to batches that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// So many were kept.
    pub kept: usize,
    /// So many, all later, were lost.
    pub lost: usize,
}

impl Store {
    /// An empty store for so many contexts.
    pub fn new(contexts: usize) -> Self {
        Self::holding(vec![Memory::default(); contexts])
    }

    /// A store that holds these contexts from the beginning.
    pub fn holding(contexts: Vec<Memory>) -> Self {
        Self {
            synced: contexts.clone(),
            written: contexts,
            tail: VecDeque::new(),
            next: Ticket(1),
            poisoned: false,
        }
    }

    /// What survives a power loss.
    pub fn synced(&self, context: usize) -> Option<&Memory> {
        self.synced.get(context)
    }

    /// What survives the end of the process, and what reads show.
    pub fn written(&self, context: usize) -> Option<&Memory> {
        self.written.get(context)
    }

    /// Writes a batch, which from then on is read.
    pub fn write(&mut self, context: usize, batch: Batch) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        if let Some(memory) = self.written.get_mut(context) {
            memory.apply(&batch);
        }
        self.tail.push_back(Written { ticket, context, batch });
        ticket
    }

    /// A proof that what was written survives the end of the process.
    pub fn buffered(&self) -> Option<Proof> {
        (!self.poisoned).then_some(Proof(()))
    }

    /// The last batch that is written and not synced.
    pub fn unsynced(&self) -> Option<Ticket> {
        self.tail.back().map(|written| written.ticket)
    }

    /// Everything up to this batch is synced.
    pub fn sync(&mut self, until: Ticket) -> Option<Proof> {
        if self.poisoned {
            return None;
        }
        while let Some(first) = self.tail.pop_front_if(|first| first.ticket <= until) {
            if let Some(memory) = self.synced.get_mut(first.context) {
                memory.apply(&first.batch);
            }
        }
        Some(Proof(()))
    }

    /// A sync has failed: nothing is confirmed any more.
    pub const fn poison(&mut self) {
        self.poisoned = true;
    }

    /// The power fails: of what is not synced, a prefix is left.
    pub fn lose_power(&mut self, dice: &mut Dice) -> Loss {
        let kept = dice.index(self.tail.len() + 1);
        let lost = self.tail.len() - kept;
        self.tail.truncate(kept);
        self.written.clone_from(&self.synced);
        for Written { context, batch, .. } in &self.tail {
            if let Some(memory) = self.written.get_mut(*context) {
                memory.apply(batch);
            }
        }
        Loss { kept, lost }
    }

    /// A new process opens what was left, which syncs it.
    pub fn open(&mut self) {
        self.poisoned = false;
        if let Some(last) = self.unsynced() {
            self.sync(last);
        }
    }

    /// A new process opens what was left and goes on without syncing it, as none may.
    pub const fn open_unsynced(&mut self) {
        self.poisoned = false;
    }

    /// Everything is gone but what is given back at once.
    pub fn wipe(&mut self, left: Vec<Memory>) {
        *self = Self { next: self.next, ..Self::holding(left) };
    }
}

#[cfg(test)]
mod tests {
    use mangrove_protocol::id::DeltaId;
    use mangrove_protocol::overlay::Overlay;
    use mangrove_protocol::view::{History, Table};

    use super::*;

    fn batch(number: u64) -> Batch {
        let nothing = Memory::default();
        let mut over = Overlay::new(&nothing);
        over.put::<History>(number, DeltaId::ZERO);
        over.into_batch()
    }

    fn rows(memory: Option<&Memory>) -> Vec<u64> {
        History::rows(memory.unwrap()).keys().copied().collect()
    }

    #[test]
    fn a_power_loss_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let mut store = Store::new(2);
            let tickets: Vec<_> = (0..6).map(|at| store.write(at % 2, batch(at as u64))).collect();
            store.sync(tickets[1]).unwrap();
            let loss = store.lose_power(&mut Dice::new(seed, &[]));
            let left: Vec<_> = [rows(store.written(0)), rows(store.written(1))].concat();
            let kept = 2 + loss.kept as u64;
            assert_eq!(loss.kept + loss.lost, 4);
            assert!((0..6).all(|at| left.contains(&at) == (at < kept)), "{left:?}, kept {kept}");
            lengths.insert(loss.kept);
        }
        assert_eq!(lengths.len(), 5, "every prefix can be left");
    }

    #[test]
    fn the_end_of_a_process_keeps_what_was_written_and_opening_syncs_it() {
        let mut store = Store::new(1);
        store.write(0, batch(1));
        assert_eq!((rows(store.written(0)), rows(store.synced(0))), (vec![1], vec![]));
        store.open();
        store.lose_power(&mut Dice::new(1, &[]));
        assert_eq!(rows(store.written(0)), [1]);
    }

    #[test]
    fn a_failed_sync_confirms_nothing_afterwards() {
        let mut store = Store::new(1);
        let ticket = store.write(0, batch(1));
        store.poison();
        assert!(store.sync(ticket).is_none());
        assert!(store.buffered().is_none());
        assert_eq!(rows(store.synced(0)), []);
    }
}
