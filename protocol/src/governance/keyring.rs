//! The keyring: the keys of epochs that one node holds, how it comes by them, and how it hands them
//! on.
//!
//! Keys come in boxes and, from a newer key to older ones, wrapped. What is learnt depends on the set
//! of acts alone, not on their order. Under a key one writes only if it is that of an epoch that
//! counts and that nobody but members can open; keys are handed to members alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::act::{Act, Rotation, SEALED_KEY_BYTES, SealedEpoch, SealedKey};
use super::boxes::{Checked, Finding};
use super::ladder::Ladder;
use super::roster::Roster;
use crate::id::{EpochId, PeerId};
use crate::keybox;
use crate::keys::{KemPublic, NodeKeys};
use crate::limits::BOXES_PER_ACT;
use crate::seal::EpochKey;

/// Boxes in one act.
const MOST_SEALS: usize = 1_000;
const _: () = assert!(MOST_SEALS as u64 == BOXES_PER_ACT, "others would not read the act");

/// Keys of each sort, tops and strays, that one rotation carries, so that it fits a delta whatever
/// liars have written.
const MOST_OLDER: usize = 2_048;

/// Tops that are looked after at a time: it takes as many rotations of which none knew the other to
/// have more, and the next one carries them all.
const MOST_TOPS: usize = 64;

/// The keys of epochs that this node holds. Two are equal if they hold the same keys.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: BTreeMap<EpochId, EpochKey>,
    /// Keys whose rotations were not yet searched for older ones.
    unsearched: BTreeSet<EpochId>,
    checked: Checked,
    is_behind: bool,
}

impl Keyring {
    /// A keyring with these keys.
    pub fn new(keys: impl IntoIterator<Item = EpochKey>) -> Self {
        let mut keyring = Self::default();
        for key in keys {
            keyring.add(key);
        }
        keyring
    }

    /// The key of an epoch, if it is held.
    pub fn get(&self, epoch: &EpochId) -> Option<&EpochKey> {
        self.keys.get(epoch)
    }

    /// How many keys are held. None is ever given up.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The epochs whose keys are held.
    pub fn epochs(&self) -> impl Iterator<Item = EpochId> {
        self.keys.keys().copied()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes in a key that came by another way; whether it is new. What it leads to is learnt with
    /// [`Keyring::follow`] or the next act.
    pub fn add(&mut self, key: EpochKey) -> bool {
        let id = key.id();
        let is_new = !self.keys.contains_key(&id);
        if is_new {
            self.keys.insert(id, key);
            self.unsearched.insert(id);
        }
        is_new
    }

    /// Takes in what one act gives this node, and returns the keys that are new: those in boxes made
    /// out to it, and then all older ones which the keys held lead to, by any act of the roster. It
    /// does not matter whether an act counts: to learn a key does no harm. A box that does not open,
    /// or opens to another key than it says, gives nothing.
    ///
    /// It is to be called for every act, in any order, with a roster that has taken in at least those
    /// of the calls before. A box costs about 100 µs, and none is opened whose key is held; the
    /// roster is searched only when there is a new key.
    pub fn learn(&mut self, act: &Act, roster: &Roster, keys: &NodeKeys) -> Vec<EpochKey> {
        let mut new = Vec::new();
        for (epoch, sealed) in boxes_for(keys.peer(), act) {
            if !self.keys.contains_key(&epoch)
                && let Ok(key) = keybox::open(sealed, epoch, keys)
            {
                self.take(key, &mut new);
            }
        }
        self.unpack(act.rotation(), &mut new);
        self.search(roster, &mut new);
        new
    }

    /// The older keys which those lead to that came by other ways, by any act of the roster.
    pub fn follow(&mut self, roster: &Roster) -> Vec<EpochKey> {
        let mut new = Vec::new();
        self.search(roster, &mut new);
        new
    }

    /// The key to write under: of the epochs that count, that nobody but members can open and whose
    /// key is held, the newest by depth and id. None: rotate first.
    ///
    /// Costs a look at every act that hands out keys; the answer holds until the roster or the
    /// keyring changes.
    pub fn choose(&self, roster: &Roster) -> Option<&EpochKey> {
        let epochs = roster.epochs().into_iter().filter(|(_, epoch)| epoch.is_confined);
        let held = epochs.filter_map(|(id, epoch)| Some(((epoch.depth, id), self.keys.get(&id)?)));
        held.max_by_key(|(newest, _)| *newest).map(|(_, key)| key)
    }

    /// A rotation to the key made of these bytes, which must be random: a box for every one of these
    /// members, but none for whom nothing can be sealed to; and the keys from which a newcomer with
    /// the new one alone reaches all that are held. The new key is not added to the keyring.
    ///
    /// A box costs about 100 µs. Of more members than one act may give boxes to, the others have
    /// theirs by [`Self::missing`]; of more keys than one act can carry, the others have to wait for
    /// the next.
    pub fn rotation(
        &self,
        roster: &Roster,
        members: &BTreeMap<PeerId, KemPublic>,
        fresh: [u8; 32],
    ) -> (EpochKey, Rotation) {
        let fresh = Zeroizing::new(fresh);
        let key = EpochKey::from_bytes(*fresh);
        let seal = |(member, kem): (&PeerId, &KemPublic)| {
            let sealed = keybox::seal(&key, *member, kem).ok()?;
            Some(SealedKey { member: *member, sealed })
        };
        let seals = members.iter().filter_map(seal).take(MOST_SEALS).collect();
        let Ladder { tops, strays } = Ladder::of(&self.keys, roster);
        let carried = tops.into_iter().take(MOST_OLDER).chain(strays.into_iter().take(MOST_OLDER));
        let carried = carried.filter(|older| older.id() != key.id());
        let mut older: Vec<_> =
            carried.map(|older| (older.id(), keybox::wrap(&key, older))).collect();
        older.sort_unstable();
        let rotation = Rotation { epoch: key.id(), seals, older };
        (key, rotation)
    }

    /// What a newcomer is given with its grant, so that it can open every key held: boxes of those
    /// that lead to all others, and of those that no epoch that counts leads to. Ascending by epoch;
    /// empty if nothing can be sealed to the newcomer. A box costs about 100 µs.
    pub fn for_newcomer(
        &self,
        roster: &Roster,
        member: PeerId,
        kem: &KemPublic,
    ) -> Vec<SealedEpoch> {
        let Ladder { tops, strays } = Ladder::of(&self.keys, roster);
        let seal = |key: &EpochKey| {
            let sealed = keybox::seal(key, member, kem).ok()?;
            Some(SealedEpoch { epoch: key.id(), sealed })
        };
        let keys = tops.into_iter().chain(strays).take(MOST_SEALS);
        let mut seals: Vec<_> = keys.filter_map(seal).collect();
        seals.sort_unstable_by_key(|seal| seal.epoch);
        seals
    }

    /// The boxes that are missing, as acts, at most this many: those of the keys that lead to all
    /// others, for every current member that no act that counts gave the right one, and that did not
    /// make the epoch itself. A wrong box counts as none. Nobody but members is given anything; what
    /// others than members can open is still handed to members, for it may be what somebody wrote
    /// under.
    ///
    /// Makes at most that many boxes at about 100 µs each, first for those who were given none at
    /// all, and remembers them: each is made once for an epoch and a member, however often this is
    /// called and whatever was given. Besides it costs a look at every act that hands out keys.
    /// What is missing is found again until an act that counts gives it. [`Self::is_behind`] tells
    /// whether there is more to do.
    pub fn missing(&mut self, roster: &Roster, most: usize) -> Vec<Act> {
        let mut tops = Ladder::of(&self.keys, roster).tops;
        tops.truncate(MOST_TOPS);
        let epochs = tops.iter().map(|key| key.id()).collect();
        let (members, given) = (roster.signed_kems(), roster.given(&epochs));
        self.checked.retain(&epochs, &members);
        self.is_behind = false;
        let pairs = tops.iter().flat_map(|key| members.iter().map(move |member| (*key, member)));
        let due = pairs.filter(|(key, (member, _))| !given.is_maker(key.id(), **member));
        let (some, none): (Vec<_>, Vec<_>) =
            due.partition(|(key, (member, _))| given.has_any(key.id(), **member));
        let (mut missing, mut made) = (Vec::new(), 0);
        for (key, (member, kem)) in none.into_iter().chain(some) {
            let is_known = self.checked.knows(key.id(), *member, kem);
            if missing.len() == most || (made == most && !is_known) {
                self.is_behind = true;
                continue;
            }
            made += usize::from(!is_known);
            if let Finding::Missing(sealed) = self.checked.check(key, (*member, kem), &given) {
                let key_for = SealedKey { member: *member, sealed };
                missing.push(Act::Seal { epoch: key.id(), key: key_for });
            }
        }
        missing
    }

    /// Whether the last call of [`Self::missing`] left something for the next one.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether a key is held that no rotation that counts leads to, so that the next writer must
    /// carry it in one.
    pub fn has_strays(&self, roster: &Roster) -> bool {
        !Ladder::of(&self.keys, roster).strays.is_empty()
    }

    /// Whether several epochs lead to keys that no other leads to, so that a new one would spare boxes.
    pub fn has_tops(&self, roster: &Roster) -> bool {
        Ladder::of(&self.keys, roster).tops.len() > 1
    }

    fn take(&mut self, key: EpochKey, new: &mut Vec<EpochKey>) {
        if self.add(key.clone()) {
            new.push(key);
        }
    }

    /// Opens what a rotation carries, if its key is held.
    fn unpack(&mut self, rotation: Option<&Rotation>, new: &mut Vec<EpochKey>) {
        let Some(rotation) = rotation else { return };
        let Some(newer) = self.keys.get(&rotation.epoch).cloned() else { return };
        for (older, wrapped) in &rotation.older {
            if !self.keys.contains_key(older)
                && let Some(key) = keybox::unwrap(&newer, *older, wrapped)
            {
                self.take(key, new);
            }
        }
    }

    /// Follows all keys that have come since the last time down to the oldest.
    fn search(&mut self, roster: &Roster, new: &mut Vec<EpochKey>) {
        if self.unsearched.is_empty() {
            return;
        }
        let rotations = roster.rotations();
        while let Some(epoch) = self.unsearched.pop_first() {
            for (_, rotation) in rotations.get(&epoch).into_iter().flatten() {
                self.unpack(Some(rotation), new);
            }
        }
    }
}

/// The boxes in an act that are made out to a member.
fn boxes_for(member: PeerId, act: &Act) -> Vec<(EpochId, &[u8; SEALED_KEY_BYTES])> {
    match act {
        Act::Rotate(rotation) | Act::Revoke { rotation, .. } => {
            let own = rotation.seals.iter().filter(|seal| seal.member == member);
            own.map(|seal| (rotation.epoch, &seal.sealed)).collect()
        }
        Act::Grant { member: newcomer, seals, .. } if *newcomer == member => {
            seals.iter().map(|seal| (seal.epoch, &seal.sealed)).collect()
        }
        Act::Seal { epoch, key } if key.member == member => vec![(*epoch, &key.sealed)],
        _ => Vec::new(),
    }
}

impl PartialEq for Keyring {
    /// An id is the hash of its key, so equal ids are equal keys.
    fn eq(&self, other: &Self) -> bool {
        self.keys.keys().eq(other.keys.keys())
    }
}

impl Eq for Keyring {}

impl fmt::Debug for Keyring {
    /// Ids only, no keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")?;
        f.debug_set().entries(self.keys.keys()).finish()
    }
}
