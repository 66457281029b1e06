//! Stories about who may do what, told in a few words and checked in every order of arrival.

mod codec;
pub(crate) mod council;
mod effort;
mod keepers;
mod keeping;
mod keyring;
mod naive;
mod plan;
mod planning;
mod properties;
pub(crate) mod redeeming;
mod scenarios;

use std::collections::BTreeMap;

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::governance::{
    Act, CutOff, Deed, Role, Roster, Rotation, SEALED_KEY_BYTES, SealedEpoch, SealedKey, SignedKem,
    Standing,
};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq,
};

use crate::make::seq;

pub(crate) const PEOPLE: [&str; 9] =
    ["ann", "bob", "carl", "dan", "eve", "fay", "gus", "box1", "box2"];

pub(crate) fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

pub(crate) fn peer(name: &str) -> PeerId {
    assert!(PEOPLE.contains(&name), "{name} is nobody");
    PeerId::from_bytes(hash(name))
}

pub(crate) fn name_of(peer: PeerId) -> &'static str {
    PEOPLE.into_iter().find(|name| self::peer(name) == peer).unwrap()
}

pub(crate) fn epoch(name: &str) -> EpochId {
    EpochId::from_bytes(hash(name))
}

pub(crate) fn kem() -> SignedKem {
    SignedKem { key: [1; 32], signature: [2; 64] }
}

fn box_for(name: &str) -> SealedKey {
    SealedKey { member: peer(name), sealed: [3; SEALED_KEY_BYTES] }
}

/// A rotation to an epoch of this name, for these, carrying the keys of those.
pub(crate) fn rotation(name: &str, recipients: &[&str], older: &[&str]) -> Rotation {
    let older = older.iter().map(|older| (epoch(older), vec![4; 48]));
    let seals = recipients.iter().map(|name| box_for(name));
    Rotation { epoch: epoch(name), seals: seals.collect(), older: older.collect() }
}

/// A set of governance deltas, as its authors wrote it.
#[derive(Clone)]
pub(crate) struct Story {
    context: ContextId,
    deeds: Vec<Deed>,
    /// The log that each person writes.
    logs: BTreeMap<&'static str, LogId>,
    tips: BTreeMap<LogId, (Seq, DeltaId)>,
    places: BTreeMap<DeltaId, (LogId, Seq)>,
    clock: u64,
}

impl Story {
    /// This person founds a context. Boxes are strangers until somebody takes them in.
    pub(crate) fn new(founder: &'static str) -> Self {
        let genesis = DeltaId::from_bytes(hash("genesis"));
        let mut story = Self {
            context: genesis.into(),
            deeds: Vec::new(),
            logs: BTreeMap::new(),
            tips: BTreeMap::new(),
            places: BTreeMap::new(),
            clock: 1_767_225_600_000,
        };
        story.starts(founder, AuthorityId::ZERO);
        let act = Act::Genesis { name: b"first".to_vec(), kem: kem() };
        story.push(story.logs[founder], None, act, genesis);
        story.starts(founder, genesis);
        story
    }

    pub(crate) fn deeds(&self) -> &[Deed] {
        &self.deeds
    }

    pub(crate) fn context(&self) -> ContextId {
        self.context
    }

    pub(crate) fn genesis(&self) -> DeltaId {
        self.deeds[0].id
    }

    pub(crate) fn roster(&self) -> Roster {
        Roster::of(self.context, self.deeds.clone())
    }

    fn push(&mut self, log: LogId, after: Option<DeltaId>, act: Act, id: DeltaId) -> DeltaId {
        self.clock += 10;
        let place = after.map(|after| self.places[&after].1.next()).unwrap_or(Seq::FIRST);
        let prev = after.unwrap_or(DeltaId::ZERO);
        let hlc = Hlc::new(self.clock, 0);
        self.places.insert(id, (log, place));
        self.tips.insert(log, (place, id));
        self.deeds.push(Deed { id, log, seq: place, prev, hlc, act });
        id
    }

    fn fresh_id(&self, what: &str) -> DeltaId {
        DeltaId::from_bytes(hash(&format!("{what} {}", self.clock)))
    }

    /// From now on a person writes a new log under this authority.
    pub(crate) fn starts(&mut self, who: &'static str, authority: impl Into<AuthorityId>) {
        self.clock += 10;
        let incarnation = Incarnation::new(self.clock);
        let plane = Plane::Governance;
        let log = LogId { author: peer(who), authority: authority.into(), incarnation, plane };
        self.logs.insert(who, log);
    }

    /// From now on a person writes this log again.
    pub(crate) fn resumes(&mut self, who: &'static str, log: LogId) {
        self.logs.insert(who, log);
    }

    /// The log that a person writes.
    pub(crate) fn log(&self, who: &str) -> LogId {
        self.logs[who]
    }

    /// The data log that goes with it.
    pub(crate) fn data_log(&self, who: &str) -> LogId {
        LogId { plane: Plane::Data, ..self.logs[who] }
    }

    /// A place in the data log of a person, to be named as a head.
    pub(crate) fn data(&mut self, who: &str, at: u64) -> DeltaId {
        let log = self.data_log(who);
        let id = DeltaId::from_bytes(hash(&format!("{log:?} {at}")));
        self.places.insert(id, (log, seq(at)));
        id
    }

    /// A place in the governance log of a person that nobody holds.
    pub(crate) fn unseen(&mut self, who: &str, at: u64) -> DeltaId {
        let id = self.fresh_id("unseen");
        self.places.insert(id, (self.logs[who], seq(at)));
        id
    }

    /// A person does something.
    pub(crate) fn act(&mut self, who: &str, act: Act) -> DeltaId {
        let log = self.logs[who];
        let after = self.tips.get(&log).map(|(_, id)| *id);
        let id = self.fresh_id(who);
        self.push(log, after, act, id)
    }

    /// A person does something after this delta of a log that goes on otherwise.
    pub(crate) fn fork(&mut self, after: DeltaId, act: Act) -> DeltaId {
        let log = self.places[&after].0;
        let id = self.fresh_id("fork");
        self.push(log, Some(after), act, id)
    }

    /// Cut-offs that accept these and what is before them.
    pub(crate) fn accepting(&self, heads: &[DeltaId]) -> Vec<CutOff> {
        let mut cuts: BTreeMap<LogId, Vec<(Seq, DeltaId)>> = BTreeMap::new();
        for id in heads {
            let (log, seq) = self.places[id];
            cuts.entry(log).or_default().push((seq, *id));
        }
        let sorted = |mut heads: Vec<_>| {
            heads.sort_unstable();
            heads
        };
        cuts.into_iter().map(|(log, heads)| CutOff { log, heads: sorted(heads) }).collect()
    }

    pub(crate) fn grant(&mut self, who: &str, whom: &'static str, role: Role) -> DeltaId {
        self.grant_with(who, whom, role, (&[], None))
    }

    pub(crate) fn grant_again(
        &mut self,
        who: &str,
        whom: &'static str,
        role: Role,
        overrides: &[DeltaId],
    ) -> DeltaId {
        self.grant_with(who, whom, role, (overrides, None))
    }

    pub(crate) fn redeem(
        &mut self,
        who: &str,
        whom: &'static str,
        role: Role,
        invite: DeltaId,
    ) -> DeltaId {
        self.grant_with(who, whom, role, (&[], Some(invite)))
    }

    fn grant_with(
        &mut self,
        who: &str,
        whom: &'static str,
        role: Role,
        (overrides, invite): (&[DeltaId], Option<DeltaId>),
    ) -> DeltaId {
        let (member, seals, overrides) = (peer(whom), Vec::new(), overrides.to_vec());
        let granted =
            self.act(who, Act::Grant { member, kem: kem(), role, seals, invite, overrides });
        self.starts(whom, granted);
        granted
    }

    /// Hands out these epochs together with a role.
    pub(crate) fn grant_keys(&mut self, who: &str, whom: &'static str, epochs: &[&str]) -> DeltaId {
        let sealed = [3; SEALED_KEY_BYTES];
        let seals = epochs.iter().map(|name| SealedEpoch { epoch: epoch(name), sealed }).collect();
        let (member, role) = (peer(whom), Role::Writer);
        let (invite, overrides) = (None, Vec::new());
        let granted =
            self.act(who, Act::Grant { member, kem: kem(), role, seals, invite, overrides });
        self.starts(whom, granted);
        granted
    }

    pub(crate) fn set_role(
        &mut self,
        who: &str,
        whom: &'static str,
        role: Role,
        accepted: &[DeltaId],
    ) -> DeltaId {
        self.set_role_again(who, whom, role, (accepted, &[]))
    }

    pub(crate) fn set_role_again(
        &mut self,
        who: &str,
        whom: &'static str,
        role: Role,
        (accepted, overrides): (&[DeltaId], &[DeltaId]),
    ) -> DeltaId {
        let (member, cuts, overrides) = (peer(whom), self.accepting(accepted), overrides.to_vec());
        let set = self.act(who, Act::SetRole { member, kem: kem(), role, cuts, overrides });
        self.starts(whom, set);
        set
    }

    pub(crate) fn revoke(&mut self, who: &str, whom: &str, accepted: &[DeltaId]) -> DeltaId {
        let name = format!("after {whom} {}", self.clock);
        self.revoke_and_rotate(who, whom, accepted, rotation(&name, &[], &[]))
    }

    pub(crate) fn revoke_and_rotate(
        &mut self,
        who: &str,
        whom: &str,
        accepted: &[DeltaId],
        rotation: Rotation,
    ) -> DeltaId {
        let (member, cuts) = (peer(whom), self.accepting(accepted));
        self.act(who, Act::Revoke { member, cuts, rotation })
    }

    pub(crate) fn leave(&mut self, who: &str, accepted: &[DeltaId]) -> DeltaId {
        let cuts = self.accepting(accepted);
        self.act(who, Act::Leave { cuts })
    }

    /// Closes a log after these heads; without any, before its start.
    pub(crate) fn close(&mut self, who: &str, log: LogId, heads: &[DeltaId]) -> DeltaId {
        let cut = self.accepting(heads).pop().unwrap_or(CutOff { log, heads: Vec::new() });
        assert_eq!(cut.log, log);
        self.act(who, Act::Close { cut })
    }

    pub(crate) fn invite(&mut self, who: &str, role: Role, uses: u32) -> DeltaId {
        self.act(who, Act::Invite { key: [5; 32], role, expires_at_ms: 1, uses })
    }

    pub(crate) fn close_invite(
        &mut self,
        who: &str,
        invite: DeltaId,
        accepted: &[DeltaId],
    ) -> DeltaId {
        let mut accepted = accepted.to_vec();
        accepted.sort_unstable();
        self.act(who, Act::CloseInvite { invite, accepted })
    }

    pub(crate) fn rename(&mut self, who: &str, name: &str) -> DeltaId {
        self.act(who, Act::Rename { name: name.as_bytes().to_vec() })
    }

    pub(crate) fn rotate(&mut self, who: &str, to: Rotation) -> DeltaId {
        self.act(who, Act::Rotate(to))
    }

    pub(crate) fn seal(&mut self, who: &str, name: &str, whom: &str) -> DeltaId {
        self.act(who, Act::Seal { epoch: epoch(name), key: box_for(whom) })
    }
}

/// The members in words: `ann owner, bob writer`.
pub(crate) fn members(roster: &Roster) -> String {
    let roles = PEOPLE.into_iter().filter_map(|name| Some((name, roster.role(peer(name))?)));
    let told = roles.map(|(name, role)| format!("{name} {}", format!("{role:?}").to_lowercase()));
    told.collect::<Vec<_>>().join(", ")
}

/// What is said of a log in words: `all`, or the highest places of every set of heads.
pub(crate) fn standing(roster: &Roster, log: LogId) -> String {
    match roster.standing(&log) {
        Standing::Unknown => "unknown".to_owned(),
        Standing::Nothing => "nothing".to_owned(),
        Standing::Within(sets) if sets.is_empty() => "all".to_owned(),
        Standing::Within(sets) => {
            let told = |heads: &Vec<(Seq, DeltaId)>| {
                let places: Vec<_> = heads.iter().map(|(seq, _)| seq.to_string()).collect();
                format!("within {{{}}}", places.join(" "))
            };
            let mut told: Vec<_> = sets.iter().map(told).collect();
            told.sort();
            told.join(" and ")
        }
    }
}

/// The epochs in words, of these: `e1 1 ann bob, e2 2 ann (leaked)`.
pub(crate) fn epochs(roster: &Roster, names: &[&str]) -> String {
    let known = roster.epochs();
    let told = names.iter().filter_map(|name| {
        let epoch = known.get(&epoch(name))?;
        let mut who: Vec<_> = epoch.recipients.iter().map(|peer| name_of(*peer)).collect();
        who.sort_unstable();
        let leaked = if epoch.is_confined { "" } else { " (leaked)" };
        Some(format!("{name} {} {}{leaked}", epoch.depth, who.join(" ")))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Checks who is a member; that it is so whatever the order of arrival; and that the page says so.
#[track_caller]
pub(crate) fn expect(story: &Story, wanted: &str) -> Roster {
    let roster = story.roster();
    assert_eq!(members(&roster), wanted);
    let (mut forth, mut back) = (Roster::new(story.context), Roster::new(story.context));
    for (early, late) in story.deeds.iter().zip(story.deeds.iter().rev()) {
        forth.insert(early.clone());
        back.insert(late.clone());
    }
    assert_eq!(forth, roster, "one by one");
    assert_eq!(back, roster, "backwards");
    naive::check(story.context, &story.deeds, &roster);
    roster
}

/// Checks which of these acts count.
#[track_caller]
pub(crate) fn expect_acts(roster: &Roster, counting: &[DeltaId], void: &[DeltaId]) {
    for (at, id) in counting.iter().enumerate() {
        assert!(roster.counts(*id), "number {at} of the counting is void");
    }
    for (at, id) in void.iter().enumerate() {
        assert!(!roster.counts(*id), "number {at} of the void counts");
    }
}
