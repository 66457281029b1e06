//! What applications are told.

use crate::fold::Change;
use crate::id::{DeltaId, PeerId};
use crate::op::AppEvent;

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    },
}
