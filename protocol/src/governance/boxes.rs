//! Boxes of epoch keys: to which keys they are made out, and who was given which.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Rotation, SEALED_KEY_BYTES, SignedKem, Topic};
use super::roster::{Deed, Roster};
use crate::id::{EpochId, PeerId};
use crate::keybox;
use crate::keys::KemPublic;
use crate::seal::EpochKey;

/// The bytes of a box.
type Sealed = [u8; SEALED_KEY_BYTES];

impl Roster {
    /// The box key of a member, if the member signed for it: from the act that conferred the
    /// authority it acts by. Verifies one signature.
    pub fn kem(&self, member: PeerId) -> Option<KemPublic> {
        self.signed_kem(member).and_then(|kem| kem.verify(member))
    }

    /// The box keys of all members that signed for theirs. Verifies a signature for each member, so
    /// it is asked for before a rotation and not for every write.
    pub fn kems(&self) -> BTreeMap<PeerId, KemPublic> {
        let signed = self.signed_kems().into_iter();
        signed.filter_map(|(member, kem)| Some((member, kem.verify(member)?))).collect()
    }

    /// What the members are said to have signed, unverified.
    pub(super) fn signed_kems(&self) -> BTreeMap<PeerId, &SignedKem> {
        let kem = |member: &PeerId| Some((*member, self.signed_kem(*member)?));
        self.by_member.keys().filter_map(kem).collect()
    }

    /// All rotations, by epoch, with the acts that make them, whether these count or not.
    pub(super) fn rotations(&self) -> BTreeMap<EpochId, Vec<(&Deed, &Rotation)>> {
        let mut rotations: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for deed in self.about_epochs() {
            if let Some(rotation) = deed.act.rotation() {
                rotations.entry(rotation.epoch).or_default().push((deed, rotation));
            }
        }
        rotations
    }

    /// What acts that count gave to whom of the keys of these epochs.
    pub(super) fn given(&self, epochs: &BTreeSet<EpochId>) -> Given<'_> {
        let mut given = Given::default();
        for deed in self.about_epochs().filter(|deed| self.counts(deed.id)) {
            let mut note = |epoch: EpochId, member: PeerId, sealed| {
                if epochs.contains(&epoch) {
                    given.boxes.entry((epoch, member)).or_default().push(sealed);
                }
            };
            match &deed.act {
                Act::Seal { epoch, key } => note(*epoch, key.member, &key.sealed),
                Act::Grant { member, seals, .. } => {
                    seals.iter().for_each(|seal| note(seal.epoch, *member, &seal.sealed));
                }
                Act::Rotate(rotation) | Act::Revoke { rotation, .. } => {
                    let seals = rotation.seals.iter();
                    seals.for_each(|seal| note(rotation.epoch, seal.member, &seal.sealed));
                    given.makers.insert((rotation.epoch, deed.log.author));
                }
                _ => {}
            }
        }
        given
    }

    fn about_epochs(&self) -> impl Iterator<Item = &Deed> {
        let ids = self.topics.get(&Topic::Epochs).into_iter().flatten();
        ids.filter_map(|id| self.deed(id))
    }
}

impl Act {
    /// The epoch that it begins.
    pub(super) fn rotation(&self) -> Option<&Rotation> {
        match self {
            Self::Rotate(rotation) | Self::Revoke { rotation, .. } => Some(rotation),
            _ => None,
        }
    }
}

impl SignedKem {
    fn verify(&self, member: PeerId) -> Option<KemPublic> {
        let key = KemPublic::from_bytes(self.key);
        key.is_signed_by(member, &self.signature).then_some(key)
    }
}

/// What acts that count gave to whom.
#[derive(Default)]
pub(super) struct Given<'a> {
    boxes: BTreeMap<(EpochId, PeerId), Vec<&'a Sealed>>,
    makers: BTreeSet<(EpochId, PeerId)>,
}

impl Given<'_> {
    /// Whether a member made the epoch itself.
    pub(super) fn is_maker(&self, epoch: EpochId, member: PeerId) -> bool {
        self.makers.contains(&(epoch, member))
    }

    /// Whether a member was given any box, right or wrong.
    pub(super) fn has_any(&self, epoch: EpochId, member: PeerId) -> bool {
        self.boxes.contains_key(&(epoch, member))
    }

    fn has(&self, epoch: EpochId, member: PeerId, sealed: &Sealed) -> bool {
        let boxes = self.boxes.get(&(epoch, member));
        boxes.is_some_and(|boxes| boxes.contains(&sealed))
    }
}

/// What was found about the box that a member must be given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It was given, or it cannot be made.
    Settled,
    /// This is it, and no act that counts gave it.
    Missing(Sealed),
}

/// The right boxes, each made once and remembered as long as it may be asked for again. There is one
/// for an epoch, a member and its box key, so that however many wrong ones were given, none of them
/// costs more than a look.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked {
    right: BTreeMap<(EpochId, PeerId), Right>,
}

#[derive(Debug, Clone)]
struct Right {
    kem: SignedKem,
    /// None if the member did not sign for its key, or nothing can be sealed to it.
    sealed: Option<Sealed>,
}

impl Checked {
    /// Forgets the boxes of all other epochs and members.
    pub(super) fn retain(
        &mut self,
        epochs: &BTreeSet<EpochId>,
        members: &BTreeMap<PeerId, &SignedKem>,
    ) {
        let wanted = |epoch: &EpochId, member: &PeerId| {
            epochs.contains(epoch) && members.contains_key(member)
        };
        self.right.retain(|(epoch, member), _| wanted(epoch, member));
    }

    /// Whether the right box of a member need not be made any more.
    pub(super) fn knows(&self, epoch: EpochId, member: PeerId, kem: &SignedKem) -> bool {
        self.right.get(&(epoch, member)).is_some_and(|right| right.kem == *kem)
    }

    /// Compares what a member was given with the right box, which is made unless it is known.
    pub(super) fn check(
        &mut self,
        key: &EpochKey,
        (member, kem): (PeerId, &SignedKem),
        given: &Given<'_>,
    ) -> Finding {
        let place = (key.id(), member);
        if !self.knows(key.id(), member, kem) {
            let sealed = kem.verify(member).and_then(|kem| keybox::seal(key, member, &kem).ok());
            self.right.insert(place, Right { kem: kem.clone(), sealed });
        }
        match self.right.get(&place).and_then(|right| right.sealed) {
            Some(sealed) if !given.has(key.id(), member, &sealed) => Finding::Missing(sealed),
            _ => Finding::Settled,
        }
    }
}
