//! Who takes part: the nodes, a member who is up to no good, and a stranger.

use mangrove_protocol::governance::Role;
use mangrove_protocol::id::{AuthorityId, ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::seal::EpochKey;

use crate::dice::Dice;
use crate::founding::{Founding, Invited};
use crate::settings::Settings;

/// Everybody, and how their contexts begin.
#[derive(Debug)]
pub(crate) struct Cast {
    /// The keys of the nodes.
    pub(crate) nodes: Vec<NodeKeys>,
    /// A member without a node.
    pub(crate) mallory: NodeKeys,
    /// No member at all.
    pub(crate) stranger: NodeKeys,
    /// The contexts.
    pub(crate) contexts: Vec<Founding>,
}

impl Cast {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut dice = Dice::new(settings.seed, &[2]);
        let mut keys = || NodeKeys::from_bytes(&dice.bytes());
        let nodes = (0..settings.nodes).map(|_| keys()).collect::<Vec<_>>();
        let (mallory, stranger) = (keys(), keys());
        let mut cast = Self { nodes, mallory, stranger, contexts: Vec::new() };
        let contexts = (0..settings.contexts).filter_map(|_| cast.found(settings, &mut dice));
        cast.contexts = contexts.collect();
        cast
    }

    fn found(&self, settings: &Settings, dice: &mut Dice) -> Option<Founding> {
        let politics = &settings.politics;
        let founder = self.nodes.get(politics.founder)?;
        let with = |(at, keys)| {
            let role = politics.roles.get(at).copied().flatten().unwrap_or(Role::Writer);
            let boxes = if settings.late_keys.happens() {
                *dice.pick(&[0, 1, 2, 2]).unwrap_or(&2)
            } else {
                2
            };
            Invited { keys, role, boxes }
        };
        let others = self.nodes.iter().enumerate();
        let others = others.filter(|(at, _)| *at != politics.founder && politics.is_member(*at));
        let mut invited = others.map(with).collect::<Vec<_>>();
        invited.push(Invited { keys: &self.mallory, role: politics.mallory, boxes: 2 });
        Founding::new(founder, &invited, dice)
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
        self.contexts.get(context).map_or(ContextId::ZERO, |it| it.context)
    }

    /// The keys of the epochs with which a context begins.
    pub(crate) fn epochs(&self, context: usize) -> &[EpochKey] {
        self.contexts.get(context).map(|it| it.epochs.as_slice()).unwrap_or_default()
    }

    /// The right by which somebody writes at the beginning.
    pub(crate) fn right(&self, context: usize, peer: PeerId) -> Option<AuthorityId> {
        self.contexts.get(context)?.right(peer)
    }
}
