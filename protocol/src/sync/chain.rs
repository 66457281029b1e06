//! Deltas as they come, in rows of one log: each names the one before, so the last good signature of a
//! row vouches for all before it.

use std::collections::BTreeMap;

use crate::delta::{Delta, Unverified};
use crate::id::{ContextId, LogId};

/// How many deltas in a row with bad signatures are kept until a good one follows.
const MOST_UNSIGNED: usize = 64;
/// Of how many logs.
const MOST_LOGS: usize = 64;

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
}

impl Chain {
    /// Takes in some rows, one after another, and returns what is known to be authentic by now, each
    /// after the one before it. What is left without a good signature when its log goes on elsewhere
    /// is dropped, for which nobody is to blame.
    pub(super) fn extend(
        &mut self,
        context: ContextId,
        deltas: &[Vec<u8>],
    ) -> Result<Vec<Delta>, Broken> {
        let (mut authentic, mut row) = (Vec::new(), Vec::<Unverified>::new());
        for bytes in deltas {
            let delta = Unverified::parse(bytes.as_slice()).map_err(|_| Broken::Unreadable)?;
            if delta.context() != context {
                return Err(Broken::Elsewhere);
            }
            if row.last().is_some_and(|last| !continues(last, &delta)) {
                self.vouch(std::mem::take(&mut row), &mut authentic)?;
            }
            row.push(delta);
        }
        self.vouch(row, &mut authentic)?;
        Ok(authentic)
    }

    /// Looks for the last good signature of a row, together with what came before it.
    fn vouch(&mut self, fresh: Vec<Unverified>, authentic: &mut Vec<Delta>) -> Result<(), Broken> {
        let Some(first) = fresh.first() else { return Ok(()) };
        let log = *first.log();
        let before = self.unsigned.remove(&log).unwrap_or_default();
        let linked = before.last().is_some_and(|last| continues(last, first));
        let mut row = if linked { before } else { Vec::new() };
        row.extend(fresh);
        let (mut vouching, mut left) = (None, Vec::new());
        while let Some(last) = row.pop() {
            match last.verify() {
                Ok(delta) => {
                    vouching = Some(delta);
                    break;
                }
                Err((bad, _)) => left.push(bad),
            }
        }
        if left.len() > MOST_UNSIGNED {
            return Err(Broken::Unsigned);
        }
        left.reverse();
        if !left.is_empty() && self.unsigned.len() < MOST_LOGS {
            self.unsigned.insert(log, left);
        }
        let mut vouched: Vec<Delta> = vouching.into_iter().collect();
        while let (Some(by), Some(earlier)) = (vouched.last(), row.pop()) {
            // They continue one another, or they would not stand in one row.
            let Ok(delta) = Delta::linked(earlier, by) else { break };
            vouched.push(delta);
        }
        authentic.extend(vouched.into_iter().rev());
        Ok(())
    }
}

fn continues(before: &Unverified, delta: &Unverified) -> bool {
    let header = delta.header();
    header.prev == before.id()
        && delta.log() == before.log()
        && header.seq.prev() == Some(before.seq())
}
