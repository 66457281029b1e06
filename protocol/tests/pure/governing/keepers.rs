//! A small world of nodes that keep epoch keys: each with its own view of the acts so far.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::governance::{
    Act, CutOff, Deed, Keyring, Role, Roster, Rotation, SignedKem,
};
use mangrove_protocol::id::{
    AuthorityId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq,
};
use mangrove_protocol::keys::{KemPublic, NodeKeys};

use super::hash;

pub(super) const ANN: usize = 0;
pub(super) const BOB: usize = 1;
pub(super) const CARL: usize = 2;
pub(super) const DAN: usize = 3;
pub(super) const EVE: usize = 4;

/// One node, with what it knows.
pub(super) struct Keeper {
    pub(super) keys: NodeKeys,
    pub(super) roster: Roster,
    pub(super) keyring: Keyring,
    known: BTreeSet<DeltaId>,
}

impl Keeper {
    fn new(number: usize) -> Self {
        let keys = NodeKeys::from_bytes(&[u8::try_from(number).unwrap() + 1; 64]);
        let roster = Roster::new(genesis().into());
        Self { keys, roster, keyring: Keyring::default(), known: BTreeSet::new() }
    }

    pub(super) fn peer(&self) -> PeerId {
        self.keys.peer()
    }

    pub(super) fn role(&self) -> Option<Role> {
        self.roster.role(self.peer())
    }

    pub(super) fn writes(&self) -> bool {
        self.role().is_some_and(Role::writes)
    }

    pub(super) fn choice(&self) -> Option<EpochId> {
        self.keyring.choose(&self.roster).map(|key| key.id())
    }

    pub(super) fn signed_kem(&self) -> SignedKem {
        SignedKem { key: *self.keys.kem_public().as_bytes(), signature: self.keys.sign_kem() }
    }

    fn receive(&mut self, deed: &Deed) {
        if self.known.insert(deed.id) {
            self.roster.insert(deed.clone());
            self.keyring.learn(&deed.act, &self.roster, &self.keys);
        }
    }
}

/// All nodes, and all acts in the order in which they were done.
pub(super) struct World {
    pub(super) keepers: Vec<Keeper>,
    pub(super) deeds: Vec<Deed>,
    /// For which epochs a node was a member in the eyes of somebody who knew of the epoch.
    pub(super) entitled: BTreeSet<(PeerId, EpochId)>,
    dice: u64,
}

fn genesis() -> DeltaId {
    DeltaId::from_bytes(hash("genesis"))
}

impl World {
    /// Ann founds a context; the others are strangers.
    pub(super) fn new(people: usize) -> Self {
        let keepers: Vec<_> = (0..people).map(Keeper::new).collect();
        let mut world = Self { keepers, deeds: Vec::new(), entitled: BTreeSet::new(), dice: 1_000 };
        let kem = world.keepers[ANN].signed_kem();
        let log = world.log(ANN, AuthorityId::ZERO);
        let founding = world.deed(log, genesis(), Act::Genesis { name: Vec::new(), kem });
        world.push(ANN, founding);
        world
    }

    /// Ann's context with these members, all of whom hold the key of its first epoch and know
    /// everything.
    pub(super) fn with(members: &[Role], people: usize) -> Self {
        let mut world = Self::new(people);
        world.rotate(ANN);
        for (at, role) in members.iter().enumerate() {
            world.grant(ANN, at + 1, *role);
        }
        world.sync_all();
        world
    }

    fn log(&self, who: usize, authority: AuthorityId) -> LogId {
        let author = self.keepers[who].peer();
        LogId { author, authority, incarnation: Incarnation::new(1), plane: Plane::Governance }
    }

    /// A fresh number.
    fn roll(&mut self) -> u64 {
        self.dice += 1;
        self.dice
    }

    /// Fresh bytes.
    pub(super) fn fresh(&mut self) -> [u8; 32] {
        hash(&format!("fresh {}", self.roll()))
    }

    fn push(&mut self, who: usize, deed: Deed) -> DeltaId {
        let id = deed.id;
        self.keepers[who].receive(&deed);
        self.deeds.push(deed);
        self.entitle(who);
        id
    }

    fn deed(&mut self, log: LogId, id: DeltaId, act: Act) -> Deed {
        let last = self.deeds.iter().rev().find(|deed| deed.log == log);
        let seq = last.map_or(Seq::FIRST, |deed| deed.seq.next());
        let prev = last.map_or(DeltaId::ZERO, |deed| deed.id);
        let hlc = Hlc::new(self.roll(), 0);
        Deed { id, log, seq, prev, hlc, act }
    }

    fn entitle(&mut self, who: usize) {
        let Keeper { roster, known, .. } = &self.keepers[who];
        let members: Vec<_> = roster.members().into_keys().collect();
        let known = self.deeds.iter().filter(|deed| known.contains(&deed.id));
        for epoch in known.filter_map(begun) {
            self.entitled.extend(members.iter().map(|member| (*member, epoch)));
        }
    }

    /// A member does something under the authority that it believes to have.
    pub(super) fn act(&mut self, who: usize, act: Act) -> DeltaId {
        let deed = self.next(who, act);
        self.push(who, deed)
    }

    fn next(&mut self, who: usize, act: Act) -> Deed {
        let keeper = &self.keepers[who];
        let authority = keeper.roster.authority(keeper.peer()).unwrap().id();
        let id = DeltaId::from_bytes(self.fresh());
        self.deed(self.log(who, authority), id, act)
    }

    /// One node tells another all it knows.
    pub(super) fn sync(&mut self, from: usize, to: usize) {
        let told = self.keepers[from].known.clone();
        for deed in self.deeds.iter().filter(|deed| told.contains(&deed.id)) {
            self.keepers[to].receive(deed);
        }
        self.entitle(to);
    }

    fn knows(&self, who: usize, deed: DeltaId) -> bool {
        self.keepers[who].known.contains(&deed)
    }

    /// Everybody learns of everything, members or not.
    pub(super) fn sync_all(&mut self) {
        for keeper in &mut self.keepers {
            self.deeds.iter().for_each(|deed| keeper.receive(deed));
        }
        (0..self.keepers.len()).for_each(|who| self.entitle(who));
    }

    /// Lets somebody in, with keys, and tells them all.
    pub(super) fn grant(&mut self, who: usize, whom: usize, role: Role) -> DeltaId {
        let (newcomer, keeper) = (&self.keepers[whom], &self.keepers[who]);
        let (member, kem) = (newcomer.peer(), newcomer.signed_kem());
        let box_key = newcomer.keys.kem_public();
        let seals = keeper.keyring.for_newcomer(&keeper.roster, member, &box_key);
        let (invite, overrides) = (None, Vec::new());
        let granted = self.act(who, Act::Grant { member, kem, role, seals, invite, overrides });
        self.sync(who, whom);
        granted
    }

    /// A new epoch for these; its maker keeps the key.
    pub(super) fn rotation_for(
        &mut self,
        who: usize,
        members: &BTreeMap<PeerId, KemPublic>,
    ) -> Rotation {
        let fresh = self.fresh();
        let keeper = &mut self.keepers[who];
        let (key, rotation) = keeper.keyring.rotation(&keeper.roster, members, fresh);
        assert!(keeper.keyring.add(key));
        rotation
    }

    /// A new epoch for all members.
    pub(super) fn rotation(&mut self, who: usize) -> Rotation {
        let members = self.keepers[who].roster.kems();
        self.rotation_for(who, &members)
    }

    pub(super) fn rotate(&mut self, who: usize) -> EpochId {
        let rotation = self.rotation(who);
        let epoch = rotation.epoch;
        self.act(who, Act::Rotate(rotation));
        epoch
    }

    /// Rotates, but gives one member a box with nothing in it.
    pub(super) fn rotate_past(&mut self, who: usize, victim: usize) -> EpochId {
        let mut rotation = self.rotation(who);
        let (epoch, victim) = (rotation.epoch, self.keepers[victim].peer());
        let boxes = rotation.seals.iter_mut().filter(|seal| seal.member == victim);
        boxes.for_each(|seal| seal.sealed[70] ^= 1);
        self.act(who, Act::Rotate(rotation));
        epoch
    }

    /// Rotates, and says to carry older keys, but carries rubbish.
    pub(super) fn rotate_with_rubbish(&mut self, who: usize) -> EpochId {
        let mut rotation = self.rotation(who);
        let epoch = rotation.epoch;
        rotation.older.iter_mut().for_each(|(_, wrapped)| wrapped[5] ^= 1);
        self.act(who, Act::Rotate(rotation));
        epoch
    }

    /// Removes somebody, accepting all that is known of them but these acts.
    pub(super) fn revoke(&mut self, who: usize, whom: usize, but: &[DeltaId]) -> EpochId {
        let member = self.keepers[whom].peer();
        let mut heads: BTreeMap<LogId, (Seq, DeltaId)> = BTreeMap::new();
        for deed in self.deeds.iter().filter(|deed| deed.log.author == member) {
            if self.knows(who, deed.id) && !but.contains(&deed.id) {
                heads.insert(deed.log, (deed.seq, deed.id));
            }
        }
        let cuts: Vec<_> =
            heads.into_iter().map(|(log, head)| CutOff { log, heads: vec![head] }).collect();
        // Whom else it costs their membership shows when it is tried.
        let revoke = |cuts, rotation| Act::Revoke { member, cuts, rotation };
        let nothing = Rotation { epoch: EpochId::ZERO, seals: Vec::new(), older: Vec::new() };
        let mut after = self.keepers[who].roster.clone();
        after.insert(self.next(who, revoke(Vec::clone(&cuts), nothing)));
        let rotation = self.rotation_for(who, &after.kems());
        let epoch = rotation.epoch;
        self.act(who, revoke(cuts, rotation));
        epoch
    }

    /// The epoch under which a member writes now, which it begins if there is none.
    pub(super) fn write(&mut self, who: usize) -> EpochId {
        if let Some(epoch) = self.keepers[who].choice() {
            return epoch;
        }
        let epoch = self.rotate(who);
        assert_eq!(self.keepers[who].choice(), Some(epoch), "one may write under what one made");
        epoch
    }

    /// What a member finds missing, which it then gives.
    pub(super) fn mend(&mut self, who: usize) -> usize {
        let keeper = &mut self.keepers[who];
        let missing = keeper.keyring.missing(&keeper.roster, 100);
        assert!(!keeper.keyring.is_behind());
        let count = missing.len();
        for act in missing {
            self.act(who, act);
        }
        count
    }

    /// Everybody learns of everything and does its part, all at once, until nobody has to.
    pub(super) fn settle(&mut self) {
        for _ in 0..6 {
            self.sync_all();
            let mut busy = false;
            for who in 0..self.keepers.len() {
                if self.keepers[who].role().is_some() {
                    busy |= self.mend(who) > 0;
                }
                let Keeper { keyring, roster, .. } = &self.keepers[who];
                if self.keepers[who].writes() && keyring.has_strays(roster) {
                    self.rotate(who);
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
        panic!("it never settles");
    }

    pub(super) fn holds(&self, who: usize, epoch: EpochId) -> bool {
        self.keepers[who].keyring.get(&epoch).is_some()
    }

    /// The names of those, of all, who hold a key.
    pub(super) fn holders(&self, epoch: EpochId) -> Vec<usize> {
        (0..self.keepers.len()).filter(|who| self.holds(*who, epoch)).collect()
    }

    /// What a node knows that has lost all its keys, and hears of these acts in this order.
    pub(super) fn replay<'a>(&self, who: usize, deeds: impl Iterator<Item = &'a Deed>) -> Keyring {
        let mut again = Keeper::new(who);
        deeds.for_each(|deed| again.receive(deed));
        again.keyring
    }
}

/// The epoch that an act begins.
pub(super) fn begun(deed: &Deed) -> Option<EpochId> {
    match &deed.act {
        Act::Rotate(rotation) | Act::Revoke { rotation, .. } => Some(rotation.epoch),
        _ => None,
    }
}
