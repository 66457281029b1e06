//! A context whose members do what their plans say, and now and then something else.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::governance::{
    Act, Command, CutOff, Deed, Keyring, Plan, Refusal, Role, Roster, Sight, SignedKem, Standing,
    plan,
};
use mangrove_protocol::id::{
    AuthorityId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq,
};
use mangrove_protocol::seal::EpochKey;

use crate::make::keys;

pub(crate) const ANN: u8 = 1;
pub(crate) const BOB: u8 = 2;
pub(crate) const CARL: u8 = 3;
pub(crate) const DAN: u8 = 4;
pub(crate) const EVE: u8 = 5;

/// When everything happens, unless somebody waits.
pub(crate) const NOW_MS: u64 = 1_767_225_600_000;

/// Data has names of its own.
const DATA: u64 = 1 << 32;

pub(crate) fn peer(who: u8) -> PeerId {
    keys(who).peer()
}

pub(crate) fn kem_of(who: u8) -> SignedKem {
    SignedKem { key: *keys(who).kem_public().as_bytes(), signature: keys(who).sign_kem() }
}

#[derive(Clone)]
pub(crate) struct Council {
    pub(crate) roster: Roster,
    pub(crate) deeds: Vec<DeltaId>,
    pub(crate) now_ms: u64,
    /// The log that each writes, with the authority that it had then.
    logs: BTreeMap<PeerId, LogId>,
    tips: BTreeMap<LogId, (Seq, DeltaId)>,
    keys: BTreeMap<EpochId, EpochKey>,
    count: u64,
}

impl Council {
    /// Ann founds a context and begins its first epoch.
    pub(crate) fn new() -> Self {
        let genesis = name(0);
        let mut council = Self {
            roster: Roster::new(genesis.into()),
            deeds: Vec::new(),
            now_ms: NOW_MS,
            logs: BTreeMap::new(),
            tips: BTreeMap::new(),
            keys: BTreeMap::new(),
            count: 0,
        };
        let act = Act::Genesis { name: b"first".to_vec(), kem: kem_of(ANN) };
        council.insert(log_of(peer(ANN), AuthorityId::ZERO, 0), genesis, act);
        council.does(ANN, Command::Rotate);
        council
    }

    fn insert(&mut self, log: LogId, id: DeltaId, act: Act) {
        self.count += 1;
        let (seq, prev) = match self.tips.get(&log) {
            Some((seq, id)) => (seq.next(), *id),
            None => (Seq::FIRST, DeltaId::ZERO),
        };
        let hlc = Hlc::new(self.now_ms + self.count, 0);
        self.tips.insert(log, (seq, id));
        self.deeds.push(id);
        self.roster.insert(Deed { id, log, seq, prev, hlc, act });
    }

    /// Writes an act, planned or not, under the authority that its author has, or had at last.
    pub(crate) fn write(&mut self, who: u8, act: Act) -> DeltaId {
        let (author, id) = (peer(who), name(self.count));
        let log = match (self.roster.authority(author), self.logs.get(&author)) {
            (None, Some(log)) => *log,
            (Some(now), Some(log)) if now.id() == log.authority && self.is_open(log) => *log,
            (now, _) => log_of(author, now.unwrap().id(), self.count),
        };
        self.logs.insert(author, log);
        self.insert(log, id, act);
        id
    }

    /// Whether nothing ends a log.
    fn is_open(&self, log: &LogId) -> bool {
        self.roster.standing(log) == Standing::Within(Vec::new())
    }

    /// Writes some data; where it stands.
    pub(crate) fn writes_data(&mut self, who: u8) -> (LogId, (Seq, DeltaId)) {
        self.count += 1;
        let authority = self.roster.authority(peer(who)).unwrap().id();
        let log = LogId { plane: Plane::Data, ..log_of(peer(who), authority, 0) };
        let seq = self.tips.get(&log).map_or(Seq::FIRST, |(seq, _)| seq.next());
        let tip = (seq, name(self.count + DATA));
        self.tips.insert(log, tip);
        (log, tip)
    }

    /// The tips of all data logs.
    pub(crate) fn data(&self) -> Vec<(LogId, (Seq, DeltaId))> {
        let logs = self.tips.iter().filter(|(log, _)| log.plane == Plane::Data);
        logs.map(|(log, tip)| (*log, *tip)).collect()
    }

    /// The governance log that somebody writes.
    pub(crate) fn log(&self, who: u8) -> LogId {
        self.logs[&peer(who)]
    }

    pub(crate) fn role(&self, who: u8) -> Option<Role> {
        self.roster.role(peer(who))
    }

    /// Everything of a member, which all have accepted.
    pub(crate) fn accepted(&self, of: PeerId) -> Vec<CutOff> {
        let logs = self.tips.iter().filter(|(log, _)| log.author == of);
        logs.map(|(log, tip)| CutOff { log: *log, heads: vec![*tip] }).collect()
    }

    /// The keys of all epochs that somebody was given.
    pub(crate) fn keyring(&self, who: u8) -> Keyring {
        let epochs = self.roster.epochs();
        let given = epochs.iter().filter(|(_, epoch)| epoch.recipients.contains(&peer(who)));
        Keyring::new(given.filter_map(|(id, _)| self.keys.get(id).cloned()))
    }

    /// What somebody would write.
    pub(crate) fn ask(&self, who: u8, command: Command) -> Result<Plan, Refusal> {
        self.ask_accepting(who, command, &|member| self.accepted(member))
    }

    /// What somebody would write who has accepted no more than this.
    pub(crate) fn ask_accepting(
        &self,
        who: u8,
        command: Command,
        accepted: &dyn Fn(PeerId) -> Vec<CutOff>,
    ) -> Result<Plan, Refusal> {
        let keyring = self.keyring(who);
        let (roster, now_ms) = (&self.roster, self.now_ms);
        let sight = Sight { roster, keyring: &keyring, me: peer(who), now_ms, accepted };
        plan(&sight, command, *name(self.count + 1_000_000).as_bytes())
    }

    /// Writes what is planned; the last delta of it.
    pub(crate) fn carry_out(&mut self, who: u8, plan: Plan) -> DeltaId {
        assert!(plan.already.is_none() && !plan.acts.is_empty(), "{plan:?}");
        self.keys.extend(plan.epoch.map(|key| (key.id(), key)));
        let mut written = Vec::new();
        for act in plan.acts {
            assert_eq!(act.check(), Ok(()));
            written.push(self.write(who, act));
        }
        let void: Vec<_> = written.iter().filter(|id| !self.roster.counts(**id)).collect();
        assert!(void.is_empty(), "{} of a plan do not count", void.len());
        written.pop().unwrap()
    }

    /// Asks and writes; the last delta of it.
    #[track_caller]
    pub(crate) fn does(&mut self, who: u8, command: Command) -> DeltaId {
        let plan = self.ask(who, command).unwrap();
        assert_eq!(plan.falls, []);
        self.carry_out(who, plan)
    }

    #[track_caller]
    pub(crate) fn refuses(&self, who: u8, command: Command, wanted: &Refusal) {
        assert_eq!(self.ask(who, command).unwrap_err(), *wanted);
    }

    pub(crate) fn grants(&mut self, who: u8, whom: u8, role: Role) -> DeltaId {
        self.does(who, Command::Grant { member: peer(whom), kem: kem_of(whom), role })
    }

    pub(crate) fn invites(&mut self, who: u8, role: Role, uses: u32) -> DeltaId {
        self.does(who, invite(role, uses))
    }

    /// Whether a place in a log is within all that ends it.
    pub(crate) fn stands(&self, log: &LogId, tip: (Seq, DeltaId)) -> bool {
        match self.roster.standing(log) {
            Standing::Within(sets) => sets.iter().all(|heads| heads.contains(&tip)),
            Standing::Unknown | Standing::Nothing => false,
        }
    }

    /// The acts that count.
    pub(crate) fn counting(&self) -> BTreeSet<DeltaId> {
        self.deeds.iter().copied().filter(|id| self.roster.counts(*id)).collect()
    }
}

/// An invite for an hour.
pub(crate) fn invite(role: Role, uses: u32) -> Command {
    let key = mangrove_protocol::ticket::public_key(&SECRET);
    Command::Invite { key, role, expires_at_ms: NOW_MS + 3_600_000, uses }
}

/// The secret of all tickets.
pub(crate) const SECRET: [u8; 32] = [0x5e; 32];

fn name(number: u64) -> DeltaId {
    DeltaId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn log_of(author: PeerId, authority: AuthorityId, life: u64) -> LogId {
    LogId { author, authority, incarnation: Incarnation::new(life), plane: Plane::Governance }
}
