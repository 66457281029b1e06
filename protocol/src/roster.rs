//! Who may write in a context, and by which authority.

use std::collections::BTreeMap;

use crate::id::{AuthorityId, LogId, PeerId, Plane};

/// The members of a context, as they were given when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    writers: BTreeMap<PeerId, AuthorityId>,
}

impl Roster {
    /// These members, each writing under its authority.
    pub fn fixed(writers: impl IntoIterator<Item = (PeerId, AuthorityId)>) -> Self {
        Self { writers: writers.into_iter().collect() }
    }

    /// The authority under which a member writes.
    pub fn authority(&self, member: PeerId) -> Option<AuthorityId> {
        self.writers.get(&member).copied()
    }

    /// Whether a log is one that its author may write.
    pub fn covers(&self, log: &LogId) -> bool {
        log.plane == Plane::Data && self.authority(log.author) == Some(log.authority)
    }
}
