//! What those who work on contexts reach of the rest of the node. Nothing of it makes them wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mangrove_config::feed::Keep;
use mangrove_network::Network;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode};
use mangrove_protocol::sync::desk::{self, Room};
use mangrove_store::{Pen, Pens, Reader, Receipt};
use parking_lot::Mutex;

use super::flights::Order;
use super::message::Life;
use crate::directory::Directory;
use crate::drive::Clock;
use crate::hub::Hub;
use crate::inbox::Outlet;
use crate::metrics::Contexts as Metrics;
use crate::sync;

/// What those who work on contexts reach of the rest of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) keys: NodeKeys,
    pub(crate) mode: Mode,
    pub(crate) durability: Durability,
    pub(crate) keep: Keep,
    pub(crate) reader: Reader,
    pub(crate) pens: Pens,
    pub(crate) network: Network,
    pub(crate) hub: Hub,
    pub(crate) sync: Outlet<sync::Message>,
    pub(crate) directory: Directory,
    pub(crate) acquaintances: Acquaintances,
    /// The time of day. What is waited for goes by the clock of the turns, which never goes back.
    pub(crate) wall: Clock,
    pub(crate) metrics: Metrics,
}

impl Outside {
    pub(super) fn replica(&self, context: ContextId) -> Config {
        Config {
            context,
            keys: self.keys.clone(),
            mode: self.mode,
            durability: self.durability,
            bounds: Bounds::default(),
            planted: Planted::default(),
        }
    }

    pub(super) fn desk(&self, context: ContextId) -> desk::Config {
        let (us, room) = (self.keys.peer(), Room::default());
        desk::Config { context, us, room, planted: Planted::default() }
    }
}

/// What those who work on contexts want done that takes its time.
pub(crate) enum Want {
    /// The pen of a context, after so long.
    Pen(ContextId, Life, u64),
    /// A batch written.
    Commit(ContextId, Life, Arc<Pen>, Order),
    /// To be where the people of a context meet.
    Enter(ContextId),
    /// To be there no more.
    Leave(ContextId),
    /// To be connected to some, and no more to others.
    Meet(Vec<PeerId>, Vec<PeerId>),
    /// To know when a context is forgotten.
    Forgotten(ContextId, Life, Receipt),
    /// To know when some of a feed is.
    Trimmed(ContextId, Receipt),
}

/// Those whom this node wants to be connected to, and for how many contexts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acquaintances(Arc<Mutex<BTreeMap<PeerId, usize>>>);

impl Acquaintances {
    /// A context has other people than it had. Returns who is to be met, and who need not be any more.
    pub(super) fn swap(
        &self,
        before: &BTreeSet<PeerId>,
        after: &BTreeSet<PeerId>,
    ) -> (Vec<PeerId>, Vec<PeerId>) {
        let mut counts = self.0.lock();
        let mut new = Vec::new();
        for peer in after.difference(before) {
            let count = counts.entry(*peer).or_default();
            *count += 1;
            if *count == 1 {
                new.push(*peer);
            }
        }
        let mut gone = Vec::new();
        for peer in before.difference(after) {
            if let Some(count) = counts.get_mut(peer) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(peer);
                    gone.push(*peer);
                }
            }
        }
        (new, gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(numbers: &[u8]) -> BTreeSet<PeerId> {
        numbers.iter().map(|number| PeerId::from_bytes([*number; 32])).collect()
    }

    #[test]
    fn somebody_is_met_for_as_long_as_one_context_has_them() {
        let known = Acquaintances::default();
        let swap = |before: &[u8], after: &[u8]| {
            let (new, gone) = known.swap(&peers(before), &peers(after));
            let number = |peer: &PeerId| peer.as_bytes()[0];
            (
                new.iter().map(number).collect::<Vec<_>>(),
                gone.iter().map(number).collect::<Vec<_>>(),
            )
        };
        assert_eq!(swap(&[], &[1, 2]), (vec![1, 2], vec![]));
        assert_eq!(swap(&[], &[2, 3]), (vec![3], vec![]));
        assert_eq!(swap(&[1, 2], &[1]), (vec![], vec![]));
        assert_eq!(swap(&[2, 3], &[3, 4]), (vec![4], vec![2]));
        assert_eq!(swap(&[1], &[]), (vec![], vec![1]));
    }
}
