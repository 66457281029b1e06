//! How fast it is found out who may do what, on one core, in a context of 1,000 members and 10,000
//! governance deltas.
//!
//! Targets: all of it from scratch in 200 ms, and one more delta in 1 ms, whatever it brings down and
//! however many deltas of one kind somebody wrote before it to make this slow.
#![expect(clippy::unwrap_used, reason = "a bench that cannot prepare its input has nothing to say")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use divan::{Bencher, black_box};
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::governance::{
    Act, CutOff, Deed, Role, Roster, Rotation, SEALED_KEY_BYTES, SealedKey, SignedKem,
};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq,
};

const MEMBERS: u64 = 1_000;
const ADMINS: u64 = 10;
const ROTATIONS: u64 = 50;
const REMOVED: u64 = 100;
const DELTAS: usize = 10_000;
const FOUNDER: u64 = 0;
/// A member who writes no other deltas than one kind of them, and so many.
const PEST: u64 = ADMINS + 1;
const PESTERED: usize = 4_096;

static WORLD: LazyLock<World> = LazyLock::new(World::full);
static ROSTER: LazyLock<Roster> = LazyLock::new(|| Roster::of(context(), WORLD.deeds.clone()));

fn main() {
    divan::main();
}

fn hash(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn peer(number: u64) -> PeerId {
    PeerId::from_bytes(hash(number))
}

fn name(number: usize) -> DeltaId {
    DeltaId::from_bytes(hash(1_000_000 + number as u64))
}

fn context() -> ContextId {
    name(0).into()
}

/// Deltas, with where each member writes.
struct World {
    deeds: Vec<Deed>,
    logs: BTreeMap<u64, LogId>,
    tips: BTreeMap<LogId, (Seq, DeltaId)>,
}

impl World {
    /// The founder takes in ten admins, who take in the others. Some of these are removed, keys are
    /// changed, and everybody closes finished logs.
    fn full() -> Self {
        let mut world = Self::founded();
        for member in 1..MEMBERS {
            let (by, role) = match member {
                1..=ADMINS => (FOUNDER, Role::Admin),
                _ => (1 + member % ADMINS, Role::Writer),
            };
            world.grant(by, member, role);
        }
        for number in 0..ROTATIONS {
            world.act(number % ADMINS, Act::Rotate(rotation(number, 0..MEMBERS)));
        }
        for member in MEMBERS - REMOVED..MEMBERS {
            world.revoke(1 + member % ADMINS, member, 0..1);
        }
        for member in (1..MEMBERS - REMOVED).cycle() {
            if world.deeds.len() == DELTAS {
                return world;
            }
            world.close_a_finished_log(member);
        }
        world
    }

    fn founded() -> Self {
        let mut world = Self { deeds: Vec::new(), logs: BTreeMap::new(), tips: BTreeMap::new() };
        let kem = SignedKem { key: [1; 32], signature: [2; 64] };
        world.starts(FOUNDER, AuthorityId::ZERO);
        let genesis = world.act(FOUNDER, Act::Genesis { name: Vec::new(), kem });
        world.starts(FOUNDER, genesis.into());
        world
    }

    /// An admin takes in a member, and one of them does nearly the same thing again and again.
    fn pestered(by: u64, act: impl Fn(&Self) -> Act) -> Self {
        let mut world = Self::founded();
        world.grant(FOUNDER, 1, Role::Admin);
        world.grant(1, PEST, Role::Writer);
        world.act(PEST, Act::Rotate(rotation(0, 0..1)));
        for _ in 0..PESTERED {
            let act = act(&world);
            world.act(by, act);
        }
        world
    }

    /// Closes the log that the pest writes where it is now.
    fn close_pest(&self) -> Act {
        let log = *self.logs.get(&PEST).unwrap();
        let heads = self.tips.get(&log).copied().into_iter().collect();
        Act::Close { cut: CutOff { log, heads } }
    }

    fn starts(&mut self, member: u64, authority: AuthorityId) {
        let (author, incarnation) = (peer(member), Incarnation::new(1));
        let log = LogId { author, authority, incarnation, plane: Plane::Governance };
        self.logs.insert(member, log);
    }

    fn next(&self, member: u64, act: Act) -> Deed {
        let log = *self.logs.get(&member).unwrap();
        let (seq, prev) = match self.tips.get(&log) {
            Some((seq, id)) => (seq.next(), *id),
            None => (Seq::FIRST, DeltaId::ZERO),
        };
        let hlc = Hlc::new(1_767_225_600_000 + self.deeds.len() as u64, 0);
        Deed { id: name(self.deeds.len()), log, seq, prev, hlc, act }
    }

    fn act(&mut self, member: u64, act: Act) -> DeltaId {
        let deed = self.next(member, act);
        let (id, log, seq) = (deed.id, deed.log, deed.seq);
        self.tips.insert(log, (seq, id));
        self.deeds.push(deed);
        id
    }

    fn grant(&mut self, by: u64, member: u64, role: Role) {
        let granted = self.act(by, grant(member, role));
        self.starts(member, granted.into());
    }

    fn revoke(&mut self, by: u64, member: u64, recipients: std::ops::Range<u64>) {
        let rotation = rotation(10_000 + member, recipients);
        self.act(by, Act::Revoke { member: peer(member), cuts: Vec::new(), rotation });
    }

    fn close_a_finished_log(&mut self, member: u64) {
        let own = *self.logs.get(&member).unwrap();
        let incarnation = Incarnation::new(self.deeds.len() as u64);
        let log = LogId { plane: Plane::Data, incarnation, ..own };
        let heads = vec![(Seq::FIRST, name(self.deeds.len()))];
        self.act(member, Act::Close { cut: CutOff { log, heads } });
    }
}

fn grant(member: u64, role: Role) -> Act {
    let kem = SignedKem { key: [1; 32], signature: [2; 64] };
    let (member, seals, overrides) = (peer(member), Vec::new(), Vec::new());
    Act::Grant { member, kem, role, seals, invite: None, overrides }
}

fn rotation(number: u64, recipients: std::ops::Range<u64>) -> Rotation {
    let seal = |member| SealedKey { member: peer(member), sealed: [3; SEALED_KEY_BYTES] };
    let older = (0..number.min(ROTATIONS)).map(|older| (epoch(older), vec![4; 48]));
    let (mut seals, mut older): (Vec<_>, Vec<_>) =
        (recipients.map(seal).collect(), older.collect());
    seals.sort_by_key(|seal| seal.member);
    older.sort();
    Rotation { epoch: epoch(number), seals, older }
}

fn epoch(number: u64) -> EpochId {
    EpochId::from_bytes(hash(2_000_000 + number))
}

/// One more delta onto everything.
fn bench_one_more(bencher: Bencher<'_, '_>, member: u64, act: Act, changes: usize) {
    bench_onto(bencher, &ROSTER, &WORLD.next(member, act), changes);
}

/// One more delta onto 4,096 of the same kind.
fn bench_pest(bencher: Bencher<'_, '_>, by: u64, act: impl Fn(&World) -> Act) {
    let world = World::pestered(by, &act);
    let roster = Roster::of(context(), world.deeds.clone());
    bench_onto(bencher, &roster, &world.next(by, act(&world)), 1);
}

fn bench_onto(bencher: Bencher<'_, '_>, roster: &Roster, deed: &Deed, changes: usize) {
    assert_eq!(roster.clone().insert(deed.clone()).changed.len(), changes);
    bencher.with_inputs(|| (roster.clone(), deed.clone())).bench_local_values(
        |(mut roster, deed)| {
            black_box(roster.insert(deed));
            roster
        },
    );
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn from_scratch(bencher: Bencher<'_, '_>) {
    assert_eq!(ROSTER.members().len() as u64, MEMBERS - REMOVED);
    bencher.with_inputs(|| WORLD.deeds.clone()).bench_local_values(|deeds| {
        let roster = Roster::of(context(), deeds);
        assert_eq!(roster.members().len() as u64, MEMBERS - REMOVED);
        roster
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn one_by_one_backwards(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| WORLD.deeds.clone()).bench_local_values(|deeds| {
        let mut roster = Roster::new(context());
        for deed in deeds.into_iter().rev() {
            roster.insert(deed);
        }
        assert_eq!(roster.members().len() as u64, MEMBERS - REMOVED);
        roster
    });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_more_grant(bencher: Bencher<'_, '_>) {
    bench_one_more(bencher, FOUNDER, grant(MEMBERS, Role::Writer), 1);
}

/// An admin goes, and with it the ninety that it took in and all that they did: a thousand deltas.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_more_admin_falls(bencher: Bencher<'_, '_>) {
    let (member, cuts) = (peer(1), Vec::new());
    let act = Act::Revoke { member, cuts, rotation: rotation(20_000, 0..1) };
    let fall = WORLD.deeds.iter().filter(|deed| falls(deed)).count();
    bench_one_more(bencher, FOUNDER, act, 1 + fall);
}

/// Whether a delta is by the first admin or one of those whom it took in.
fn falls(deed: &Deed) -> bool {
    let by = WORLD.logs.iter().find(|(_, log)| **log == deed.log).map(|(member, _)| *member);
    // Its own acts on itself fall as well: a senior's cut-off is above them.
    by.is_some_and(|by| by == 1 || (by > ADMINS && by % ADMINS == 0))
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn pest_closes_its_own_log_once_more(bencher: Bencher<'_, '_>) {
    bench_pest(bencher, PEST, World::close_pest);
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn pest_leaves_once_more(bencher: Bencher<'_, '_>) {
    bench_pest(bencher, PEST, |_| Act::Leave { cuts: Vec::new() });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn admin_closes_the_log_of_the_pest_once_more(bencher: Bencher<'_, '_>) {
    bench_pest(bencher, 1, World::close_pest);
}

/// All that the pest writes, each delta by itself.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn pest_closes_its_own_log_4096_times(bencher: Bencher<'_, '_>) {
    let world = World::pestered(PEST, World::close_pest);
    bencher.with_inputs(|| world.deeds.clone()).bench_local_values(|deeds| {
        let mut roster = Roster::new(context());
        deeds.into_iter().for_each(|deed| drop(roster.insert(deed)));
        roster
    });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn members() -> usize {
    ROSTER.members().len()
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn epochs() -> usize {
    ROSTER.epochs().len()
}
