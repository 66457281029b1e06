//! Heartbeats: how nodes notice that they differ, and whose clock is wrong.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::reach::Clip;
use super::{Entropy, Mode, Replica};
use crate::clock::MAX_AHEAD_MS;
use crate::effect::{Effect, Note};
use crate::fold::FOLD_VERSION;
use crate::id::{EpochId, PeerId, Plane};
use crate::log::{LogRow, Tips, Vector};
use crate::root::Root;
use crate::seal::EpochKey;

/// Parts the key of sealed roots from every other use of an epoch's key.
const ROOT_CONTEXT: &str = "mangrove 2026 sealed root v1";
/// How long after activity the first heartbeat comes.
pub const FIRST_BEAT_MS: u64 = 10_000;
/// How far apart heartbeats get when nothing happens.
pub const LAST_BEAT_MS: u64 = 300_000;
/// How long activity can put a heartbeat off.
pub const LONGEST_SILENCE_MS: u64 = 60_000;
/// How many peers' clocks are remembered.
const CLOCKS_KEPT: usize = 64;
/// How long a peer's clock counts: two heartbeats of a quiet one.
const CLOCKS_COUNT_MS: u64 = 2 * LAST_BEAT_MS;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Heartbeat {
    /// The digest of what it stores.
    pub stored: [u8; 32],
    /// The digest of what it has settled.
    pub applied: [u8; 32],
    /// Its root, for those only who hold the key of an epoch; none while it is making it anew, or if
    /// it has no key that only members hold.
    pub root: Option<SealedRoot>,
    /// The rules by which it folds; roots compare only under the same.
    pub fold_version: u32,
    /// How many deltas it has settled.
    pub deltas: u64,
    /// Its wall clock, in Unix ms.
    pub time_ms: u64,
    /// Tells this heartbeat from an equal one.
    pub nonce: u64,
}

/// A root that only those can compare with their own who hold the key of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedRoot {
    /// Whose key.
    pub epoch: EpochId,
    /// What root, key and nonce make.
    pub tag: [u8; 32],
}

impl SealedRoot {
    fn new(root: &Root, key: &EpochKey, nonce: u64) -> Self {
        let secret = Zeroizing::new(blake3::derive_key(ROOT_CONTEXT, key.as_bytes()));
        let mut hasher = blake3::Hasher::new_keyed(&secret);
        hasher.update(&root.digest()).update(&nonce.to_le_bytes());
        Self { epoch: key.id(), tag: *hasher.finalize().as_bytes() }
    }
}

/// When the next heartbeat is due.
#[derive(Debug)]
pub(super) struct Rhythm {
    due_ms: u64,
    interval_ms: u64,
    last_ms: u64,
}

impl Rhythm {
    pub(super) const fn new(now_ms: u64) -> Self {
        Self { due_ms: now_ms + FIRST_BEAT_MS, interval_ms: FIRST_BEAT_MS, last_ms: now_ms }
    }

    pub(super) const fn due_ms(&self) -> u64 {
        self.due_ms
    }

    pub(super) const fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms <= now_ms
    }

    /// Something happened: the next one comes when it is quiet again, or when it has not been quiet
    /// for too long.
    pub(super) fn excite(&mut self, now_ms: u64) {
        self.interval_ms = FIRST_BEAT_MS;
        self.due_ms = (now_ms + FIRST_BEAT_MS).min(self.last_ms + LONGEST_SILENCE_MS);
    }

    pub(super) fn beaten(&mut self, now_ms: u64) {
        self.interval_ms = self.interval_ms.saturating_mul(2).min(LAST_BEAT_MS);
        self.due_ms = now_ms + self.interval_ms;
        self.last_ms = now_ms;
    }
}

/// How far the clocks of peers are ahead of ours, as they said lately.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    heard: BTreeMap<PeerId, Heard>,
}

/// What a peer's last heartbeat said of its clock.
#[derive(Debug)]
struct Heard {
    ahead_ms: i128,
    at_ms: u64,
}

impl Clocks {
    fn note(&mut self, peer: PeerId, theirs_ms: u64, ours_ms: u64) {
        if self.heard.len() >= CLOCKS_KEPT && !self.heard.contains_key(&peer) {
            self.heard.pop_first();
        }
        let ahead_ms = i128::from(theirs_ms) - i128::from(ours_ms);
        self.heard.insert(peer, Heard { ahead_ms, at_ms: ours_ms });
    }

    /// How far off our clock is, if most peers, and at least two, agree that it is off by more than
    /// is tolerated. What was said long ago, or before our clock was set, no longer counts.
    pub(super) fn at_odds_ms(&self, now_ms: u64) -> Option<u64> {
        let lately = |heard: &&Heard| heard.at_ms.abs_diff(now_ms) <= CLOCKS_COUNT_MS;
        let lately = self.heard.values().filter(lately).map(|heard| heard.ahead_ms.unsigned_abs());
        let mut off = lately.clone().filter(|off| *off > u128::from(MAX_AHEAD_MS));
        let count = off.clone().count();
        if count < 2 || count * 2 <= lately.count() {
            return None;
        }
        off.next().map(|first| u64::try_from(off.fold(first, u128::min)).unwrap_or(u64::MAX))
    }
}

impl Replica {
    pub(super) fn heartbeat(&mut self, now_ms: u64, entropy: &mut impl Entropy) -> Heartbeat {
        let mut nonce = [0; 8];
        entropy.fill(&mut nonce);
        let nonce = u64::from_le_bytes(nonce);
        let shows = self.config.mode == Mode::Full && !self.is_rebuilding();
        let key = self.government.choose().filter(|_| shows);
        Heartbeat {
            stored: self.stored().digest(),
            applied: self.applied().digest(),
            root: key.map(|key| SealedRoot::new(&self.root, &key, nonce)),
            fold_version: FOLD_VERSION,
            deltas: self.own.settled,
            time_ms: now_ms,
            nonce,
        }
    }

    /// Where all logs end, by what is stored, as far as it counts: what is beyond a cut-off is neither
    /// asked for nor advertised, even where it is held.
    pub fn stored(&self) -> Vector {
        self.vector(|row| &row.stored, |clip| &clip.stored)
    }

    /// Where all logs end, by what is settled, as far as it counts.
    pub fn applied(&self) -> Vector {
        self.vector(|row| &row.applied, |clip| &clip.applied)
    }

    /// Where the logs of governance end, by what had its turn, as far as it counts. What waits there
    /// for a later version of the program, or for its time, has no say yet.
    pub fn governance(&self) -> Vector {
        let Vector(mut logs) = self.applied();
        logs.retain(|log, _| log.plane == Plane::Governance);
        Vector(logs)
    }

    fn vector(&self, whole: fn(&LogRow) -> &Tips, clipped: fn(&Clip) -> &Tips) -> Vector {
        let mut vector = Vector::of(&self.logs, whole);
        for (log, clip) in self.government.clips() {
            match clipped(clip).is_empty() {
                true => vector.0.remove(log),
                false => vector.0.insert(*log, clipped(clip).as_slice().to_vec()),
            };
        }
        vector
    }

    /// Takes note of where a peer stands. Its claim starts a comparison and condemns nobody.
    pub(super) fn hear(
        &mut self,
        from: PeerId,
        beat: &Heartbeat,
        now_ms: u64,
        now: &mut Vec<Effect>,
    ) {
        self.clocks.note(from, beat.time_ms, now_ms);
        if beat.stored != self.stored().digest() {
            now.push(Effect::Sync { with: from });
        }
        let comparable = beat.fold_version == FOLD_VERSION
            && !self.is_rebuilding()
            && beat.applied == self.applied().digest();
        let theirs = beat.root.filter(|_| comparable);
        let key = theirs.and_then(|theirs| self.government.keyring.get(&theirs.epoch));
        let ours = key.map(|key| SealedRoot::new(&self.root, key, beat.nonce));
        if ours.is_some() && ours != theirs {
            now.push(Effect::Note(Note::Diverged { with: from }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(ahead_s: &[i64]) -> Option<u64> {
        let mut clocks = Clocks::default();
        for (at, ahead) in (0..).zip(ahead_s) {
            let theirs = 1_000_000_000_i64 + ahead * 1000;
            clocks.note(PeerId::from_bytes([at; 32]), theirs.unsigned_abs(), 1_000_000_000);
        }
        clocks.at_odds_ms(1_000_000_000)
    }

    #[test]
    fn a_clock_is_wrong_when_most_peers_say_so() {
        assert_eq!(clocks(&[]), None);
        assert_eq!(clocks(&[3600]), None);
        assert_eq!(clocks(&[3600, 3601]), Some(3_600_000));
        assert_eq!(clocks(&[-3600, -3601, 0]), Some(3_600_000));
        assert_eq!(clocks(&[3600, 3601, 0, 1]), None);
        assert_eq!(clocks(&[59, 60, -60]), None);
    }

    #[test]
    fn a_heartbeat_has_the_bytes_of_version_1() {
        let beat = Heartbeat {
            stored: [1; 32],
            applied: [2; 32],
            root: Some(SealedRoot { epoch: EpochId::from_bytes([3; 32]), tag: [8; 32] }),
            fold_version: 4,
            deltas: 5,
            time_ms: 6,
            nonce: 7,
        };
        let numbers =
            [&4_u32.to_le_bytes()[..], &[5, 0, 0, 0, 0, 0, 0, 0], &[6, 0, 0, 0, 0, 0, 0, 0]];
        let numbers = [numbers.concat(), vec![7, 0, 0, 0, 0, 0, 0, 0]].concat();
        let expect = [&[1; 32][..], &[2; 32], &[1], &[3; 32], &[8; 32], &numbers].concat();
        assert_eq!(crate::wire::encode(&beat), expect);
    }

    #[test]
    fn activity_without_end_puts_a_heartbeat_off_for_a_while_only() {
        let mut rhythm = Rhythm::new(0);
        let busy = (0..).step_by(5_000).find(|now_ms| {
            rhythm.excite(*now_ms);
            rhythm.is_due(*now_ms)
        });
        assert_eq!(busy, Some(LONGEST_SILENCE_MS));
    }

    #[test]
    fn heartbeats_come_when_it_is_quiet_and_then_ever_more_rarely() {
        let mut rhythm = Rhythm::new(0);
        assert!(!rhythm.is_due(FIRST_BEAT_MS - 1));
        rhythm.excite(5_000);
        assert!(!rhythm.is_due(FIRST_BEAT_MS));
        let mut gaps = Vec::new();
        for _ in 0..7 {
            let due = rhythm.due_ms();
            rhythm.beaten(due);
            gaps.push(rhythm.due_ms() - due);
        }
        assert_eq!(gaps, [20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
    }
}
