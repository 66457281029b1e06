//! Values to test with: fixed ones for what is written down, arbitrary ones for what must always
//! hold.

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Draft, Header, Sealing, Suite, seal_and_sign};
use mangrove_protocol::fold::Stamp;
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq, Tip,
};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{AppEvent, Dot, DotDelta, Key, Op, Payload, Transaction, Value};
use mangrove_protocol::seal::EpochKey;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

pub(crate) const NONCE: [u8; 24] = [0x6e; 24];

pub(crate) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

pub(crate) fn keys(seed: u8) -> NodeKeys {
    NodeKeys::from_bytes(&[seed; 64])
}

pub(crate) fn epoch(seed: u8) -> EpochKey {
    EpochKey::from_bytes([seed; 32])
}

pub(crate) fn id(seed: u8) -> DeltaId {
    DeltaId::from_bytes([seed; 32])
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn value(text: &str) -> Value {
    Value::new(text.as_bytes()).unwrap()
}

pub(crate) fn stamp(ms: u64, delta: u8, op: u32) -> Stamp {
    Stamp { hlc: Hlc::new(ms, 0), delta: id(delta), op }
}

pub(crate) fn log(author: u8, plane: Plane) -> LogId {
    LogId {
        author: keys(author).peer(),
        authority: AuthorityId::from(id(0xa0)),
        incarnation: Incarnation::new(0x1122_3344_5566_7788),
        plane,
    }
}

pub(crate) fn tip(author: u8, plane: Plane, at: u64) -> Tip {
    Tip { log: log(author, plane), seq: seq(at), id: id(0xd0 + at.to_le_bytes()[0]) }
}

/// The author with seed 1 writes its 7th data delta.
pub(crate) fn draft(payload: Vec<u8>) -> Draft {
    Draft {
        context: ContextId::from(id(0xc0)),
        log: log(1, Plane::Data),
        seq: seq(7),
        prev: id(6),
        deps: vec![tip(2, Plane::Data, 3)],
        gov_heads: Some(vec![tip(2, Plane::Governance, 4)]),
        hlc: Hlc::new(1_767_225_600_000, 5),
        suite: Suite::AesGcmSiv,
        payload,
    }
}

/// The one that founds a context: plain governance without a past.
pub(crate) fn genesis(payload: &[u8]) -> Draft {
    Draft {
        context: ContextId::ZERO,
        log: LogId { authority: AuthorityId::ZERO, ..log(1, Plane::Governance) },
        seq: Seq::FIRST,
        prev: DeltaId::ZERO,
        deps: Vec::new(),
        gov_heads: None,
        ..draft(payload.to_vec())
    }
}

pub(crate) fn sealed(payload: &[u8], suite: Suite) -> Delta {
    let draft = Draft { suite, ..draft(payload.to_vec()) };
    seal_and_sign(draft, Some(&epoch(9)), NONCE, &keys(1)).unwrap()
}

pub(crate) fn payload_of(ops: Vec<Op>) -> Payload {
    Payload::new(vec![Transaction { ops, events: Vec::new() }]).unwrap()
}

pub(crate) fn any_id() -> impl Strategy<Value = DeltaId> {
    any::<[u8; 32]>().prop_map(DeltaId::from_bytes)
}

pub(crate) fn any_seq() -> impl Strategy<Value = Seq> {
    (1..=u64::MAX).prop_map(seq)
}

pub(crate) fn any_hlc() -> impl Strategy<Value = Hlc> {
    any::<u64>().prop_map(Hlc::from_bits)
}

pub(crate) fn any_log() -> impl Strategy<Value = LogId> {
    let plane = prop_oneof![Just(Plane::Governance), Just(Plane::Data)];
    (any::<[u8; 32]>(), any_id(), any::<u64>(), plane).prop_map(
        |(author, authority, incarnation, plane)| LogId {
            author: PeerId::from_bytes(author),
            authority: authority.into(),
            incarnation: Incarnation::new(incarnation),
            plane,
        },
    )
}

pub(crate) fn any_tip() -> impl Strategy<Value = Tip> {
    (any_log(), any_seq(), any_id()).prop_map(|(log, seq, id)| Tip { log, seq, id })
}

pub(crate) fn any_sealing() -> impl Strategy<Value = Sealing> {
    (0..3, any::<[u8; 32]>(), any::<[u8; 12]>(), any::<[u8; 24]>()).prop_map(
        |(suite, epoch, short, long)| {
            let epoch = EpochId::from_bytes(epoch);
            match suite {
                0 => Sealing::Plain,
                1 => Sealing::AesGcmSiv { epoch, nonce: short },
                _ => Sealing::XChaCha { epoch, nonce: long },
            }
        },
    )
}

/// Any header that can be written down, whether or not it obeys the rules.
pub(crate) fn any_header() -> impl Strategy<Value = Header> {
    let place = (any::<[u8; 32]>(), any_log(), any_seq(), any_id());
    let past = (vec(any_tip(), 0..5), proptest::option::of(vec(any_tip(), 0..3)));
    (any::<u8>(), place, past, any_hlc(), any_sealing(), any::<u32>()).prop_map(
        |(version, place, past, hlc, seal, payload_len)| Header {
            version,
            context: ContextId::from_bytes(place.0),
            log: place.1,
            seq: place.2,
            prev: place.3,
            deps: past.0,
            gov_heads: past.1,
            hlc,
            seal,
            payload_len,
        },
    )
}

pub(crate) fn any_key() -> impl Strategy<Value = Key> {
    ".{0,12}".prop_map(|text| key(&text))
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    vec(any::<u8>(), 0..40).prop_map(|bytes| Value::new(&bytes).unwrap())
}

pub(crate) fn any_dot() -> impl Strategy<Value = Dot> {
    let delta = prop_oneof![Just(DotDelta::Own), any_id().prop_map(DotDelta::Of)];
    (delta, any::<u32>()).prop_map(|(delta, op)| Dot { delta, op })
}

pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    let dots = btree_set(any_dot(), 0..4).prop_map(|dots| dots.into_iter().collect());
    prop_oneof![
        (any_key(), any_value()).prop_map(|(key, value)| Op::Put { key, value }),
        any_key().prop_map(|key| Op::Delete { key }),
        (any_key(), any::<i64>()).prop_map(|(key, by)| Op::Increment { key, by }),
        (any_key(), any::<i128>()).prop_map(|(key, by)| Op::Reset { key, by }),
        (any_key(), any_value()).prop_map(|(key, item)| Op::Insert { key, item }),
        (any_key(), any_value(), dots).prop_map(|(key, item, dots)| Op::Remove { key, item, dots }),
    ]
}

pub(crate) fn any_payload() -> impl Strategy<Value = Payload> {
    let event = (".{0,12}", vec(any::<u8>(), 0..20));
    let event = event.prop_map(|(name, data)| AppEvent { name, data });
    let transaction = (vec(any_op(), 0..6), vec(event, 0..3))
        .prop_filter("empty", |(ops, events)| !ops.is_empty() || !events.is_empty())
        .prop_map(|(ops, events)| Transaction { ops, events });
    vec(transaction, 0..4).prop_map(|transactions| {
        if transactions.is_empty() { Payload::merge() } else { Payload::new(transactions).unwrap() }
    })
}
