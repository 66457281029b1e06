//! Every decoder, given some hundred thousands of inputs: good ones, good ones damaged, and noise.
//!
//! A longer campaign, steered by coverage, is `make fuzz`.

#[path = "../../fuzz/targets.rs"]
mod targets;

use mangrove_protocol::delta::Suite;
use mangrove_protocol::enlist;
use mangrove_protocol::gossip;
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::replica::beat::{Heartbeat, SealedRoot};
use mangrove_protocol::ticket::Ticket;
use mangrove_protocol::wire;

use crate::make::{genesis, keys, payload_of, sealed};
use mangrove_protocol::delta::seal_and_sign;
use mangrove_protocol::join::Message;
use mangrove_protocol::op::{Op, Value};

const ROUNDS: usize = 400_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % (bound.max(1) as u64)).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[3]
    }
}

/// Good inputs of every decoder.
fn good() -> Vec<Vec<u8>> {
    let key = crate::make::key("some/key");
    let value = || Value::new(b"\"value\"").unwrap();
    let payload = payload_of(vec![
        Op::Put { key: key.clone(), value: value() },
        Op::Increment { key: key.clone(), by: -5 },
        Op::Insert { key: key.clone(), item: value() },
        Op::Remove { key, item: value(), dots: Vec::new() },
    ]);
    let delta = sealed(&payload.encode(), Suite::AesGcmSiv);
    let other = sealed(&payload.encode(), Suite::XChaCha);
    let founding = seal_and_sign(genesis(b"name"), None, [0; 24], &keys(1)).unwrap();
    let beat = Heartbeat {
        stored: [1; 32],
        applied: [2; 32],
        root: Some(SealedRoot {
            epoch: mangrove_protocol::id::EpochId::from_bytes([3; 32]),
            tag: [4; 32],
        }),
        fold_version: 1,
        deltas: 4,
        time_ms: 5,
        nonce: 6,
    };
    let invite = DeltaId::from_bytes([8; 32]);
    let ticket = Ticket {
        context: founding.context(),
        invite,
        secret: [9; 32],
        inviter: keys(1).peer(),
        addresses: vec!["/ip4/127.0.0.1/tcp/2771".to_owned()],
        expires_at_ms: 7,
    };
    let knock = Message::Knock { context: founding.context(), invite };
    let said = gossip::Body::Heartbeat(beat);
    vec![
        delta.bytes().to_vec(),
        other.bytes().to_vec(),
        founding.bytes().to_vec(),
        wire::encode(delta.header()),
        payload.encode(),
        wire::encode(&beat),
        keys(1).peer().to_string().into_bytes(),
        DeltaId::from_bytes([7; 32]).to_string().into_bytes(),
        crate::founding::grant(4, mangrove_protocol::governance::Role::Writer).encode(),
        knock.encode(),
        ticket.to_text().into_bytes(),
        mangrove_protocol::sync::Message::Credit { bytes: 9 }.encode(),
        gossip::Message::of(&delta, &keys(1)).encode(),
        gossip::Message::sign(delta.context(), said, &keys(1)).encode(),
        wire::encode(&gossip::presence::State { at_ms: 10, state: b"here".to_vec() }),
        enlist::Message::Offer { nonce: [11; 16] }.encode(),
        enlist::Call::sign([11; 16], 12, &["/ip4/127.0.0.1/tcp/2771".to_owned()], &keys(1))
            .encode(),
    ]
}

/// An input: sometimes damaged, cut, spliced with another, or nothing but noise.
fn next(dice: &mut Dice, good: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = good[dice.below(good.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, dice.byte()),
            2 => bytes.extend_from_slice(&good[dice.below(good.len())]),
            3 => bytes = (0..dice.below(300)).map(|_| dice.byte()).collect(),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= dice.byte()),
        }
    }
    bytes
}

#[test]
fn every_decoder_takes_its_own_good_input() {
    let good = good();
    for (_, target) in targets::ALL {
        good.iter().for_each(|bytes| target(bytes));
    }
}

#[test]
fn no_input_makes_a_decoder_panic_or_accept_a_second_form() {
    let (mut dice, good) = (Dice(0x006d_616e_6772_6f76), good());
    for _ in 0..ROUNDS {
        let bytes = next(&mut dice, &good);
        for (_, target) in targets::ALL {
            target(&bytes);
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_of_its_name() {
    let entries = std::fs::read_dir("fuzz/fuzz_targets").unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".rs", ""))
        .collect();
    names.sort();
    let mut expect = targets::ALL.map(|(name, _)| name);
    expect.sort_unstable();
    assert_eq!(names, expect);
}
