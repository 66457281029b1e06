//! How the peers of a context stand to this node.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::id::PeerId;
use mangrove_protocol::replica::Replica;
use mangrove_protocol::sync::{Ending, Offence};

use super::open::Moment;

/// Peers of whom it is remembered what they held.
const MOST: usize = 1_024;

/// How this node and a peer stand to each other in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie {
    /// The peer.
    pub peer: PeerId,
    /// Whether it can be reached.
    pub is_reachable: bool,
    /// Whether notes are being compared with it.
    pub is_comparing: bool,
    /// Whether it held the same as this node does now, when it was heard of last; nothing if it never was, or if
    /// this node has gone on since.
    pub is_equal: Option<bool>,
    /// When it was heard of last, in Unix ms.
    pub at_ms: Option<u64>,
}

/// What was heard of the peers of a context.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// What each was seen to hold, and when.
    held: BTreeMap<PeerId, ([u8; 32], u64)>,
    /// When this node has last gone on.
    changed_ms: u64,
    /// What was held against each when that was last told.
    told: BTreeMap<(PeerId, Offence), u64>,
}

impl Ties {
    /// A peer holds this.
    pub(super) fn holds(&mut self, peer: PeerId, stored: [u8; 32], at: Moment) {
        if self.held.len() < MOST || self.held.contains_key(&peer) {
            self.held.insert(peer, (stored, at.wall_ms));
        }
    }

    /// This node has gone on.
    pub(super) const fn changed(&mut self, at: Moment) {
        self.changed_ms = at.wall_ms;
    }

    /// A session has ended; if it did its work, both hold the same now.
    pub(super) fn ended(&mut self, peer: PeerId, ending: Ending, replica: &Replica, at: Moment) {
        if matches!(ending, Ending::Equal | Ending::Done) {
            self.holds(peer, replica.stored().digest(), at);
        }
    }

    /// What is held against whom that was not told before.
    pub(super) fn offences(&mut self, all: Vec<(PeerId, Offence, u64)>) -> Vec<(PeerId, Offence)> {
        let before = std::mem::take(&mut self.told);
        let mut new = Vec::new();
        for (peer, offence, count) in all {
            let known = before.get(&(peer, offence)).copied().unwrap_or_default();
            new.extend((known..count).map(|_| (peer, offence)));
            self.told.insert((peer, offence), count);
        }
        new
    }

    /// How all of them stand.
    pub(super) fn all(
        &self,
        reach: &BTreeSet<PeerId>,
        compared: &[PeerId],
        replica: &Replica,
    ) -> Vec<Tie> {
        let ours = replica.stored().digest();
        let peers: BTreeSet<_> = reach.iter().chain(self.held.keys()).copied().collect();
        let tie = |peer| {
            let held = self.held.get(&peer);
            let equal = |(stored, at_ms): &([u8; 32], u64)| match *stored == ours {
                true => Some(true),
                // What it holds by now, nobody knows.
                false => (*at_ms > self.changed_ms).then_some(false),
            };
            Tie {
                peer,
                is_reachable: reach.contains(&peer),
                is_comparing: compared.contains(&peer),
                is_equal: held.and_then(equal),
                at_ms: held.map(|(_, at_ms)| *at_ms),
            }
        };
        peers.into_iter().map(tie).collect()
    }
}
