//! What a hostile member does to who may do what: acts above its role, boxes that do not open, forks
//! around a cut-off, writes from before its removal.

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use mangrove_protocol::governance::{Act, CutOff, Keyring, Role, Rotation};
use mangrove_protocol::id::{
    AuthorityId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq, Tip,
};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::view::{GovHeads, Logs, Table};

use crate::founding::signed_kem;
use crate::hostile::Trick;
use crate::node::Spot;
use crate::world::{BEGINNING_MS, World};

/// How many acts of governance it writes in a run at most.
const MOST_ACTS: usize = 60;

impl World {
    /// The right by which the hostile member writes: what somebody believes it has, or what it once
    /// had.
    pub(crate) fn hostile_right(&mut self, target: Spot) -> Option<AuthorityId> {
        let mallory = self.cast.mallory.peer();
        let believed = self.roster(target).and_then(|roster| roster.authority(mallory));
        let believed = believed.map(mangrove_protocol::governance::Authority::id);
        let once = self.cast.right(target.context, mallory);
        let now = believed.filter(|_| self.hostile.dice.chance(700));
        now.or(once)
    }

    /// An act of governance that no honest member would write.
    pub(crate) fn intrigue(&mut self, target: Spot, trick: Trick) -> Option<Delta> {
        if self.hostile.acts >= MOST_ACTS {
            return None;
        }
        self.hostile.acts += 1;
        let keys = self.cast.mallory.clone();
        let (log, last) = self.chapter(target, trick, &keys)?;
        let payload = match trick {
            Trick::GarbageAct => vec![1, 0xff, 0xff, 0xff, 7],
            Trick::UnknownAct => vec![9, 1, 2, 3],
            _ => self.act(target, trick, log)?.encode(),
        };
        let now_ms = BEGINNING_MS + self.now_ms;
        let ahead_ms = match trick {
            Trick::SoonAct => self.hostile.dice.between(61_000, 180_000),
            _ => 0,
        };
        let before = last.as_ref().map_or(Hlc::ZERO, |last| last.header().hlc);
        let heads = GovHeads::rows(self.image(target)?).values().filter(|tip| tip.log != log);
        let draft = Draft {
            context: self.cast.context(target.context),
            log,
            seq: last.as_ref().map_or(Seq::FIRST, |last| last.seq().next()),
            prev: last.as_ref().map_or(DeltaId::ZERO, Delta::id),
            deps: heads.take(2).copied().collect::<Vec<Tip>>(),
            gov_heads: None,
            hlc: before.after(now_ms + ahead_ms)?,
            suite: Suite::AesGcmSiv,
            payload,
        };
        seal_and_sign(draft, None, [0; XCHACHA_NONCE_BYTES], &keys).ok()
    }

    /// Where its next act stands, and the one before.
    fn chapter(
        &mut self,
        target: Spot,
        trick: Trick,
        keys: &NodeKeys,
    ) -> Option<(LogId, Option<Delta>)> {
        let own = self.hostile.written_in(target.context, Plane::Governance);
        let last = match trick {
            Trick::ForkAct => self.hostile.dice.pick(&own).cloned(),
            _ => own.last().filter(|_| self.hostile.dice.chance(800)).cloned(),
        };
        if let Some(last) = last {
            return Some((*last.log(), Some(last)));
        }
        let log = LogId {
            author: keys.peer(),
            authority: self.hostile_right(target)?,
            incarnation: Incarnation::new(self.hostile.dice.next()),
            plane: Plane::Governance,
        };
        Some((log, None))
    }

    fn act(&mut self, target: Spot, trick: Trick, log: LogId) -> Option<Act> {
        let victim = self.victim(target)?;
        Some(match trick {
            Trick::UnequalSeals => Act::Rotate(self.unequal(target, victim)?),
            Trick::Sybils => {
                let sybil = NodeKeys::from_bytes(&self.hostile.dice.bytes());
                let role = *self.hostile.dice.pick(&[Role::Owner, Role::Writer, Role::Reader])?;
                grant(&sybil, role)
            }
            Trick::Closes => {
                let logs = Logs::rows(self.image(target)?).keys().copied().collect::<Vec<_>>();
                let closed = *self.hostile.dice.pick(&logs)?;
                Act::Close { cut: CutOff { log: closed, heads: self.some_heads(target, &closed) } }
            }
            Trick::AboveRole => match self.hostile.dice.below(3) {
                0 => grant(&self.cast.mallory, Role::Owner),
                1 => Act::Enlist { replica: victim },
                _ => Act::Revoke {
                    member: victim,
                    cuts: vec![],
                    rotation: self.unequal(target, victim)?,
                },
            },
            _ => {
                let heads = self.some_heads(target, &log);
                Act::Close { cut: CutOff { log, heads } }
            }
        })
    }

    fn victim(&mut self, target: Spot) -> Option<PeerId> {
        let members = self.roster(target)?.members().into_keys().collect::<Vec<_>>();
        self.hostile.dice.pick(&members).copied()
    }

    /// Ends of a log as somebody holds it, or none, or such as do not exist.
    fn some_heads(&mut self, target: Spot, log: &LogId) -> Vec<(Seq, DeltaId)> {
        let held = self.image(target).and_then(|image| Logs::rows(image).get(log));
        let held = held.map(|row| row.stored.as_slice().to_vec()).unwrap_or_default();
        match self.hostile.dice.below(4) {
            0 => Vec::new(),
            1 => vec![(Seq::FIRST, DeltaId::from_bytes(self.hostile.dice.bytes()))],
            _ => held,
        }
    }

    /// An epoch whose key one member is given in a box that does not open.
    fn unequal(&mut self, target: Spot, victim: PeerId) -> Option<Rotation> {
        let fresh = self.hostile.dice.bytes();
        let roster = self.roster(target)?;
        let keyring = Keyring::new(self.cast.epochs(target.context).iter().cloned());
        let (key, mut rotation) = keyring.rotation(roster, &roster.kems(), fresh);
        for seal in rotation.seals.iter_mut().filter(|seal| seal.member == victim) {
            seal.sealed.fill(3);
        }
        let id: EpochId = key.id();
        self.epochs.insert(id, key);
        Some(rotation)
    }
}

fn grant(keys: &NodeKeys, role: Role) -> Act {
    let (member, kem) = (keys.peer(), signed_kem(keys));
    Act::Grant { member, kem, role, seals: vec![], invite: None, overrides: vec![] }
}
