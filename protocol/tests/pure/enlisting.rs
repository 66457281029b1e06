//! How replicas are found: calls and messages have one form, and calls are judged for what is in them.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use mangrove_protocol::clock::MAX_AHEAD_MS;
use mangrove_protocol::enlist::{
    CALL_BYTES, Call, MESSAGE_BYTES, Message, NONCE_BYTES, VERSION, judge_call,
};
use mangrove_protocol::gossip::{Ignored, Rejected, Topic, Unreadable, Verdict, name};
use mangrove_protocol::id::ContextId;
use mangrove_protocol::ticket::{MAX_ADDRESS_BYTES, MAX_ADDRESSES};
use mangrove_protocol::wire::Malformed;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{keys, size};

const NOW_MS: u64 = 1_767_225_600_000;
const NONCE: [u8; NONCE_BYTES] = [0x6e; NONCE_BYTES];

fn call(addresses: &[String]) -> Call {
    Call::sign(NONCE, NOW_MS, addresses, &keys(1))
}

fn address(bytes: usize) -> String {
    "a".repeat(bytes)
}

/// One without addresses, one with some, and the longest.
fn every_call() -> [Call; 3] {
    let some = ["/ip4/192.0.2.7/tcp/2771".to_owned(), address(0)];
    [call(&[]), call(&some), call(&vec![address(MAX_ADDRESS_BYTES); MAX_ADDRESSES])]
}

fn every_message() -> [Message; 5] {
    [
        Message::Offer { nonce: NONCE },
        Message::Hired { context: ContextId::from_bytes([0xc0; 32]) },
        Message::Refused { retry_after_ms: Some(258) },
        Message::Refused { retry_after_ms: None },
        Message::Taken,
    ]
}

fn judge(bytes: &[u8]) -> Verdict<Call> {
    judge_call(bytes, NOW_MS, |_| false)
}

#[test]
fn calls_and_messages_are_written_so() {
    let mut sheet = String::new();
    writeln!(sheet, "topic: {}", Topic::invites()).unwrap();
    for call in &every_call()[..2] {
        writeln!(sheet, "Call: {}", HEXLOWER.encode(&call.encode())).unwrap();
    }
    for message in every_message() {
        let name = format!("{message:?}").split(' ').next().unwrap().to_owned();
        writeln!(sheet, "{name}: {}", HEXLOWER.encode(&message.encode())).unwrap();
    }
    insta::assert_snapshot!(sheet);
}

#[test]
fn the_topic_of_invites_is_that_of_no_context() {
    assert_eq!(Topic::invites(), Topic::invites());
    for context in [ContextId::ZERO, ContextId::from_bytes(*Topic::invites().as_bytes())] {
        assert_ne!(Topic::invites(), Topic::of(context));
    }
}

#[test]
fn every_call_has_one_form_and_nothing_follows_it() {
    let malformed = |why| Err(Unreadable::Malformed(why));
    for call in every_call() {
        let bytes = call.encode();
        assert!(bytes.len() as u64 <= CALL_BYTES);
        assert_eq!(Call::decode(&bytes), Ok(call));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Call::decode(&longer), malformed(Malformed::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert_eq!(Call::decode(&bytes[..end]), malformed(Malformed::Truncated), "{end}");
        }
    }
}

#[test]
fn every_message_is_within_its_limit_and_nothing_follows_it() {
    for message in every_message() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Ok(message));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::decode(&longer), Err(Malformed::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..end]), Err(Malformed::Truncated), "{end}");
        }
    }
    let unknown = |what, tag| Err(Malformed::Unknown { what, tag });
    assert_eq!(Message::decode(&[VERSION, 0]), unknown("enlist message", 0));
    assert_eq!(Message::decode(&[VERSION, 5]), unknown("enlist message", 5));
    assert_eq!(Message::decode(&[2, 4]), unknown("enlist version", 2));
    let long = vec![VERSION; size(MESSAGE_BYTES) + 1];
    let why = Malformed::TooLong { bytes: MESSAGE_BYTES + 1, max: MESSAGE_BYTES };
    assert_eq!(Message::decode(&long), Err(why));
}

#[test]
fn of_the_addresses_those_are_told_that_there_is_room_for() {
    let mut addresses = vec![address(MAX_ADDRESS_BYTES + 1)];
    addresses.extend((0..=MAX_ADDRESSES).map(address));
    let call = call(&addresses);
    assert_eq!(call.addresses, addresses[1..=MAX_ADDRESSES]);
    assert_eq!(judge(&call.encode()), Verdict::Accept(call));
}

#[test]
fn a_good_call_is_accepted_whoever_it_is_from() {
    for call in every_call() {
        assert_eq!(judge(&call.encode()), Verdict::Accept(call));
    }
}

#[test]
fn what_is_no_call_is_rejected() {
    let check = |bytes: &[u8], why| {
        assert_eq!(judge(bytes), Verdict::Reject(Rejected::Malformed(why)));
    };
    check(&[], Malformed::Truncated);
    check(&[VERSION], Malformed::Truncated);
    check(&[&call(&[]).encode()[..], &[0]].concat(), Malformed::Trailing { bytes: 1 });
    let long = vec![VERSION; size(CALL_BYTES) + 1];
    check(&long, Malformed::TooLong { bytes: CALL_BYTES + 1, max: CALL_BYTES });
    let with = |addresses| Call { addresses, ..call(&[]) }.encode();
    let max = MAX_ADDRESSES as u64;
    let why = Malformed::OverLimit { what: "addresses", max };
    check(&with(vec![address(1); MAX_ADDRESSES + 1]), why);
    let max = MAX_ADDRESS_BYTES as u64;
    let why = Malformed::OverLimit { what: "address", max };
    check(&with(vec![address(MAX_ADDRESS_BYTES + 1)]), why);
    let mut bytes = with(vec![address(1)]);
    bytes[1 + 32 + NONCE_BYTES + 8 + 4 + 4] = 0xff;
    check(&bytes, Malformed::Invalid { why: "address is not UTF-8".to_owned() });
}

#[test]
fn what_another_signed_is_rejected_whatever_else_is_wrong() {
    let good = every_call()[1].clone();
    let forged = [
        Call { caller: keys(2).peer(), ..good.clone() },
        Call { nonce: [0; NONCE_BYTES], ..good.clone() },
        Call { time_ms: NOW_MS + 1, ..good.clone() },
        Call { time_ms: 0, ..good.clone() },
        Call { addresses: Vec::new(), ..good.clone() },
        Call { signature: [0; 64], ..good },
    ];
    for call in forged {
        assert_eq!(judge(&call.encode()), Verdict::Reject(Rejected::BadSignature), "{call:?}");
    }
}

#[test]
fn what_is_of_another_time_or_version_or_known_is_ignored() {
    let ignored = |bytes: &[u8], now_ms, why| {
        assert_eq!(judge_call(bytes, now_ms, |_| false), Verdict::Ignore(why));
    };
    let good = call(&[]);
    let bytes = good.encode();
    let why = Ignored::Clock { peer: good.caller, time_ms: NOW_MS };
    for off_ms in [MAX_AHEAD_MS, MAX_AHEAD_MS + 1] {
        for now_ms in [NOW_MS - off_ms, NOW_MS + off_ms] {
            match off_ms {
                MAX_AHEAD_MS => {
                    let verdict = judge_call(&bytes, now_ms, |_| false);
                    assert_eq!(verdict, Verdict::Accept(good.clone()));
                }
                _ => ignored(&bytes, now_ms, why),
            }
        }
    }
    let heard = judge_call(&bytes, NOW_MS, |heard| *heard == name(&bytes));
    assert_eq!(heard, Verdict::Ignore(Ignored::Duplicate));
    let mut later = bytes;
    later[0] = VERSION + 1;
    ignored(&later, NOW_MS, Ignored::UnknownVersion(VERSION + 1));
    ignored(&vec![7; size(CALL_BYTES) + 1], NOW_MS, Ignored::UnknownVersion(7));
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let noise = vec(any::<u8>(), 0..300);
    let nearly = (0..6_u8, vec(any::<u8>(), 0..60))
        .prop_map(|(tag, body)| [&[VERSION, tag][..], &body].concat());
    let damaged =
        (0..7_usize, vec((any::<usize>(), any::<u8>()), 0..3)).prop_map(|(which, bent)| {
            let mut bytes = match which {
                0..5 => every_message()[which].encode(),
                which => every_call()[which - 5].encode(),
            };
            let len = bytes.len();
            bent.into_iter().for_each(|(at, by)| bytes[at % len] ^= by);
            bytes
        });
    prop_oneof![noise, nearly, damaged]
}

proptest! {
    #[test]
    fn what_is_read_has_one_form_and_is_accepted_only_if_signed(bytes in any_bytes()) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), &bytes[..]);
        }
        if let Ok(call) = Call::decode(&bytes) {
            prop_assert_eq!(call.encode(), &bytes[..]);
        }
        if let Verdict::Accept(call) = judge(&bytes) {
            prop_assert!(every_call().contains(&call));
        }
    }

    #[test]
    fn a_call_has_one_form_and_is_authentic(
        nonce: [u8; NONCE_BYTES], time_ms: u64, addresses in vec("[ -~é]{0,200}", 0..20), seed: u8,
    ) {
        let call = Call::sign(nonce, time_ms, &addresses, &keys(seed));
        prop_assert!(call.is_authentic());
        prop_assert_eq!(Call::decode(&call.encode()), Ok(call));
    }
}
