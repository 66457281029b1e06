//! The governance that tests of the replica begin with: a founder, and many writers with one epoch.

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, seal_and_sign};
use mangrove_protocol::governance::{Act, Role, Rotation, SealedKey, SignedKem};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, Incarnation, LogId, PeerId, Plane, Seq, Tip,
};
use mangrove_protocol::keybox;
use mangrove_protocol::keys::NodeKeys;

use crate::crank::{LAST_MEMBER, NOW_MS};
use crate::make::{epoch, keys};

/// Who founds the context of the tests.
pub(crate) const FOUNDER: u8 = 200;

/// A context as it begins.
#[derive(Debug)]
pub(crate) struct Founding {
    pub(crate) context: ContextId,
    /// The genesis, the first epoch, and a grant for each writer in the order of their seeds.
    pub(crate) deltas: Vec<Delta>,
}

pub(crate) fn signed_kem(keys: &NodeKeys) -> SignedKem {
    SignedKem { key: *keys.kem_public().as_bytes(), signature: keys.sign_kem() }
}

/// What one member decides, written by hand.
#[derive(Debug, Clone)]
pub(crate) struct Decree {
    pub(crate) author: u8,
    pub(crate) authority: AuthorityId,
    pub(crate) life: u64,
    pub(crate) prev: Option<Tip>,
    pub(crate) deps: Vec<Tip>,
    pub(crate) hlc: Hlc,
}

impl Decree {
    pub(crate) fn log(&self) -> LogId {
        LogId {
            author: keys(self.author).peer(),
            authority: self.authority,
            incarnation: Incarnation::new(self.life),
            plane: Plane::Governance,
        }
    }

    pub(crate) fn write(&self, context: ContextId, act: &Act) -> Delta {
        let draft = Draft {
            context,
            log: self.log(),
            seq: self.prev.map_or(Seq::FIRST, |tip| tip.seq.next()),
            prev: self.prev.map_or(DeltaId::ZERO, |tip| tip.id),
            deps: self.deps.clone(),
            gov_heads: None,
            hlc: self.hlc,
            suite: Suite::AesGcmSiv,
            payload: act.encode(),
        };
        seal_and_sign(draft, None, [0; 24], &keys(self.author)).unwrap()
    }
}

impl Founding {
    pub(crate) fn new() -> Self {
        let founder = keys(FOUNDER);
        let mut decree = Decree {
            author: FOUNDER,
            authority: AuthorityId::ZERO,
            life: 1,
            prev: None,
            deps: Vec::new(),
            hlc: Hlc::new(NOW_MS - 60_000, 0),
        };
        let genesis = Act::Genesis { name: Vec::new(), kem: signed_kem(&founder) };
        let genesis = decree.write(ContextId::ZERO, &genesis);
        let context = ContextId::from(genesis.id());
        decree.authority = genesis.id().into();
        let mut deltas = vec![genesis];
        let members = (0..=LAST_MEMBER).map(keys).chain([founder]);
        let mut seals = members
            .map(|member| SealedKey {
                member: member.peer(),
                sealed: keybox::seal(&epoch(1), member.peer(), &member.kem_public()).unwrap(),
            })
            .collect::<Vec<_>>();
        seals.sort_by_key(|seal| seal.member);
        let rotation = Rotation { epoch: epoch(1).id(), seals, older: Vec::new() };
        let mut acts = vec![Act::Rotate(rotation)];
        acts.extend((0..=LAST_MEMBER).map(|seed| grant(seed, Role::Writer)));
        for act in acts {
            decree.hlc = Hlc::from_bits(decree.hlc.bits() + 1);
            let delta = decree.write(context, &act);
            decree.prev = Some(delta.tip());
            deltas.push(delta);
        }
        Self { context, deltas }
    }

    /// What the founder decides after that, on top of everything.
    pub(crate) fn next(&self) -> Decree {
        let last = self.deltas.last().unwrap();
        Decree {
            author: FOUNDER,
            authority: last.log().authority,
            life: 1,
            prev: Some(last.tip()),
            deps: Vec::new(),
            hlc: Hlc::from_bits(last.header().hlc.bits() + 1),
        }
    }

    /// The right by which a writer writes.
    pub(crate) fn authority(&self, seed: u8) -> AuthorityId {
        if seed == FOUNDER {
            return self.deltas[0].id().into();
        }
        let grant = self.deltas.get(2 + usize::from(seed));
        // Strangers name one that nobody ever conferred.
        grant.map_or_else(|| crate::make::id(0xa0).into(), |delta| delta.id().into())
    }
}

pub(crate) fn grant(seed: u8, role: Role) -> Act {
    let kem = signed_kem(&keys(seed));
    let member: PeerId = keys(seed).peer();
    Act::Grant { member, kem, role, seals: Vec::new(), invite: None, overrides: Vec::new() }
}
