//! Deltas as they come, in rows of one log: each names the one before, so the last good signature of a
//! row vouches for all before it.

use std::collections::BTreeMap;

use crate::delta::{Delta, Refusal, Unverified};
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
    met_later: bool,
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
            let delta = match Unverified::parse(bytes.as_slice()) {
                Ok(delta) => delta,
                // A later program wrote it, and whoever has it is not to blame for that.
                Err(Refusal::UnknownVersion(_)) => {
                    self.met_later = true;
                    continue;
                }
                Err(_) => return Err(Broken::Unreadable),
            };
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
        if let Some(vouching) = vouching {
            authentic.extend(link(row, vouching)?.into_iter().rev());
        }
        Ok(())
    }

    /// Whether something of a log waits for a good signature.
    pub(super) fn is_frayed(&self, log: &LogId) -> bool {
        self.unsigned.contains_key(log)
    }

    /// Whether something has come that a later program wrote.
    pub(super) const fn met_later(&self) -> bool {
        self.met_later
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

/// What stands before an authentic delta in a row, the last first and it before all. Good signatures
/// stand in between, never further apart than anybody would keep what is without one.
fn link(mut row: Vec<Unverified>, vouching: Delta) -> Result<Vec<Delta>, Broken> {
    let mut vouched = vec![vouching];
    loop {
        let mut bytes = 0;
        let short = |delta: &&Unverified| {
            bytes += delta.bytes().len();
            bytes <= MOST_BYTES
        };
        let near = row.iter().rev().take(MOST_UNSIGNED).take_while(short).count();
        let is_all = near == row.len();
        let far = row.len() - near - usize::from(!is_all);
        let mut part = row.split_off(far);
        // The furthest first: of an honest row one signature in so many is looked at.
        let mut good = None;
        for at in 0..part.len() {
            if is_all || good.is_some() {
                break;
            }
            match part.remove(at).verify() {
                Ok(delta) => good = Some((at, delta)),
                Err((bad, _)) => part.insert(at, bad),
            }
        }
        let after = part.split_off(good.as_ref().map_or(0, |(at, _)| *at));
        for earlier in after.into_iter().rev() {
            let Some(by) = vouched.last() else { break };
            // They continue one another, or they would not stand in one row.
            let Ok(delta) = Delta::linked(earlier, by) else { return Ok(vouched) };
            vouched.push(delta);
        }
        match good {
            None if is_all => return Ok(vouched),
            None => return Err(Broken::Unsigned),
            Some((_, delta)) => {
                vouched.push(delta);
                row.extend(part);
            }
        }
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
