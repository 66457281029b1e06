//! What becomes of it when a peer that applied the same shows another root.
//!
//! A claim condemns nobody. State is made anew from the log, and then it shows who is right: if it comes out as it
//! was, the peer is wrong and is not listened to again; if not, what was stored here was damaged. That is mended
//! by then, and said. A second time within one life is once too often.

use std::collections::BTreeSet;

use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::replica::Replica;

/// Peers that were proved wrong, of whom so many are remembered.
const MOST_WRONG: usize = 1_024;
/// Damages in one life after which a context is not used any more.
const MOST_DAMAGES: u32 = 2;

/// Whether the state of a context is in doubt.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    raised: Option<Raised>,
    wrong: BTreeSet<PeerId>,
    damages: u32,
}

#[derive(Debug)]
struct Raised {
    by: PeerId,
    root: [u8; 32],
    applied: [u8; 32],
    /// Whether state has begun to be made anew.
    is_begun: bool,
}

impl Doubt {
    /// A peer shows another root. Says whether state is to be made anew.
    pub(super) fn raise(&mut self, by: PeerId, replica: &Replica) -> bool {
        if self.raised.is_some() || self.wrong.contains(&by) || self.wrong.len() >= MOST_WRONG {
            return false;
        }
        let (root, applied) = (replica.root().digest(), replica.applied().digest());
        self.raised = Some(Raised { by, root, applied, is_begun: false });
        true
    }

    /// Looks whether it has shown who is right. Says whether what was stored here was damaged.
    pub(super) fn judge(&mut self, replica: &Replica, context: ContextId) -> bool {
        let Some(raised) = &mut self.raised else { return false };
        if replica.is_rebuilding() {
            raised.is_begun = true;
            return false;
        }
        if !raised.is_begun {
            return false;
        }
        let Some(Raised { by, root, applied, .. }) = self.raised.take() else { return false };
        if replica.root().digest() == root {
            tracing::warn!(%context, peer = %by, "the peer is wrong about the root");
            self.wrong.insert(by);
            return false;
        }
        if replica.applied().digest() != applied {
            // It was about something else by then.
            return false;
        }
        self.damages += 1;
        tracing::error!(%context, peer = %by, "the state was damaged, and was made anew from the log");
        true
    }

    /// Whether what is stored here cannot be trusted any more.
    pub(super) const fn is_beyond_repair(&self) -> bool {
        self.damages >= MOST_DAMAGES
    }
}
