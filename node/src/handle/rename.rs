//! Calling a context otherwise.

use mangrove_protocol::effect::Decided;
use mangrove_protocol::governance::{Command, Keyring};
use mangrove_protocol::id::ContextId;
use mangrove_protocol::seal::{NAME_NONCE_BYTES, seal_name};

use super::Handle;
use super::requests::check_name;
use crate::directory::State;
use crate::fault::Fault;

impl Handle {
    /// Gives a context another name, for all its members. Those alone can read it.
    pub async fn rename(&self, context: ContextId, name: &str) -> Result<Decided, Fault> {
        check_name("name", name)?;
        let (keys, roster) = self.look(&context, |look| {
            Ok((Keyring::new(look.keys_of_epochs()?), look.facts.roster.clone()))
        })?;
        let key = keys.choose(&roster).ok_or(Fault::Syncing(State::Joining))?;
        let mut nonce = [0; NAME_NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Fault::Fallen)?;
        let name = seal_name(name, key, nonce);
        self.decide(context, Command::Rename { name }).await
    }
}
