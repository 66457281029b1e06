//! What peers did that they should not have: recorded, shown, and mostly without consequence.

use std::collections::BTreeMap;

use crate::id::PeerId;

/// Peers that are remembered.
const MOST_PEERS: usize = 1_024;

/// Something that an honest, healthy peer does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offence {
    /// It sent what is no message, or what makes no sense where it came. The connection ends.
    Senseless,
    /// It sent deltas that nobody vouches for, or that are none. The connection ends.
    Forged,
    /// It sent deltas that it had not been asked for.
    Unasked,
    /// It showed what it then did not give.
    Withheld,
    /// It owed an answer and gave none.
    Silent,
}

impl Offence {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Senseless, Self::Forged, Self::Unasked, Self::Withheld, Self::Silent];

    /// Whether it cannot be a mistake, so that the connection has to end.
    pub const fn ends_connection(self) -> bool {
        matches!(self, Self::Senseless | Self::Forged)
    }

    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Senseless => "senseless",
            Self::Forged => "forged",
            Self::Unasked => "unasked",
            Self::Withheld => "withheld",
            Self::Silent => "silent",
        }
    }
}

/// Who did what how often.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    counts: BTreeMap<(PeerId, Offence), u64>,
}

impl Ledger {
    /// Writes something down. When too many peers are in it, one with few entries is forgotten.
    pub fn record(&mut self, peer: PeerId, offence: Offence) {
        *self.counts.entry((peer, offence)).or_default() += 1;
        if self.counts.len() > MOST_PEERS {
            let others = self.counts.iter().filter(|((other, _), _)| *other != peer);
            let least = others.min_by_key(|(_, count)| **count).map(|(key, _)| *key);
            if let Some(least) = least {
                self.counts.remove(&least);
            }
        }
    }

    /// How often a peer did this.
    pub fn count(&self, peer: PeerId, offence: Offence) -> u64 {
        self.counts.get(&(peer, offence)).copied().unwrap_or_default()
    }

    /// Whether nothing is held against a peer.
    pub fn is_clean(&self, peer: PeerId) -> bool {
        Offence::ALL.iter().all(|offence| self.count(peer, *offence) == 0)
    }

    /// Everything in it, by peer.
    pub fn entries(&self) -> impl Iterator<Item = (PeerId, Offence, u64)> {
        self.counts.iter().map(|((peer, offence), count)| (*peer, *offence, *count))
    }
}
