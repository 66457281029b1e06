//! Bytes written down once: users' data depends on every one of them, so none may ever change.
//!
//! A difference here is not a snapshot to be accepted. It is a change of the protocol.

use std::collections::BTreeSet;
use std::fmt::Write;

use data_encoding::HEXLOWER;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Delta, Sealing, Suite, seal_and_sign};
use mangrove_protocol::fold::{
    self, AbsoluteDot, Counter, Origin, Register, SetHead, SetItem, Table, Touched,
};
use mangrove_protocol::id::{EpochId, Plane};
use mangrove_protocol::op::{AppEvent, Dot, DotDelta, Kind, Op, Payload, Transaction};
use mangrove_protocol::root::{Leaf, Root};
use mangrove_protocol::wire;

use crate::make::{
    NONCE, draft, epoch, genesis, id, key, keys, log, payload_of, sealed, stamp, tip, value,
};

/// Named bytes, one to a line.
#[derive(Default)]
pub(crate) struct Sheet(pub(crate) String);

impl Sheet {
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name}: {}", HEXLOWER.encode(bytes)).unwrap();
    }

    fn wire<T: borsh::BorshSerialize>(&mut self, name: &str, value: &T) {
        self.bytes(name, &wire::encode(value));
    }

    pub(crate) fn text(&mut self, name: &str, text: impl std::fmt::Display) {
        writeln!(self.0, "{name}: {text}").unwrap();
    }
}

fn every_op() -> Vec<Op> {
    let own = Dot { delta: DotDelta::Own, op: 4 };
    let of = Dot { delta: DotDelta::Of(id(0xdd)), op: 258 };
    vec![
        Op::Put { key: key("kéy"), value: value("{\"a\":1}") },
        Op::Delete { key: key("k") },
        Op::Increment { key: key("n"), by: -2 },
        Op::Reset { key: key("n"), by: -(1 << 70) },
        Op::Insert { key: key("s"), item: value("i") },
        Op::Remove { key: key("s"), item: value("i"), dots: vec![own, of] },
    ]
}

fn every_part() -> Payload {
    let event = AppEvent { name: "moved".to_owned(), data: vec![1, 2, 3] };
    let second = Transaction { ops: vec![Op::Delete { key: key("z") }], events: vec![] };
    Payload::new(vec![Transaction { ops: every_op(), events: vec![event] }, second]).unwrap()
}

#[test]
fn names_are_written_so() {
    let mut sheet = Sheet::default();
    sheet.text("peer of seed 1", keys(1).peer());
    sheet.wire("hlc 1767225600000.5", &Hlc::new(1_767_225_600_000, 5));
    sheet.wire("log", &log(1, Plane::Governance));
    sheet.wire("tip", &tip(1, Plane::Data, 258));
    sheet.text("epoch of key 09…", epoch(9).id());
    sheet.wire("plain", &Sealing::Plain);
    let of = EpochId::from_bytes([0xee; 32]);
    sheet.wire("aes-256-gcm-siv", &Sealing::AesGcmSiv { epoch: of, nonce: [1; 12] });
    sheet.wire("xchacha20-poly1305", &Sealing::XChaCha { epoch: of, nonce: [2; 24] });
    for kind in [Kind::Register, Kind::Counter, Kind::Set] {
        sheet.wire(&kind.to_string(), &kind);
    }
    insta::assert_snapshot!(sheet.0);
}

#[test]
fn payloads_are_written_so() {
    let mut sheet = Sheet::default();
    for op in every_op() {
        let name = format!("{op:?}").split(' ').next().unwrap().to_owned();
        sheet.wire(&name, &op);
    }
    sheet.bytes("payload", &every_part().encode());
    sheet.bytes("merge", &Payload::merge().encode());
    insta::assert_snapshot!(sheet.0);
}

fn describe(sheet: &mut Sheet, name: &str, delta: &Delta) {
    sheet.text(&format!("{name} id"), delta.id());
    sheet.text(&format!("{name} context"), delta.context());
    sheet.wire(&format!("{name} header"), delta.header());
    sheet.bytes(&format!("{name} whole"), delta.bytes());
}

#[test]
fn deltas_are_written_so() {
    let mut sheet = Sheet::default();
    let found = seal_and_sign(genesis(b"payload"), None, NONCE, &keys(1)).unwrap();
    describe(&mut sheet, "genesis", &found);
    describe(&mut sheet, "data", &sealed(b"payload", Suite::AesGcmSiv));
    describe(&mut sheet, "xchacha", &sealed(b"payload", Suite::XChaCha));
    let bare = mangrove_protocol::delta::Draft {
        deps: Vec::new(),
        gov_heads: None,
        ..draft(every_part().encode())
    };
    let bare = seal_and_sign(bare, Some(&epoch(9)), NONCE, &keys(1)).unwrap();
    describe(&mut sheet, "bare", &bare);
    insta::assert_snapshot!(sheet.0);
}

#[test]
fn rows_are_stored_so() {
    let mut sheet = Sheet::default();
    let (won, author) = (stamp(1_767_225_600_000, 0xdd, 3), keys(1).peer());
    let touched = Touched { writes: 258, last: won, author };
    sheet.wire("stamp", &won);
    sheet.wire("register", &Register { value: Some(value("v")), stamp: won, author });
    sheet.wire("tombstone", &Register { value: None, stamp: won, author });
    sheet.wire("counter", &Counter { sum: -2, touched });
    sheet.wire("set", &SetHead { items: 2, touched });
    let dots = BTreeSet::from([AbsoluteDot { delta: id(1), op: 2 }]);
    let cancelled = BTreeSet::from([AbsoluteDot { delta: id(3), op: 4 }]);
    sheet.wire("item", &SetItem { dots, cancelled });
    insta::assert_snapshot!(sheet.0);
}

#[test]
fn roots_are_computed_so() {
    let mut sheet = Sheet::default();
    let (name, text, won) = (key("k"), value("v"), stamp(1_767_225_600_000, 0xdd, 3));
    let dots =
        BTreeSet::from([AbsoluteDot { delta: id(1), op: 2 }, AbsoluteDot { delta: id(1), op: 3 }]);
    let leaves = [
        ("register", Leaf::Register { key: &name, value: &text, stamp: &won }),
        ("counter", Leaf::Counter { key: &name, sum: -2 }),
        ("item", Leaf::Item { key: &name, item: &text, dots: &dots }),
    ];
    let mut root = Root::empty();
    sheet.bytes("empty root", &root.digest());
    for (name, leaf) in leaves {
        sheet.wire(&format!("{name} leaf"), &leaf);
        root.add(&leaf);
        sheet.bytes("root with it", &root.digest());
    }
    let (mut table, mut root) = (Table::default(), Root::empty());
    let origin =
        |seed, ms| Origin { delta: id(seed), author: keys(1).peer(), hlc: Hlc::new(ms, 0) };
    fold::apply(&mut table, &mut root, &origin(1, 5), &every_part());
    sheet.bytes("root of the payload", &root.digest());
    let put =
        |seed: u8| payload_of(vec![Op::Put { key: key("k"), value: value(&seed.to_string()) }]);
    for seed in [3, 2] {
        fold::apply(&mut table, &mut root, &origin(seed, 6), &put(seed));
    }
    sheet.bytes("root after two puts", &root.digest());
    insta::assert_snapshot!(sheet.0);
}
