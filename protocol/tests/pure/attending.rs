//! Presence: what is sealed for a moment opens for those it was meant for, where it was said.

use data_encoding::HEXLOWER;
use mangrove_protocol::gossip::presence::{OpenError, State, open, seal};
use mangrove_protocol::gossip::{Body, Ephemeral, Message, SEALED_BYTES};
use mangrove_protocol::id::{ContextId, EpochId, PeerId};
use mangrove_protocol::limits::PRESENCE_BYTES;
use mangrove_protocol::wire::{self, Malformed};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::make::{epoch, keys, size};

const CONTEXT: ContextId = ContextId::from_bytes([0xc0; 32]);
const AT_MS: u64 = 1_767_225_600_000;
const NONCE: [u8; 12] = [7; 12];

fn place() -> (ContextId, PeerId) {
    (CONTEXT, keys(1).peer())
}

fn sealed(state: &[u8]) -> Ephemeral {
    seal(state, AT_MS, &epoch(9), place(), NONCE).unwrap()
}

#[test]
fn a_presence_state_is_sealed_so() {
    let state = State { at_ms: AT_MS, state: b"here".to_vec() };
    let expect = [&[0, 0xa8, 0xda, 0x76, 0x9b, 1, 0, 0][..], &[4, 0, 0, 0], b"here"].concat();
    assert_eq!(wire::encode(&state), expect);
    insta::assert_snapshot!(HEXLOWER.encode(&wire::encode(&sealed(b"here"))));
}

#[test]
fn what_was_sealed_opens_as_it_was() {
    for bytes in [0, 1, size(PRESENCE_BYTES)] {
        let state = vec![5; bytes];
        let ephemeral = sealed(&state);
        assert!(ephemeral.sealed.len() as u64 <= SEALED_BYTES);
        let expect = State { at_ms: AT_MS, state };
        assert_eq!(open(&ephemeral, &epoch(9), place()), Ok(expect));
        let message = Message::sign(CONTEXT, Body::Ephemeral(ephemeral), &keys(1));
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
    let long = vec![5; size(PRESENCE_BYTES) + 1];
    assert_eq!(seal(&long, AT_MS, &epoch(9), place(), NONCE), None);
}

#[test]
fn what_was_said_elsewhere_or_by_another_does_not_open() {
    let here = sealed(b"here");
    let check = |ephemeral: &Ephemeral, key, place, why| {
        assert_eq!(open(ephemeral, &epoch(key), place), Err(why));
    };
    let (context, sender) = place();
    check(&here, 8, place(), OpenError::WrongKey);
    check(&here, 9, (ContextId::from_bytes([0xc1; 32]), sender), OpenError::Damaged);
    check(&here, 9, (context, keys(2).peer()), OpenError::Damaged);
    let moved = Ephemeral { epoch: epoch(8).id(), ..here.clone() };
    check(&moved, 8, place(), OpenError::Damaged);
    let moved = Ephemeral { epoch: EpochId::ZERO, ..here.clone() };
    check(&moved, 9, place(), OpenError::WrongKey);
    check(&Ephemeral { nonce: [8; 12], ..here.clone() }, 9, place(), OpenError::Damaged);
    check(&Ephemeral { sealed: Vec::new(), ..here }, 9, place(), OpenError::Damaged);
}

#[test]
fn every_bit_counts() {
    let good = sealed(b"here");
    for at in 0..good.sealed.len() * 8 {
        let mut bent = good.clone();
        bent.sealed[at / 8] ^= 1 << (at % 8);
        assert_eq!(open(&bent, &epoch(9), place()), Err(OpenError::Damaged), "{at}");
    }
}

#[test]
fn a_state_over_the_limit_is_not_read() {
    let long = State { at_ms: AT_MS, state: vec![5; size(PRESENCE_BYTES) + 1] };
    let why = Malformed::OverLimit { what: "a presence state", max: PRESENCE_BYTES };
    assert_eq!(wire::decode::<State>(&wire::encode(&long), u64::MAX), Err(why));
}

proptest! {
    #[test]
    fn a_state_has_one_form(bytes in vec(any::<u8>(), 0..64), len in 0..64_u8) {
        let nearly = [&[0; 8][..], &[len, 0, 0, 0], &bytes].concat();
        for bytes in [bytes, nearly] {
            if let Ok(state) = wire::decode::<State>(&bytes, SEALED_BYTES) {
                prop_assert_eq!(wire::encode(&state), bytes);
            }
        }
    }

    #[test]
    fn no_bytes_open_by_accident(bytes in vec(any::<u8>(), 0..64)) {
        let ephemeral = Ephemeral { sealed: bytes, ..sealed(b"") };
        prop_assert_eq!(open(&ephemeral, &epoch(9), place()), Err(OpenError::Damaged));
    }
}
