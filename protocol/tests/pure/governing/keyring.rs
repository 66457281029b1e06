//! Who comes by which epoch keys, and who never does.

use std::collections::BTreeSet;

use Role::{Admin, Reader, Writer};
use mangrove_protocol::governance::{Act, CutOff, Keyring, Role, SignedKem};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keybox;
use mangrove_protocol::keys::{KemPublic, NodeKeys};
use mangrove_protocol::seal::EpochKey;

use super::keepers::{ANN, BOB, CARL, DAN, EVE, Keeper, World};

#[test]
fn a_member_writes_under_the_newest_epoch_and_a_newcomer_gets_down_to_the_oldest() {
    let mut world = World::with(&[Writer], 3);
    let first = world.write(ANN);
    let second = world.rotate(BOB);
    world.sync_all();
    assert_eq!(world.write(ANN), second);
    let granted = world.grant(ANN, CARL, Writer);
    let Some(Act::Grant { seals, .. }) =
        world.deeds.iter().find(|deed| deed.id == granted).map(|deed| &deed.act)
    else {
        panic!("no grant");
    };
    assert_eq!(seals.iter().map(|seal| seal.epoch).collect::<Vec<_>>(), [second]);
    assert!(world.holds(CARL, first), "a newcomer cannot read what is older");
    assert_eq!(world.write(CARL), second);
}

#[test]
fn who_has_nothing_to_write_under_rotates_first() {
    let mut world = World::new(2);
    assert!(world.keepers[ANN].keyring.is_empty());
    assert_eq!(world.keepers[ANN].choice(), None);
    let first = world.write(ANN);
    assert_eq!(world.keepers[ANN].choice(), Some(first));
}

#[test]
fn a_removed_member_is_given_no_new_key() {
    let mut world = World::with(&[Writer, Writer], 3);
    let before = world.write(CARL);
    let after = world.revoke(ANN, CARL, &[]);
    world.sync_all();
    let later = world.rotate(BOB);
    world.settle();
    assert_eq!(world.holders(before), [ANN, BOB, CARL]);
    assert_eq!(world.holders(after), [ANN, BOB]);
    assert_eq!(world.holders(later), [ANN, BOB]);
    assert_eq!(world.write(BOB), later);
}

#[test]
fn nobody_writes_under_an_epoch_that_a_former_member_can_open() {
    let mut world = World::with(&[Writer, Writer], 3);
    world.act(CARL, Act::Leave { cuts: Vec::new() });
    world.sync_all();
    assert_eq!(world.keepers[BOB].choice(), None);
    let fresh = world.write(BOB);
    world.sync_all();
    assert_eq!(world.holders(fresh), [ANN, BOB]);
}

#[test]
fn both_of_two_rotations_at_once_are_opened_by_all_and_all_choose_the_same() {
    let mut world = World::with(&[Writer, Reader], 3);
    let epochs = [world.rotate(ANN), world.rotate(BOB)];
    assert_eq!((world.write(ANN), world.write(BOB)), (epochs[0], epochs[1]));
    world.settle();
    for who in [ANN, BOB, CARL] {
        assert!(epochs.iter().all(|epoch| world.holds(who, *epoch)), "{who}");
        assert_eq!(world.keepers[who].choice(), epochs.into_iter().max(), "{who}");
    }
    let next = world.rotation(ANN);
    let carried: BTreeSet<_> = next.older.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(carried, BTreeSet::from(epochs));
}

#[test]
fn who_was_given_rubbish_is_given_the_key_by_any_other_holder() {
    for mender in [ANN, DAN] {
        let mut world = World::with(&[Admin, Writer, Reader], 4);
        let epoch = world.rotate_past(BOB, CARL);
        world.sync_all();
        assert_eq!(world.holders(epoch), [ANN, BOB, DAN]);
        assert_ne!(world.keepers[CARL].choice(), Some(epoch));
        assert_eq!(world.mend(mender), 1);
        world.sync_all();
        assert_eq!(world.holders(epoch), [ANN, BOB, CARL, DAN]);
        assert_eq!(world.keepers[CARL].choice(), Some(epoch));
        for who in [ANN, BOB, CARL, DAN] {
            assert_eq!(world.mend(who), 0, "{who} gives what was given");
        }
    }
}

#[test]
fn who_was_let_in_while_another_rotated_is_given_the_key() {
    let mut world = World::with(&[Admin], 3);
    let epoch = world.rotate(ANN);
    world.grant(BOB, CARL, Writer);
    world.sync_all();
    assert!(!world.holds(CARL, epoch));
    assert_eq!(world.mend(BOB), 1);
    world.sync_all();
    assert!(world.holds(CARL, epoch));
}

/// Bob did not know that dan was gone, nor that eve had come, and wrote under a key that dan can open.
#[test]
fn a_key_that_a_former_member_can_open_is_still_given_to_members_who_lack_it() {
    let mut world = World::with(&[Writer, Writer, Writer], 5);
    let due = world.rotate(BOB);
    world.revoke(ANN, DAN, &[]);
    world.grant(ANN, EVE, Writer);
    assert_eq!(world.write(BOB), due);
    world.sync_all();
    assert!(!world.holds(EVE, due));
    assert_ne!(world.keepers[BOB].choice(), Some(due));
    world.settle();
    assert!(world.holds(EVE, due));
    assert!(!world.keepers[ANN].keyring.has_strays(&world.keepers[ANN].roster));
}

#[test]
fn a_key_whose_rotation_fell_is_carried_by_the_next_one() {
    let mut world = World::with(&[Admin, Writer], 4);
    let rotation = world.rotation(BOB);
    let (fallen, rotated) = (rotation.epoch, world.act(BOB, Act::Rotate(rotation)));
    world.sync(BOB, CARL);
    assert_eq!(world.write(CARL), fallen);
    world.revoke(ANN, BOB, &[rotated]);
    world.sync_all();
    assert!(!world.keepers[ANN].roster.counts(rotated));
    assert_ne!(world.keepers[CARL].choice(), Some(fallen));
    let strays = |world: &World| {
        let has = |who: &usize| {
            let keeper = &world.keepers[*who];
            keeper.keyring.has_strays(&keeper.roster)
        };
        [ANN, CARL].into_iter().filter(has).collect::<Vec<_>>()
    };
    assert_eq!(strays(&world), [ANN, CARL]);
    let next = world.rotate(CARL);
    world.sync_all();
    assert_eq!(strays(&world), []);
    assert_eq!(world.keepers[ANN].choice(), Some(next));
    // Who comes now never hears of the act that fell.
    world.grant(ANN, DAN, Writer);
    let roster = world.keepers[ANN].roster.clone();
    let counting = world.deeds.iter().filter(|deed| roster.counts(deed.id));
    assert!(world.replay(DAN, counting).get(&fallen).is_some());
}

#[test]
fn a_claim_to_carry_a_key_is_not_believed() {
    let mut world = World::with(&[Writer], 3);
    let first = world.write(ANN);
    let second = world.rotate_with_rubbish(BOB);
    world.sync_all();
    world.grant(ANN, CARL, Writer);
    assert_eq!(world.holders(first), [ANN, BOB, CARL]);
    let next = world.rotation(ANN);
    let carried: BTreeSet<_> = next.older.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(carried, BTreeSet::from([first, second]));
}

/// Bob holds the keys of both, and has them carry each other.
#[test]
fn of_epochs_that_carry_one_another_a_newcomer_can_open_all() {
    let mut world = World::with(&[Writer], 3);
    let first = world.write(BOB);
    let second = world.rotate(BOB);
    let keyring = &world.keepers[BOB].keyring;
    let wrapped = keybox::wrap(keyring.get(&first).unwrap(), keyring.get(&second).unwrap());
    let mut circle = world.rotation(BOB);
    (circle.epoch, circle.seals, circle.older) = (first, Vec::new(), vec![(second, wrapped)]);
    world.act(BOB, Act::Rotate(circle));
    world.sync_all();
    world.grant(ANN, CARL, Writer);
    world.settle();
    assert_eq!(world.holders(first), [ANN, BOB, CARL]);
    assert_eq!(world.holders(second), [ANN, BOB, CARL]);
}

#[test]
fn who_was_given_no_box_at_all_is_found_before_any_is_checked() {
    let mut world = World::with(&[Admin; 5], 7);
    let epoch = world.rotate(ANN);
    world.grant(BOB, 6, Writer);
    world.sync_all();
    let (newcomer, keeper) = (world.keepers[6].peer(), &mut world.keepers[ANN]);
    let missing = keeper.keyring.missing(&keeper.roster, 1);
    let [Act::Seal { epoch: of, key }] = &missing[..] else { panic!("{missing:?}") };
    assert_eq!((*of, key.member), (epoch, newcomer));
}

#[test]
fn whoever_made_an_epoch_is_given_no_box_of_it() {
    let mut world = World::with(&[Writer], 2);
    let mut others = world.keepers[ANN].roster.kems();
    others.remove(&world.keepers[ANN].peer());
    let rotation = world.rotation_for(ANN, &others);
    world.act(ANN, Act::Rotate(rotation));
    world.sync_all();
    assert_eq!(world.mend(BOB), 0);
}

#[test]
fn a_box_given_by_an_act_that_fell_is_given_again() {
    let mut world = World::with(&[Admin, Writer], 3);
    world.rotate_past(ANN, CARL);
    world.sync_all();
    assert_eq!(world.mend(BOB), 1);
    let log = world.deeds.last().unwrap().log;
    world.sync_all();
    assert_eq!(world.mend(ANN), 0);
    world.act(ANN, Act::Close { cut: CutOff { log, heads: Vec::new() } });
    assert_eq!(world.mend(ANN), 1);
}

#[test]
fn boxes_are_checked_a_few_at_a_time_and_each_once() {
    let mut world = World::with(&[Writer; 7], 8);
    let epoch = world.rotate_past(BOB, 7);
    world.sync_all();
    let keeper = &mut world.keepers[ANN];
    let (mut rounds, mut found) = (0, Vec::new());
    while rounds == 0 || keeper.keyring.is_behind() {
        let missing = keeper.keyring.missing(&keeper.roster, 2);
        assert!(missing.len() <= 2);
        found = missing;
        rounds += 1;
        assert!(rounds < 9, "it never ends");
    }
    // Seven members did not make the epoch: four rounds of two.
    assert_eq!((rounds, found.len()), (4, 1));
    assert!(matches!(&found[0], Act::Seal { epoch: of, .. } if *of == epoch));
    // What is known costs nothing more.
    assert_eq!(keeper.keyring.missing(&keeper.roster, 1), found);
    assert!(keeper.keyring.missing(&keeper.roster, 0).is_empty());
    assert!(keeper.keyring.is_behind());
}

#[test]
fn a_box_for_a_key_that_the_member_no_longer_has_counts_as_none() {
    let mut world = World::with(&[Writer], 2);
    assert_eq!(world.mend(ANN), 0);
    let other = NodeKeys::from_bytes(&[77; 64]);
    let key = *other.kem_public().as_bytes();
    let signature = world.keepers[BOB].keys.sign(&[&b"mangrove kem key v1\0"[..], &key].concat());
    let (member, role) = (world.keepers[BOB].peer(), Admin);
    let kem = SignedKem { key, signature };
    let (cuts, overrides) = (Vec::new(), Vec::new());
    world.act(ANN, Act::SetRole { member, kem, role, cuts, overrides });
    assert_eq!(world.keepers[ANN].roster.kem(member), Some(other.kem_public()));
    assert_eq!(world.mend(ANN), 1);
    assert_eq!(world.mend(ANN), 0);
}

/// Lets bob in with this box key.
fn with_kem(kem: SignedKem) -> World {
    let mut world = World::with(&[], 2);
    let (member, role, invite) = (world.keepers[BOB].peer(), Writer, None);
    let (seals, overrides) = (Vec::new(), Vec::new());
    world.act(ANN, Act::Grant { member, kem, role, seals, invite, overrides });
    world.sync_all();
    world
}

#[test]
fn nothing_is_sealed_to_a_key_that_its_member_did_not_sign_for() {
    let stolen = World::new(3).keepers[CARL].signed_kem();
    let mut world = with_kem(stolen);
    let (bob, roster) = (world.keepers[BOB].peer(), &world.keepers[ANN].roster);
    assert_eq!(roster.role(bob), Some(Writer));
    assert_eq!(roster.kem(bob), None);
    assert_eq!(roster.kems().into_keys().collect::<Vec<_>>(), [world.keepers[ANN].peer()]);
    assert_eq!(world.mend(ANN), 0);
    assert!(world.rotation(ANN).seals.iter().all(|seal| seal.member != bob));
}

#[test]
fn who_signed_for_a_key_that_nothing_can_be_sealed_to_is_left_out() {
    let zero = [0; 32];
    let bob = &World::new(2).keepers[BOB];
    let signature = bob.keys.sign(&[&b"mangrove kem key v1\0"[..], &zero].concat());
    let mut world = with_kem(SignedKem { key: zero, signature });
    let (bob, unusable) = (world.keepers[BOB].peer(), KemPublic::from_bytes(zero));
    assert_eq!(world.keepers[ANN].roster.kem(bob), Some(unusable));
    assert_eq!(world.mend(ANN), 0);
    assert!(world.rotation(ANN).seals.iter().all(|seal| seal.member != bob));
    let Keeper { keyring, roster, .. } = &world.keepers[ANN];
    assert_eq!(keyring.for_newcomer(roster, bob, &unusable), []);
}

#[test]
fn a_key_that_came_by_another_way_leads_on_with_the_next_act() {
    let mut world = World::with(&[Writer], 3);
    let (first, second) = (world.write(ANN), world.rotate(ANN));
    world.sync_all();
    let key = world.keepers[ANN].keyring.get(&second).unwrap().clone();
    let carl = &mut world.keepers[CARL];
    assert!(carl.keyring.add(key.clone()));
    assert!(!carl.keyring.add(key.clone()));
    assert!(carl.keyring.get(&first).is_none());
    let nothing = Act::Rename { name: Vec::new() };
    let new = carl.keyring.learn(&nothing, &carl.roster, &carl.keys);
    assert_eq!(new.iter().map(EpochKey::id).collect::<Vec<_>>(), [first]);
    assert!(carl.keyring.learn(&nothing, &carl.roster, &carl.keys).is_empty());
    let same = Keyring::new([key, new[0].clone()]);
    assert_eq!(carl.keyring, same);
    assert_ne!(carl.keyring, Keyring::default());
}

/// However many members there are, and however many keys liars have handed out.
#[test]
fn what_is_written_is_never_more_than_others_read() {
    let world = World::with(&[Writer], 3);
    let roster = &world.keepers[ANN].roster;
    let key = |number: u64| EpochKey::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes());
    let keyring = Keyring::new((0..5_000).map(key));
    let carl = &world.keepers[CARL];
    let kem = carl.keys.kem_public();
    let many = (0..1_100).map(|number| (PeerId::from_bytes(*key(number).id().as_bytes()), kem));
    let (_, rotation) = keyring.rotation(roster, &many.collect(), [1; 32]);
    assert_eq!((rotation.seals.len(), rotation.older.len()), (1_000, 2_048));
    let member = carl.peer();
    Act::Revoke { member, cuts: Vec::new(), rotation }.check().unwrap();
    let (seals, role) = (keyring.for_newcomer(roster, member, &kem), Writer);
    assert_eq!(seals.len(), 1_000);
    let (kem, invite, overrides) = (carl.signed_kem(), None, Vec::new());
    Act::Grant { member, kem, role, seals, invite, overrides }.check().unwrap();
}

#[test]
fn keys_are_never_printed() {
    let key = EpochKey::from_bytes([0xAB; 32]);
    let printed = format!("{:?}", Keyring::new([key.clone()]));
    assert_eq!(printed, format!("Keyring{{{:?}}}", key.id()));
}
