//! Who holds which keys in the end, whatever happened and in whatever order it was heard of.

use std::collections::BTreeSet;

use mangrove_protocol::governance::{Act, Deed, Keyring, Role, Roster};
use mangrove_protocol::id::{ContextId, EpochId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::keepers::{ANN, Keeper, World, begun};

const PEOPLE: usize = 6;

/// One thing that somebody may do.
#[derive(Debug, Clone)]
struct Choice {
    what: u8,
    who: Index,
    whom: Index,
    role: Role,
    last: bool,
}

fn any_choice() -> impl Strategy<Value = Choice> {
    let role =
        prop_oneof![3 => Just(Role::Admin), 3 => Just(Role::Writer), 1 => Just(Role::Reader)];
    (0..20_u8, any::<Index>(), any::<Index>(), role, any::<bool>())
        .prop_map(|(what, who, whom, role, last)| Choice { what, who, whom, role, last })
}

/// A world, with what members wrote under.
struct Tale {
    world: World,
    written: Vec<(usize, EpochId)>,
}

impl Tale {
    fn of(choices: &[Choice]) -> Self {
        let world = World::with(&[Role::Admin, Role::Writer], PEOPLE);
        let mut tale = Self { world, written: Vec::new() };
        choices.iter().for_each(|choice| tale.take(choice));
        tale
    }

    fn take(&mut self, choice: &Choice) {
        let (who, whom) = (choice.who.index(PEOPLE), choice.whom.index(PEOPLE));
        let world = &mut self.world;
        let Some(role) = world.keepers[who].role() else { return };
        match choice.what {
            0..=5 => world.sync(who, whom),
            6..=8 if role.writes() => {
                let epoch = world.write(who);
                self.written.push((who, epoch));
            }
            9 | 10 if role.writes() => {
                world.rotate(who);
            }
            11 if role.writes() && who != whom => {
                world.rotate_past(who, whom);
            }
            12 if role.writes() => {
                world.rotate_with_rubbish(who);
            }
            13 | 14 if role <= Role::Admin => self.let_in(who, choice),
            15..=17 if role <= Role::Admin => self.remove(who, whom, choice.last),
            18 if who != ANN => {
                world.act(who, Act::Leave { cuts: Vec::new() });
            }
            19 => {
                world.mend(who);
            }
            _ => {}
        }
    }

    /// Somebody who was never let in by anybody.
    fn let_in(&mut self, who: usize, choice: &Choice) {
        let world = &mut self.world;
        let is_new = |whom: &usize| {
            let peer = world.keepers[*whom].peer();
            let into =
                |deed: &Deed| matches!(deed.act, Act::Grant { member, .. } if member == peer);
            *whom != ANN && !world.deeds.iter().any(into)
        };
        if let Some(whom) = (0..PEOPLE).find(is_new) {
            world.grant(who, whom, choice.role);
        }
    }

    /// A junior; now and then without accepting the last thing it did.
    fn remove(&mut self, who: usize, whom: usize, accepts_last: bool) {
        let world = &mut self.world;
        let (author, peer) = (&world.keepers[who], world.keepers[whom].peer());
        let rank = author.roster.authority(author.peer()).map(|authority| authority.rank);
        let other = author.roster.authority(peer).map(|authority| authority.rank);
        let is_junior = rank.zip(other).is_some_and(|(rank, other)| rank.is_senior_to(other));
        if is_junior {
            let last = world.deeds.iter().rev().find(|deed| deed.log.author == peer);
            let but: Vec<_> =
                last.filter(|_| !accepts_last).map(|deed| deed.id).into_iter().collect();
            world.revoke(who, whom, &but);
        }
    }

    fn members(&self) -> Vec<usize> {
        (0..PEOPLE).filter(|who| self.world.keepers[*who].role().is_some()).collect()
    }
}

fn any_tale() -> impl Strategy<Value = Vec<Choice>> {
    vec(any_choice(), 0..40)
}

/// All acts in some order.
fn shuffled(world: &World, seed: u64) -> Vec<&Deed> {
    let mut deeds: Vec<_> = world.deeds.iter().collect();
    deeds.sort_by_key(|deed| {
        *blake3::hash(&[&seed.to_le_bytes()[..], deed.id.as_bytes()].concat()).as_bytes()
    });
    deeds
}

/// Learns from each of these acts, some when all of them are known, others before they are taken in
/// themselves.
fn learnt_otherwise(world: &World, who: usize, deeds: &[&Deed]) -> Keyring {
    let context = ContextId::from(world.deeds[0].id);
    let whole = Roster::of(context, world.deeds.iter().cloned());
    let (mut so_far, mut keyring) = (Roster::new(context), Keyring::default());
    for (at, deed) in deeds.iter().enumerate() {
        let roster = if at % 2 == 0 { &whole } else { &so_far };
        keyring.learn(&deed.act, roster, &world.keepers[who].keys);
        so_far.insert((*deed).clone());
    }
    keyring
}

fn holds_all(keyring: &Keyring, other: &Keyring, world: &World) -> bool {
    let all = world.deeds.iter().filter_map(begun);
    all.filter(|epoch| other.get(epoch).is_some()).all(|epoch| keyring.get(&epoch).is_some())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_member_ends_with_every_key_that_a_member_wrote_under(choices in any_tale()) {
        let mut tale = Tale::of(&choices);
        tale.world.settle();
        let members = tale.members();
        let due: BTreeSet<_> =
            tale.written.iter().filter(|(who, _)| members.contains(who)).map(|(_, epoch)| *epoch).collect();
        for who in &members {
            for epoch in &due {
                prop_assert!(tale.world.holds(*who, *epoch), "{who} lacks {epoch:?}");
            }
            let choice = tale.world.keepers[*who].choice();
            prop_assert_eq!(choice, tale.world.keepers[ANN].choice(), "{} and ann", who);
        }
    }

    /// And nobody else gets any: not even one who overhears every act.
    #[test]
    fn a_key_is_held_only_by_whom_somebody_who_knew_of_its_epoch_took_for_a_member(choices in any_tale()) {
        let mut tale = Tale::of(&choices);
        tale.world.settle();
        let world = &tale.world;
        for epoch in world.deeds.iter().filter_map(begun) {
            for who in world.holders(epoch) {
                let peer = world.keepers[who].peer();
                prop_assert!(world.entitled.contains(&(peer, epoch)), "{who} holds {epoch:?}");
            }
        }
    }

    #[test]
    fn the_same_acts_in_any_order_give_the_same_keyring(choices in any_tale(), seed in any::<u64>()) {
        let tale = Tale::of(&choices);
        let world = &tale.world;
        let (one, other) = (shuffled(world, seed), shuffled(world, !seed));
        for who in 0..PEOPLE {
            let keyring = world.replay(who, world.deeds.iter());
            prop_assert_eq!(&world.replay(who, one.iter().copied()), &keyring);
            prop_assert_eq!(&world.replay(who, other.iter().copied()), &keyring);
            prop_assert_eq!(&learnt_otherwise(world, who, &one), &keyring);
        }
    }

    /// So that neither a member that lost its keys nor a newcomer needs an act that does not count.
    #[test]
    fn acts_that_count_lead_every_member_and_every_newcomer_to_all_keys(choices in any_tale()) {
        let mut tale = Tale::of(&choices);
        tale.world.settle();
        let newcomer = (1..PEOPLE).find(|who| {
            let peer = tale.world.keepers[*who].peer();
            let into = |deed: &Deed| matches!(deed.act, Act::Grant { member, .. } if member == peer);
            !tale.world.deeds.iter().any(into)
        });
        if let Some(whom) = newcomer {
            tale.world.grant(ANN, whom, Role::Reader);
        }
        let world = &tale.world;
        let Keeper { roster, keyring, .. } = &world.keepers[ANN];
        for who in 0..PEOPLE {
            if roster.role(world.keepers[who].peer()).is_some() {
                let counting = world.deeds.iter().filter(|deed| roster.counts(deed.id));
                prop_assert!(holds_all(&world.replay(who, counting), keyring, world), "{who}");
            }
        }
    }
}
