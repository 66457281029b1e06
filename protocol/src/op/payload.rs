//! The opened payload of a data delta: its bytes and the rules without which it is void.

use borsh::io::{self, Read, Write};
use borsh::{BorshDeserialize, BorshSerialize};

use super::{AppEvent, Op, Transaction};
use crate::limits::{DELTA_BYTES, OPS_PER_DELTA};
use crate::wire::{self, Malformed};

/// The version of payloads that this program writes and reads.
pub const VERSION: u8 = 1;

/// Why an opened payload cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// A version or an operation that a later program knows: the delta waits for an upgrade.
    #[error("{what} {tag} is unknown")]
    Unknown {
        /// What is tagged.
        what: &'static str,
        /// The tag.
        tag: u8,
    },
    /// Wrong under the rules of its version: the delta is void, for ever and for everybody.
    #[error(transparent)]
    Malformed(Malformed),
}

impl From<Malformed> for Undecodable {
    fn from(why: Malformed) -> Self {
        match why {
            Malformed::Unknown { what, tag } => Self::Unknown { what, tag },
            why => Self::Malformed(why),
        }
    }
}

/// What a data delta does: transactions, which apply together or not at all.
///
/// Constructed means within every limit. One without transactions does nothing and has no bytes at
/// all: an author writes it to join more heads than one delta may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    transactions: Vec<Transaction>,
}

impl Payload {
    /// The payload that does nothing.
    pub const fn merge() -> Self {
        Self { transactions: Vec::new() }
    }

    /// The payload of these transactions, of which there is at least one. The error names what is
    /// empty, out of order or over its limit.
    pub fn new(transactions: Vec<Transaction>) -> Result<Self, Malformed> {
        if transactions.is_empty() {
            return Err(NO_TRANSACTION);
        }
        let mut room = Room::default();
        for transaction in &transactions {
            room.take_ops(transaction.ops.len())?;
            transaction.ops.iter().try_for_each(Op::check)?;
            room.take_events(transaction.events.len())?;
            transaction.events.iter().try_for_each(AppEvent::check)?;
            check_not_empty(transaction)?;
        }
        Ok(Self { transactions })
    }

    /// Reads an opened payload.
    ///
    /// Problems are looked for in the order of the bytes and the first one decides, so that a later
    /// version, which may know more tags, finds malformed whatever this one does.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        if bytes.is_empty() {
            return Ok(Self::merge());
        }
        let Versioned(payload) = wire::decode(bytes, DELTA_BYTES)?;
        Ok(payload)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        if self.is_merge() { Vec::new() } else { wire::encode(&(VERSION, &self.transactions)) }
    }

    /// Whether it does nothing but join heads.
    pub fn is_merge(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Its transactions.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Its operations with their index in the whole delta, by which stamps and dots name them.
    pub fn ops(&self) -> impl Iterator<Item = (u32, &Op)> {
        (0..).zip(self.transactions.iter().flat_map(|transaction| &transaction.ops))
    }

    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = &AppEvent> {
        self.transactions.iter().flat_map(|transaction| &transaction.events)
    }
}

const NO_TRANSACTION: Malformed = Malformed::Empty { what: "list of transactions" };

fn check_not_empty(transaction: &Transaction) -> Result<(), Malformed> {
    if transaction.ops.is_empty() && transaction.events.is_empty() {
        return Err(Malformed::Empty { what: "transaction" });
    }
    Ok(())
}

/// How much of a delta's allowance its transactions have used.
#[derive(Default)]
struct Room {
    ops: u64,
    events: u64,
}

impl Room {
    fn take_ops(&mut self, count: usize) -> Result<(), Malformed> {
        take(&mut self.ops, count, "operations")
    }

    fn take_events(&mut self, count: usize) -> Result<(), Malformed> {
        take(&mut self.events, count, "events")
    }
}

fn take(used: &mut u64, count: usize, what: &'static str) -> Result<(), Malformed> {
    *used = used.saturating_add(count as u64);
    if *used > OPS_PER_DELTA {
        return Err(Malformed::OverLimit { what, max: OPS_PER_DELTA });
    }
    Ok(())
}

/// A payload with its leading version.
struct Versioned(Payload);

impl BorshDeserialize for Versioned {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != VERSION {
            return Err(Malformed::Unknown { what: "payload version", tag: version }.into());
        }
        let count = u32::deserialize_reader(reader)?;
        if count == 0 {
            return Err(NO_TRANSACTION.into());
        }
        let (mut room, mut transactions) = (Room::default(), Vec::new());
        for _ in 0..count {
            transactions.push(read_transaction(reader, &mut room)?);
        }
        Ok(Self(Payload { transactions }))
    }
}

/// Counts before it reads, so that no more is read than a delta may hold.
fn read_transaction<R: Read>(reader: &mut R, room: &mut Room) -> io::Result<Transaction> {
    let ops = u32::deserialize_reader(reader)?;
    room.take_ops(ops as usize)?;
    let ops = (0..ops).map(|_| Op::deserialize_reader(reader)).collect::<io::Result<_>>()?;
    let events = u32::deserialize_reader(reader)?;
    room.take_events(events as usize)?;
    let events =
        (0..events).map(|_| AppEvent::deserialize_reader(reader)).collect::<io::Result<_>>()?;
    let transaction = Transaction { ops, events };
    check_not_empty(&transaction)?;
    Ok(transaction)
}

impl BorshSerialize for Transaction {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.ops.serialize(writer)?;
        self.events.serialize(writer)
    }
}
