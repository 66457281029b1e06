//! What counts does not depend on the order in which it is learnt: deltas of members and of those who
//! remove them arrive in any order, and what is beyond a cut-off is folded nowhere.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::governance::{Act, CutOff, Deed, Role, Roster, Rotation, Standing};
use mangrove_protocol::graph::parents;
use mangrove_protocol::id::{AuthorityId, DeltaId, Incarnation, LogId, Plane, Seq, Tip};
use mangrove_protocol::op::Op;
use mangrove_protocol::replica::Config;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::view::{Deltas, Feed, Places, View, every};
use proptest::prelude::*;

use crate::crank::{Crank, Dice, FOUNDING, NOW_MS, Pen, boundless, config};
use crate::founding::{Decree, FOUNDER, grant};
use crate::make::{epoch, keys};
use crate::tables;

const NODE: u8 = 50;
/// The first admin that the founder makes; the second follows.
const ADMIN: u8 = 90;

/// One who writes in the past of a test.
#[derive(Debug, Clone, Copy)]
struct Author {
    seed: u8,
    authority: AuthorityId,
}

/// Everything that was ever written.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) governance: Vec<Delta>,
    pub(crate) data: Vec<Delta>,
    decrees: BTreeMap<u8, Decree>,
    authors: Vec<Author>,
    dice: Dice,
}

impl Past {
    pub(crate) fn new(seed: u64, steps: usize) -> Self {
        let decrees = [(FOUNDER, FOUNDING.next())].into();
        let authors = (1..4).map(|seed| Author { seed, authority: FOUNDING.authority(seed) });
        let authors = authors.collect();
        let dice = Dice::new(seed);
        let mut past = Self { governance: Vec::new(), data: Vec::new(), decrees, authors, dice };
        for admin in [ADMIN, ADMIN + 1] {
            let grant = past.decide(FOUNDER, &grant(admin, Role::Admin));
            past.appoint(admin, &grant);
        }
        for _ in 0..steps {
            match past.dice.below(10) {
                0..7 => past.write(),
                _ => past.govern(),
            }
        }
        past
    }

    fn appoint(&mut self, seed: u8, grant: &Delta) {
        let authority = AuthorityId::from(grant.id());
        self.authors.push(Author { seed, authority });
        let hlc = Hlc::from_bits(grant.header().hlc.bits() + 1);
        let decree =
            Decree { author: seed, authority, life: 7, prev: None, deps: vec![grant.tip()], hlc };
        self.decrees.insert(seed, decree);
    }

    fn decide(&mut self, by: u8, act: &Act) -> Delta {
        let fork = self.dice.below(8) == 0;
        let decree = self.decrees.get_mut(&by).unwrap();
        let delta = decree.write(FOUNDING.context, act);
        if !fork || by == FOUNDER {
            decree.prev = Some(delta.tip());
        }
        decree.hlc = Hlc::from_bits(decree.hlc.bits() + 1);
        decree.deps.clear();
        self.governance.push(delta.clone());
        delta
    }

    fn pick<T: Clone>(dice: &mut Dice, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[dice.below(all.len())].clone())
    }

    fn write(&mut self) {
        let dice = &mut self.dice;
        let author = Self::pick(dice, &self.authors).unwrap();
        let life = 1 + dice.below(2) as u64;
        let log = LogId {
            author: keys(author.seed).peer(),
            authority: author.authority,
            incarnation: Incarnation::new(life),
            plane: Plane::Data,
        };
        let own = self.data.iter().filter(|delta| *delta.log() == log).collect::<Vec<_>>();
        // Mostly the chain goes on; sometimes it forks.
        let prev = match dice.below(8) {
            0 => Self::pick(dice, &own).map(Delta::tip),
            _ => own.last().map(|delta| delta.tip()),
        };
        let others = self.data.iter().filter(|delta| *delta.log() != log).collect::<Vec<_>>();
        let mut deps = (0..dice.below(3))
            .filter_map(|_| Self::pick(dice, &others).map(Delta::tip))
            .collect::<Vec<_>>();
        if dice.below(12) == 0 {
            deps.push(nowhere(dice.below(4) as u64));
        }
        let past = self.data.iter().map(|delta| (delta.id(), delta.header().hlc));
        let past = past.collect::<BTreeMap<_, _>>();
        let latest = deps.iter().chain(&prev).filter_map(|tip| past.get(&tip.id)).max();
        let mut hlc = latest.copied().unwrap_or(Hlc::new(NOW_MS - 50_000, 0)).bits() + 1;
        if dice.below(6) == 0 {
            hlc = hlc.saturating_sub(dice.below(4) as u64);
        }
        let gov_heads = (dice.below(3) == 0)
            .then(|| Self::pick(dice, &self.governance).map(|delta| vec![delta.tip()]))
            .flatten();
        let text = self.data.len().to_string();
        let key = crate::crank::some_key(dice.below(3));
        let op = match dice.below(3) {
            0 => Op::Put { key, value: crate::make::value(&text) },
            1 => Op::Increment { key, by: 3 },
            _ => Op::Insert { key, item: crate::make::value(&text) },
        };
        let mut pen = Pen::new(author.seed, 0).life(life).saying(vec![op]);
        (pen.prev, pen.deps, pen.hlc) = (prev, deps, Hlc::from_bits(hlc));
        self.data.push(pen.write_as(log, gov_heads));
    }

    fn cut(&mut self, log: LogId) -> CutOff {
        let all = if log.plane == Plane::Data { &self.data } else { &self.governance };
        let held = all.iter().filter(|delta| *delta.log() == log).collect::<Vec<_>>();
        let dice = &mut self.dice;
        let heads = (0..dice.below(3)).filter_map(|_| Self::pick(dice, &held));
        let heads = heads.map(|delta| (delta.seq(), delta.id())).collect::<BTreeSet<_>>();
        let mut heads = heads.into_iter().collect::<Vec<_>>();
        if dice.below(10) == 0 {
            // A head that nobody has.
            heads = vec![(crate::make::seq(2), crate::make::id(0xee))];
        }
        CutOff { log, heads }
    }

    fn cuts(&mut self, author: Author) -> Vec<CutOff> {
        let peer = keys(author.seed).peer();
        let all = self.data.iter().chain(&self.governance);
        let logs = all.map(|delta| *delta.log()).filter(|log| log.author == peer);
        let logs = logs.collect::<BTreeSet<_>>();
        let named = logs.into_iter().filter(|_| self.dice.below(5) > 0).collect::<Vec<_>>();
        named.into_iter().map(|log| self.cut(log)).collect()
    }

    fn govern(&mut self) {
        let by = match self.dice.below(3) {
            0 => FOUNDER,
            1 => ADMIN,
            _ => ADMIN + 1,
        };
        let target = Self::pick(&mut self.dice, &self.authors).unwrap();
        let member = keys(target.seed).peer();
        let act = match self.dice.below(7) {
            5 if by != FOUNDER => {
                let authority = self.decrees[&by].authority;
                Act::Leave { cuts: self.cuts(Author { seed: by, authority }) }
            }
            6 => {
                let logs = self.governance.iter().map(|delta| *delta.log()).collect::<Vec<_>>();
                let Some(log) = Self::pick(&mut self.dice, &logs) else { return };
                Act::Close { cut: self.cut(log) }
            }
            0 | 1 => {
                let fresh = 100 + self.governance.len().to_le_bytes()[0];
                let rotation =
                    Rotation { epoch: epoch(fresh).id(), seals: Vec::new(), older: Vec::new() };
                Act::Revoke { member, cuts: self.cuts(target), rotation }
            }
            2 => {
                let peers = self.data.iter().map(|delta| *delta.log());
                let logs = peers.filter(|log| log.author == member).collect::<Vec<_>>();
                let Some(log) = Self::pick(&mut self.dice, &logs) else { return };
                Act::Close { cut: self.cut(log) }
            }
            3 => {
                let role = if self.dice.below(2) == 0 { Role::Reader } else { Role::Writer };
                let kem = crate::founding::signed_kem(&keys(target.seed));
                let cuts = self.cuts(target);
                Act::SetRole { member, kem, role, cuts, overrides: Vec::new() }
            }
            _ => {
                let overrides = self.governance.iter().map(Delta::id).collect::<BTreeSet<_>>();
                let Act::Grant { member, kem, role, seals, invite, .. } =
                    grant(target.seed, Role::Writer)
                else {
                    return;
                };
                let overrides = overrides.into_iter().collect();
                Act::Grant { member, kem, role, seals, invite, overrides }
            }
        };
        let delta = self.decide(by, &act);
        let writes = matches!(act, Act::SetRole { role: Role::Writer, .. } | Act::Grant { .. });
        if writes {
            let authority = AuthorityId::from(delta.id());
            self.authors.push(Author { seed: target.seed, authority });
        }
    }

    /// What counts, from the definition.
    fn counts(&self) -> BTreeSet<DeltaId> {
        let deeds = FOUNDING.deltas.iter().chain(&self.governance).map(|delta| {
            let header = delta.header();
            let act = Act::decode(delta.payload()).unwrap();
            Deed {
                id: delta.id(),
                log: header.log,
                seq: header.seq,
                prev: header.prev,
                hlc: header.hlc,
                act,
            }
        });
        let roster = Roster::of(FOUNDING.context, deeds);
        let all = self.data.iter().map(|delta| (delta.id(), delta)).collect::<BTreeMap<_, _>>();
        let within = |delta: &Delta| match roster.standing(delta.log()) {
            Standing::Unknown | Standing::Nothing => false,
            Standing::Within(sets) => sets.iter().all(|heads| holds(&all, heads, delta)),
        };
        let within = all.values().filter(|delta| within(delta)).map(|delta| delta.id());
        let within = within.collect::<BTreeSet<_>>();
        let late = |delta: &Delta| {
            let header = delta.header();
            let past = parents(header).filter(|tip| within.contains(&tip.id));
            past.filter_map(|tip| all.get(&tip.id)).any(|it| it.header().hlc >= header.hlc)
        };
        within.iter().copied().filter(|id| !late(all[id])).collect()
    }
}

/// Whether a set of heads leaves a delta in.
fn holds(all: &BTreeMap<DeltaId, &Delta>, heads: &[(Seq, DeltaId)], delta: &Delta) -> bool {
    let known = |(seq, id): &(Seq, DeltaId)| {
        all.get(id).is_some_and(|head| head.log() == delta.log() && head.seq() == *seq)
    };
    if !heads.iter().all(known) {
        return heads.iter().any(|(seq, _)| delta.seq() <= *seq);
    }
    heads.iter().any(|(_, head)| {
        let mut at = Some(*head);
        while let Some(id) = at {
            if id == delta.id() {
                return true;
            }
            at = all.get(&id).filter(|it| it.seq().get() > 1).map(|it| it.header().prev);
        }
        false
    })
}

/// A delta under a right that nobody ever conferred.
fn nowhere(life: u64) -> Tip {
    let log = LogId {
        author: keys(70).peer(),
        authority: AuthorityId::from(crate::make::id(0xab)),
        incarnation: Incarnation::new(life),
        plane: Plane::Data,
    };
    Tip { log, seq: crate::make::seq(1), id: crate::make::id(0xac) }
}

/// Gives everything in some order, with restarts in between, again and again until nothing is new.
fn learn(past: &Past, seed: u64) -> Crank {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
    let mut dice = Dice::new(seed);
    let all = past.governance.iter().chain(&past.data).cloned().collect::<Vec<_>>();
    let mut told = BTreeMap::new();
    let mut rounds_at_rest = 0;
    for _ in 0..60 {
        let before = crank.commits;
        let mut order = all.clone();
        dice.shuffle(&mut order);
        while !order.is_empty() {
            let some = order.split_off(order.len().saturating_sub(1 + dice.below(5)));
            note_told(&mut told, &crank.give(&some));
            if dice.below(12) == 0 {
                crank.reboot();
                note_told(&mut told, &crank.feed(Input::Tick));
            }
        }
        tables::check(&crank);
        note_told(&mut told, &crank.feed(Input::Agreed { with: keys(1).peer() }));
        rounds_at_rest = if crank.commits == before { rounds_at_rest + 1 } else { 0 };
        if rounds_at_rest == 2 {
            break;
        }
    }
    assert_eq!(rounds_at_rest, 2, "comes to rest");
    assert!(told.values().all(|times| *times == 1), "applications are told once");
    crank
}

fn note_told(told: &mut BTreeMap<DeltaId, usize>, out: &[Effect]) {
    for effect in out {
        if let Effect::Notify { item: FeedItem::Change { delta, .. }, .. } = effect {
            *told.entry(*delta).or_default() += 1;
        }
    }
}

fn check(seed: u64, steps: usize) {
    let past = Past::new(seed, steps);
    let counts = past.counts();
    let first = learn(&past, seed);
    let applied = tables::applied(&first.memory);
    let wrong = counts.symmetric_difference(&applied).map(|id| {
        let delta = past.data.iter().find(|delta| delta.id() == *id).unwrap();
        let status = tables::status(&first.memory, *id);
        format!("{:?} is {status:?}; {:#?}", delta.tip(), delta.header())
    });
    let wrong = wrong.collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{wrong}");
    for again in 1..3 {
        let other = learn(&past, seed.wrapping_add(again));
        assert_eq!(tables::applied(&other.memory), applied);
        assert_eq!(tables::visible(&other.memory), tables::visible(&first.memory));
        assert_eq!(tables::root(&other.memory), tables::root(&first.memory));
        assert_eq!(tables::heads(&other.memory), tables::heads(&first.memory));
        assert_eq!(other.replica.stored(), first.replica.stored(), "vectors");
        assert_eq!(other.replica.applied(), first.replica.applied(), "applied vectors");
        assert_eq!(other.replica.roster().members(), first.replica.roster().members());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_counts_is_the_same_in_whatever_order_it_is_learnt(seed: u64, steps in 1..40_usize) {
        check(seed, steps);
    }
}

/// The writer of `seed` is removed by the founder, who has seen its first `seen` deltas.
fn removal(crank: &Crank, seed: u8, seen: &[Delta]) -> Delta {
    let heads = seen.last().map(|delta| (delta.seq(), delta.id()));
    let cuts = heads.map(|head| CutOff { log: *seen[0].log(), heads: vec![head] });
    let rotation = Rotation { epoch: epoch(99).id(), seals: Vec::new(), older: Vec::new() };
    let member = keys(seed).peer();
    let revoke = Act::Revoke { member, cuts: cuts.into_iter().collect(), rotation };
    FOUNDING.next().write(crank.replica.context(), &revoke)
}

#[test]
fn what_a_removed_member_wrote_beyond_the_cut_is_taken_back() {
    let mut crank = Crank::of(NODE);
    let chain = crate::crank::chain(Pen::new(1, 0), 5);
    crank.give(&chain);
    let out = crank.give_one(&removal(&crank, 1, &chain[..2]));
    assert_eq!(tables::applied(&crank.memory), chain[..2].iter().map(Delta::id).collect());
    assert_eq!(tables::voids(&crank.memory).len(), 3);
    let rebuilt =
        |effect: &&Effect| matches!(effect, Effect::Notify { item: FeedItem::Rebuilt { .. }, .. });
    assert_eq!(out.iter().filter(rebuilt).count(), 1);
    assert!(!crank.replica.is_rebuilding());
    tables::check(&crank);
    // Nothing of it comes back, and what is beyond is not even kept.
    let more = Pen::new(1, 0).after(&chain[4]).at(50).write();
    let unnamed = Pen::new(1, 60).life(9).write();
    crank.give(&[more.clone(), unnamed.clone()]);
    assert_eq!(crank.memory.get::<Deltas>(&more.id()), None);
    assert_eq!(crank.memory.get::<Deltas>(&unnamed.id()), None);
    let shown = crank.replica.stored().0[chain[0].log()].clone();
    assert_eq!(shown, [(chain[1].seq(), chain[1].id())], "the tail is not advertised");
}

#[test]
fn own_writes_that_count_no_more_are_named() {
    let mut crank = Crank::of(NODE);
    let kept = crank.edit(vec![crate::crank::put("k", "kept")]).delta;
    let kept = crank.memory.get::<Deltas>(&kept).unwrap();
    let lost = crank.edit(vec![crate::crank::put("k", "lost")]).delta;
    let removal = removal(&crank, NODE, std::slice::from_ref(&kept));
    crank.give_one(&removal);
    let void = every::<Feed, _>(&crank.memory).filter_map(|(_, item)| match item {
        FeedItem::Rebuilt { void } => Some(void),
        _ => None,
    });
    assert_eq!(void.flatten().collect::<Vec<_>>(), [lost]);
    assert_eq!(tables::applied(&crank.memory), [kept.id()].into());
    let refused = crank.ask(crate::crank::call(vec![crate::crank::put("k", "more")]));
    assert_eq!(refused, Err(mangrove_protocol::request::Fault::Forbidden));
    tables::check(&crank);
}

#[test]
fn nobody_waits_for_what_is_beyond_a_cut() {
    let mut crank = Crank::of(NODE);
    let chain = crate::crank::chain(Pen::new(1, 0), 3);
    let citing = Pen::new(2, 90).citing(&[&chain[2]]).write();
    crank.give_one(&citing);
    assert_eq!(tables::parked(&crank.memory).len(), 1);
    crank.give_one(&removal(&crank, 1, &chain[..1]));
    assert_eq!(tables::applied(&crank.memory), [citing.id()].into());
    assert!(crank.memory.get::<Places>(&chain[0].id()).is_none());
    tables::check(&crank);
}

#[test]
fn making_state_anew_goes_on_after_a_crash() {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
    let chain = crate::crank::chain(Pen::new(1, 0), 1_500);
    let other = crate::crank::chain(Pen::new(2, 0), 700);
    crank.give(&chain);
    crank.give(&other);
    let removal = removal(&crank, 1, &chain[..3]);
    let mut whole = crank.copy();
    whole.give_one(&removal);
    crank.put(crate::crank::arrival(&[removal]));
    let mut crashes = 0;
    while crank.is_in_flight() || crank.replica.is_rebuilding() {
        if crank.is_in_flight() {
            crank.land();
        }
        crank.reboot();
        crank.put(Input::Tick);
        crashes += 1;
        assert!(crashes < 100, "it gets on");
    }
    assert!(crashes > 8, "in parts");
    assert_eq!(tables::visible(&crank.memory), tables::visible(&whole.memory));
    assert_eq!(tables::applied(&crank.memory).len(), 703);
    tables::check(&crank);
    tables::check(&whole);
}

/// A branch that begins at the start of a log meets no other.
#[test]
fn a_log_that_forks_at_its_start_ends_where_a_cut_off_says() {
    check(17_321_947_467_075_657_336, 7);
}
