//! Of which contexts something was shed, and who has it.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::id::{ContextId, PeerId};

/// Peers of one context that are remembered to have something.
const MOST_PEERS: usize = 4;

/// Of which contexts something was shed that whoever works on them has not been told yet. Comparing with somebody who
/// has it finds all of it, so that nothing is remembered of what it was.
#[derive(Debug, Default)]
pub(super) struct Missing {
    contexts: BTreeMap<ContextId, BTreeSet<PeerId>>,
}

impl Missing {
    /// Something of a context was shed that this peer has.
    pub(super) fn note(&mut self, context: ContextId, from: PeerId) {
        let peers = self.contexts.entry(context).or_default();
        if peers.len() < MOST_PEERS {
            peers.insert(from);
        }
    }

    /// Those of whom something is lacking, each with somebody who has it.
    pub(super) fn contexts(&self) -> Vec<(ContextId, Option<PeerId>)> {
        let one =
            |(context, peers): (&ContextId, &BTreeSet<PeerId>)| (*context, peers.first().copied());
        self.contexts.iter().map(one).collect()
    }

    /// Whoever works on the context knows.
    pub(super) fn told(&mut self, context: &ContextId) {
        self.contexts.remove(context);
    }

    /// Whether nobody has to be told anything.
    pub(super) fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_who_has_it() {
        let (mut missing, context) = (Missing::default(), ContextId::from_bytes([1; 32]));
        for number in 0..=u8::MAX {
            missing.note(context, PeerId::from_bytes([number; 32]));
        }
        assert_eq!(missing.contexts[&context].len(), MOST_PEERS);
        assert_eq!(missing.contexts(), [(context, Some(PeerId::from_bytes([0; 32])))]);
        missing.told(&context);
        assert!(missing.is_empty());
    }
}
