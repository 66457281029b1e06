//! What members write when something is asked of them: every command, and every reason to refuse.

use mangrove_protocol::governance::{Act, Command, CutOff, Deed, Refusal, Role, Rotation};
use mangrove_protocol::id::{DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq};
use mangrove_protocol::keybox;
use mangrove_protocol::limits::MEMBERS_PER_CONTEXT;

use super::council::{ANN, BOB, CARL, Council, DAN, EVE, NOW_MS, invite, kem_of, peer};
use crate::make::{id, keys};

use Role::{Admin, Owner, Reader, Writer};

fn grant(whom: u8, role: Role) -> Command {
    Command::Grant { member: peer(whom), kem: kem_of(whom), role }
}

fn set_role(whom: u8, role: Role) -> Command {
    Command::SetRole { member: peer(whom), role }
}

fn remove(whom: u8) -> Command {
    Command::Remove { member: peer(whom) }
}

fn forbidden(needs: Role) -> Refusal {
    Refusal::Forbidden { needs }
}

/// Ann is the owner, Bob an admin, Carl a writer, Dan a reader.
fn four() -> Council {
    let mut council = Council::new();
    council.grants(ANN, BOB, Admin);
    council.grants(ANN, CARL, Writer);
    council.grants(BOB, DAN, Reader);
    council
}

fn every_command() -> Vec<(Command, Role)> {
    vec![
        (invite(Reader, 1), Admin),
        (Command::CloseInvite { invite: id(1) }, Admin),
        (grant(EVE, Reader), Admin),
        (set_role(EVE, Reader), Admin),
        (remove(EVE), Admin),
        (Command::Rename { name: b"x".to_vec() }, Admin),
        (Command::Rotate, Writer),
        (Command::Enlist { replica: peer(9) }, Admin),
        (Command::Delist { replica: peer(9) }, Admin),
    ]
}

#[test]
fn what_asks_for_a_role_is_refused_to_those_below_it() {
    let mut council = four();
    council.grants(ANN, EVE, Reader);
    for (command, least) in every_command() {
        if matches!(command, Command::Grant { .. }) {
            continue;
        }
        for (who, role) in [(BOB, Admin), (CARL, Writer), (DAN, Reader)] {
            let refused = council.ask(who, command.clone()).err() == Some(forbidden(least));
            assert_eq!(refused, role > least, "{command:?} by {role:?}");
        }
    }
    council.refuses(CARL, grant(9, Reader), &forbidden(Admin));
}

#[test]
fn a_stranger_is_refused_everything() {
    let council = Council::new();
    for (command, _) in every_command() {
        council.refuses(BOB, command, &Refusal::NotAMember);
    }
    council.refuses(BOB, Command::Leave, &Refusal::NotAMember);
}

#[test]
fn an_invite_is_open_until_it_is_closed_and_who_came_by_it_stays() {
    let mut council = Council::new();
    let open = council.invites(ANN, Writer, 0);
    assert!(council.roster.invites().any(|deed| deed.id == open));
    let came = council.does(ANN, super::redeeming::redeem(BOB, open));
    council.does(ANN, Command::CloseInvite { invite: open });
    assert_eq!(council.roster.invites().count(), 0);
    assert_eq!(council.role(BOB), Some(Writer));
    assert!(council.roster.counts(came));
    council.refuses(ANN, Command::CloseInvite { invite: open }, &Refusal::AlreadySo);
    council.refuses(ANN, Command::CloseInvite { invite: came }, &Refusal::UnknownInvite);
}

#[test]
fn nobody_invites_or_grants_above_their_own_role() {
    let mut council = four();
    council.refuses(BOB, invite(Owner, 1), &forbidden(Owner));
    council.refuses(BOB, grant(EVE, Owner), &forbidden(Owner));
    council.refuses(BOB, set_role(DAN, Owner), &forbidden(Owner));
    council.invites(BOB, Admin, 1);
    council.grants(BOB, EVE, Admin);
    council.does(BOB, set_role(DAN, Admin));
    assert_eq!(council.role(DAN), Some(Admin));
}

#[test]
fn an_invite_for_a_time_that_is_past_is_refused() {
    let council = Council::new();
    let until =
        |expires_at_ms| Command::Invite { key: [7; 32], role: Reader, expires_at_ms, uses: 1 };
    council.refuses(ANN, until(NOW_MS), &Refusal::Expired);
    assert!(council.ask(ANN, until(NOW_MS + 1)).is_ok());
}

#[test]
fn who_is_granted_a_role_is_given_the_key_that_all_write_under() {
    let mut council = Council::new();
    let granted = council.ask(ANN, grant(BOB, Writer)).unwrap();
    let Act::Grant { seals, invite: None, overrides, .. } = &granted.acts[0] else { panic!() };
    assert_eq!(overrides, &[]);
    let opened = keybox::open(&seals[0].sealed, seals[0].epoch, &keys(BOB)).unwrap();
    council.carry_out(ANN, granted);
    assert_eq!(council.keyring(ANN).choose(&council.roster).unwrap().id(), opened.id());
    assert_eq!(council.keyring(BOB).choose(&council.roster).unwrap().id(), opened.id());
    council.refuses(ANN, grant(BOB, Reader), &Refusal::AlreadyMember);
    council.refuses(ANN, grant(ANN, Reader), &Refusal::AlreadyMember);
}

#[test]
fn a_box_key_that_its_owner_did_not_sign_or_that_takes_no_seal_is_refused() {
    let council = Council::new();
    let with = |kem| Command::Grant { member: peer(BOB), kem, role: Writer };
    council.refuses(ANN, with(kem_of(CARL)), &Refusal::BadKemKey);
    let mut bent = kem_of(BOB);
    bent.signature[0] ^= 1;
    council.refuses(ANN, with(bent), &Refusal::BadKemKey);
    let signature = keys(BOB).sign(&[&b"mangrove kem key v1\0"[..], &[0; 32]].concat());
    let zero = mangrove_protocol::governance::SignedKem { key: [0; 32], signature };
    council.refuses(ANN, with(zero), &Refusal::BadKemKey);
}

#[test]
fn a_full_context_takes_in_nobody() {
    let mut council = Council::new();
    let open = council.invites(ANN, Reader, 0);
    let base = council.roster.invite(open).unwrap().clone();
    let deed = |number: u64| {
        let id = DeltaId::from_bytes(
            *blake3::hash(&[&number.to_le_bytes()[..], b"m"].concat()).as_bytes(),
        );
        let member = PeerId::from_bytes(*id.as_bytes());
        let (seals, invite, overrides) = (Vec::new(), None, Vec::new());
        let act = Act::Grant { member, kem: kem_of(9), role: Reader, seals, invite, overrides };
        let log = LogId { incarnation: Incarnation::new(1_000 + number), ..base.log };
        Deed { id, log, seq: Seq::FIRST, prev: DeltaId::ZERO, hlc: base.hlc, act }
    };
    council.roster.extend((1..MEMBERS_PER_CONTEXT - 1).map(deed));
    assert!(council.ask(ANN, grant(BOB, Reader)).is_ok());
    council.roster.insert(deed(MEMBERS_PER_CONTEXT));
    let full = Refusal::TooManyMembers { max: MEMBERS_PER_CONTEXT };
    council.refuses(ANN, grant(BOB, Reader), &full);
    council.refuses(ANN, super::redeeming::redeem(BOB, open), &full);
}

#[test]
fn a_member_is_given_another_role_and_keeps_what_was_accepted() {
    let mut council = four();
    let (log, tip) = council.writes_data(CARL);
    council.does(BOB, set_role(CARL, Admin));
    assert_eq!(council.role(CARL), Some(Admin));
    let invited = council.invites(CARL, Writer, 1);
    assert!(council.ask(CARL, grant(EVE, Admin)).is_ok());
    council.does(BOB, set_role(CARL, Reader));
    assert_eq!(council.role(CARL), Some(Reader));
    assert!(council.roster.counts(invited));
    assert!(council.stands(&log, tip));
}

#[test]
fn lowering_to_a_role_that_writes_spares_data_logs_and_to_reader_ends_them() {
    let council = &mut four();
    let data = council.writes_data(BOB).0;
    let governance = council.log(BOB);
    let cut = |council: &Council, role| match &council.ask(ANN, set_role(BOB, role)).unwrap().acts[..]
    {
        [Act::SetRole { cuts, .. }] => cuts.iter().map(|cut| cut.log).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(cut(council, Writer), [governance]);
    assert_eq!(cut(council, Reader), [data, governance]);
}

#[test]
fn only_strictly_junior_members_are_given_another_role_or_removed() {
    let mut council = four();
    council.grants(ANN, EVE, Admin);
    for whom in [ANN, EVE] {
        council.refuses(BOB, set_role(whom, Reader), &Refusal::NotJunior);
        council.refuses(BOB, remove(whom), &Refusal::NotJunior);
    }
    for who in [ANN, BOB] {
        council.refuses(who, set_role(9, Reader), &Refusal::UnknownMember);
        council.refuses(who, remove(9), &Refusal::UnknownMember);
    }
    council.refuses(ANN, set_role(CARL, Writer), &Refusal::AlreadySo);
}

#[test]
fn one_may_only_step_down_oneself() {
    let mut council = four();
    council.refuses(BOB, set_role(BOB, Owner), &Refusal::Oneself);
    council.refuses(BOB, remove(BOB), &Refusal::Oneself);
    council.refuses(BOB, set_role(BOB, Admin), &Refusal::AlreadySo);
    council.refuses(DAN, set_role(DAN, Reader), &Refusal::AlreadySo);
    council.refuses(CARL, set_role(CARL, Admin), &Refusal::Oneself);
    council.does(CARL, set_role(CARL, Reader));
    council.does(BOB, set_role(BOB, Writer));
    assert_eq!((council.role(BOB), council.role(CARL)), (Some(Writer), Some(Reader)));
    assert_eq!(council.role(DAN), Some(Reader), "Bob's grants stand");
}

#[test]
fn the_last_owner_neither_steps_down_nor_leaves_before_the_others() {
    let mut council = four();
    council.refuses(ANN, Command::Leave, &Refusal::LastOwner);
    council.refuses(ANN, set_role(ANN, Admin), &Refusal::LastOwner);
    council.grants(ANN, EVE, Owner);
    council.does(ANN, set_role(ANN, Admin));
    council.does(ANN, Command::Leave);
    assert_eq!(council.role(ANN), None);
    council.refuses(EVE, Command::Leave, &Refusal::LastOwner);
}

#[test]
fn the_only_member_may_leave_an_empty_context_but_not_stay_in_it_without_an_owner() {
    let mut council = Council::new();
    council.refuses(ANN, set_role(ANN, Writer), &Refusal::LastOwner);
    council.does(ANN, Command::Leave);
    assert!(council.roster.members().is_empty());
}

#[test]
fn who_was_lowered_is_raised_again_and_what_was_done_before_stands() {
    let mut council = four();
    let granted = council.grants(BOB, EVE, Writer);
    council.does(ANN, set_role(BOB, Reader));
    for role in [Writer, Owner, Admin, Reader, Admin] {
        council.does(ANN, set_role(BOB, role));
        assert_eq!(council.role(BOB), Some(role));
        assert!(council.roster.counts(granted));
    }
    council.invites(BOB, Writer, 1);
}

#[test]
fn who_came_back_as_an_owner_and_is_lowered_keeps_the_data_it_wrote() {
    let mut council = four();
    council.does(BOB, set_role(CARL, Reader));
    council.does(BOB, remove(CARL));
    // Neither act of Bob's reaches an owner; both would reach the logs of a lowered one.
    council.grants(ANN, CARL, Owner);
    let (log, tip) = council.writes_data(CARL);
    council.does(ANN, set_role(CARL, Writer));
    assert_eq!(council.role(CARL), Some(Writer));
    assert!(council.stands(&log, tip));
}

#[test]
fn a_removed_member_is_gone_and_its_accepted_deltas_stay() {
    let mut council = four();
    let granted = council.grants(BOB, EVE, Writer);
    let (log, tip) = council.writes_data(BOB);
    council.does(ANN, remove(BOB));
    assert_eq!(council.role(BOB), None);
    assert!(council.roster.counts(granted));
    assert!(council.stands(&log, tip));
    assert!(!council.stands(&log, (tip.0.next(), id(9))));
    let late = council.write(BOB, Act::Rename { name: b"late".to_vec() });
    assert!(!council.roster.counts(late));
    council.refuses(BOB, Command::Leave, &Refusal::NotAMember);
}

#[test]
fn a_removed_member_is_given_no_new_key_and_all_others_are() {
    let mut council = four();
    let old = council.keyring(ANN).choose(&council.roster).unwrap().id();
    let plan = council.ask(BOB, remove(DAN)).unwrap();
    let epoch = plan.epoch.as_ref().unwrap().id();
    let Act::Revoke { rotation, .. } = &plan.acts[0] else { panic!() };
    assert_eq!(rotation.epoch, epoch);
    let mut left = [ANN, BOB, CARL].map(peer);
    left.sort_unstable();
    assert_eq!(rotation.seals.iter().map(|seal| seal.member).collect::<Vec<_>>(), left);
    for (who, sealed) in [ANN, BOB, CARL].map(|who| {
        (who, rotation.seals.iter().find(|seal| seal.member == peer(who)).unwrap().sealed)
    }) {
        assert_eq!(keybox::open(&sealed, epoch, &keys(who)).unwrap().id(), epoch);
    }
    assert!(rotation.older.iter().any(|(older, _)| *older == old));
    council.carry_out(BOB, plan);
    assert_eq!(council.keyring(CARL).choose(&council.roster).unwrap().id(), epoch);
    assert!(!council.roster.epochs()[&epoch].recipients.contains(&peer(DAN)));
    assert!(council.roster.epochs()[&epoch].is_confined);
}

#[test]
fn nobody_is_safe_from_being_removed_by_writing_many_logs() {
    let mut council = four();
    let data = council.writes_data(BOB).0;
    let idle = (0..9_000).map(|life| {
        let log = LogId { incarnation: Incarnation::new(life), ..council.log(BOB) };
        CutOff { log, heads: vec![(Seq::FIRST, id(7))] }
    });
    let all: Vec<_> = idle.chain(council.accepted(peer(BOB))).collect();
    let lowered = Command::SetRole { member: peer(BOB), role: Reader };
    assert!(council.ask_accepting(ANN, lowered, &|_| all.clone()).is_ok());
    let plan = council.ask_accepting(ANN, remove(BOB), &|_| all.clone()).unwrap();
    let Act::Revoke { cuts, .. } = &plan.acts[0] else { panic!() };
    assert!(cuts.len() < 5_000 && cuts.iter().any(|cut| cut.log == data), "{}", cuts.len());
    council.carry_out(ANN, plan);
    assert_eq!(council.role(BOB), None);
}

#[test]
fn removing_closes_the_open_invites_that_are_for_more_than_one() {
    let mut council = four();
    let (any, two, one) = (
        council.invites(ANN, Admin, 0),
        council.invites(BOB, Writer, 2),
        council.invites(ANN, Writer, 1),
    );
    let eve = council.does(ANN, super::redeeming::redeem(EVE, any));
    let (log, tip) = council.writes_data(EVE);
    let other = council.does(ANN, super::redeeming::redeem(9, any));
    let plan = council.ask(ANN, remove(EVE)).unwrap();
    let closed: Vec<_> = plan.acts[1..]
        .iter()
        .map(|act| match act {
            Act::CloseInvite { invite, accepted } => (*invite, accepted.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut came = vec![eve, other];
    came.sort_unstable();
    let mut wanted = vec![(any, came), (two, Vec::new())];
    wanted.sort_unstable();
    assert_eq!(closed, wanted);
    council.carry_out(ANN, plan);
    assert_eq!(council.roster.invites().map(|deed| deed.id).collect::<Vec<_>>(), [one]);
    assert_eq!((council.role(EVE), council.role(9)), (None, Some(Admin)));
    assert!(council.stands(&log, tip), "what the removed one wrote rests on the way it came in");
}

#[test]
fn who_falls_with_a_member_because_a_grant_was_not_accepted_is_named_and_given_no_key() {
    let mut council = four();
    council.grants(BOB, EVE, Writer);
    // Of Bob, only his first delta was accepted, by which Dan came in.
    let log = council.log(BOB);
    let first = council.roster.authority(peer(DAN)).unwrap().deed;
    let accepted = |member| match member == peer(BOB) {
        true => vec![CutOff { log, heads: vec![(Seq::FIRST, first)] }],
        false => council.accepted(member),
    };
    let plan = council.ask_accepting(ANN, remove(BOB), &accepted).unwrap();
    assert_eq!(plan.falls, [peer(EVE)]);
    let Act::Revoke { rotation, .. } = &plan.acts[0] else { panic!() };
    assert!(rotation.seals.iter().all(|seal| ![EVE, BOB].map(peer).contains(&seal.member)));
    assert_eq!(rotation.seals.len(), 3);
    let lowered = council.ask_accepting(ANN, set_role(BOB, Reader), &accepted).unwrap();
    assert_eq!(lowered.falls, [peer(EVE)]);
    let closed = council.ask_accepting(ANN, Command::Close { log }, &accepted).unwrap();
    assert_eq!(closed.falls, [peer(EVE)]);
    council.carry_out(ANN, plan);
    assert_eq!((council.role(EVE), council.role(DAN)), (None, Some(Reader)));
}

#[test]
fn heads_that_are_told_twice_or_of_others_are_named_once_and_not_at_all() {
    let mut council = four();
    council.writes_data(CARL);
    let messy = |_| {
        let all = [council.accepted(peer(CARL)), council.accepted(peer(BOB))].concat();
        all.iter().rev().chain(&all).cloned().collect()
    };
    let plan = council.ask_accepting(ANN, remove(CARL), &messy).unwrap();
    assert_eq!(plan.acts[0].check(), Ok(()));
    let Act::Revoke { cuts, .. } = &plan.acts[0] else { panic!() };
    assert_eq!(*cuts, council.accepted(peer(CARL)));
}

#[test]
fn a_removed_member_is_granted_a_role_again_by_name() {
    let mut council = four();
    council.does(ANN, remove(CARL));
    council.grants(BOB, CARL, Writer);
    assert_eq!(council.role(CARL), Some(Writer));
    council.does(CARL, Command::Leave);
    council.grants(BOB, CARL, Admin);
    assert_eq!(council.role(CARL), Some(Admin));
}

#[test]
fn who_leaves_is_gone_and_what_was_written_stays() {
    let mut council = four();
    let (log, tip) = council.writes_data(BOB);
    let granted = council.grants(BOB, EVE, Writer);
    council.does(BOB, Command::Leave);
    assert_eq!((council.role(BOB), council.role(EVE)), (None, Some(Writer)));
    assert!(council.roster.counts(granted));
    assert!(council.stands(&log, tip));
    assert!(council.keyring(ANN).choose(&council.roster).is_none(), "Bob holds the key");
    council.does(DAN, Command::Leave);
}

#[test]
fn a_new_epoch_is_for_all_members() {
    let mut council = four();
    let plan = council.ask(CARL, Command::Rotate).unwrap();
    let epoch = plan.epoch.as_ref().unwrap().id();
    council.carry_out(CARL, plan);
    for who in [ANN, BOB, CARL, DAN] {
        assert_eq!(council.keyring(who).choose(&council.roster).unwrap().id(), epoch);
    }
}

#[test]
fn a_context_is_renamed_and_a_name_too_long_is_refused() {
    let mut council = four();
    council.does(BOB, Command::Rename { name: b"second".to_vec() });
    assert_eq!(council.roster.name(), Some(&b"second"[..]));
    council.refuses(BOB, Command::Rename { name: vec![0; 257] }, &Refusal::TooLarge);
}

#[test]
fn a_replica_is_taken_in_and_dismissed_once() {
    let mut council = four();
    let replica = peer(9);
    council.refuses(BOB, Command::Delist { replica }, &Refusal::AlreadySo);
    council.does(BOB, Command::Enlist { replica });
    assert!(council.roster.replicas().contains(&replica));
    council.refuses(ANN, Command::Enlist { replica }, &Refusal::AlreadySo);
    council.does(ANN, Command::Delist { replica });
    assert!(council.roster.replicas().is_empty());
}

#[test]
fn a_log_is_closed_by_its_author_or_a_senior_and_once() {
    let mut council = four();
    let (log, tip) = council.writes_data(CARL);
    let close = || Command::Close { log };
    council.refuses(DAN, close(), &forbidden(Admin));
    council.does(BOB, close());
    assert!(council.stands(&log, tip));
    assert!(!council.stands(&log, (tip.0.next(), id(9))));
    council.refuses(ANN, close(), &Refusal::AlreadySo);
    council.refuses(CARL, close(), &Refusal::AlreadySo);
    let (own, tip) = council.writes_data(BOB);
    council.refuses(CARL, Command::Close { log: own }, &forbidden(Admin));
    council.does(BOB, Command::Close { log: own });
    assert!(council.stands(&own, tip));
    let founder = council.writes_data(ANN).0;
    council.refuses(BOB, Command::Close { log: founder }, &Refusal::NotJunior);
}

#[test]
fn a_log_of_no_authority_of_its_author_cannot_be_closed() {
    let council = four();
    let alien = LogId { author: peer(DAN), ..council.log(ANN) };
    council.refuses(ANN, Command::Close { log: alien }, &Refusal::UnknownLog);
    let nobody = LogId { authority: id(9).into(), ..council.log(BOB) };
    council.refuses(ANN, Command::Close { log: nobody }, &Refusal::UnknownLog);
    let reader = LogId { plane: Plane::Data, ..council.log(BOB) };
    let reader = LogId {
        author: peer(DAN),
        authority: council.roster.authority(peer(DAN)).unwrap().id(),
        ..reader
    };
    council.refuses(ANN, Command::Close { log: reader }, &Refusal::AlreadySo);
}

#[test]
fn an_own_senior_log_is_not_closed_under_a_lower_role() {
    let mut council = four();
    let senior = council.invites(BOB, Writer, 1);
    let log = council.log(BOB);
    council.does(BOB, set_role(BOB, Writer));
    council.refuses(BOB, Command::Close { log }, &Refusal::NotJunior);
    assert!(council.roster.counts(senior));
}

#[test]
fn every_refusal_says_what_to_do_in_words() {
    let all = [
        Refusal::NotAMember,
        forbidden(Writer),
        Refusal::NotJunior,
        Refusal::UsedUp { uses: 2 },
        Refusal::NotTheIssuer { issuer: peer(ANN) },
    ];
    let told = all.map(|refusal| refusal.to_string());
    assert!(told.iter().all(|text| text.len() > 30 && !text.contains("  ")), "{told:?}");
    assert_eq!(told[1], "only a writer, an admin or an owner may do this");
    assert!(told[4].contains(&peer(ANN).to_string()));
}

#[test]
fn a_lookup_finds_only_what_counts() {
    let mut council = four();
    let none = Rotation { epoch: EpochId::ZERO, seals: Vec::new(), older: Vec::new() };
    // A reader's acts do not count.
    council.write(DAN, Act::Revoke { member: peer(CARL), cuts: Vec::new(), rotation: none });
    let (key, role, expires_at_ms, uses) = ([1; 32], Reader, NOW_MS + 1, 0);
    let invite = council.write(DAN, Act::Invite { key, role, expires_at_ms, uses });
    assert!(!council.roster.was_revoked(peer(CARL)));
    assert!(council.roster.invite(invite).is_none());
    assert!(council.roster.invite(id(9)).is_none());
    assert_eq!(council.roster.signed_kem(peer(CARL)), Some(&kem_of(CARL)));
    assert_eq!(council.roster.signed_kem(peer(EVE)), None);
    assert_eq!(council.roster.signed_kem(peer(ANN)), Some(&kem_of(ANN)));
}
