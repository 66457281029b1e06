//! What holds of every set of governance deltas, plausible or hostile, in every order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::governance::{Act, CutOff, Deed, Role, Roster, Standing};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, Incarnation, LogId, PeerId, Plane, Seq,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{PEOPLE, kem, naive, peer, rotation};
use crate::make::seq;

const MEMBERS: usize = 7;

/// What a deed is made from: choices, to be read against the deeds before it.
#[derive(Debug, Clone)]
struct Choice {
    what: u8,
    /// Out of the authorities so far.
    authority: Index,
    early: Index,
    /// Now and then, somebody else's.
    thief: Option<Index>,
    life: u64,
    fork: Option<Index>,
    whom: Index,
    role: Role,
    heads: Vec<(Index, u8)>,
    overrides: Vec<Index>,
    invite: Option<Index>,
    ms: u64,
}

fn any_choice() -> impl Strategy<Value = Choice> {
    let role = prop_oneof![
        2 => Just(Role::Owner), 5 => Just(Role::Admin), 3 => Just(Role::Writer), 1 => Just(Role::Reader)
    ];
    let index = any::<Index>;
    let rarely = |of| proptest::option::weighted(0.1, of);
    (
        (0..24_u8, index(), rarely(index()), 0..2_u64, rarely(index())),
        (index(), role, vec((index(), 0..20_u8), 0..4), vec(index(), 0..3)),
        (proptest::option::weighted(0.4, index()), 0..5_u64, index()),
    )
        .prop_map(
            |((what, authority, thief, life, fork), (whom, role, heads, overrides), rest)| {
                let (invite, ms, early) = rest;
                Choice {
                    what,
                    authority,
                    early,
                    thief,
                    life,
                    fork,
                    whom,
                    role,
                    heads,
                    overrides,
                    invite,
                    ms,
                }
            },
        )
}

/// The deeds so far.
struct World {
    deeds: Vec<Deed>,
    tips: BTreeMap<LogId, (Seq, DeltaId)>,
}

fn name_of(number: usize) -> DeltaId {
    DeltaId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn context() -> ContextId {
    name_of(0).into()
}

fn member(index: Index) -> PeerId {
    peer(PEOPLE[index.index(MEMBERS)])
}

impl World {
    fn of(choices: &[Choice]) -> Self {
        let mut world = Self { deeds: Vec::new(), tips: BTreeMap::new() };
        let log = LogId {
            author: peer("ann"),
            authority: AuthorityId::ZERO,
            incarnation: Incarnation::new(0),
            plane: Plane::Governance,
        };
        world.push(log, None, Hlc::ZERO, Act::Genesis { name: vec![1], kem: kem() });
        for choice in choices {
            world.take(choice);
        }
        world
    }

    fn push(&mut self, log: LogId, after: Option<(Seq, DeltaId)>, hlc: Hlc, act: Act) {
        let id = name_of(self.deeds.len());
        let (seq, prev) = match after {
            Some((seq, id)) => (seq.next(), id),
            None => (Seq::FIRST, DeltaId::ZERO),
        };
        self.tips.insert(log, (seq, id));
        self.deeds.push(Deed { id, log, seq, prev, hlc, act });
    }

    fn take(&mut self, choice: &Choice) {
        let conferring = self.deeds.iter().filter_map(conferred).collect::<Vec<_>>();
        // Early authorities more often, so that logs get long.
        let len = conferring.len();
        let (authority, owner) = conferring
            [choice.authority.index(len).min(choice.whom.index(len)).min(choice.early.index(len))];
        let author = choice.thief.map_or(owner, member);
        let incarnation = Incarnation::new(choice.life);
        let log = LogId { author, authority, incarnation, plane: Plane::Governance };
        let of_log: Vec<_> = self.deeds.iter().filter(|deed| deed.log == log).collect();
        let after = match choice.fork {
            Some(fork) if !of_log.is_empty() => {
                let deed = fork.get(&of_log);
                Some((deed.seq, deed.id))
            }
            _ => self.tips.get(&log).copied(),
        };
        let act = self.act(choice, author);
        self.push(log, after, Hlc::new(choice.ms, 0), act);
    }

    fn some_ids(&self, indices: &[Index]) -> Vec<DeltaId> {
        let ids: BTreeSet<_> = indices.iter().map(|index| index.get(&self.deeds).id).collect();
        ids.into_iter().collect()
    }

    fn act(&self, choice: &Choice, author: PeerId) -> Act {
        let (member, role, kem) = (member(choice.whom), choice.role, kem());
        let overrides = self.some_ids(&choice.overrides);
        let ends = |deed: &&Deed| {
            let act = &deed.act;
            matches!(act, Act::Revoke { .. } | Act::Leave { .. } | Act::SetRole { .. })
        };
        let all = self.deeds.iter().filter(ends).map(|deed| deed.id);
        let invite = |index: Index| index.get(&self.deeds).id;
        let name = format!("e{}", self.deeds.len());
        let rotation = rotation(&name, &[], &[]);
        match choice.what {
            0..=4 => {
                let (invite, seals) = (choice.invite.map(invite), Vec::new());
                Act::Grant { member, kem, role, seals, invite, overrides }
            }
            5 | 6 => {
                let mut overrides: Vec<_> = all.collect();
                overrides.sort_unstable();
                Act::Grant { member, kem, role, seals: Vec::new(), invite: None, overrides }
            }
            7..=9 => Act::SetRole { member, kem, role, cuts: self.cuts(choice, member), overrides },
            10 => {
                let cuts = self.cuts(choice, author);
                Act::SetRole { member: author, kem, role, cuts, overrides }
            }
            11..=14 => Act::Revoke { member, cuts: self.cuts(choice, member), rotation },
            15 | 16 => Act::Close { cut: self.cut(choice, member) },
            17 => Act::Close { cut: self.cut(choice, author) },
            18 => Act::Leave { cuts: self.cuts(choice, author) },
            19 => Act::Invite { key: [7; 32], role, expires_at_ms: 0, uses: 0 },
            20 | 21 => Act::CloseInvite {
                invite: choice.invite.map_or(self.deeds[0].id, invite),
                accepted: overrides,
            },
            22 => Act::Rename { name: vec![choice.what] },
            _ => Act::Rotate(rotation),
        }
    }

    /// Some places in the logs of a member, a few of them made up.
    fn places(&self, choice: &Choice, of: PeerId) -> Vec<(LogId, Seq, DeltaId)> {
        let theirs: Vec<_> = self.deeds.iter().filter(|deed| deed.log.author == of).collect();
        let place = |(index, kind): &(Index, u8)| {
            let deed = if theirs.is_empty() { index.get(&self.deeds) } else { index.get(&theirs) };
            match kind {
                0 => (deed.log, seq(2), name_of(1_000 + index.index(100))),
                1 => (deed.log, seq(1), deed.id),
                2..=6 => {
                    let log = LogId { plane: Plane::Data, ..deed.log };
                    (log, seq(1 + u64::from(*kind)), name_of(2_000 + index.index(100)))
                }
                // A head that comes later, if somebody writes it.
                7 => (deed.log, deed.seq.next(), name_of(self.deeds.len() + 1 + index.index(9))),
                _ => (deed.log, deed.seq, deed.id),
            }
        };
        choice.heads.iter().map(place).collect()
    }

    fn cuts(&self, choice: &Choice, of: PeerId) -> Vec<CutOff> {
        let mut cuts: BTreeMap<LogId, BTreeSet<_>> = BTreeMap::new();
        for (log, seq, id) in self.places(choice, of) {
            cuts.entry(log).or_default().insert((seq, id));
        }
        let cut =
            |(log, heads): (_, BTreeSet<_>)| CutOff { log, heads: heads.into_iter().collect() };
        cuts.into_iter().map(cut).collect()
    }

    fn cut(&self, choice: &Choice, of: PeerId) -> CutOff {
        let log = choice.authority.get(&self.deeds).log;
        self.cuts(choice, of).pop().unwrap_or(CutOff { log, heads: Vec::new() })
    }
}

/// The authority that a deed would confer, and on whom.
fn conferred(deed: &Deed) -> Option<(AuthorityId, PeerId)> {
    match deed.act {
        Act::Genesis { .. } => Some((deed.id.into(), deed.log.author)),
        Act::Grant { member, .. } | Act::SetRole { member, .. } => Some((deed.id.into(), member)),
        _ => None,
    }
}

fn any_deeds() -> impl Strategy<Value = Vec<Deed>> {
    vec(any_choice(), 0..60).prop_map(|choices| World::of(&choices).deeds)
}

fn any_order() -> impl Strategy<Value = (Vec<Deed>, Vec<usize>)> {
    (any_deeds().prop_shuffle(), vec(1..8_usize, 60))
}

fn counting(roster: &Roster, deeds: &[Deed]) -> BTreeSet<DeltaId> {
    deeds.iter().map(|deed| deed.id).filter(|id| roster.counts(*id)).collect()
}

/// Whether a delta is within heads, as far as those are held.
fn is_within(deed: &Deed, heads: &[(Seq, DeltaId)], deeds: &[Deed]) -> bool {
    let find = |(seq, id): (Seq, DeltaId)| {
        deeds.iter().find(|held| held.id == id && held.seq == seq && held.log == deed.log)
    };
    let missing = heads.iter().any(|head| find(*head).is_none());
    let below = heads.iter().any(|(seq, _)| deed.seq <= *seq);
    let is_past = |head: &(Seq, DeltaId)| {
        let mut at = find(*head);
        while let Some(held) = at {
            if held.id == deed.id {
                return true;
            }
            at = held.seq.prev().and_then(|seq| find((seq, held.prev)));
        }
        false
    };
    (missing && below) || heads.iter().any(is_past)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn one_roster_for_every_order_and_every_chunking((deeds, chunks) in any_order()) {
        let whole = Roster::of(context(), deeds.clone());
        let (mut one_by_one, mut chunked) = (Roster::new(context()), Roster::new(context()));
        let bound = 2 * deeds.iter().filter_map(conferred).count();
        for deed in &deeds {
            let judgement = one_by_one.insert(deed.clone());
            prop_assert!(judgement.steps <= bound, "{} of {bound}", judgement.steps);
        }
        prop_assert_eq!(&one_by_one, &whole);
        let (mut rest, mut before) = (&deeds[..], BTreeSet::new());
        for chunk in chunks {
            let (now, later) = rest.split_at(chunk.min(rest.len()));
            rest = later;
            let judgement = chunked.extend(now.to_vec());
            prop_assert!(judgement.steps <= bound, "{} of {bound}", judgement.steps);
            let after = counting(&chunked, &deeds);
            let changed: BTreeSet<_> = before.symmetric_difference(&after).copied().collect();
            prop_assert_eq!(judgement.changed, changed);
            before = after;
        }
        chunked.extend(rest.to_vec());
        prop_assert_eq!(&chunked, &whole);
        prop_assert_eq!(chunked.extend(deeds).steps, 0);
    }

    #[test]
    fn the_roster_is_what_the_page_says(deeds in any_deeds()) {
        naive::check(context(), &deeds, &Roster::of(context(), deeds.clone()));
    }

    #[test]
    fn nothing_counts_beyond_where_its_log_is_clipped(deeds in any_deeds()) {
        let roster = Roster::of(context(), deeds.clone());
        for deed in deeds.iter().filter(|deed| roster.counts(deed.id)) {
            let Standing::Within(sets) = roster.standing(&deed.log) else {
                return Err(TestCaseError::fail(format!("{deed:?} counts in a log that does not")));
            };
            for heads in sets {
                prop_assert!(is_within(deed, &heads, &deeds), "{deed:?} is beyond {heads:?}");
            }
        }
    }

    /// Only an owner's own acts and those of more senior owners take the role from them.
    #[test]
    fn an_owner_acts_until_it_goes_or_a_senior_owner_removes_it(deeds in any_deeds()) {
        let mut roster = Roster::of(context(), deeds.clone());
        for (authority, member) in deeds.iter().filter_map(conferred) {
            let log = LogId {
                author: member, authority, incarnation: Incarnation::new(99), plane: Plane::Governance,
            };
            let id = name_of(5_000);
            let act = Act::Rename { name: Vec::new() };
            let hlc = Hlc::ZERO;
            let deed = Deed { id, log, seq: Seq::FIRST, prev: DeltaId::ZERO, hlc, act };
            let mut after = roster.clone();
            after.insert(deed);
            let is_owner = roster.authority(member).is_some_and(|best| {
                best.id() == authority && best.rank.role == Role::Owner
            });
            if is_owner {
                prop_assert!(after.counts(id), "an owner cannot act");
            }
        }
        // Whatever others than owners and the founder itself do, the founder stays.
        let founder = peer("ann");
        let harmless = |deed: &Deed| {
            let own = deed.log.author == founder && matches!(&deed.act, Act::Leave { .. } | Act::SetRole { .. });
            !own
        };
        roster = Roster::of(context(), deeds.into_iter().filter(harmless));
        prop_assert_eq!(roster.role(founder), Some(Role::Owner));
    }
}
