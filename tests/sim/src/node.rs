//! A node: what survives its process, and the process while there is one.

use mangrove_protocol::effect::{Commit, Held};
use mangrove_protocol::replica::{Durability, Replica};
use mangrove_protocol::sync::desk::Desk;
use mangrove_protocol::view::{Batch, Memory};

use crate::dice::Dice;
use crate::store::{Store, Ticket};

/// One context of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) node: usize,
    pub(crate) context: usize,
}

/// One life of a node's process; what is meant for an earlier one is for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life(pub(crate) u64);

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) durability: Durability,
    /// How far its wall clock is ahead, in milliseconds.
    pub(crate) skew_ms: i64,
    /// What it is given at the beginning, and sometimes again when its storage is gone, by context.
    pub(crate) beginning: Vec<Memory>,
    pub(crate) life: Life,
    pub(crate) state: State,
    /// Counts how often its storage was gone, or lost what was confirmed, by right.
    pub(crate) memory: u64,
}

/// Whether a node runs.
#[derive(Debug)]
pub(crate) enum State {
    /// It does not.
    Down,
    /// Its process has begun and opens the store.
    Opening,
    /// It does.
    Up(Box<Process>),
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) cells: Vec<Cell>,
    pub(crate) entropy: Dice,
    pub(crate) syncing: Option<Ticket>,
    pub(crate) stopping: bool,
}

/// One context of a running process.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) replica: Replica,
    pub(crate) flight: Flight,
    /// The commit that was made ahead of that, and waits for it; and what the clock of the node showed then.
    pub(crate) ahead: Option<(Commit, u64)>,
    /// Whether it has taken its first input.
    pub(crate) begun: bool,
    /// Whether the commit in flight counts only once it is synced, whatever the setting says.
    pub(crate) must_sync: bool,
    /// When it is to be woken, in simulated time.
    pub(crate) wake_at_ms: Option<u64>,
    /// All its sessions.
    pub(crate) desk: Desk,
    /// Whether the desk will be told that the replica has gone on.
    pub(crate) is_stirred: bool,
    /// When the desk is to be woken, in simulated time.
    pub(crate) desk_wake_ms: Option<u64>,
    /// The position in the feed that is told next.
    pub(crate) feed: u64,
}

/// The commit that a context waits for.
#[derive(Debug, Default)]
pub(crate) enum Flight {
    /// None.
    #[default]
    None,
    /// One that the disk has not taken yet.
    Asked { batch: Box<Batch>, held: Held },
    /// One that is written.
    Written { ticket: Ticket, held: Held },
}

impl Node {
    /// What this node's confirmations stand on.
    pub(crate) fn durable(&self, context: usize) -> Option<&Memory> {
        let cell = self.running().and_then(|process| process.cells.get(context));
        match (self.durability, cell.is_some_and(|cell| cell.must_sync)) {
            (Durability::Buffered, false) => self.store.written(context),
            (Durability::Buffered, true) | (Durability::Fsync, _) => self.store.synced(context),
        }
    }

    pub(crate) fn process(&mut self) -> Option<&mut Process> {
        match &mut self.state {
            State::Up(process) => Some(process),
            State::Down | State::Opening => None,
        }
    }

    pub(crate) fn running(&self) -> Option<&Process> {
        match &self.state {
            State::Up(process) => Some(process),
            State::Down | State::Opening => None,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    pub(crate) fn cell(&mut self, context: usize) -> Option<&mut Cell> {
        self.process()?.cells.get_mut(context)
    }
}
