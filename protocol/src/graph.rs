//! The causal graph: where a delta stands, whether it can be applied, and whether it counts.

use std::fmt;

use crate::clock::Hlc;
use crate::delta::Header;
use crate::id::{DeltaId, EpochId, LogId, Seq, Tip};
use crate::op::Undecodable;
use crate::view::{Places, View};

/// Where a stored delta stands.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// How it fares.
    pub status: Status,
}

/// How a stored delta fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Folded into the state.
    Applied {
        /// Its place in this node's history.
        order: u64,
    },
    /// Its turn came and it counts for nothing, on every node alike.
    Void {
        /// Its place in this node's history.
        order: u64,
        /// Why.
        why: Void,
    },
    /// Stored, and not to be applied yet.
    Parked {
        /// What it waits for first.
        cause: Cause,
        /// Since when, on this node's clock.
        since_ms: u64,
    },
}

impl Status {
    /// Whether its turn has come: those that cite it need not wait for it.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Applied { .. } | Self::Void { .. })
    }
}

/// Why a delta counts for nothing. It keeps its place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Void {
    /// Its clock does not come after those of its parents.
    #[error("its clock is not later than that of a parent")]
    Clock,
    /// It names a parent by a log or a place that is not that parent's.
    #[error("it names a parent by a place that is not its own")]
    Misnamed,
    /// Its payload does not open under the key it names.
    #[error("its payload does not open")]
    Sealed,
    /// Its payload opens, but to nothing that means anything.
    #[error("its payload cannot be read")]
    Unreadable,
}

/// What a parked delta waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A parent's turn.
    Parent(DeltaId),
    /// The key of an epoch.
    Key(EpochId),
    /// The local clock: it says it was written later than is believed.
    Clock(Hlc),
    /// A later version of the program: it holds something unknown.
    Version,
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
    /// Its turn has not come, or it is not even stored.
    Unsettled,
    /// Its turn has come.
    Settled {
        /// When it says it was written.
        hlc: Hlc,
        /// Whether it stands where it was said to.
        as_named: bool,
    },
}

impl Parent {
    fn of(view: &impl View, tip: &Tip) -> Self {
        match view.get::<Places>(&tip.id) {
            Some(place) if place.status.is_settled() => Self::Settled {
                hlc: place.hlc,
                as_named: place.log == tip.log && place.seq == tip.seq,
            },
            _ => Self::Unsettled,
        }
    }
}

/// The parents of a delta as tips: the one before it, then all others.
pub fn parents(header: &Header) -> impl Iterator<Item = Tip> {
    let before = header.seq.prev().map(|seq| Tip { log: header.log, seq, id: header.prev });
    before.into_iter().chain(header.tips().copied())
}

/// The first parent whose turn has not come.
pub fn missing(view: &impl View, header: &Header) -> Option<Tip> {
    parents(header).find(|tip| Parent::of(view, tip) == Parent::Unsettled)
}

/// Whether the past of a delta, all of it settled, makes it void. A function of the set of deltas:
/// neither the local clock nor the order of arrival has a say.
pub fn void_by_past(hlc: Hlc, parents: impl IntoIterator<Item = Parent>) -> Option<Void> {
    let mut late = None;
    for parent in parents {
        match parent {
            Parent::Settled { as_named: false, .. } => return Some(Void::Misnamed),
            Parent::Settled { hlc: before, .. } if before >= hlc => late = Some(Void::Clock),
            Parent::Settled { .. } | Parent::Unsettled => {}
        }
    }
    late
}

/// The same, read from a view in which every parent is settled.
pub fn void(view: &impl View, header: &Header) -> Option<Void> {
    void_by_past(header.hlc, parents(header).map(|tip| Parent::of(view, &tip)))
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
        Parent::Settled { hlc: Hlc::new(ms, 0), as_named: true }
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
    fn which_reason_is_found_does_not_depend_on_the_order_of_parents() {
        let misnamed = Parent::Settled { hlc: Hlc::new(1, 0), as_named: false };
        let hlc = Hlc::new(5, 0);
        assert_eq!(void_by_past(hlc, [misnamed, settled(9)]), Some(Void::Misnamed));
        assert_eq!(void_by_past(hlc, [settled(9), misnamed]), Some(Void::Misnamed));
    }
}
