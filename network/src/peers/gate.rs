//! Who is turned away: for good, or for a while.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::id::PeerId;

use super::Rules;

/// More doublings than any longest time has.
const MOST_STRIKES: u32 = 32;

/// Why a peer is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user does not want it.
    Banned,
    /// It sent more than it should, and has to wait.
    Cooling {
        /// Until then, on the clock of the driver.
        until_ms: u64,
    },
}

impl Refusal {
    /// A word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Cooling { .. } => "cooling",
        }
    }
}

/// Those that are turned away.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    /// As many as the user names.
    banned: BTreeSet<PeerId>,
    cooling: BTreeMap<PeerId, Cooling>,
}

#[derive(Debug, Clone, Copy)]
struct Cooling {
    until_ms: u64,
    /// How often it was turned away without good conduct in between.
    strikes: u32,
}

impl Gate {
    /// Turns a peer away for good. Says whether that is new.
    pub(super) fn ban(&mut self, peer: PeerId) -> bool {
        self.banned.insert(peer)
    }

    /// Lets a peer in again, also if it was to wait. Says whether it was banned.
    pub(super) fn unban(&mut self, peer: PeerId) -> bool {
        self.cooling.remove(&peer);
        self.banned.remove(&peer)
    }

    /// Turns a peer away for a while, longer each time. If it already is, nothing changes: one
    /// flood may be noticed in many places. Says until when.
    pub(super) fn cool(&mut self, peer: PeerId, now_ms: u64, rules: &Rules) -> u64 {
        self.cooling.retain(|_, it| it.until_ms.saturating_add(rules.most_cool_ms) > now_ms);
        let before = self.cooling.get(&peer).copied();
        if let Some(still) = before.filter(|it| it.until_ms > now_ms) {
            return still.until_ms;
        }
        let strikes = before.map_or(0, |it| it.strikes);
        let cool_ms = rules.cool_ms.saturating_mul(1 << strikes).min(rules.most_cool_ms);
        let until_ms = now_ms.saturating_add(cool_ms);
        let strikes = (strikes + 1).min(MOST_STRIKES);
        self.cooling.insert(peer, Cooling { until_ms, strikes });
        self.make_room(peer, rules.most_peers);
        until_ms
    }

    /// Why a peer is turned away, if it is.
    pub(super) fn refusal(&self, peer: PeerId, now_ms: u64) -> Option<Refusal> {
        if self.banned.contains(&peer) {
            return Some(Refusal::Banned);
        }
        let until_ms = self.cooling.get(&peer)?.until_ms;
        (until_ms > now_ms).then_some(Refusal::Cooling { until_ms })
    }

    /// From when on a peer is not turned away. `None` for never.
    pub(super) fn opens_ms(&self, peer: PeerId) -> Option<u64> {
        let until_ms = self.cooling.get(&peer).map_or(0, |it| it.until_ms);
        (!self.banned.contains(&peer)).then_some(until_ms)
    }

    /// Whether a peer is turned away for good.
    pub(super) fn is_banned(&self, peer: PeerId) -> bool {
        self.banned.contains(&peer)
    }

    /// Who is turned away for good.
    pub(super) fn banned(&self) -> impl Iterator<Item = PeerId> {
        self.banned.iter().copied()
    }

    /// Who is, or was not long ago, turned away for a while.
    pub(super) fn cooling(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.cooling.keys().copied()
    }

    /// When there are too many, the one that may come back first is let in.
    fn make_room(&mut self, newest: PeerId, most: usize) {
        if self.cooling.len() > most {
            let others = self.cooling.iter().filter(|(peer, _)| **peer != newest);
            let first = others.min_by_key(|(_, it)| it.until_ms).map(|(peer, _)| *peer);
            if let Some(first) = first {
                self.cooling.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::peer;
    use super::*;

    #[test]
    fn a_peer_waits_twice_as_long_each_time_up_to_an_hour() {
        let (mut gate, rules) = (Gate::default(), Rules::default());
        let mut now_ms = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let until_ms = gate.cool(peer(1), now_ms, &rules);
            assert_eq!(until_ms - now_ms, minutes * 60_000);
            assert_eq!(gate.cool(peer(1), until_ms - 1, &rules), until_ms);
            let cooling = Some(Refusal::Cooling { until_ms });
            assert_eq!(gate.refusal(peer(1), until_ms - 1), cooling);
            assert_eq!(gate.refusal(peer(1), until_ms), None);
            now_ms = until_ms;
        }
    }

    #[test]
    fn an_hour_of_good_conduct_is_forgiveness() {
        let (mut gate, rules) = (Gate::default(), Rules::default());
        let until_ms = gate.cool(peer(1), 0, &rules);
        let (late_ms, later_ms) = (until_ms + 3_599_999, until_ms + 3_600_000);
        assert_eq!(gate.clone().cool(peer(1), late_ms, &rules), late_ms + 120_000);
        assert_eq!(gate.cool(peer(1), later_ms, &rules), later_ms + 60_000);
    }

    #[test]
    fn a_banned_peer_stays_out_until_it_is_unbanned() {
        let (mut gate, rules) = (Gate::default(), Rules::default());
        assert!(gate.ban(peer(1)));
        assert!(!gate.ban(peer(1)));
        gate.cool(peer(1), 0, &rules);
        assert_eq!(gate.refusal(peer(1), u64::MAX), Some(Refusal::Banned));
        assert_eq!(gate.opens_ms(peer(1)), None);
        assert!(gate.unban(peer(1)));
        assert!(!gate.unban(peer(1)));
        assert_eq!(gate.refusal(peer(1), 0), None);
    }

    #[test]
    fn no_more_peers_wait_than_are_known_at_most() {
        let (mut gate, rules) = (Gate::default(), Rules { most_peers: 3, ..Rules::default() });
        for n in 1..=9 {
            gate.cool(peer(n), u64::from(n), &rules);
        }
        assert_eq!(gate.cooling().collect::<Vec<_>>(), [peer(7), peer(8), peer(9)]);
    }
}
