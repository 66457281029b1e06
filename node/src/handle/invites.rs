//! The invites of a context.

use mangrove_protocol::governance::{Act, Role};
use mangrove_protocol::id::{DeltaId, PeerId};

use crate::directory::Facts;

/// An invite that nobody has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub invite: DeltaId,
    /// As what somebody comes in by it.
    pub role: Role,
    /// How often it lets somebody in; 0 for any number.
    pub uses: u32,
    /// How often it has, as far as this node knows.
    pub used: u64,
    /// Until when it does, in Unix ms.
    pub expires_at_ms: u64,
    /// Who made it.
    pub by: PeerId,
}

impl Facts {
    /// The invites that nobody has closed, also those that have run out or are used up.
    pub fn invites(&self) -> Vec<Invite> {
        let invite = |deed: &mangrove_protocol::governance::Deed| {
            let Act::Invite { role, expires_at_ms, uses, .. } = deed.act else { return None };
            let used = self.roster.grants_through(deed.id).len() as u64;
            Some(Invite { invite: deed.id, role, uses, used, expires_at_ms, by: deed.log.author })
        };
        self.roster.invites().filter_map(invite).collect()
    }
}
