//! What was shed, and who has it.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::id::{ContextId, DeltaId, PeerId};

/// Deltas of one context that are remembered one by one. Comparing finds all of them, also those beyond.
const MOST_DELTAS: usize = 1_024;
/// Peers of one context that are remembered to have something.
const MOST_PEERS: usize = 4;

/// What was shed, by context.
#[derive(Debug, Default)]
pub(super) struct Missing {
    contexts: BTreeMap<ContextId, Lacking>,
}

/// What is lacking of one context.
#[derive(Debug, Default)]
struct Lacking {
    deltas: BTreeSet<DeltaId>,
    from: BTreeSet<PeerId>,
}

impl Missing {
    /// Something of a context was shed that this peer has; its name is known, or it was not looked at.
    pub(super) fn note(&mut self, context: ContextId, delta: Option<DeltaId>, from: PeerId) {
        let lacking = self.contexts.entry(context).or_default();
        if lacking.deltas.len() < MOST_DELTAS {
            lacking.deltas.extend(delta);
        }
        if lacking.from.len() < MOST_PEERS {
            lacking.from.insert(from);
        }
    }

    /// Those of whom something is lacking, each with somebody who has it.
    pub(super) fn contexts(&self) -> Vec<(ContextId, Option<PeerId>)> {
        let one =
            |(context, lacking): (&ContextId, &Lacking)| (*context, lacking.from.first().copied());
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
        for number in 0..2_000_u16 {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&number.to_le_bytes());
            let peer = PeerId::from_bytes([number.to_le_bytes()[0]; 32]);
            missing.note(context, Some(DeltaId::from_bytes(id)), peer);
        }
        let lacking = &missing.contexts[&context];
        assert_eq!((lacking.deltas.len(), lacking.from.len()), (MOST_DELTAS, MOST_PEERS));
        assert_eq!(missing.contexts(), [(context, Some(PeerId::from_bytes([0; 32])))]);
        missing.told(&context);
        assert!(missing.is_empty());
    }
}
