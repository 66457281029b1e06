//! The exchange at the door: who comes in, and what is told to whoever does not.

use std::collections::BTreeSet;
use std::fmt::Write;

use data_encoding::HEXLOWER;
use mangrove_protocol::governance::{Command, Redemption, Refusal, Role, Rotation, SignedKem};
use mangrove_protocol::id::{ContextId, DeltaId, EpochId, PeerId};
use mangrove_protocol::join::{
    Code, Doorkeeper, Joiner, MESSAGE_BYTES, Message, Step, VERSION, Visit, Visitor, Why, refuse,
};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::ticket::Ticket;
use mangrove_protocol::wire::Malformed;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::governing::council::{ANN, BOB, CARL, Council, DAN, NOW_MS, SECRET, kem_of, peer};
use crate::make::{any_id, id, keys, size};

use Role::{Admin, Reader, Writer};

const NONCE: [u8; 32] = [0x0c; 32];
const DEADLINE_MS: u64 = NOW_MS + 30_000;

/// Ann is the owner, Bob an admin, Carl a writer.
fn three() -> Council {
    let mut council = Council::new();
    council.grants(ANN, BOB, Admin);
    council.grants(ANN, CARL, Writer);
    council
}

fn ticket(council: &Council, invite: DeltaId, inviter: u8) -> Ticket {
    Ticket {
        context: council.roster.context(),
        invite,
        secret: SECRET,
        inviter: peer(inviter),
        addresses: Vec::new(),
        expires_at_ms: NOW_MS + 3_600_000,
    }
}

fn visitor(joiner: u8, doorkeeper: u8) -> Visitor {
    Visitor { joiner: peer(joiner), doorkeeper: peer(doorkeeper), deadline_ms: DEADLINE_MS }
}

fn knock(ticket: &Ticket, joiner: u8, doorkeeper: u8) -> (Joiner, Vec<u8>) {
    Joiner::start(ticket, &keys(joiner), peer(doorkeeper), DEADLINE_MS)
}

/// A doorkeeper who has sent its challenge, which is to be answered.
fn challenge(
    council: &Council,
    visitor: Visitor,
    knock: &[u8],
    nonce: [u8; 32],
) -> (Doorkeeper, Vec<u8>) {
    let (context, invite) = Doorkeeper::hear(knock).unwrap();
    assert_eq!(context, council.roster.context());
    Doorkeeper::challenge(visitor, &council.roster, invite, nonce).unwrap()
}

fn sent(step: Step) -> Vec<u8> {
    match step {
        Step::Send(message) => message,
        other => panic!("{other:?}"),
    }
}

/// What the doorkeeper does about a redemption.
fn decide(council: &mut Council, doorkeeper: u8, visit: Visit, redemption: Redemption) -> Vec<u8> {
    match council.ask(doorkeeper, Command::Redeem(redemption)) {
        Err(refusal) => visit.answer(Err(&refusal)),
        Ok(plan) => match plan.already {
            Some(grant) => visit.answer(Ok(grant)),
            None => visit.answer(Ok(council.carry_out(doorkeeper, plan))),
        },
    }
}

/// The whole exchange.
fn join(council: &mut Council, ticket: &Ticket, joiner: u8, doorkeeper: u8) -> Step {
    let (mut machine, first) = knock(ticket, joiner, doorkeeper);
    let (door, asked) = challenge(council, visitor(joiner, doorkeeper), &first, NONCE);
    let proof = sent(machine.on(&asked, NOW_MS));
    let answer = match door.check(&proof, NOW_MS) {
        Ok((visit, redemption)) => decide(council, doorkeeper, visit, redemption),
        Err(refusal) => refusal,
    };
    machine.on(&answer, NOW_MS)
}

fn failed(code: Code) -> Step {
    Step::Failed(Why::Refused { code, retry_after_ms: None })
}

fn refused(code: Code) -> Vec<u8> {
    Message::Refused { code, retry_after_ms: None }.encode()
}

fn proof_of(bytes: &[u8]) -> (SignedKem, [u8; 64]) {
    match Message::decode(bytes).unwrap() {
        Message::Proof { kem, signature } => (kem, signature),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_holds_a_ticket_is_let_in() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 1);
    let ticket = ticket(&council, invite, BOB);
    let Step::Joined { grant } = join(&mut council, &ticket, DAN, BOB) else { panic!() };
    assert_eq!(council.role(DAN), Some(Writer));
    assert_eq!(council.roster.authority(peer(DAN)).unwrap().deed, grant);
    assert_eq!(council.roster.signed_kem(peer(DAN)), Some(&kem_of(DAN)));
}

#[test]
fn a_single_ticket_gives_its_first_holder_the_same_grant_again_and_a_second_one_none() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 1);
    let ticket = ticket(&council, invite, BOB);
    let first = join(&mut council, &ticket, DAN, BOB);
    assert!(matches!(first, Step::Joined { .. }), "{first:?}");
    let count = council.deeds.len();
    assert_eq!(join(&mut council, &ticket, DAN, BOB), first);
    assert_eq!(join(&mut council, &ticket, 9, BOB), failed(Code::UsedUp));
    assert_eq!(council.deeds.len(), count, "nothing more was written");
}

#[test]
fn what_the_doorkeeper_decides_is_told_to_the_joiner() {
    let mut council = three();
    let (one, any) = (council.invites(BOB, Writer, 1), council.invites(BOB, Writer, 0));
    let (one, any) = (ticket(&council, one, BOB), ticket(&council, any, BOB));
    assert_eq!(join(&mut council, &one, DAN, ANN), failed(Code::AskInviter));
    assert_eq!(join(&mut council, &any, DAN, CARL), failed(Code::AskInviter));
    assert_eq!(join(&mut council, &any, CARL, ANN), failed(Code::AlreadyMember));
    assert!(matches!(join(&mut council, &any, DAN, ANN), Step::Joined { .. }));
    council.does(ANN, Command::Remove { member: peer(DAN) });
    assert_eq!(join(&mut council, &one, DAN, BOB), failed(Code::Removed));
    assert_eq!(join(&mut council, &any, 9, BOB), failed(Code::Closed));
    council.now_ms = NOW_MS + 3_600_000;
    assert_eq!(join(&mut council, &one, 9, BOB), failed(Code::Expired));
    council.does(ANN, Command::SetRole { member: peer(BOB), role: Reader });
    council.now_ms = NOW_MS;
    assert_eq!(join(&mut council, &one, 9, BOB), failed(Code::IssuerGone));
}

#[test]
fn an_invite_that_is_not_known_is_refused_at_the_knock() {
    let council = three();
    let outcome = Doorkeeper::challenge(visitor(DAN, BOB), &council.roster, id(9), NONCE);
    assert_eq!(outcome.unwrap_err(), refused(Code::UnknownInvite));
    let (mut joiner, _) = knock(&ticket(&council, id(9), BOB), DAN, BOB);
    assert_eq!(joiner.on(&refused(Code::UnknownInvite), NOW_MS), failed(Code::UnknownInvite));
}

#[test]
fn whoever_holds_another_secret_learns_nothing_of_the_invite() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 1);
    council.does(BOB, Command::CloseInvite { invite });
    let mut other = ticket(&council, invite, BOB);
    other.secret = [1; 32];
    assert_eq!(join(&mut council, &other, DAN, BOB), failed(Code::WrongProof));
}

#[test]
fn a_proof_is_good_for_one_joiner_one_doorkeeper_one_exchange_and_one_context() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let good = ticket(&council, invite, BOB);
    let (mut machine, first) = knock(&good, DAN, BOB);
    let (door, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let proof = sent(machine.on(&asked, NOW_MS));
    assert!(door.check(&proof, NOW_MS).is_ok());
    let against = |visitor, nonce| {
        let (door, _) = challenge(&council, visitor, &first, nonce);
        door.check(&proof, NOW_MS).unwrap_err()
    };
    let wrong = refused(Code::WrongProof);
    assert_eq!(against(visitor(DAN, BOB), [0x0d; 32]), wrong, "another nonce");
    assert_eq!(against(visitor(DAN, ANN), NONCE), wrong, "another doorkeeper");
    assert_eq!(against(visitor(CARL, BOB), NONCE), wrong, "another joiner");
    // Another context that has the very same invite key.
    let mut elsewhere = good;
    elsewhere.context = ContextId::from_bytes([7; 32]);
    let (mut machine, _) = knock(&elsewhere, DAN, BOB);
    let proof = sent(machine.on(&asked, NOW_MS));
    let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    assert_eq!(door.check(&proof, NOW_MS).unwrap_err(), wrong);
}

#[test]
fn a_box_key_that_the_joiner_did_not_sign_is_refused() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let ticket = ticket(&council, invite, BOB);
    let (mut machine, first) = knock(&ticket, DAN, BOB);
    let (door, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let (kem, signature) = proof_of(&sent(machine.on(&asked, NOW_MS)));
    let swapped = Message::Proof { kem: SignedKem { signature: [1; 64], ..kem }, signature };
    assert_eq!(door.check(&swapped.encode(), NOW_MS).unwrap_err(), refused(Code::BadKey));
    // The key itself is covered by the proof.
    let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let swapped = Message::Proof { kem: kem_of(CARL), signature };
    assert_eq!(door.check(&swapped.encode(), NOW_MS).unwrap_err(), refused(Code::WrongProof));
}

#[test]
fn a_proof_with_any_bit_flipped_is_refused() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let ticket = ticket(&council, invite, BOB);
    let (mut machine, first) = knock(&ticket, DAN, BOB);
    let (_, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let proof = sent(machine.on(&asked, NOW_MS));
    for bit in 0..proof.len() * 8 {
        let mut bent = proof.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
        assert!(door.check(&bent, NOW_MS).is_err(), "bit {bit}");
    }
}

#[test]
fn a_challenge_or_an_answer_that_comes_too_late_is_of_no_use() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let ticket = ticket(&council, invite, BOB);
    let (mut machine, first) = knock(&ticket, DAN, BOB);
    assert_eq!(machine.deadline_ms(), DEADLINE_MS);
    let (door, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let proof = sent(machine.on(&asked, DEADLINE_MS));
    assert_eq!(door.check(&proof, DEADLINE_MS + 1).unwrap_err(), refused(Code::Late));
    let welcome = Message::Welcome { grant: id(1) }.encode();
    assert_eq!(machine.on(&welcome, DEADLINE_MS + 1), Step::Failed(Why::Late));
    assert_eq!(machine.on(&welcome, NOW_MS), Step::Failed(Why::OutOfOrder), "it is over");
    let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    assert!(door.check(&proof, DEADLINE_MS).is_ok());
}

fn every_message() -> Vec<Message> {
    vec![
        Message::Knock { context: ContextId::from_bytes([0xc0; 32]), invite: id(0x11) },
        Message::Challenge { nonce: NONCE },
        Message::Proof {
            kem: SignedKem { key: [0x22; 32], signature: [0x33; 64] },
            signature: [0x44; 64],
        },
        Message::Welcome { grant: id(0x55) },
        Message::Refused { code: Code::Busy, retry_after_ms: Some(258) },
        Message::Refused { code: Code::Expired, retry_after_ms: None },
    ]
}

#[test]
fn a_joiner_takes_each_message_in_its_turn_only() {
    let council = three();
    let ticket = ticket(&council, id(9), BOB);
    let challenge = Message::Challenge { nonce: NONCE };
    for message in every_message() {
        let bytes = message.encode();
        let (mut knocked, _) = knock(&ticket, DAN, BOB);
        let first = knocked.on(&bytes, NOW_MS);
        let (mut proved, _) = knock(&ticket, DAN, BOB);
        sent(proved.on(&challenge.encode(), NOW_MS));
        let second = proved.on(&bytes, NOW_MS);
        let outcome = match (&message, first, second) {
            (Message::Challenge { .. }, Step::Send(_), Step::Failed(Why::OutOfOrder)) => true,
            (
                Message::Welcome { grant },
                Step::Failed(Why::OutOfOrder),
                Step::Joined { grant: got },
            ) => *grant == got,
            (
                Message::Refused { code, retry_after_ms },
                Step::Failed(first @ Why::Refused { .. }),
                Step::Failed(second @ Why::Refused { .. }),
            ) => {
                let (code, retry_after_ms) = (*code, *retry_after_ms);
                first == second && first == Why::Refused { code, retry_after_ms }
            }
            (
                Message::Knock { .. } | Message::Proof { .. },
                Step::Failed(Why::OutOfOrder),
                Step::Failed(Why::OutOfOrder),
            ) => true,
            _ => false,
        };
        assert!(outcome, "{message:?}");
        // Whatever came of it, nothing is taken after the end.
        assert_eq!(proved.on(&bytes, NOW_MS), Step::Failed(Why::OutOfOrder));
    }
}

#[test]
fn a_doorkeeper_takes_each_message_in_its_turn_only() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let first = knock(&ticket(&council, invite, BOB), DAN, BOB).1;
    for message in every_message() {
        let bytes = message.encode();
        let heard = Doorkeeper::hear(&bytes);
        assert_eq!(heard.is_ok(), matches!(message, Message::Knock { .. }), "{message:?}");
        let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
        let code = match message {
            Message::Proof { .. } => Code::WrongProof,
            _ => Code::Unreadable,
        };
        assert_eq!(door.check(&bytes, NOW_MS).unwrap_err(), refused(code), "{message:?}");
    }
}

#[test]
fn who_is_busy_says_when_to_come_again() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 1);
    let ticket = ticket(&council, invite, BOB);
    let busy = Why::Refused { code: Code::Busy, retry_after_ms: Some(5_000) };
    let (mut machine, first) = knock(&ticket, DAN, BOB);
    let (door, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let (visit, _) = door.check(&sent(machine.on(&asked, NOW_MS)), NOW_MS).unwrap();
    assert_eq!(
        machine.on(&visit.put_off(Code::Busy, Some(5_000)), NOW_MS),
        Step::Failed(busy.clone())
    );
    let (mut machine, _) = knock(&ticket, DAN, BOB);
    assert_eq!(machine.on(&refuse(Code::Busy, Some(5_000)), NOW_MS), Step::Failed(busy));
}

/// Every refusal, with what is told at the door.
fn every_refusal() -> Vec<(Refusal, Code)> {
    let issuer = peer(BOB);
    vec![
        (Refusal::NotAMember, Code::AskInviter),
        (Refusal::Forbidden { needs: Admin }, Code::AskInviter),
        (Refusal::NotJunior, Code::Unable),
        (Refusal::Oneself, Code::Unable),
        (Refusal::UnknownMember, Code::Unable),
        (Refusal::AlreadyMember, Code::AlreadyMember),
        (Refusal::UnknownInvite, Code::UnknownInvite),
        (Refusal::UnknownLog, Code::Unable),
        (Refusal::LastOwner, Code::Unable),
        (Refusal::TooManyMembers { max: 1_000 }, Code::TooManyMembers),
        (Refusal::AlreadySo, Code::Unable),
        (Refusal::Expired, Code::Expired),
        (Refusal::Closed, Code::Closed),
        (Refusal::NotTheIssuer { issuer }, Code::AskInviter),
        (Refusal::IssuerGone { issuer }, Code::IssuerGone),
        (Refusal::WasRemoved, Code::Removed),
        (Refusal::UsedUp { uses: 1 }, Code::UsedUp),
        (Refusal::BadKemKey, Code::BadKey),
        (Refusal::BadProof, Code::WrongProof),
        (Refusal::TooLarge, Code::Unable),
    ]
}

#[test]
fn every_refusal_has_its_code_and_every_code_a_cause_and_words_of_its_own() {
    for (refusal, code) in every_refusal() {
        assert_eq!(Code::of(&refusal), code, "{refusal:?}");
    }
    let mut caused: BTreeSet<_> = every_refusal().into_iter().map(|(_, code)| code).collect();
    // These come of the exchange itself.
    caused.extend([Code::Busy, Code::Late, Code::Unreadable]);
    assert_eq!(caused, Code::ALL.iter().copied().collect());
    let words: BTreeSet<_> = Code::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), Code::ALL.len());
    let why = Why::Refused { code: Code::Expired, retry_after_ms: None };
    assert_eq!(why.to_string(), "the ticket has expired: ask for a new one");
}

#[test]
fn a_code_keeps_its_tag_and_one_of_a_later_version_is_named() {
    for (tag, code) in (1..).zip(Code::ALL) {
        let bytes = refused(*code);
        assert_eq!(bytes, [VERSION, 5, tag, 0]);
        let message = Message::Refused { code: *code, retry_after_ms: None };
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
    let unknown = |what, tag| Err(Malformed::Unknown { what, tag });
    assert_eq!(Message::decode(&[VERSION, 5, 0, 0]), unknown("refusal", 0));
    assert_eq!(Message::decode(&[VERSION, 5, 16, 0]), unknown("refusal", 16));
    assert_eq!(Message::decode(&[VERSION, 6]), unknown("join message", 6));
    assert_eq!(Message::decode(&[VERSION, 0]), unknown("join message", 0));
    assert_eq!(Message::decode(&[2, 1]), unknown("join version", 2));
    assert_eq!(Message::decode(&[]), Err(Malformed::Truncated));
    let (mut machine, _) = knock(&ticket(&three(), id(9), BOB), DAN, BOB);
    let told = machine.on(&[2, 1], NOW_MS);
    let why = Malformed::Unknown { what: "join version", tag: 2 };
    assert_eq!(told, Step::Failed(Why::Unreadable(why)));
}

#[test]
fn messages_are_written_so() {
    let mut sheet = String::new();
    for message in every_message() {
        let name = format!("{message:?}").split(' ').next().unwrap().to_owned();
        writeln!(sheet, "{name}: {}", HEXLOWER.encode(&message.encode())).unwrap();
    }
    let ticket = Ticket {
        context: ContextId::from_bytes([0xc0; 32]),
        invite: id(0x11),
        secret: SECRET,
        inviter: peer(BOB),
        addresses: Vec::new(),
        expires_at_ms: 0,
    };
    let (mut machine, _) = knock(&ticket, DAN, BOB);
    let proof = sent(machine.on(&Message::Challenge { nonce: NONCE }.encode(), NOW_MS));
    writeln!(sheet, "proof of seed 4: {}", HEXLOWER.encode(&proof)).unwrap();
    insta::assert_snapshot!(sheet);
}

#[test]
fn every_message_is_within_its_limit_and_nothing_follows_it() {
    for message in every_message() {
        let bytes = message.encode();
        assert!(bytes.len() as u64 <= MESSAGE_BYTES);
        assert_eq!(Message::decode(&bytes), Ok(message));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::decode(&longer), Err(Malformed::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..end]), Err(Malformed::Truncated), "{end}");
        }
    }
    let long = vec![VERSION; size(MESSAGE_BYTES) + 1];
    let why = Malformed::TooLong { bytes: MESSAGE_BYTES + 1, max: MESSAGE_BYTES };
    assert_eq!(Message::decode(&long), Err(why));
}

#[test]
fn no_secret_of_a_ticket_is_printed() {
    let (machine, _) = knock(&ticket(&three(), id(9), BOB), DAN, BOB);
    assert_eq!(format!("{machine:?}"), format!("Joiner(knocked, until {DEADLINE_MS} ms)"));
}

#[test]
fn an_invite_whose_key_everybody_can_sign_for_lets_nobody_in() {
    // The neutral point: under a lenient rule, one signature is good for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let mut council = three();
    let (role, expires_at_ms, uses) = (Writer, NOW_MS + 1, 0);
    let invite = council.does(BOB, Command::Invite { key: neutral, role, expires_at_ms, uses });
    let first = knock(&ticket(&council, invite, BOB), DAN, BOB).1;
    let (door, _) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
    let forged = Message::Proof { kem: kem_of(DAN), signature };
    assert_eq!(door.check(&forged.encode(), NOW_MS).unwrap_err(), refused(Code::WrongProof));
}

#[test]
fn a_roster_that_has_lost_the_invite_knows_it_no_more() {
    let mut council = three();
    let invite = council.invites(BOB, Writer, 0);
    let none = Rotation { epoch: EpochId::ZERO, seals: Vec::new(), older: Vec::new() };
    let revoke = mangrove_protocol::governance::Act::Revoke {
        member: peer(BOB),
        cuts: Vec::new(),
        rotation: none,
    };
    council.write(ANN, revoke);
    let outcome = Doorkeeper::challenge(visitor(DAN, ANN), &council.roster, invite, NONCE);
    assert_eq!(outcome.unwrap_err(), refused(Code::UnknownInvite));
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let noise = vec(any::<u8>(), 0..300);
    let nearly = (1..7_u8, vec(any::<u8>(), 0..200))
        .prop_map(|(tag, body)| [&[VERSION, tag][..], &body].concat());
    let damaged =
        (0..6_usize, vec((any::<usize>(), any::<u8>()), 0..3)).prop_map(|(which, bent)| {
            let mut bytes = every_message()[which].encode();
            let len = bytes.len();
            bent.into_iter().for_each(|(at, by)| bytes[at % len] ^= by);
            bytes
        });
    prop_oneof![noise, nearly, damaged]
}

proptest! {
    #[test]
    fn a_message_has_one_form_and_no_bytes_break_the_machines(bytes in any_bytes()) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), &bytes[..]);
        }
        let council = three();
        let (mut machine, _) = knock(&ticket(&council, id(9), BOB), DAN, BOB);
        let _first = machine.on(&bytes, NOW_MS);
        let _second = machine.on(&bytes, NOW_MS);
        prop_assert_eq!(machine.on(&bytes, NOW_MS), Step::Failed(Why::OutOfOrder));
        let _heard = Doorkeeper::hear(&bytes).is_ok();
    }

    #[test]
    fn a_proof_over_other_facts_is_refused(
        nonce: [u8; 32], seed in any::<u8>(), other in any_id(), what in 0..4_u8
    ) {
        let mut council = three();
        let invite = council.invites(BOB, Writer, 0);
        let good = ticket(&council, invite, BOB);
        let first = knock(&good, DAN, BOB).1;
        let (door, asked) = challenge(&council, visitor(DAN, BOB), &first, NONCE);
        let mut claimed = (good, keys(DAN), peer(BOB), asked);
        match what {
            0 => claimed.0.context = other.into(),
            1 => claimed.1 = NodeKeys::from_bytes(&[seed.max(20); 64]),
            2 => claimed.2 = PeerId::from_bytes(*other.as_bytes()),
            _ => claimed.3 = Message::Challenge { nonce }.encode(),
        }
        let (mut machine, _) = Joiner::start(&claimed.0, &claimed.1, claimed.2, DEADLINE_MS);
        let proof = sent(machine.on(&claimed.3, NOW_MS));
        prop_assert_eq!(door.check(&proof, NOW_MS).unwrap_err(), refused(Code::WrongProof));
    }
}
