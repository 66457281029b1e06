//! The room that those take that wait, which is bounded.

use std::collections::BTreeMap;

use mangrove_protocol::id::PeerId;
use mangrove_protocol::replica::Bounds;
use mangrove_protocol::view::{Memory, Owns, Places, Table, Waiting};

use crate::verdict::Violation;

/// What waits in one context.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Room {
    total: u64,
    /// Of the member of whom most waits.
    most: u64,
    /// Whether state is being made anew: what was stored long since may then have to wait again.
    rebuilding: bool,
}

impl Room {
    pub(crate) fn of(memory: &Memory) -> Self {
        let places = Waiting::rows(memory).keys();
        let places = places.filter_map(|(_, id)| Places::rows(memory).get(id));
        let mut by_member: BTreeMap<PeerId, u64> = BTreeMap::new();
        for place in places {
            *by_member.entry(place.log.author).or_default() += place.bytes;
        }
        let own = Owns::rows(memory).get(&());
        Self {
            total: by_member.values().sum(),
            most: by_member.values().max().copied().unwrap_or_default(),
            rebuilding: own.is_some_and(|own| own.rebuild.is_some()),
        }
    }

    /// R1: what arrives waits within the bounds.
    pub(crate) fn follows(&self, before: &Self, bounds: &Bounds) -> Result<(), Violation> {
        let total = self.total <= bounds.parked_bytes.max(before.total);
        let most = self.most <= bounds.parked_bytes_per_member.max(before.most);
        if self.rebuilding || before.rebuilding || (total && most) {
            return Ok(());
        }
        let what = format!("{} bytes wait, {} of one member", self.total, self.most);
        Err(Violation::new("R1", what))
    }
}
