//! Deltas as they come, in rows of one log: each names the one before, so the last good signature of a
//! row vouches for all before it.

use std::collections::BTreeMap;

use crate::delta::{Delta, Unverified};
use crate::governance::Roster;
use crate::id::LogId;

/// How many deltas in a row with bad signatures are kept until a good one follows. No node takes
/// longer rows of them, so none can have one to send.
pub(super) const MOST_UNSIGNED: usize = 64;
/// How many bytes.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Why what was sent cannot come from an honest node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// Something in it is no delta.
    #[error("what was sent is no delta")]
    Unreadable,
    /// Something in it belongs to another context.
    #[error("what was sent belongs to another context")]
    Elsewhere,
    /// Too many signatures in a row are bad.
    #[error("too many signatures in a row are bad")]
    Unsigned,
}

/// What has come without a good signature yet.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// By log, in a row: a later one may vouch for them.
    unsigned: BTreeMap<LogId, Vec<Unverified>>,
    bytes: usize,
}

impl Chain {
    /// Takes in some rows, one after another, and returns what is known to be authentic by now, each
    /// after the one before it. What is left without a good signature when its log goes on elsewhere
    /// or room is short, is dropped, for which nobody is to blame.
    pub(super) fn extend(
        &mut self,
        deltas: &[Vec<u8>],
        roster: &Roster,
    ) -> Result<Vec<Delta>, Broken> {
        let (mut authentic, mut row) = (Vec::new(), Vec::<Unverified>::new());
        for bytes in deltas {
            let delta = Unverified::parse(bytes.as_slice()).map_err(|_| Broken::Unreadable)?;
            if delta.context() != roster.context() {
                return Err(Broken::Elsewhere);
            }
            if row.last().is_some_and(|last| !continues(last, &delta)) {
                self.vouch(std::mem::take(&mut row), roster, &mut authentic)?;
            }
            row.push(delta);
        }
        self.vouch(row, roster, &mut authentic)?;
        Ok(authentic)
    }

    /// Looks for the last good signature of a row, together with what came before it.
    fn vouch(
        &mut self,
        fresh: Vec<Unverified>,
        roster: &Roster,
        authentic: &mut Vec<Delta>,
    ) -> Result<(), Broken> {
        let Some(first) = fresh.first() else { return Ok(()) };
        let log = *first.log();
        let before = self.unsigned.remove(&log).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(bytes_of(&before));
        let linked = before.last().is_some_and(|last| continues(last, first));
        let mut row = if linked { before } else { Vec::new() };
        row.extend(fresh);
        let (mut vouching, mut left) = (None, Vec::new());
        while let Some(last) = row.pop() {
            match last.verify() {
                Ok(delta) => vouching = Some(delta),
                Err((bad, _)) if roster.names(&log, bad.seq(), bad.id()) => {
                    vouching = Some(Delta::named(bad));
                }
                Err((bad, _)) => left.push(bad),
            }
            if vouching.is_some() {
                break;
            }
        }
        left.reverse();
        self.keep(log, left)?;
        let mut vouched: Vec<Delta> = vouching.into_iter().collect();
        while let (Some(by), Some(earlier)) = (vouched.last(), row.pop()) {
            // They continue one another, or they would not stand in one row.
            let Ok(delta) = Delta::linked(earlier, by) else { break };
            vouched.push(delta);
        }
        authentic.extend(vouched.into_iter().rev());
        Ok(())
    }

    /// Whether something of a log waits for a good signature.
    pub(super) fn is_frayed(&self, log: &LogId) -> bool {
        self.unsigned.contains_key(log)
    }

    fn keep(&mut self, log: LogId, left: Vec<Unverified>) -> Result<(), Broken> {
        let bytes = bytes_of(&left);
        if left.len() > MOST_UNSIGNED || bytes > MOST_BYTES {
            return Err(Broken::Unsigned);
        }
        if left.is_empty() {
            return Ok(());
        }
        while self.bytes + bytes > MOST_BYTES {
            let Some((_, dropped)) = self.unsigned.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(bytes_of(&dropped));
        }
        self.bytes += bytes;
        self.unsigned.insert(log, left);
        Ok(())
    }
}

fn bytes_of(row: &[Unverified]) -> usize {
    row.iter().map(|delta| delta.bytes().len()).sum()
}

fn continues(before: &Unverified, delta: &Unverified) -> bool {
    let header = delta.header();
    header.prev == before.id()
        && delta.log() == before.log()
        && header.seq.prev() == Some(before.seq())
}
