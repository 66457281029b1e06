//! How things are with members, as they say themselves: on the mesh, and never stored.

use mangrove_protocol::gossip::{Body, EPHEMERAL_NONCE_BYTES, Ephemeral, Message, presence};
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::replica::Replica;
use mangrove_protocol::request;

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
        let too_large = request::Fault::TooLarge { limit: "presenceBytes" };
        let sealed = sealed.ok_or(Fault::Unwritten(too_large))?;
        let state = presence::State { at_ms, state: state.to_vec() };
        self.seen((context, me), state, tools);
        let body = Body::Ephemeral(sealed);
        let bytes = Message::sign(context, body, &tools.outside.keys).encode();
        match tools.outside.network.publish(super::topic(context), bytes) {
            mangrove_network::Posted::Queued => Ok(()),
            mangrove_network::Posted::Shed => Err(Fault::Busy),
            mangrove_network::Posted::Closed => Err(Fault::Stopping),
        }
    }

    /// A member says how things are with it.
    pub(super) fn hear(
        &mut self,
        from: PeerId,
        said: &Ephemeral,
        (replica, tools): (&Replica, &Tools<'_>),
    ) {
        let Some(key) = replica.keyring().get(&said.epoch) else { return };
        match presence::open(said, key, (replica.context(), from)) {
            Ok(state) => self.seen((replica.context(), from), state, tools),
            Err(why) => tracing::debug!(context = %replica.context(), %from, %why, "presence"),
        }
    }

    /// Whoever listens is told, if it is news.
    fn seen(
        &mut self,
        (context, member): (ContextId, PeerId),
        said: presence::State,
        tools: &Tools<'_>,
    ) {
        let (state, at_ms) = (said.state.clone(), said.at_ms);
        if self.board.note(member, said, tools.at.wall_ms) {
            appear(context, Presence { member, state, at_ms }, tools);
        }
    }

    /// Who is present.
    pub(super) fn all(&self, at: Moment) -> Vec<Presence> {
        let present = self.board.present(at.wall_ms).into_iter();
        present.map(|(member, state, at_ms)| Presence { member, state, at_ms }).collect()
    }

    /// Whoever was present long ago takes no room any more, and those who listen are told.
    pub(super) fn expire(&mut self, context: ContextId, tools: &Tools<'_>) {
        let at_ms = tools.at.wall_ms;
        for member in self.board.expire(at_ms) {
            appear(context, Presence { member, state: Vec::new(), at_ms }, tools);
        }
    }
}

fn appear(context: ContextId, presence: Presence, tools: &Tools<'_>) {
    if let Some(entry) = tools.outside.directory.get(&context) {
        entry.appear(presence);
    }
}
