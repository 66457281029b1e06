//! How things are with members, as they say themselves: on the mesh, and never stored.

use mangrove_protocol::gossip::{Body, EPHEMERAL_NONCE_BYTES, Ephemeral, Message, presence};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::replica::Replica;

use super::message::Presence;
use super::open::{Moment, Tools};
use crate::directory::State;
use crate::fault::Fault;

/// Who is present, and how they are.
#[derive(Default)]
pub(super) struct Presents {
    board: presence::Board,
}

impl Presents {
    /// Tells members how things are with this one.
    pub(super) fn say(
        &mut self,
        state: &[u8],
        replica: &Replica,
        tools: &mut Tools<'_>,
    ) -> Result<(), Fault> {
        let (context, me, at_ms) = (replica.context(), replica.peer(), tools.at.wall_ms);
        let key = replica.keyring().choose(replica.roster());
        let key = key.ok_or(Fault::Syncing(State::Joining))?;
        let mut nonce = [0; EPHEMERAL_NONCE_BYTES];
        tools.dice.fill(&mut nonce);
        let sealed = presence::seal(state, at_ms, key, (context, me), nonce);
        let why = || "longer than a presence state may be".to_owned();
        let sealed = sealed.ok_or_else(|| Fault::Invalid { what: "state", why: why() })?;
        let state = presence::State { at_ms, state: state.to_vec() };
        self.board.note(me, state, at_ms);
        let body = Body::Ephemeral(sealed);
        let bytes = Message::sign(context, body, &tools.outside.keys).encode();
        match tools.outside.network.publish(super::topic(context), bytes) {
            mangrove_network::Posted::Queued => Ok(()),
            mangrove_network::Posted::Shed => Err(Fault::Busy),
            mangrove_network::Posted::Closed => Err(Fault::Stopping),
        }
    }

    /// A member says how things are with it.
    pub(super) fn hear(&mut self, from: PeerId, said: &Ephemeral, replica: &Replica, at: Moment) {
        let Some(key) = replica.keyring().get(&said.epoch) else { return };
        match presence::open(said, key, (replica.context(), from)) {
            Ok(state) => drop(self.board.note(from, state, at.wall_ms)),
            Err(why) => tracing::debug!(context = %replica.context(), %from, %why, "presence"),
        }
    }

    /// Who is present.
    pub(super) fn all(&self, at: Moment) -> Vec<Presence> {
        let present = self.board.present(at.wall_ms).into_iter();
        present.map(|(member, state, at_ms)| Presence { member, state, at_ms }).collect()
    }

    /// Whoever was present long ago takes no room any more.
    pub(super) fn expire(&mut self, at: Moment) {
        drop(self.board.expire(at.wall_ms));
    }
}
