//! The ladder: which of the keys held lead down to which.
//!
//! An epoch carries older keys only if they truly open under its own: a list of ids is a claim, and
//! whoever believed a false one would leave a newcomer before a locked door.

use std::collections::{BTreeMap, BTreeSet};

use super::act::Rotation;
use super::roster::{Deed, Roster};
use crate::id::EpochId;
use crate::keybox;
use crate::seal::EpochKey;

/// Keys held, by what leads to them.
#[derive(Debug)]
pub(super) struct Ladder<'a> {
    /// Of the epochs that count those from which all others are reached, the newest first. Among
    /// honest authors, no other leads to one of them; of epochs that are said to carry one another,
    /// as many as it takes.
    pub(super) tops: Vec<&'a EpochKey>,
    /// The keys that no epoch that counts leads to, ascending.
    pub(super) strays: Vec<&'a EpochKey>,
}

impl<'a> Ladder<'a> {
    /// Finds the tops and the strays among these keys. Costs a look at every act that hands out
    /// keys, and for each key that is carried about 2 µs.
    pub(super) fn of(keys: &'a BTreeMap<EpochId, EpochKey>, roster: &Roster) -> Self {
        let (epochs, mut rotations) = (roster.epochs(), roster.rotations());
        for rotations in rotations.values_mut() {
            rotations.retain(|(deed, _)| roster.counts(deed.id));
        }
        let mut climb = Climb { keys, rotations, reached: BTreeSet::new() };
        let held = epochs.iter().filter_map(|(id, epoch)| Some((epoch.depth, keys.get(id)?)));
        let mut held: Vec<_> = held.collect();
        held.sort_unstable_by_key(|(depth, key)| (*depth, key.id()));
        // What carries another epoch is deeper, so it comes first.
        let newest_first = held.into_iter().rev().map(|(_, key)| key);
        let tops = newest_first.filter(|key| climb.down_from(key)).collect();
        let strays = keys.values().filter(|key| !climb.reached.contains(&key.id())).collect();
        Self { tops, strays }
    }
}

struct Climb<'a> {
    keys: &'a BTreeMap<EpochId, EpochKey>,
    /// Those that count.
    rotations: BTreeMap<EpochId, Vec<(&'a Deed, &'a Rotation)>>,
    reached: BTreeSet<EpochId>,
}

impl Climb<'_> {
    /// Reaches all that a key leads to. False if it had been reached itself.
    fn down_from(&mut self, top: &EpochKey) -> bool {
        let is_top = self.reached.insert(top.id());
        let mut path: Vec<_> = is_top.then_some(top.id()).into_iter().collect();
        while let Some(newer) = path.pop().and_then(|id| self.keys.get(&id)) {
            let rotations = self.rotations.get(&newer.id()).into_iter().flatten();
            for (older, wrapped) in rotations.flat_map(|(_, rotation)| &rotation.older) {
                if self.keys.contains_key(older)
                    && !self.reached.contains(older)
                    && keybox::unwrap(newer, *older, wrapped).is_some()
                {
                    self.reached.insert(*older);
                    path.push(*older);
                }
            }
        }
        is_top
    }
}
