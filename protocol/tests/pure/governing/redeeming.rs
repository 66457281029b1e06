//! Who is let in by an invite, by whom, and who is not.

use mangrove_protocol::governance::{Act, Command, Redemption, Refusal, Role, Rotation};
use mangrove_protocol::id::{DeltaId, EpochId};

use super::council::{ANN, BOB, CARL, Council, DAN, EVE, NOW_MS, kem_of, peer};
use crate::make::id;

use Role::{Admin, Owner, Reader, Writer};

pub(crate) fn redeem(whom: u8, invite: DeltaId) -> Command {
    Command::Redeem(Redemption { invite, member: peer(whom), kem: kem_of(whom) })
}

fn remove(whom: u8) -> Command {
    Command::Remove { member: peer(whom) }
}

fn set_role(whom: u8, role: Role) -> Command {
    Command::SetRole { member: peer(whom), role }
}

/// Ann is the owner, Bob and Eve are admins, Carl is a writer.
fn four() -> Council {
    let mut council = Council::new();
    council.grants(ANN, BOB, Admin);
    council.grants(ANN, EVE, Admin);
    council.grants(ANN, CARL, Writer);
    council
}

#[test]
fn who_holds_a_ticket_comes_in_with_the_role_and_the_keys() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 1);
    let plan = council.ask(BOB, redeem(DAN, invite)).unwrap();
    let Act::Grant { seals, invite: Some(by), overrides, kem, .. } = &plan.acts[0] else {
        panic!()
    };
    assert_eq!((*by, overrides.len(), seals.len()), (invite, 0, 1));
    assert_eq!(*kem, kem_of(DAN));
    let granted = council.carry_out(BOB, plan);
    assert_eq!(council.role(DAN), Some(Writer));
    assert!(council.keyring(DAN).choose(&council.roster).is_some());
    assert_eq!(council.roster.grants_through(invite), [(granted, peer(DAN))]);
}

#[test]
fn redeeming_again_gives_the_same_grant_whatever_became_of_the_invite() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 1);
    let granted = council.does(BOB, redeem(DAN, invite));
    let again = |council: &Council, who| {
        let plan = council.ask(who, redeem(DAN, invite)).unwrap();
        assert!(plan.acts.is_empty() && plan.epoch.is_none());
        plan.already
    };
    assert_eq!(again(&council, BOB), Some(granted));
    assert_eq!(again(&council, EVE), Some(granted), "whoever is asked");
    council.now_ms = NOW_MS + 7_200_000;
    assert_eq!(again(&council, BOB), Some(granted), "also when it has expired");
    council.does(ANN, Command::CloseInvite { invite });
    council.does(ANN, remove(BOB));
    assert_eq!(again(&council, EVE), Some(granted), "also when it is closed");
}

#[test]
fn a_single_ticket_lets_in_one_and_a_limited_one_as_many_as_it_says() {
    let mut council = four();
    let (one, two) = (council.invites(BOB, Writer, 1), council.invites(BOB, Writer, 2));
    council.does(BOB, redeem(DAN, one));
    council.refuses(BOB, redeem(9, one), &Refusal::UsedUp { uses: 1 });
    council.does(BOB, redeem(9, two));
    council.does(BOB, redeem(10, two));
    council.refuses(BOB, redeem(11, two), &Refusal::UsedUp { uses: 2 });
}

#[test]
fn only_its_issuer_redeems_a_counted_ticket_and_any_admin_an_unlimited_one() {
    let mut council = four();
    let issuer = peer(BOB);
    for uses in [1, 5] {
        let invite = council.invites(BOB, Writer, uses);
        council.refuses(EVE, redeem(DAN, invite), &Refusal::NotTheIssuer { issuer });
        council.refuses(ANN, redeem(DAN, invite), &Refusal::NotTheIssuer { issuer });
    }
    let unlimited = council.invites(BOB, Writer, 0);
    council.refuses(CARL, redeem(DAN, unlimited), &Refusal::Forbidden { needs: Admin });
    council.does(EVE, redeem(DAN, unlimited));
    assert_eq!(council.role(DAN), Some(Writer));
}

#[test]
fn an_admin_lets_nobody_in_above_its_own_role() {
    let mut council = four();
    let invite = council.invites(ANN, Owner, 0);
    council.refuses(BOB, redeem(DAN, invite), &Refusal::Forbidden { needs: Owner });
    council.does(ANN, redeem(DAN, invite));
    assert_eq!(council.role(DAN), Some(Owner));
}

#[test]
fn an_owner_does_not_confer_what_the_issuer_could_not() {
    let mut council = four();
    let (key, role, expires_at_ms, uses) = ([1; 32], Owner, NOW_MS + 1, 0);
    let invite = council.write(BOB, Act::Invite { key, role, expires_at_ms, uses });
    assert!(council.roster.invite(invite).is_some());
    council.refuses(ANN, redeem(DAN, invite), &Refusal::IssuerGone { issuer: peer(BOB) });
}

#[test]
fn an_invite_that_is_closed_expired_or_unknown_lets_nobody_in() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 1);
    council.refuses(BOB, redeem(DAN, id(9)), &Refusal::UnknownInvite);
    let rename = council.does(BOB, Command::Rename { name: b"x".to_vec() });
    council.refuses(BOB, redeem(DAN, rename), &Refusal::UnknownInvite);
    council.now_ms = NOW_MS + 3_599_999;
    assert!(council.ask(BOB, redeem(DAN, invite)).is_ok());
    council.now_ms = NOW_MS + 3_600_000;
    council.refuses(BOB, redeem(DAN, invite), &Refusal::Expired);
    council.does(EVE, Command::CloseInvite { invite });
    council.refuses(BOB, redeem(DAN, invite), &Refusal::Closed);
}

#[test]
fn an_invite_goes_with_its_issuer() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 0);
    council.does(BOB, set_role(BOB, Writer));
    council.refuses(EVE, redeem(DAN, invite), &Refusal::IssuerGone { issuer: peer(BOB) });
    council.refuses(BOB, redeem(DAN, invite), &Refusal::IssuerGone { issuer: peer(BOB) });
    council.does(BOB, Command::Leave);
    council.refuses(EVE, redeem(DAN, invite), &Refusal::IssuerGone { issuer: peer(BOB) });
}

#[test]
fn a_member_does_not_come_in_twice() {
    let mut council = four();
    let (first, second) = (council.invites(BOB, Admin, 1), council.invites(BOB, Reader, 1));
    council.refuses(BOB, redeem(CARL, first), &Refusal::AlreadyMember);
    council.refuses(BOB, redeem(BOB, first), &Refusal::AlreadyMember);
    council.does(BOB, redeem(DAN, first));
    council.refuses(BOB, redeem(DAN, second), &Refusal::AlreadyMember);
}

#[test]
fn who_was_removed_does_not_come_back_by_a_ticket() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 1);
    council.does(BOB, redeem(DAN, invite));
    council.does(ANN, remove(DAN));
    let other = council.invites(BOB, Writer, 0);
    council.refuses(BOB, redeem(DAN, other), &Refusal::WasRemoved);
    council.refuses(BOB, redeem(DAN, invite), &Refusal::UsedUp { uses: 1 });
    // Also one who was let in again by name, and left.
    council.grants(BOB, DAN, Writer);
    council.does(DAN, Command::Leave);
    council.refuses(BOB, redeem(DAN, other), &Refusal::WasRemoved);
}

#[test]
fn a_removal_that_does_not_count_keeps_nobody_out() {
    let mut council = four();
    let none = Rotation { epoch: EpochId::ZERO, seals: Vec::new(), older: Vec::new() };
    council.write(CARL, Act::Revoke { member: peer(DAN), cuts: Vec::new(), rotation: none });
    let invite = council.invites(BOB, Writer, 0);
    council.does(BOB, redeem(DAN, invite));
}

#[test]
fn who_left_comes_back_by_another_ticket() {
    let mut council = four();
    let (first, second) = (council.invites(BOB, Writer, 1), council.invites(BOB, Writer, 1));
    council.does(BOB, redeem(DAN, first));
    let left = council.does(DAN, Command::Leave);
    council.refuses(BOB, redeem(DAN, first), &Refusal::UsedUp { uses: 1 });
    let plan = council.ask(BOB, redeem(DAN, second)).unwrap();
    let Act::Grant { overrides, .. } = &plan.acts[0] else { panic!() };
    assert_eq!(overrides, &[left]);
    council.carry_out(BOB, plan);
    assert_eq!(council.role(DAN), Some(Writer));
}

#[test]
fn who_was_lowered_does_not_rise_by_leaving_and_a_ticket() {
    let mut council = four();
    let (writer, reader) = (council.invites(BOB, Writer, 0), council.invites(BOB, Reader, 0));
    council.does(ANN, set_role(CARL, Reader));
    council.does(CARL, Command::Leave);
    council.refuses(BOB, redeem(CARL, writer), &Refusal::WasRemoved);
    council.does(BOB, redeem(CARL, reader));
    assert_eq!(council.role(CARL), Some(Reader));
}

#[test]
fn a_box_key_of_somebody_else_is_refused() {
    let mut council = four();
    let invite = council.invites(BOB, Writer, 1);
    let redemption = Redemption { invite, member: peer(DAN), kem: kem_of(CARL) };
    council.refuses(BOB, Command::Redeem(redemption), &Refusal::BadKemKey);
}
