//! Whom to ask, and when.

use std::collections::BTreeMap;

use crate::id::PeerId;

/// Questions that come up within this time become one session.
const GATHER_MS: u64 = 100;
/// Sessions that bring nothing come at ever longer intervals, doubled so often at most.
const MOST_DOUBLINGS: u32 = 6;
/// For how long a pause is, the first time.
const PAUSE_MS: u64 = 30_000;
/// How long it is between two pauses.
const OPEN_MS: u64 = 2_000;
/// How often that is doubled at most.
const MOST_STRIKES: u32 = 5;

/// For how long somebody or something is left alone: longer each time.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until_ms: u64,
    /// Until when it is not left alone again.
    open_until_ms: u64,
    strikes: u32,
}

impl Pause {
    pub(super) const fn is_on(&self, now_ms: u64) -> bool {
        self.until_ms > now_ms
    }

    fn begin(&mut self, now_ms: u64) {
        self.until_ms = now_ms + (PAUSE_MS << self.strikes.min(MOST_STRIKES));
        self.strikes = self.strikes.saturating_add(1);
    }

    /// Whether it is over, for a while, so that more than one gets a chance; then the next one begins.
    pub(super) fn is_over(&mut self, now_ms: u64) -> bool {
        if self.open_until_ms > now_ms {
            return true;
        }
        let is_over = !self.is_on(now_ms);
        if is_over {
            self.open_until_ms = now_ms + OPEN_MS;
            self.begin(self.open_until_ms);
        }
        is_over
    }
}

/// What is known of a peer that can be reached.
#[derive(Debug, Default)]
struct Peer {
    is_connected: bool,
    /// When a session is to begin.
    due_ms: Option<u64>,
    parked: Pause,
    /// Whether it has ever given anything.
    is_proven: bool,
}

/// The peers of a context that can be reached, and those that were.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<PeerId, Peer>,
    /// Who was asked last when it could have been anybody.
    last: Option<PeerId>,
    /// How many sessions in a row brought nothing.
    fruitless: u32,
}

impl Peers {
    /// A peer can be reached. It may have been silent because it could not be.
    pub(super) fn meet(&mut self, peer: PeerId, now_ms: u64) {
        let peer = self.all.entry(peer).or_default();
        peer.is_connected = true;
        peer.parked.until_ms = now_ms;
        peer.due_ms = Some(now_ms);
    }

    /// A peer cannot be reached any more. What it did is remembered for as long as that matters.
    pub(super) fn lose(&mut self, peer: PeerId, now_ms: u64) {
        if let Some(peer) = self.all.get_mut(&peer) {
            peer.is_connected = false;
            peer.due_ms = None;
        }
        self.all.retain(|_, peer| peer.is_connected || peer.parked.is_on(now_ms));
    }

    pub(super) fn is_proven(&self, peer: PeerId) -> bool {
        self.all.get(&peer).is_some_and(|peer| peer.is_proven)
    }

    pub(super) fn prove(&mut self, peer: PeerId) {
        if let Some(peer) = self.all.get_mut(&peer) {
            peer.is_proven = true;
            peer.parked.strikes = 0;
        }
    }

    /// Leaves a peer alone for a while, longer each time.
    pub(super) fn park(&mut self, peer: PeerId, now_ms: u64) {
        let peer = self.all.entry(peer).or_default();
        peer.parked.begin(now_ms);
        peer.is_proven = false;
        peer.due_ms = None;
    }

    pub(super) fn is_parked(&self, peer: PeerId, now_ms: u64) -> bool {
        self.all.get(&peer).is_some_and(|peer| peer.parked.is_on(now_ms))
    }

    /// Asks a peer again after a while, as it said.
    pub(super) fn put_off(&mut self, peer: PeerId, until_ms: u64) {
        if let Some(peer) = self.all.get_mut(&peer).filter(|peer| peer.is_connected) {
            peer.due_ms = Some(until_ms);
        }
    }

    /// Takes note of whether a session brought anything.
    pub(super) fn note(&mut self, is_fruitful: bool) {
        self.fruitless = if is_fruitful { 0 } else { self.fruitless.saturating_add(1) };
    }

    /// A peer is to be asked soon, or somebody: the sooner, the more the last sessions have brought.
    pub(super) fn want(&mut self, from: Option<PeerId>, now_ms: u64, drawn: u64) {
        let from = from.filter(|peer| self.can_ask(*peer, now_ms));
        let Some(peer) = from.or_else(|| self.anybody(now_ms)) else { return };
        let most_ms = GATHER_MS << self.fruitless.min(MOST_DOUBLINGS);
        self.set_due(peer, now_ms + drawn % most_ms);
    }

    /// Somebody is to be asked now.
    pub(super) fn want_now(&mut self, now_ms: u64) {
        if let Some(peer) = self.anybody(now_ms) {
            self.set_due(peer, now_ms);
        }
    }

    fn set_due(&mut self, peer: PeerId, due_ms: u64) {
        if let Some(peer) = self.all.get_mut(&peer) {
            peer.due_ms = Some(peer.due_ms.map_or(due_ms, |before| before.min(due_ms)));
        }
    }

    fn can_ask(&self, peer: PeerId, now_ms: u64) -> bool {
        self.all.get(&peer).is_some_and(|it| it.is_connected && !it.parked.is_on(now_ms))
    }

    /// All in turn.
    fn anybody(&mut self, now_ms: u64) -> Option<PeerId> {
        let last = self.last;
        let able = self.all.keys().filter(|peer| self.can_ask(**peer, now_ms)).copied();
        let able: Vec<_> = able.collect();
        let next = able.iter().find(|peer| Some(**peer) > last).or_else(|| able.first()).copied();
        self.last = next.or(last);
        next
    }

    /// Those with whom a session is to begin.
    pub(super) fn due(&self, now_ms: u64) -> Vec<PeerId> {
        let due = |peer: &Peer| {
            peer.is_connected
                && !peer.parked.is_on(now_ms)
                && peer.due_ms.is_some_and(|due_ms| due_ms <= now_ms)
        };
        self.all.iter().filter(|(_, peer)| due(peer)).map(|(id, _)| *id).collect()
    }

    /// For how long a session with a peer has been due.
    pub(super) fn overdue_ms(&self, peer: PeerId, now_ms: u64) -> u64 {
        let due_ms = self.all.get(&peer).and_then(|peer| peer.due_ms);
        due_ms.map_or(0, |due_ms| now_ms.saturating_sub(due_ms))
    }

    /// A session with a peer has begun.
    pub(super) fn begun(&mut self, peer: PeerId) {
        if let Some(peer) = self.all.get_mut(&peer) {
            peer.due_ms = None;
        }
    }

    /// When the next session is to begin that cannot begin yet.
    pub(super) fn wake_at_ms(&self, now_ms: u64) -> Option<u64> {
        let waiting = self.all.values().filter(|peer| peer.is_connected);
        let due = waiting.filter_map(|it| Some(it.due_ms?.max(it.parked.until_ms)));
        due.filter(|due_ms| *due_ms > now_ms).min()
    }
}
