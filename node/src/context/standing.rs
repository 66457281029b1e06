//! How a context stands: what this node may do there, and why no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use mangrove_config::failpoint;
use mangrove_protocol::governance::{Role, Roster};
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::replica::{Mode, Replica};
use mangrove_store::Health;

use super::open::{Open, Tools};
use crate::directory::{Entry, State};
use crate::fault::Fault;

/// This panics the context whose id is named.
const PANICS: &str = "node.context_panics";
/// People of one context to whom connections are sought. Others are met through them.
const MOST_MET: usize = 16;

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

/// Those of the people of a context to whom connections are sought. Each has others for its nearest, and all of them
/// together hold everybody together.
pub(super) fn nearest(roster: &Roster, me: PeerId) -> BTreeSet<PeerId> {
    let mut others: Vec<_> = roster.members().into_keys().chain(roster.replicas()).collect();
    others.retain(|peer| *peer != me);
    let distance = |peer: &PeerId| -> Vec<u8> {
        let bytes = peer.as_bytes().iter().zip(me.as_bytes());
        bytes.map(|(theirs, ours)| theirs ^ ours).collect()
    };
    others.sort_by_cached_key(distance);
    others.into_iter().take(MOST_MET).collect()
}

/// Panics where a test wants it to.
pub(super) fn fail_if_planted(context: ContextId) {
    if cfg!(debug_assertions) {
        let planted = failpoint::global().fire::<bool>(PANICS, Some(&context.to_string()));
        assert_ne!(planted, Some(true), "failpoint {PANICS}");
    }
}

/// Whether the disk takes nothing at the moment.
pub(super) fn is_full(tools: &Tools<'_>) -> bool {
    tools.outside.reader.health() == Health::Full
}

/// Whether this node may write, or decide, at this moment.
pub(super) fn may_change(entry: &Entry, open: &Open, tools: &Tools<'_>) -> Result<(), Fault> {
    match tools.outside.reader.health() {
        Health::Well => {}
        Health::Full => return Err(Fault::Storage("too little room on the disk".to_owned())),
        Health::Failed(why) => return Err(Fault::Storage(why)),
    }
    if !open.has_replayed() {
        return Err(Fault::Syncing(State::Replaying));
    }
    match state(open, tools.outside.mode) {
        State::Joining => Err(Fault::Syncing(State::Joining)),
        State::Quarantined => Err(Fault::Quarantined(
            entry.facts().why.map(|why| why.to_string()).unwrap_or_default(),
        )),
        State::Replaying | State::Ready | State::Rebuilding | State::Left => Ok(()),
    }
}
