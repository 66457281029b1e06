//! Tables as they are stored: rows written down once, and whole nodes written out and read back.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::delta::{Authenticity, Delta, Suite, seal_and_sign};
use mangrove_protocol::effect::Input;
use mangrove_protocol::fold::{
    AbsoluteDot, Change, Counter, Register, SetHead, SetItem, Touched, Visible,
};
use mangrove_protocol::governance::Role;
use mangrove_protocol::graph::{Cause, Place, Status, Void};
use mangrove_protocol::id::{EpochId, Incarnation, Plane};
use mangrove_protocol::log::LogRow;
use mangrove_protocol::op::{AppEvent, Kind};
use mangrove_protocol::ordered;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::replica::memory::{Labels, Local, Own, Remembered};
use mangrove_protocol::replica::rebuild::Rebuild;
use mangrove_protocol::request::{Edit, RequestId, Version};
use mangrove_protocol::root::{Leaf, Root};
use mangrove_protocol::view::{
    Counters, Deltas, Entries, Feed, ForTable, GovHeads, Heads, History, Items, Keys, Labelled,
    Leaning, Locals, Logs, Memory, Outbox, Owns, Places, Registers, RequestAges, Requests, Roots,
    Sets, Table, Waiting, for_every_table,
};
use mangrove_protocol::wire::{self, Malformed};

use crate::crank::{Crank, Pen, named, put, write};
use crate::fixtures::Sheet;
use crate::make::{NONCE, epoch, genesis, id, key, keys, log, sealed, seq, stamp, tip, value};
use crate::ordering::Tags;
use crate::town::Town;

/// Rows of every table, and of which tables there are some.
#[derive(Default)]
struct Rows {
    sheet: Sheet,
    seen: BTreeSet<u8>,
}

impl Rows {
    fn row<T: Table>(&mut self, at: &T::Key, row: &T::Row) {
        let (under, bytes) = (ordered::encode(at), wire::encode(row));
        assert_eq!(ordered::decode::<T::Key>(&under).as_ref(), Some(at));
        assert_eq!(wire::decode::<T::Row>(&bytes, u64::MAX).as_ref(), Ok(row));
        for (what, bytes) in [("key", under), ("row", bytes)] {
            let name = format!("{} {} {what}", T::TAG, T::NAME);
            match &bytes[..] {
                [] => self.sheet.text(&name, "empty"),
                bytes => self.sheet.bytes(&name, bytes),
            }
        }
        self.seen.insert(T::TAG);
    }
}

impl ForTable for Rows {
    fn table<T: Table>(&mut self) {
        assert!(self.seen.contains(&T::TAG), "no row of {}", T::NAME);
    }
}

fn write_deltas(rows: &mut Rows) {
    let founding = seal_and_sign(genesis(b"payload"), None, NONCE, &keys(1)).unwrap();
    let data = sealed(b"payload", Suite::AesGcmSiv);
    let linked = Delta::stored(data.bytes().clone(), Authenticity::Linked).unwrap();
    rows.row::<Deltas>(&founding.id(), &founding);
    rows.row::<Deltas>(&linked.id(), &linked);
}

fn write_places(rows: &mut Rows) {
    let parked = |cause| Status::Parked { cause, since_ms: 258 };
    let void = |why| Status::Void { order: 258, why };
    let epoch = EpochId::from_bytes([0xee; 32]);
    let all = [
        Status::Applied { order: 258 },
        void(Void::CutOff),
        void(Void::Clock),
        void(Void::Sealed),
        void(Void::Unreadable),
        parked(Cause::Parent(id(0xdd))),
        parked(Cause::Key(epoch)),
        parked(Cause::Clock(Hlc::new(258, 1))),
        parked(Cause::Version),
    ];
    for status in all {
        if let Status::Parked { cause, .. } = status {
            rows.row::<Waiting>(&(cause, id(1)), &());
        }
        let (log, hlc) = (log(1, Plane::Data), Hlc::new(1_767_225_600_000, 5));
        let place = Place { log, seq: seq(7), prev: id(6), hlc, bytes: 772, told: true, status };
        rows.row::<Places>(&id(1), &place);
    }
}

fn write_logs(rows: &mut Rows) {
    let (data, governance) = (log(1, Plane::Data), log(1, Plane::Governance));
    let stored = [(seq(258), id(2)), (seq(7), id(3))].into_iter().collect();
    let row = LogRow { stored, applied: [(seq(6), id(1))].into_iter().collect(), cited: true };
    rows.row::<Entries>(&(data, seq(258), id(2)), &());
    rows.row::<Logs>(&data, &row);
    rows.row::<Logs>(&governance, &LogRow::default());
    rows.row::<History>(&258, &id(1));
    rows.row::<Heads>(&id(1), &tip(1, Plane::Data, 258));
    rows.row::<GovHeads>(&id(1), &tip(1, Plane::Governance, 258));
    rows.row::<Leaning>(&data, &[0x1e; 32]);
    rows.row::<Keys>(&epoch(9).id(), &epoch(9));
}

fn write_state(rows: &mut Rows) {
    let (won, author) = (stamp(1_767_225_600_000, 0xdd, 3), keys(1).peer());
    let touched = Touched { writes: 258, last: won, author };
    let register = Register { value: Some(value("v\0")), stamp: won, author };
    let dots = BTreeSet::from([AbsoluteDot { delta: id(1), op: 2 }]);
    let cancelled = BTreeSet::from([AbsoluteDot { delta: id(3), op: 4 }]);
    rows.row::<Registers>(&key("kéy"), &register);
    rows.row::<Registers>(&key(""), &Register { value: None, ..register.clone() });
    rows.row::<Counters>(&key("n\0"), &Counter { sum: -2, touched });
    rows.row::<Sets>(&key("s"), &SetHead { items: 2, touched });
    rows.row::<Items>(&(key("s"), value("i\0\u{1}")), &SetItem { dots, cancelled });
    let (name, text) = (key("k"), value("v"));
    let mut root = Root::empty();
    root.add(&Leaf::Register { key: &name, value: &text, stamp: &won });
    rows.row::<Roots>(&(), &root);
}

fn write_own(rows: &mut Rows) {
    let own = Own {
        incarnation: Some(Incarnation::new(0x1122_3344_5566_7788)),
        authority: Some(id(0xa0).into()),
        gov_said: vec![tip(2, Plane::Governance, 4)],
        clock: Hlc::new(1_767_225_600_000, 5),
        gov_clock: Hlc::new(1_767_225_600_000, 6),
        settled: 258,
        feed: 259,
        clean: true,
        rebuild: None,
        fold_version: 1,
        inviter: Some(keys(2).peer()),
    };
    rows.row::<Owns>(&(), &Own::default());
    rows.row::<Owns>(&(), &own);
    let turning = Rebuild::Turning { at: 256, total: 258 };
    for rebuild in [Rebuild::Due, Rebuild::Clearing { total: 258 }, turning] {
        rows.row::<Owns>(&(), &Own { rebuild: Some(rebuild), ..own.clone() });
    }
    let request = RequestId { scope: "app".to_owned(), name: "once".to_owned() };
    let version = Version::after(Kind::Register, stamp(1_767_225_600_000, 0xdd, 3), 0);
    let answer = Remembered {
        fingerprint: [0xf1; 32],
        at_ms: 1_767_225_600_000,
        delta: id(1),
        seq: seq(258),
        cursor: 259,
        versions: vec![Some(version), None],
    };
    rows.row::<Requests>(&request, &answer);
    rows.row::<RequestAges>(&(answer.at_ms, request), &());
    rows.row::<Outbox>(&id(1), &());
    rows.row::<Locals>(&(), &Local { alias: Some("ours".to_owned()), since_ms: 7 });
    let labels = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
    rows.row::<Labelled>(&(), &Labels(labels));
}

fn write_feed(rows: &mut Rows) {
    let (member, by) = (keys(2).peer(), keys(1).peer());
    let became = [
        (Kind::Register, Visible::Value(Some(value("v")))),
        (Kind::Register, Visible::Value(None)),
        (Kind::Counter, Visible::Count(-2)),
        (Kind::Set, Visible::Items { added: vec![value("i")], removed: vec![value("j")] }),
    ];
    let changes = became.map(|(kind, became)| Change { kind, key: key("k"), became }).to_vec();
    let emitted = vec![AppEvent { name: "moved".to_owned(), data: vec![1, 2, 3] }];
    rows.row::<Feed>(
        &258,
        &FeedItem::Change { delta: id(1), author: by, local: true, changes, emitted },
    );
    rows.row::<Feed>(&259, &FeedItem::Member { member, role: Some(Role::Writer), by });
    rows.row::<Feed>(&260, &FeedItem::Member { member, role: None, by });
    rows.row::<Feed>(&261, &FeedItem::Rebuilt { void: vec![id(1)] });
}

/// Users' data lies in these bytes: a difference is not to be accepted.
#[test]
fn tables_are_stored_so() {
    let mut rows = Rows::default();
    write_deltas(&mut rows);
    write_places(&mut rows);
    write_logs(&mut rows);
    write_state(&mut rows);
    write_own(&mut rows);
    write_feed(&mut rows);
    for_every_table(&mut rows);
    insta::assert_snapshot!(rows.sheet.0);
}

#[test]
fn a_stored_delta_is_read_by_every_rule_but_its_signature() {
    let delta = sealed(b"payload", Suite::AesGcmSiv);
    let stored = wire::encode(&delta);
    assert_eq!(stored[0], 1);
    assert_eq!(stored[5..], delta.bytes()[..]);
    let read = |bytes: &[u8]| wire::decode::<Delta>(bytes, u64::MAX);
    let bent = |at: usize, by: u8| {
        let mut bytes = stored.clone();
        bytes[at] ^= by;
        read(&bytes)
    };
    let last = stored.len() - 1;
    assert_eq!(bent(last, 1).unwrap().id(), delta.id(), "a signature counts as checked");
    assert_ne!(bent(last - 64, 1).unwrap().id(), delta.id(), "damage shows in the id");
    assert_eq!(bent(0, 3).unwrap().authenticity(), Authenticity::Linked);
    assert!(bent(0, 1).is_err() && bent(0, 2 | 1 << 7).is_err(), "known in no way there is");
    assert_eq!(bent(5, 3), Err(Malformed::Invalid { why: "version 2 is unknown".to_owned() }));
    assert!(matches!(bent(2, 1), Err(Malformed::Truncated)), "as long as it says");
    assert_eq!(read(&[&[1][..], &[0; 4]].concat()), Err(Malformed::Truncated));
}

#[test]
fn the_ends_of_a_log_are_read_ascending() {
    let row = LogRow {
        stored: [(seq(1), id(1)), (seq(2), id(1))].into_iter().collect(),
        ..LogRow::default()
    };
    let bytes = wire::encode(&row);
    assert_eq!(wire::decode(&bytes, u64::MAX), Ok(row));
    // The second place becomes that of the first, and then one before it.
    let at = 4 + 40;
    assert_eq!(bytes[at], 2);
    for first in [2, 3] {
        let mut bytes = bytes.clone();
        bytes[4] = first;
        let bad = Err(Malformed::NotCanonical { what: "tips" });
        assert_eq!(wire::decode::<LogRow>(&bytes, u64::MAX), bad);
    }
}

/// A whole store as bytes, and the tables of which there was anything to store.
struct Store<'a> {
    memory: &'a Memory,
    seen: &'a mut BTreeSet<&'static str>,
}

impl ForTable for Store<'_> {
    /// Written out and read back in the order of the bytes, a table is what it was.
    fn table<T: Table>(&mut self) {
        let rows = T::rows(self.memory);
        let stored: BTreeMap<_, _> =
            rows.iter().map(|(key, row)| (ordered::encode(key), wire::encode(row))).collect();
        assert_eq!(stored.len(), rows.len(), "{}", T::NAME);
        for ((under, bytes), (key, row)) in stored.iter().zip(rows) {
            assert_eq!(ordered::decode::<T::Key>(under).as_ref(), Some(key), "{}", T::NAME);
            let read = wire::decode::<T::Row>(bytes, u64::MAX);
            assert_eq!(read.as_ref(), Ok(row), "{}", T::NAME);
        }
        if !rows.is_empty() {
            self.seen.insert(T::NAME);
        }
    }
}

/// Somebody is removed, and what others wrote on top of what does not count leans on it.
fn town() -> Town {
    let mut town = Town::honest();
    town.write("ann", "before");
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    town.decide("owner", town.remove("ann"));
    town.write("ann", "meanwhile");
    town.share("ann", "ben");
    town.write("ben", "on top");
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    town
}

/// Every kind of entity, a call with an id, and something that waits.
fn busy() -> Crank {
    let mut crank = Crank::of(50);
    crank.edit(vec![put("", "v"), put("\0", "v"), put("\0\u{1}", "v"), put("a", "v")]);
    let items = ["", "\0", "i", "i\0", "ij"];
    crank.edit(items.map(|item| Edit::Insert(key("s"), value(item))).to_vec());
    crank.edit(vec![Edit::Remove(key("s"), value("i")), Edit::Emit("e".to_owned(), vec![0])]);
    crank.edit(vec![Edit::Increment(key("n"), -1)]);
    crank.ask(named("once", vec![put("a", "w")])).unwrap();
    let first = Pen::new(1, 10).write();
    let rest = [Pen::new(2, 20).citing(&[&first]).write(), Pen::new(3, 70_000).write()];
    crank.give(&rest);
    crank.give(&[Pen::new(4, 30).under(2).write(), Pen::new(5, 30).bytes(vec![99]).write()]);
    crank
}

#[test]
fn whole_nodes_are_written_out_and_read_back() {
    let mut seen = BTreeSet::new();
    let (town, mut crank) = (town(), busy());
    let flight = crank.put(write(0, named("twice", vec![put("b", "w")])));
    assert!(flight.is_empty() && crank.is_in_flight());
    crank.land();
    crank.put(Input::Committed);
    for node in town.nodes.values().chain([&crank]) {
        for_every_table(&mut Store { memory: &node.memory, seen: &mut seen });
    }
    let all = Tags::all().into_iter().map(|(_, name)| name);
    // What a node calls a context, and notes of it, is its own business, not that of a replica.
    let all = all.filter(|name| ![Locals::NAME, Labelled::NAME].contains(name));
    assert_eq!(seen, all.collect(), "something of every table");
}
