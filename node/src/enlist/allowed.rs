//! Whom a replica serves.

use std::collections::BTreeSet;
use std::sync::Arc;

use mangrove_config::Settings;
use mangrove_config::node::Mode;
use mangrove_protocol::enlist::Call;
use mangrove_protocol::id::PeerId;

use super::message::Message;
use crate::error::StartError;
use crate::inbox::{Outlet, Posted};

/// Whom a replica serves. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Allowed(Arc<BTreeSet<PeerId>>);

/// Whom this node serves, if it is a replica. What cannot be a peer is said in either case.
pub(crate) fn allowed(settings: &Settings) -> Result<Option<Allowed>, StartError> {
    let peer = |peer: &mangrove_config::peer::Peer| {
        let bad = |why: &dyn ToString| StartError::Allowed {
            peer: peer.as_str().to_owned(),
            why: why.to_string(),
        };
        peer.as_str().parse::<PeerId>().map_err(|why| bad(&why))
    };
    let allowed = settings.replica.allow.iter().map(peer).collect::<Result<_, _>>()?;
    Ok(match settings.node.mode {
        Mode::Full => None,
        Mode::Replica => Some(Allowed(Arc::new(allowed))),
    })
}

/// Where calls go that are for this node.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) allowed: Allowed,
    pub(crate) applicant: Outlet<Message>,
}

impl Listener {
    /// A call was heard that says what it may. Those of strangers end here, so that they take no room of others;
    /// what there is no room for is called again.
    pub(crate) fn hear(&self, call: Call) {
        if !self.allowed.0.contains(&call.caller) {
            tracing::debug!(caller = %call.caller, "somebody calls for replicas whom this one does not serve");
            return;
        }
        if let Posted::Shed(_) = self.applicant.post(Message::Called(call)) {
            tracing::debug!("there was no room for a call for replicas");
        }
    }
}

#[cfg(test)]
mod tests {
    use mangrove_config::peer::Peer;
    use mangrove_config::setting::Text;
    use mangrove_protocol::keys::NodeKeys;

    use super::*;
    use crate::inbox::{Capacity, Config, inbox};

    #[test]
    fn calls_of_strangers_take_no_room() {
        let [friend, stranger] = [1, 2].map(|number| NodeKeys::from_bytes(&[number; 64]));
        let allowed = allowed(&settings(Mode::Replica, &[&friend.peer().to_string()])).unwrap();
        let capacity = Capacity { events: 10, bytes: 1 << 20 };
        let (applicant, inbox) = inbox(Config { name: Arc::from("test"), capacity, quiet: 100 });
        let listener = Listener { allowed: allowed.unwrap(), applicant };
        let wait = || inbox.outlet().view().iter().map(|lane| lane.depth).sum::<usize>();
        for (keys, expect) in [(&stranger, 0), (&friend, 1), (&stranger, 1)] {
            listener.hear(Call::sign([1; 16], 1, &[], keys));
            assert_eq!(wait(), expect);
        }
    }

    fn settings(mode: Mode, allow: &[&str]) -> Settings {
        let mut settings = Settings::default();
        settings.node.mode = mode;
        settings.replica.allow = allow.iter().map(|peer| Peer::parse(peer).unwrap()).collect();
        settings
    }

    #[test]
    fn a_peer_that_cannot_be_one_is_named() {
        let good = NodeKeys::from_bytes(&[1; 64]).peer().to_string();
        // It has the shape of one, and its first bytes are others.
        let bad = format!("12D3KooW{}", "z".repeat(44));
        for mode in [Mode::Full, Mode::Replica] {
            let found = allowed(&settings(mode, &[&good])).unwrap();
            assert_eq!(found.is_some(), mode == Mode::Replica);
            let why = allowed(&settings(mode, &[&good, &bad])).unwrap_err();
            assert!(matches!(&why, StartError::Allowed { peer, .. } if *peer == bad), "{why}");
            assert!(why.to_string().contains(&bad), "{why}");
        }
    }
}
