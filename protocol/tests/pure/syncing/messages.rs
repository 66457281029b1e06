//! Messages of a session are written in one form, bounded, and told apart from what a later version
//! may say.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use mangrove_protocol::id::{ContextId, Incarnation, Plane};
use mangrove_protocol::sync::{
    End, FRAME_BYTES, Hello, Hint, Line, Message, Name, Part, Point, Refused, Stretch, VERSION,
};
use mangrove_protocol::wire::Malformed;
use proptest::prelude::*;

use crate::make::{keys, seq, size};

const fn name(number: u8) -> Name {
    Name([number, 0, 0, 1])
}

fn point(number: u64) -> Point {
    Point { seq: seq(number), head: [number.to_le_bytes()[0]; 8] }
}

fn hello() -> Hello {
    let context = ContextId::from_bytes([0xc0; 32]);
    let nonce = [7; 16];
    Hello {
        tag: Hello::tag(context),
        proof: Hello::proof(context, keys(1).peer(), keys(2).peer(), &nonce),
        nonce,
        logs: [3, 1_000],
        stored: [[1; 32], [2; 32]],
        governance: [3; 32],
        applied: [4; 32],
    }
}

pub(crate) fn every_message() -> Vec<Message> {
    let (plane, governance) = (Plane::Data, [5; 32]);
    let hint = Hint { authority: [4; 5], incarnation: Incarnation::new(6) };
    let ends = vec![
        End { name: name(1), hint: None, tips: vec![] },
        End { name: name(2), hint: None, tips: vec![point(1), point(0x0605_0403_0201)] },
        End { name: name(3), hint: Some(hint), tips: vec![point(300)] },
    ];
    let parts = [
        Part::Rest { until: 0 },
        Part::Within { after: 127, until: 16_384 },
        Part::Apart { points: vec![point(9), point(8), point(6)] },
        Part::Apart { points: vec![] },
    ];
    let stretches = (1..).zip(parts).map(|(at, part)| Stretch { name: name(at), part });
    let stretches = stretches.collect();
    let lines = [1, 2].map(|number| Line { name: name(number), digest: [number; 3] }).to_vec();
    vec![
        Message::Hello(Box::new(hello())),
        Message::Equal,
        Message::Groups { plane: Plane::Governance, governance, digests: vec![[1; 8], [2; 8]] },
        Message::Lines { plane, governance, groups: vec![0, 258], lines },
        Message::Ends { plane, ends },
        Message::Want { number: 2, credit: 1 << 16, stretches },
        Message::Given { number: 2, apart: vec![name(1)] },
        Message::Cancel { number: 3 },
        Message::Batch { deltas: vec![vec![1, 2, 3], vec![4]] },
        Message::Credit { bytes: 1 << 20 },
        Message::Done { plane },
        Message::Refused { why: Refused::Busy, retry_after_ms: Some(1_000) },
        Message::Refused { why: Refused::NotAMember, retry_after_ms: None },
    ]
}

#[test]
fn messages_of_a_session_are_written_so() {
    let mut sheet = String::new();
    for message in every_message() {
        let text = format!("{message:?}");
        let name = text.split([' ', '(']).next().unwrap();
        writeln!(sheet, "{name}: {}", HEXLOWER.encode(&message.encode())).unwrap();
    }
    insta::assert_snapshot!(sheet);
}

#[test]
fn every_message_has_one_form_and_nothing_follows_it() {
    for message in every_message() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Ok(message));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::decode(&longer), Err(Malformed::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..end]), Err(Malformed::Truncated), "{end}");
        }
    }
    let long = vec![VERSION; size(FRAME_BYTES) + 1];
    let why = Malformed::TooLong { bytes: FRAME_BYTES + 1, max: FRAME_BYTES };
    assert_eq!(Message::decode(&long), Err(why));
}

#[test]
fn what_a_later_version_says_is_unknown_and_not_wrong() {
    let unknown = |what, tag| Err(Malformed::Unknown { what, tag });
    let mut bytes = Message::Equal.encode();
    bytes[0] = 2;
    assert_eq!(Message::decode(&bytes), unknown("sync version", 2));
    for tag in [0, 13, 14, 200] {
        assert_eq!(Message::decode(&[VERSION, tag]), unknown("sync message", tag));
    }
}

#[test]
fn what_has_an_order_is_in_it() {
    let not = |what| Err(Malformed::NotCanonical { what });
    let check = |message: Message| Message::decode(&message.encode()).map(drop);
    let (plane, governance) = (Plane::Data, [5; 32]);
    let line = |number| Line { name: name(number), digest: [9; 3] };
    let end = |number, tips| End { name: name(number), hint: None, tips };
    let want = |stretches| Message::Want { number: 1, credit: 0, stretches };
    let stretch = |part| Stretch { name: name(1), part };
    assert_eq!(
        check(Message::Lines { plane, governance, groups: vec![1, 1], lines: vec![] }),
        not("groups")
    );
    let lines = vec![line(2), line(1)];
    assert_eq!(check(Message::Lines { plane, governance, groups: vec![1], lines }), not("lines"));
    let ends = vec![end(1, vec![]), end(1, vec![])];
    assert_eq!(check(Message::Ends { plane, ends }), not("ends"));
    let ends = vec![end(1, vec![point(2), point(1)])];
    assert_eq!(check(Message::Ends { plane, ends }), not("tips"));
    let points = vec![point(1), point(2)];
    assert_eq!(check(want(vec![stretch(Part::Apart { points })])), not("points"));
    let rest = stretch(Part::Rest { until: 1 });
    assert_eq!(check(want(vec![rest.clone(), rest])), not("stretches"));
    assert!(check(want(vec![stretch(Part::Within { after: 2, until: 2 })])).is_err());
    let points = vec![point(1); 513];
    assert!(check(want(vec![stretch(Part::Apart { points })])).is_err());
    assert_eq!(check(Message::Batch { deltas: vec![] }), Err(Malformed::Empty { what: "a batch" }));
    assert!(check(Message::Groups { plane, governance, digests: vec![[1; 8]; 3] }).is_err());
}

#[test]
fn places_are_written_in_as_few_bytes_as_it_takes() {
    let bytes = |until| {
        let stretches = vec![Stretch { name: name(1), part: Part::Rest { until } }];
        Message::Want { number: 1, credit: 0, stretches }.encode()
    };
    let short = bytes(1).len();
    for (place, more) in [(127, 0), (128, 1), (16_383, 1), (16_384, 2), (u64::MAX >> 1, 8)] {
        assert_eq!(bytes(place).len(), short + more);
        assert!(Message::decode(&bytes(place)).is_ok(), "{place}");
    }
    let mut longer = bytes(1);
    *longer.last_mut().unwrap() |= 0x80;
    longer.push(0);
    assert_eq!(Message::decode(&longer), Err(Malformed::NotCanonical { what: "a place" }));
    assert!(Message::decode(&bytes(u64::MAX)).is_err());
}

#[test]
fn a_proof_is_good_for_one_pair_one_direction_and_one_nonce() {
    let (context, other) = (ContextId::from_bytes([1; 32]), ContextId::from_bytes([2; 32]));
    let [one, two] = [1, 2].map(|seed| keys(seed).peer());
    let proof = Hello::proof(context, one, two, &[7; 16]);
    assert_eq!(proof, Hello::proof(context, one, two, &[7; 16]));
    assert_ne!(proof, Hello::proof(other, one, two, &[7; 16]));
    assert_ne!(proof, Hello::proof(context, two, one, &[7; 16]));
    assert_ne!(proof, Hello::proof(context, one, two, &[8; 16]));
    assert_ne!(Hello::tag(context), Hello::tag(other));
}

#[test]
fn equal_nodes_say_less_than_300_bytes_each() {
    let hello = Message::Hello(Box::new(hello())).encode().len();
    assert!(hello + 4 < 300, "{hello}");
    assert_eq!(Message::Equal.encode().len(), 2);
}

proptest! {
    #[test]
    fn no_bytes_are_a_message_in_a_second_form(
        which in 0..13_usize, bent in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)
    ) {
        let mut bytes = every_message()[which].encode();
        let len = bytes.len();
        bent.into_iter().for_each(|(at, by)| bytes[at % len] ^= by);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
