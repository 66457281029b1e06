//! How a context begins: its founder, the members that are let in at once, and two epochs.

use std::collections::BTreeMap;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use mangrove_protocol::effect::{Effects, Input};
use mangrove_protocol::governance::{
    Act, Deed, Keyring, Role, Roster, Rotation, SealedEpoch, SignedKem,
};
use mangrove_protocol::id::{AuthorityId, ContextId, DeltaId, PeerId};
use mangrove_protocol::keybox;
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::replica::{Config, Replica, found};
use mangrove_protocol::seal::EpochKey;
use mangrove_protocol::view::Memory;

use crate::dice::Dice;

/// When contexts are founded: long enough ago for every clock.
const FOUNDED_MS: u64 = crate::world::BEGINNING_MS - 600_000;
/// More steps than it takes to settle what a context begins with.
const STEPS: usize = 1_000;

/// Somebody who is let in at once.
#[derive(Debug)]
pub(crate) struct Invited<'a> {
    pub(crate) keys: &'a NodeKeys,
    pub(crate) role: Role,
    /// So many of the two boxes that are made out to it open.
    pub(crate) boxes: usize,
}

/// The beginning of a context.
#[derive(Debug)]
pub(crate) struct Founding {
    pub(crate) context: ContextId,
    /// The genesis, the first epoch, the grants, the second epoch.
    pub(crate) deltas: Vec<Delta>,
    /// The keys of both epochs.
    pub(crate) epochs: Vec<EpochKey>,
    rights: BTreeMap<PeerId, AuthorityId>,
}

impl Founding {
    /// What a founder writes down first. There is none if what it writes breaks a rule.
    pub(crate) fn new(
        founder: &NodeKeys,
        invited: &[Invited<'_>],
        dice: &mut Dice,
    ) -> Option<Self> {
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let deltas = found(founder, "a context", FOUNDED_MS, &mut entropy).ok()?;
        let genesis = deltas.first()?;
        let context = ContextId::from(genesis.id());
        let rights = [(founder.peer(), AuthorityId::from(genesis.id()))].into();
        let first = opened(deltas.get(1)?, founder)?;
        let mut founding = Self { context, deltas, epochs: vec![first.clone()], rights };
        for one in invited {
            let grant = granted(one, &first)?;
            let delta = founding.append(founder, &grant)?;
            founding.rights.insert(one.keys.peer(), delta.into());
        }
        let fresh = dice.bytes();
        founding.rotate(founder, invited, fresh)?;
        Some(founding)
    }

    /// The right by which somebody writes at the beginning.
    pub(crate) fn right(&self, peer: PeerId) -> Option<AuthorityId> {
        self.rights.get(&peer).copied()
    }

    /// The last of its deltas, after which a node knows them all.
    pub(crate) fn last(&self) -> DeltaId {
        self.deltas.last().map_or(DeltaId::ZERO, Delta::id)
    }

    /// What a node has stored that was given all of this.
    pub(crate) fn stored(&self, config: &Config, dice: &mut Dice) -> Memory {
        let mut memory = Memory::default();
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        let mut replica = Replica::boot(config.clone(), FOUNDED_MS, &memory);
        let from = config.keys.peer();
        let mut next = Some(Input::Deltas { from, deltas: self.deltas.clone() });
        for _ in 0..STEPS {
            let Some(input) = next.take() else { break };
            let effects = replica.handle(input, FOUNDED_MS + 60_000, &mut entropy, &memory);
            let Effects { commit, wake_at_ms, .. } = effects;
            if let Some(commit) = commit {
                memory.apply(&commit.batch);
                next = Some(Input::Committed);
            } else if wake_at_ms.is_some_and(|at_ms| at_ms <= FOUNDED_MS + 60_000) {
                next = Some(Input::Tick);
            }
        }
        memory
    }

    fn rotate(&mut self, by: &NodeKeys, invited: &[Invited<'_>], fresh: [u8; 32]) -> Option<()> {
        let deeds = self.deltas.iter().filter_map(deed);
        let roster = Roster::of(self.context, deeds);
        let members = invited.iter().map(|one| one.keys).chain([by]);
        let members = members.map(|keys| (keys.peer(), keys.kem_public())).collect();
        let keyring = Keyring::new(self.epochs.clone());
        let (key, mut rotation) = keyring.rotation(&roster, &members, fresh);
        for one in invited.iter().filter(|one| one.boxes < 2) {
            spoil(&mut rotation, one.keys.peer());
        }
        self.epochs.push(key);
        self.append(by, &Act::Rotate(rotation)).map(drop)
    }

    fn append(&mut self, by: &NodeKeys, act: &Act) -> Option<DeltaId> {
        let last = self.deltas.last()?;
        let header = last.header();
        let draft = Draft {
            context: self.context,
            log: header.log,
            seq: header.seq.next(),
            prev: last.id(),
            deps: Vec::new(),
            gov_heads: None,
            hlc: Hlc::from_bits(header.hlc.bits() + 1),
            suite: Suite::AesGcmSiv,
            payload: act.encode(),
        };
        let delta = seal_and_sign(draft, None, [0; XCHACHA_NONCE_BYTES], by).ok()?;
        let id = delta.id();
        self.deltas.push(delta);
        Some(id)
    }
}

/// A box key with its owner's signature.
pub(crate) fn signed_kem(keys: &NodeKeys) -> SignedKem {
    SignedKem { key: *keys.kem_public().as_bytes(), signature: keys.sign_kem() }
}

/// A governance delta as the roster takes it.
pub(crate) fn deed(delta: &Delta) -> Option<Deed> {
    let header = delta.header();
    let act = Act::decode(delta.payload()).ok()?;
    let (log, seq, prev, hlc) = (header.log, header.seq, header.prev, header.hlc);
    Some(Deed { id: delta.id(), log, seq, prev, hlc, act })
}

fn granted(one: &Invited<'_>, first: &EpochKey) -> Option<Act> {
    let member = one.keys.peer();
    let mut sealed = keybox::seal(first, member, &one.keys.kem_public()).ok()?;
    if one.boxes == 0 {
        sealed.fill(7);
    }
    Some(Act::Grant {
        member,
        kem: signed_kem(one.keys),
        role: one.role,
        seals: vec![SealedEpoch { epoch: first.id(), sealed }],
        invite: None,
        overrides: Vec::new(),
    })
}

fn opened(rotate: &Delta, keys: &NodeKeys) -> Option<EpochKey> {
    let Ok(Act::Rotate(rotation)) = Act::decode(rotate.payload()) else { return None };
    let own = rotation.seals.iter().find(|seal| seal.member == keys.peer())?;
    keybox::open(&own.sealed, rotation.epoch, keys).ok()
}

fn spoil(rotation: &mut Rotation, member: PeerId) {
    for seal in rotation.seals.iter_mut().filter(|seal| seal.member == member) {
        seal.sealed.fill(7);
    }
}
