//! How a context stands: what this node may do there, and why no more.

use std::sync::Arc;

use mangrove_protocol::governance::{Role, Roster};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::replica::{Mode, Replica};

use super::open::Open;
use crate::directory::State;

/// How it is, while it is open.
pub(super) fn state(open: &Open, mode: Mode) -> State {
    let replica = open.replica();
    let (roster, me) = (replica.roster(), replica.peer());
    if !open.has_replayed() {
        return State::Replaying;
    }
    if replica.is_rebuilding() {
        return State::Rebuilding;
    }
    let is_in = match mode {
        Mode::Full => roster.role(me).is_some() && !replica.keyring().is_empty(),
        Mode::Replica => roster.replicas().contains(&me),
    };
    if is_in {
        return State::Ready;
    }
    let had_part = match mode {
        Mode::Full => roster.role(me).is_none() && was_in(replica, me),
        Mode::Replica => roster.was_delisted(me),
    };
    if had_part { State::Left } else { State::Joining }
}

fn was_in(replica: &Replica, me: PeerId) -> bool {
    replica.roster().authorities().any(|(_, member)| member == me)
}

/// Why it is so, if that needs saying.
pub(super) fn why(state: State, roster: &Roster, me: PeerId) -> Option<Arc<str>> {
    match state {
        State::Left if roster.was_revoked(me) => Some("this node was removed".into()),
        State::Left if roster.was_delisted(me) => Some("this replica was let go".into()),
        State::Left => Some("this node has left".into()),
        State::Joining if roster.role(me) == Some(Role::Reader) => {
            Some("no key has come yet".into())
        }
        State::Joining => Some("what others know of it has not come yet".into()),
        State::Replaying | State::Ready | State::Rebuilding | State::Quarantined => None,
    }
}
