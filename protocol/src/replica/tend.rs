//! Keys that are due to somebody, handed on: before a write, and by itself some time after a change if
//! nobody writes.
//!
//! Whoever holds a key can hand it on, and most often all do. So each waits for a while of its own
//! choice, within which the first one has most likely seen to it.

use super::government::Government;
use super::{Entropy, Replica, Step};
use crate::effect::{Note, Undecided};
use crate::governance::Act;
use crate::planted::Bug;
use crate::seal::EPOCH_KEY_BYTES;
use crate::view::{Keys, View};

/// Boxes made before one write at most; the rest are made before the next.
const BOXES_PER_WRITE: usize = 64;
/// A node waits at least so long after a change.
const FIRST_MS: u64 = 10_000;
/// And at most so much longer.
const SPREAD_MS: u64 = 30_000;

impl Replica {
    /// Whether it may yet hand on keys by itself.
    pub const fn is_tending(&self) -> bool {
        self.tend_at_ms.is_some()
    }

    /// Sees to it, some time after who may do what has changed, that members have the keys that are
    /// due to them.
    pub(super) fn tend<V: View>(&mut self, step: &mut Step<'_, V>, entropy: &mut impl Entropy) {
        let is_sane = self.clocks.at_odds_ms(step.now_ms).is_none();
        // What it may decide in all is kept for what is asked of it.
        let spares = self.decided() < self.config.bounds.governance_per_member / 2;
        let may = !self.stopping && self.may_write() && is_sane && spares;
        if !self.government.unsealed || !may {
            self.tend_at_ms = None;
            return;
        }
        match self.tend_at_ms {
            None => {
                let mut drawn = [0; 8];
                entropy.fill(&mut drawn);
                let drawn = u64::from_le_bytes(drawn) % SPREAD_MS;
                self.tend_at_ms = Some(step.now_ms.saturating_add(FIRST_MS + drawn));
            }
            Some(at_ms) if at_ms <= step.now_ms => {
                self.tend_at_ms = None;
                if let Err(why) = self.hand_on(step, entropy) {
                    step.note(Note::NotHandedOn { why });
                }
            }
            Some(_) => {}
        }
    }

    /// Hands on the keys that no epoch leads to any more, and makes boxes that are missing.
    pub(super) fn hand_on<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
    ) -> Result<(), Undecided> {
        if !self.government.unsealed {
            return Ok(());
        }
        if self.government.keyring.has_strays(&self.government.roster) {
            self.rotate(step, entropy)?;
        }
        let Government { roster, keyring, .. } = &mut self.government;
        let missing = keyring.missing(roster, BOXES_PER_WRITE);
        let all = !keyring.is_behind() && missing.len() < BOXES_PER_WRITE;
        if missing.len() == BOXES_PER_WRITE && keyring.has_tops(roster) {
            // One new epoch leads to all others, with one box for each member.
            self.rotate(step, entropy)?;
            self.government.unsealed = true;
            return Ok(());
        }
        for seal in missing {
            self.append_act(step, entropy, seal)?;
        }
        let Government { roster, keyring, .. } = &mut self.government;
        self.government.unsealed = !all || keyring.has_strays(roster);
        Ok(())
    }

    pub(super) fn rotate<V: View>(
        &mut self,
        step: &mut Step<'_, V>,
        entropy: &mut impl Entropy,
    ) -> Result<(), Undecided> {
        let mut fresh = [0; EPOCH_KEY_BYTES];
        entropy.fill(&mut fresh);
        let roster = &self.government.roster;
        let mut members = roster.kems();
        if self.config.planted.has(Bug::SealToRemoved) {
            members.extend(self.government.once.clone());
        }
        let (key, rotation) = self.government.keyring.rotation(roster, &members, fresh);
        step.note(Note::Epoch { new: key.id() });
        step.over.put::<Keys>(key.id(), key.clone());
        self.government.keyring.add(key);
        self.append_act(step, entropy, Act::Rotate(rotation)).map(drop)
    }
}
