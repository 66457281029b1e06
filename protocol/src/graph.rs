//! The causal graph: where a delta stands, whether it can be applied, and whether it counts.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::clock::Hlc;
use crate::delta::Header;
use crate::id::{DeltaId, EpochId, LogId, Seq, Tip};
use crate::op::Undecodable;

/// Where a stored delta stands.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Place {
    /// Its log.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// The delta before it there.
    pub prev: DeltaId,
    /// When it says it was written.
    pub hlc: Hlc,
    /// Bytes of the whole delta.
    pub bytes: u64,
    /// Whether applications were told of it. They are told once, whatever becomes of it later.
    pub told: bool,
    /// How it fares.
    pub status: Status,
}

/// How a stored delta fares.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Status {
    /// Folded into the state.
    Applied {
        /// Its place in this node's history.
        order: u64,
    } = 1,
    /// Its turn came and it counts for nothing, on every node alike.
    Void {
        /// Its place in this node's history.
        order: u64,
        /// Why.
        why: Void,
    } = 2,
    /// Stored, and not to be applied yet.
    Parked {
        /// What it waits for first.
        cause: Cause,
        /// Since when, on this node's clock.
        since_ms: u64,
    } = 3,
}

impl Status {
    /// Whether its turn has come: those that cite it need not wait for it.
    pub const fn is_settled(&self) -> bool {
        self.order().is_some()
    }

    /// Its place in this node's history, if its turn has come.
    pub const fn order(&self) -> Option<u64> {
        match self {
            Self::Applied { order } | Self::Void { order, .. } => Some(*order),
            Self::Parked { .. } => None,
        }
    }
}

/// Why a delta counts for nothing. It keeps its place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Void {
    /// It is beyond a cut-off. This alone can change, when a cut-off comes or falls.
    #[error("it is beyond a cut-off")]
    CutOff = 1,
    /// Its clock does not come after those of its parents.
    #[error("its clock is not later than that of a parent")]
    Clock = 2,
    /// Its payload does not open under the key it names.
    #[error("its payload does not open")]
    Sealed = 3,
    /// Its payload opens, but to nothing that means anything.
    #[error("its payload cannot be read")]
    Unreadable = 4,
}

/// What a parked delta waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Cause {
    /// A parent's turn.
    Parent(DeltaId) = 1,
    /// The key of an epoch.
    Key(EpochId) = 2,
    /// The local clock: it says it was written later than is believed.
    Clock(Hlc) = 3,
    /// A later version of the program: it holds something unknown.
    Version = 4,
}

impl Cause {
    /// The word for it in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Parent(_) => "parent",
            Self::Key(_) => "key",
            Self::Clock(_) => "clock",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parent(id) => write!(f, "waits for {id}"),
            Self::Key(epoch) => write!(f, "waits for the key of epoch {epoch}"),
            Self::Clock(hlc) => write!(f, "its clock is ahead: {hlc}"),
            Self::Version => f.write_str("needs a later version of this program"),
        }
    }
}

/// What a parent's place says to those who cite it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// Its turn has not come, or it is not even stored. One that stands elsewhere than it is said to
    /// is as good as not stored: who names it so waits for ever, unless the place it names is cut off.
    Unsettled,
    /// It is beyond a cut-off: nobody waits for it, and its clock has no say.
    CutOff,
    /// Its turn has come.
    Settled {
        /// When it says it was written.
        hlc: Hlc,
    },
}

/// The parents of a delta as tips: the one before it, then all others.
pub fn parents(header: &Header) -> impl Iterator<Item = Tip> {
    let before = header.seq.prev().map(|seq| Tip { log: header.log, seq, id: header.prev });
    before.into_iter().chain(header.tips().copied())
}

/// Whether the past of a delta, all of it settled, makes it void. A function of the set of deltas:
/// neither the local clock nor the order of arrival has a say.
///
/// Of data only, and its data parents: governance is judged by ranks, and by no clock.
pub fn void_by_past(hlc: Hlc, parents: impl IntoIterator<Item = Parent>) -> Option<Void> {
    let late = |parent| matches!(parent, Parent::Settled { hlc: before } if before >= hlc);
    parents.into_iter().any(late).then_some(Void::Clock)
}

/// What an opened payload that does not decode makes of its delta.
pub fn undecodable(why: &Undecodable) -> Result<Void, Cause> {
    match why {
        Undecodable::Unknown { .. } => Err(Cause::Version),
        Undecodable::Malformed(_) => Ok(Void::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn settled(ms: u64) -> Parent {
        Parent::Settled { hlc: Hlc::new(ms, 0) }
    }

    #[test]
    fn a_delta_is_later_than_every_parent_or_void() {
        let at = |hlc: u64, parents: &[Parent]| void_by_past(Hlc::new(hlc, 0), parents.to_vec());
        assert_eq!(at(5, &[]), None);
        assert_eq!(at(5, &[settled(4), settled(1)]), None);
        assert_eq!(at(5, &[settled(4), settled(5)]), Some(Void::Clock));
        assert_eq!(at(5, &[settled(6)]), Some(Void::Clock));
    }

    #[test]
    fn what_is_cut_off_has_no_say() {
        let hlc = Hlc::new(5, 0);
        assert_eq!(void_by_past(hlc, [Parent::CutOff, settled(4)]), None);
        assert_eq!(void_by_past(hlc, [Parent::CutOff, settled(9)]), Some(Void::Clock));
    }
}
