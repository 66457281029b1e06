//! Who takes part: the nodes, a member who is up to no good, and a stranger.

use mangrove_protocol::id::{AuthorityId, ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::roster::Roster;
use mangrove_protocol::seal::EpochKey;

use crate::dice::Dice;
use crate::settings::Settings;

/// Everybody, and what they share.
#[derive(Debug)]
pub(crate) struct Cast {
    /// The keys of the nodes.
    pub(crate) nodes: Vec<NodeKeys>,
    /// A member without a node.
    pub(crate) mallory: NodeKeys,
    /// No member at all.
    pub(crate) stranger: NodeKeys,
    /// The contexts.
    pub(crate) contexts: Vec<ContextId>,
    /// The members, the same in all contexts.
    pub(crate) roster: Roster,
    /// The keys of the epochs of each context.
    pub(crate) epochs: Vec<Vec<EpochKey>>,
}

impl Cast {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut dice = Dice::new(settings.seed, &[2]);
        let mut keys = || NodeKeys::from_bytes(&dice.bytes());
        let nodes = (0..settings.nodes).map(|_| keys()).collect::<Vec<_>>();
        let (mallory, stranger) = (keys(), keys());
        let contexts = (0..settings.contexts).map(|_| ContextId::from_bytes(dice.bytes()));
        let contexts = contexts.collect::<Vec<_>>();
        let epochs = contexts
            .iter()
            .map(|_| vec![EpochKey::from_bytes(dice.bytes()), EpochKey::from_bytes(dice.bytes())]);
        let epochs = epochs.collect();
        let members = nodes.iter().chain([&mallory]).map(NodeKeys::peer).collect::<Vec<_>>();
        let writers = members.iter().map(|peer| (*peer, AuthorityId::from_bytes(dice.bytes())));
        let roster = Roster::fixed(writers.collect::<Vec<_>>());
        Self { nodes, mallory, stranger, contexts, roster, epochs }
    }

    /// The node with this name.
    pub(crate) fn node(&self, peer: PeerId) -> Option<usize> {
        self.nodes.iter().position(|keys| keys.peer() == peer)
    }

    /// The name of a participant; whoever is no node is mallory.
    pub(crate) fn peer(&self, node: usize) -> PeerId {
        self.nodes.get(node).unwrap_or(&self.mallory).peer()
    }

    pub(crate) fn context(&self, context: usize) -> ContextId {
        self.contexts.get(context).copied().unwrap_or(ContextId::ZERO)
    }

    pub(crate) fn epochs(&self, context: usize) -> &[EpochKey] {
        self.epochs.get(context).map(Vec::as_slice).unwrap_or_default()
    }
}
