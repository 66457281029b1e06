//! What applications are told.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::fold::Change;
use crate::governance::Role;
use crate::id::{DeltaId, PeerId};
use crate::op::AppEvent;

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum FeedItem {
    /// A delta was applied that changed or emitted something.
    Change {
        /// Which one.
        delta: DeltaId,
        /// Who wrote it.
        author: PeerId,
        /// Whether this node did.
        local: bool,
        /// What looks different.
        changes: Vec<Change>,
        /// What it tells.
        emitted: Vec<AppEvent>,
    } = 1,
    /// Somebody's role is another than it was.
    Member {
        /// Whose.
        member: PeerId,
        /// The new one; none for one who is no member any more.
        role: Option<Role>,
        /// Whose delta brought it about, as far as this node is concerned.
        by: PeerId,
    } = 2,
    /// State was made anew, since some of what had been applied counts no more, or something counts
    /// that did not. Whoever watches should read again.
    Rebuilt {
        /// The writes of this node that count no more, at least some of them: more may follow.
        void: Vec<DeltaId>,
    } = 3,
}
