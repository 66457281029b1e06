//! Messages of the mesh: written in one form, and each judged once for what is in it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use mangrove_protocol::clock::{Hlc, MAX_AHEAD_MS};
use mangrove_protocol::delta::{
    Authenticity, Broken, Delta, Draft, Refusal, Suite, Unverified, seal_and_sign,
};
use mangrove_protocol::gossip::{
    Accepted, Announce, Body, Ephemeral, Ignored, Known, MESSAGE_BYTES, Message, Rejected,
    SEALED_BYTES, TIPS_PER_ANNOUNCE, Topic, Unreadable, VERSION, Verdict, WHOLE_DELTA_BYTES, judge,
    name,
};
use mangrove_protocol::governance::{Command, Role, Roster};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, Plane, Seq, Tip,
};
use mangrove_protocol::replica::beat::{Heartbeat, SealedRoot};
use mangrove_protocol::wire::{self, Malformed};
use proptest::prelude::*;

use crate::governing::council::{ANN, BOB, CARL, Council, DAN, EVE, NOW_MS, peer};
use crate::make::{NONCE, draft, epoch, genesis, id, keys, sealed, seq, size, tip};

const BEAT: Heartbeat = Heartbeat {
    stored: [1; 32],
    applied: [2; 32],
    root: Some(SealedRoot { epoch: EpochId::from_bytes([3; 32]), tag: [4; 32] }),
    fold_version: 1,
    deltas: 5,
    time_ms: NOW_MS,
    nonce: 6,
};

fn ephemeral() -> Ephemeral {
    Ephemeral { epoch: epoch(9).id(), nonce: [7; 12], sealed: vec![8; 40] }
}

/// One of each kind, said by the peer of seed 1 in the context of `make`.
fn every_message() -> Vec<Message> {
    let context = ContextId::from_bytes([0xc0; 32]);
    let tips = vec![tip(1, Plane::Data, 3), tip(1, Plane::Data, 258)];
    let sign = |body| Message::sign(context, body, &keys(1));
    vec![
        Message::Delta(sealed(b"payload", Suite::AesGcmSiv).bytes().to_vec()),
        sign(Body::Announce(Announce { tips, bytes: 70_000 })),
        sign(Body::Heartbeat(BEAT)),
        sign(Body::Heartbeat(Heartbeat { root: None, ..BEAT })),
        sign(Body::Ephemeral(ephemeral())),
    ]
}

/// Ann founds a context, Bob writes there, Eve is its replica, and Carl is a stranger.
struct Mesh {
    council: Council,
    /// The data log that Bob writes.
    log: LogId,
    holds: BTreeSet<DeltaId>,
    heard: BTreeSet<[u8; 32]>,
    keys: BTreeSet<EpochId>,
    room_bytes: u64,
}

impl Mesh {
    fn new() -> Self {
        let mut council = Council::new();
        council.grants(ANN, BOB, Role::Writer);
        council.does(ANN, Command::Enlist { replica: peer(EVE) });
        let (log, _) = council.writes_data(BOB);
        Self {
            council,
            log,
            holds: BTreeSet::new(),
            heard: BTreeSet::new(),
            keys: [epoch(9).id()].into(),
            room_bytes: MESSAGE_BYTES,
        }
    }

    /// After the first delta of Bob's log Ann has removed him.
    fn without_bob() -> Self {
        let mut mesh = Self::new();
        mesh.council.does(ANN, Command::Remove { member: peer(BOB) });
        mesh
    }

    fn context(&self) -> ContextId {
        self.council.roster.context()
    }

    fn draft(&self, log: LogId, at: u64) -> Draft {
        let prev = if at == 1 { DeltaId::ZERO } else { id(6) };
        let hlc = Hlc::new(NOW_MS, 0);
        Draft { context: self.context(), log, seq: seq(at), prev, hlc, ..draft(vec![1, 2, 3]) }
    }

    /// Bob's delta in this place.
    fn delta(&self, at: u64) -> Delta {
        sign_as(BOB, self.draft(self.log, at))
    }

    fn said(&self, who: u8, body: Body) -> Vec<u8> {
        Message::sign(self.context(), body, &keys(who)).encode()
    }

    fn announces(&self, who: u8, tips: Vec<Tip>) -> Vec<u8> {
        self.said(who, Body::Announce(Announce { tips, bytes: 70_000 }))
    }

    /// One of each kind that is accepted.
    fn messages(&self) -> Vec<Vec<u8>> {
        vec![
            whole(&self.delta(2)),
            self.announces(BOB, vec![self.delta(2).tip()]),
            self.said(BOB, Body::Heartbeat(BEAT)),
            self.said(BOB, Body::Ephemeral(ephemeral())),
        ]
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let known = Known {
            rights: &self.council.roster,
            holds: &|delta| self.holds.contains(delta),
            has_heard: &|name| self.heard.contains(name),
            has_key: &|epoch| self.keys.contains(epoch),
            room_bytes: self.room_bytes,
            now_ms: NOW_MS,
        };
        judge(bytes, self.context(), &known)
    }

    #[track_caller]
    fn accepts(&self, bytes: &[u8]) {
        let verdict = self.judge(bytes);
        assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
    }

    #[track_caller]
    fn ignores(&self, bytes: &[u8], why: Ignored) {
        assert_eq!(self.judge(bytes), Verdict::Ignore(why));
    }

    #[track_caller]
    fn rejects(&self, bytes: &[u8], why: Rejected) {
        assert_eq!(self.judge(bytes), Verdict::Reject(why));
    }
}

static MESH: LazyLock<Mesh> = LazyLock::new(Mesh::new);

fn sign_as(who: u8, draft: Draft) -> Delta {
    seal_and_sign(draft, Some(&epoch(9)), NONCE, &keys(who)).unwrap()
}

/// The message that brings a delta whole.
fn whole(delta: &Delta) -> Vec<u8> {
    Message::Delta(delta.bytes().to_vec()).encode()
}

/// The same with another signature at its end.
fn forged(mut bytes: Vec<u8>) -> Vec<u8> {
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn messages_of_the_mesh_are_written_so() {
    let mut sheet = String::new();
    writeln!(sheet, "topic: {}", Topic::of(ContextId::from_bytes([0xc0; 32]))).unwrap();
    for message in every_message() {
        let text = match &message {
            Message::Delta(_) => "Delta".to_owned(),
            Message::Signed(signed) => format!("{:?}", signed.body),
        };
        let kind = text.split(['(', ' ']).next().unwrap();
        let bytes = message.encode();
        writeln!(sheet, "{kind}: {}", HEXLOWER.encode(&bytes)).unwrap();
        writeln!(sheet, "its name: {}", HEXLOWER.encode(&name(&bytes))).unwrap();
    }
    insta::assert_snapshot!(sheet);
}

#[test]
fn a_topic_is_that_of_one_context_and_does_not_name_it() {
    let [one, two] = [1, 2].map(|byte| ContextId::from_bytes([byte; 32]));
    assert_eq!(Topic::of(one), Topic::of(one));
    assert_ne!(Topic::of(one), Topic::of(two));
    assert_ne!(Topic::of(one).as_bytes(), one.as_bytes());
    assert_eq!(Topic::of(one).to_string().len(), 52);
}

#[test]
fn every_message_has_one_form_and_nothing_follows_it() {
    let malformed = |why| Err(Unreadable::Malformed(why));
    for message in every_message() {
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Ok(message));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::decode(&longer), malformed(Malformed::Trailing { bytes: 1 }));
        for end in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..end]), malformed(Malformed::Truncated), "{end}");
        }
    }
}

#[test]
fn a_delta_is_sent_whole_if_it_is_short_and_speaks_for_itself() {
    let of = |payload, authenticity| {
        let delta = sealed(&vec![0; payload], Suite::AesGcmSiv);
        let delta = Delta::stored(delta.bytes().clone(), authenticity).unwrap();
        (Message::of(&delta, &keys(2)), delta)
    };
    let around = of(0, Authenticity::Signed).1.bytes().len();
    let longest = size(WHOLE_DELTA_BYTES) - around;
    let (message, delta) = of(longest, Authenticity::Signed);
    assert_eq!(delta.bytes().len() as u64, WHOLE_DELTA_BYTES);
    assert_eq!(message, Message::Delta(delta.bytes().to_vec()));
    for (payload, authenticity) in [(longest + 1, Authenticity::Signed), (0, Authenticity::Linked)]
    {
        let (message, delta) = of(payload, authenticity);
        let bytes = delta.bytes().len() as u64;
        let body = Body::Announce(Announce { tips: vec![delta.tip()], bytes });
        assert_eq!(message, Message::sign(delta.context(), body, &keys(2)));
    }
}

#[test]
fn what_is_good_is_accepted_with_what_it_says() {
    let mesh = Mesh::new();
    let delta = mesh.delta(2);
    assert_eq!(mesh.judge(&whole(&delta)), Verdict::Accept(Accepted::Delta(delta.clone())));
    let announce = Announce { tips: vec![delta.tip()], bytes: 70_000 };
    let bodies = [Body::Announce(announce), Body::Heartbeat(BEAT), Body::Ephemeral(ephemeral())];
    for who in [ANN, BOB, EVE] {
        for body in bodies.clone() {
            let signed = match mesh.judge(&mesh.said(who, body.clone())) {
                Verdict::Accept(Accepted::Signed(signed)) => signed,
                other => panic!("{who}: {other:?}"),
            };
            assert_eq!((signed.context, signed.sender), (mesh.context(), peer(who)));
            assert_eq!(signed.body, body);
        }
    }
}

#[test]
fn a_genesis_needs_nobodys_leave_in_its_own_context() {
    let genesis = seal_and_sign(genesis(b"first"), None, NONCE, &keys(1)).unwrap();
    let judge = |bytes: &[u8], context| {
        let known = Known {
            rights: &Roster::new(context),
            holds: &|_| false,
            has_heard: &|_| false,
            has_key: &|_| false,
            room_bytes: MESSAGE_BYTES,
            now_ms: NOW_MS,
        };
        judge(bytes, context, &known)
    };
    let bytes = whole(&genesis);
    let own = genesis.context();
    assert_eq!(judge(&bytes, own), Verdict::Accept(Accepted::Delta(genesis)));
    assert_eq!(judge(&forged(bytes.clone()), own), Verdict::Reject(Rejected::BadSignature));
    let other = ContextId::from_bytes([0xc0; 32]);
    assert_eq!(judge(&bytes, other), Verdict::Reject(Rejected::WrongContext));
}

#[test]
fn what_cannot_be_read_is_rejected() {
    let mesh = Mesh::new();
    let check = |bytes: &[u8], why| mesh.rejects(bytes, Rejected::Malformed(why));
    check(&[], Malformed::Truncated);
    check(&[VERSION], Malformed::Truncated);
    check(&[VERSION, 9], Malformed::Unknown { what: "gossip message", tag: 9 });
    let beat = mesh.said(BOB, Body::Heartbeat(BEAT));
    let mut other = beat.clone();
    other[2 + 32 + 32] = 9;
    check(&other, Malformed::Unknown { what: "gossip body", tag: 9 });
    check(&[&beat[..], &[0, 0]].concat(), Malformed::Trailing { bytes: 2 });
    check(&mesh.announces(BOB, vec![]), Malformed::Empty { what: "an announcement" });
    let tip = mesh.delta(2).tip();
    let unordered = Malformed::NotCanonical { what: "announced deltas" };
    check(&mesh.announces(BOB, vec![tip, tip]), unordered.clone());
    let earlier = Tip { seq: Seq::FIRST, ..tip };
    check(&mesh.announces(BOB, vec![tip, earlier]), unordered);
}

#[test]
fn what_is_no_delta_is_rejected() {
    let mesh = Mesh::new();
    let check = |delta: Vec<u8>, why: Refusal| {
        mesh.rejects(&Message::Delta(delta).encode(), Rejected::NoDelta(why));
    };
    let delta = mesh.delta(2);
    check(Vec::new(), Malformed::Truncated.into());
    check(delta.bytes()[..100].to_vec(), Malformed::Truncated.into());
    let longer = [&delta.bytes()[..], &[0]].concat();
    check(longer, Malformed::Trailing { bytes: 1 }.into());
    let mut header = delta.header().clone();
    header.log.authority = AuthorityId::ZERO;
    let (header, payload) = (wire::encode(&header), delta.payload());
    check([&header[..], payload, &[0; 64]].concat(), Broken::NoAuthority.into());
}

#[test]
fn what_is_over_a_limit_is_rejected() {
    let mesh = Mesh::new();
    let check = |bytes: &[u8], why| mesh.rejects(bytes, Rejected::Malformed(why));
    let long = vec![VERSION; size(MESSAGE_BYTES) + 1];
    check(&long, Malformed::TooLong { bytes: MESSAGE_BYTES + 1, max: MESSAGE_BYTES });
    let tip = mesh.delta(2).tip();
    let tips = |count: u64| (1..=count).map(|at| Tip { seq: seq(at), ..tip }).collect::<Vec<_>>();
    mesh.accepts(&mesh.announces(BOB, tips(TIPS_PER_ANNOUNCE)));
    check(
        &mesh.announces(BOB, tips(TIPS_PER_ANNOUNCE + 1)),
        Malformed::OverLimit { what: "announced deltas", max: TIPS_PER_ANNOUNCE },
    );
    let of = |bytes| {
        let sealed = vec![8; size(bytes)];
        mesh.said(BOB, Body::Ephemeral(Ephemeral { sealed, ..ephemeral() }))
    };
    mesh.accepts(&of(SEALED_BYTES));
    let why = Malformed::OverLimit { what: "what is sealed", max: SEALED_BYTES };
    check(&of(SEALED_BYTES + 1), why);
}

#[test]
fn what_belongs_elsewhere_is_rejected() {
    let mesh = Mesh::new();
    let elsewhere = ContextId::from_bytes([0xc0; 32]);
    let delta = sign_as(BOB, Draft { context: elsewhere, ..mesh.draft(mesh.log, 2) });
    mesh.rejects(&whole(&delta), Rejected::WrongContext);
    let beat = Message::sign(elsewhere, Body::Heartbeat(BEAT), &keys(BOB)).encode();
    mesh.rejects(&beat, Rejected::WrongContext);
}

#[test]
fn what_is_not_signed_by_its_author_is_rejected() {
    let mesh = Mesh::new();
    for bytes in mesh.messages() {
        mesh.accepts(&bytes);
        mesh.rejects(&forged(bytes), Rejected::BadSignature);
    }
    let Message::Signed(mut signed) =
        Message::sign(mesh.context(), Body::Heartbeat(BEAT), &keys(BOB))
    else {
        panic!("not signed");
    };
    signed.sender = peer(ANN);
    mesh.rejects(&Message::Signed(signed).encode(), Rejected::BadSignature);
}

#[test]
fn a_signature_is_good_for_one_context() {
    let mesh = Mesh::new();
    let elsewhere = ContextId::from_bytes([0xc0; 32]);
    let Message::Signed(mut signed) = Message::sign(elsewhere, Body::Heartbeat(BEAT), &keys(BOB))
    else {
        panic!("not signed");
    };
    signed.context = mesh.context();
    mesh.rejects(&Message::Signed(signed).encode(), Rejected::BadSignature);
}

#[test]
fn forging_is_rejected_whatever_else_is_wrong() {
    let mut mesh = Mesh::without_bob();
    mesh.keys.clear();
    let late = Heartbeat { time_ms: 0, ..BEAT };
    for bytes in [
        whole(&mesh.delta(2)),
        mesh.announces(ANN, vec![mesh.delta(2).tip()]),
        mesh.said(CARL, Body::Heartbeat(BEAT)),
        mesh.said(ANN, Body::Heartbeat(late)),
        mesh.said(ANN, Body::Ephemeral(ephemeral())),
    ] {
        assert!(matches!(mesh.judge(&bytes), Verdict::Ignore(_)));
        mesh.rejects(&forged(bytes), Rejected::BadSignature);
    }
}

#[test]
fn a_later_version_is_ignored() {
    let mesh = Mesh::new();
    for mut bytes in mesh.messages() {
        bytes[0] = VERSION + 1;
        mesh.ignores(&bytes, Ignored::UnknownVersion(VERSION + 1));
    }
    let long = vec![7; size(MESSAGE_BYTES) + 1];
    mesh.ignores(&long, Ignored::UnknownVersion(7));
    let mut delta = mesh.delta(2).bytes().to_vec();
    delta[0] = 9;
    mesh.ignores(&Message::Delta(delta).encode(), Ignored::UnknownVersion(9));
}

#[test]
fn strangers_are_ignored() {
    let mesh = Mesh::new();
    for body in [Body::Heartbeat(BEAT), Body::Ephemeral(ephemeral())] {
        let peer = peer(CARL);
        mesh.ignores(&mesh.said(CARL, body), Ignored::Stranger { peer, authority: None });
    }
    let authority = AuthorityId::from(id(0xa0));
    let log = LogId { author: peer(DAN), authority, ..mesh.log };
    let delta = sign_as(DAN, mesh.draft(log, 2));
    let stranger = Ignored::Stranger { peer: peer(DAN), authority: Some(authority) };
    mesh.ignores(&whole(&delta), stranger);
    mesh.ignores(&mesh.announces(BOB, vec![delta.tip()]), stranger);
}

#[test]
fn what_is_beyond_a_cut_off_is_ignored() {
    let mesh = Mesh::without_bob();
    let (kept, beyond) = (mesh.delta(1), mesh.delta(2));
    mesh.accepts(&whole(&kept));
    mesh.ignores(&whole(&beyond), Ignored::BeyondCutOff);
    mesh.accepts(&mesh.announces(ANN, vec![kept.tip()]));
    mesh.ignores(&mesh.announces(ANN, vec![beyond.tip()]), Ignored::BeyondCutOff);
    let stranger = Ignored::Stranger { peer: peer(BOB), authority: None };
    mesh.ignores(&mesh.said(BOB, Body::Heartbeat(BEAT)), stranger);
    let unnamed = LogId { incarnation: Incarnation::new(7), ..mesh.log };
    let usurped = LogId { authority: mesh.council.log(ANN).authority, ..mesh.log };
    for log in [unnamed, usurped] {
        mesh.ignores(&whole(&sign_as(BOB, mesh.draft(log, 1))), Ignored::BeyondCutOff);
    }
}

#[test]
fn a_clock_that_is_off_by_more_than_a_minute_is_ignored() {
    let mesh = Mesh::new();
    let at = |ms| sign_as(BOB, Draft { hlc: Hlc::new(ms, 0), ..mesh.draft(mesh.log, 2) });
    let clock = |time_ms| Ignored::Clock { peer: peer(BOB), time_ms };
    let latest = NOW_MS + MAX_AHEAD_MS;
    mesh.accepts(&whole(&at(latest)));
    mesh.accepts(&whole(&at(1)));
    mesh.ignores(&whole(&at(latest + 1)), clock(latest + 1));
    let beat = |time_ms| mesh.said(BOB, Body::Heartbeat(Heartbeat { time_ms, ..BEAT }));
    let earliest = NOW_MS - MAX_AHEAD_MS;
    mesh.accepts(&beat(latest));
    mesh.accepts(&beat(earliest));
    for time_ms in [0, earliest - 1, latest + 1, u64::MAX] {
        mesh.ignores(&beat(time_ms), clock(time_ms));
    }
}

#[test]
fn a_second_copy_is_ignored() {
    let mut mesh = Mesh::new();
    let messages = mesh.messages();
    let [first, second] = [1, 2].map(|at| mesh.delta(at));
    mesh.holds.insert(second.id());
    mesh.heard.extend(messages[2..].iter().map(|bytes| name(bytes)));
    for bytes in &messages {
        mesh.ignores(bytes, Ignored::Duplicate);
    }
    // The signature is no part of the id of a delta, and it is not looked at.
    mesh.ignores(&forged(messages[0].clone()), Ignored::Duplicate);
    mesh.rejects(&forged(messages[2].clone()), Rejected::BadSignature);
    mesh.accepts(&mesh.announces(BOB, vec![first.tip(), second.tip()]));
}

#[test]
fn without_room_what_is_new_is_ignored_unverified() {
    let mut mesh = Mesh::new();
    for bytes in mesh.messages() {
        mesh.room_bytes = bytes.len() as u64;
        mesh.accepts(&bytes);
        mesh.room_bytes = 100;
        mesh.ignores(&bytes, Ignored::Busy);
        mesh.ignores(&forged(bytes), Ignored::Busy);
    }
}

#[test]
fn what_is_sealed_under_a_key_that_is_not_held_is_ignored() {
    let mut mesh = Mesh::new();
    mesh.keys.clear();
    let bytes = mesh.said(BOB, Body::Ephemeral(ephemeral()));
    mesh.ignores(&bytes, Ignored::NoKey(epoch(9).id()));
    // A delta can wait for its key, and others may hold it.
    mesh.accepts(&whole(&mesh.delta(2)));
}

/// A message that was changed on its way.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize),
    Extend(Vec<u8>),
    Flip(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => any::<usize>().prop_map(Change::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Change::Extend),
        4 => any::<usize>().prop_map(Change::Flip),
    ]
}

fn change(mut bytes: Vec<u8>, change: Change) -> Vec<u8> {
    let len = bytes.len();
    match change {
        Change::Cut(at) => bytes.truncate(at % len),
        Change::Extend(more) => bytes.extend(more),
        Change::Flip(bit) => bytes[bit / 8 % len] ^= 1 << (bit % 8),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_was_changed_on_its_way_is_never_accepted(which in 0..4_usize, how in any_change()) {
        let bytes = change(MESH.messages().swap_remove(which), how);
        let verdict = MESH.judge(&bytes);
        let refused = matches!(
            verdict,
            Verdict::Reject(_) | Verdict::Ignore(Ignored::UnknownVersion(_))
        );
        prop_assert!(refused, "{verdict:?}");
    }

    #[test]
    fn no_bytes_make_judging_panic(
        begin in 0..5_usize, bytes in prop::collection::vec(any::<u8>(), 0..600)
    ) {
        let begins: [&[u8]; 5] = [&[], &[1], &[1, 1], &[1, 2], &[1, 1, 0, 2, 0, 0, 1]];
        let verdict = MESH.judge(&[begins[begin], &bytes].concat());
        prop_assert!(!matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
    }

    #[test]
    fn no_bytes_are_a_message_in_a_second_form(
        which in 0..5_usize, bent in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)
    ) {
        let mut bytes = every_message().swap_remove(which).encode();
        let len = bytes.len();
        bent.into_iter().for_each(|(at, by)| bytes[at % len] ^= by);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn a_delta_of_a_message_is_the_one_that_was_sent(
        payload in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let delta = sealed(&payload, Suite::XChaCha);
        let Ok(Message::Delta(bytes)) = Message::decode(&Message::of(&delta, &keys(1)).encode())
        else {
            panic!("no delta");
        };
        prop_assert_eq!(Unverified::parse(bytes).unwrap().verify().unwrap(), delta);
    }
}
