//! A check finds whatever is not as it was written, and says where.

use std::fs;

use camino::Utf8Path;
use mangrove_protocol::fold::Counter;
use mangrove_protocol::graph::{Cause, Status};
use mangrove_protocol::id::{ContextId, DeltaId};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::view::{
    Counters, Deltas, Entries, Feed, ForTable, Heads, History, Logs, Memory, Owns, Places,
    Registers, RequestAges, Roots, Sets, Table, View, Waiting, every, for_every_table,
};
use mangrove_sim::dice::Dice;
use mangrove_store::check::{Depth, Report, check};
use mangrove_store::{Health, NotTaken, OpenError, Snapshot, WriteError};

use crate::house::{House, commit};
use crate::replicas;

fn look(house: &House, depth: Depth) -> Report {
    let key = house.key.as_ref();
    check(&house.path(), (&house.settings, key), depth, &mut |_| {}).unwrap()
}

/// All rows of a context.
struct Copy<'a>(&'a Snapshot<'a>, Memory);

impl ForTable for Copy<'_> {
    fn table<T: Table>(&mut self) {
        let rows: Vec<_> = every::<T, _>(self.0).collect();
        let nothing = Memory::default();
        let mut over = Overlay::new(&nothing);
        rows.into_iter().for_each(|(key, row)| over.put::<T>(key, row));
        self.1.apply(&over.into_batch());
    }
}

fn copy(house: &House, context: ContextId) -> Memory {
    let (_writer, reader) = house.open();
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&context).unwrap();
    let mut copy = Copy(&snapshot, Memory::default());
    for_every_table(&mut copy);
    copy.1
}

fn any<T: Table>(memory: &Memory) -> (T::Key, T::Row) {
    T::rows(memory).iter().next().map(|(key, row)| (key.clone(), row.clone())).unwrap()
}

type Prepared = Box<dyn FnOnce(&mut Overlay<'_, Memory>)>;
type Alteration = fn(&Memory, &mut Overlay<'_, Memory>);

fn without<T: Table>(memory: &Memory, over: &mut Overlay<'_, Memory>) {
    over.remove::<T>(any::<T>(memory).0);
}

fn register(memory: &Memory, over: &mut Overlay<'_, Memory>) {
    let (key, mut row) = any::<Registers>(memory);
    row.value = mangrove_protocol::op::Value::new(b"altered").ok();
    over.put::<Registers>(key, row);
}

fn parked(memory: &Memory, over: &mut Overlay<'_, Memory>) {
    let (key, mut place) = any::<Places>(memory);
    place.status = Status::Parked { cause: Cause::Version, since_ms: 0 };
    over.put::<Places>(key, place);
}

fn own(alter: impl FnOnce(&mut Own), memory: &Memory, over: &mut Overlay<'_, Memory>) {
    let mut own = memory.get::<Owns>(&()).unwrap();
    alter(&mut own);
    over.put::<Owns>((), own);
}

/// What is altered, and the table in which that shows.
const ALTERATIONS: [(Alteration, &str); 14] = [
    (without::<Deltas>, "deltas"),
    (without::<Places>, "places"),
    (without::<Entries>, "entries"),
    (without::<Logs>, "logs"),
    (without::<History>, "history"),
    (without::<Feed>, "feed"),
    (without::<RequestAges>, "requests"),
    (without::<Roots>, "roots"),
    (without::<Registers>, "roots"),
    (register, "roots"),
    (parked, "waiting"),
    (|_, over| over.put::<Heads>(DeltaId::ZERO, replicas::config().1[0].tip()), "heads"),
    (|_, over| over.put::<Waiting>((Cause::Version, DeltaId::ZERO), ()), "waiting"),
    (|memory, over| own(|own| own.settled += 1, memory, over), "history"),
];

fn alter(house: &House, context: ContextId, alteration: impl FnOnce(&mut Overlay<'_, Memory>)) {
    let (writer, _reader) = house.open();
    let pen = writer.pen(context).unwrap();
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    alteration(&mut over);
    commit(&pen, &over.into_batch());
}

#[test]
fn a_store_that_is_as_it_was_written_is_clean() {
    for house in [House::new(), House::encrypted()] {
        replicas::lived(&house);
        for depth in [Depth::Structure, Depth::Deep] {
            let report = look(&house, depth);
            assert_eq!(report.findings, []);
            assert!(report.rows > 300 && report.contexts == 1, "{report:?}");
        }
    }
    let empty = House::new();
    empty.open().0.close();
    assert!(look(&empty, Depth::Deep).is_clean());
}

#[test]
fn every_row_that_was_altered_is_found() {
    let house = House::new();
    let context = replicas::lived(&house);
    let memory = copy(&house, context);
    for (at, (alteration, table)) in ALTERATIONS.into_iter().enumerate() {
        let house = house.twin();
        alter(&house, context, |over| alteration(&memory, over));
        let report = look(&house, Depth::Structure);
        let found = report.findings.iter().any(|finding| finding.table == table);
        assert!(found, "alteration {at} of {table}: {report:?}");
        assert!(report.findings.iter().all(|finding| finding.context == Some(context)));
    }
}

/// State that agrees with its root, but not with the log.
#[test]
fn what_the_log_does_not_make_of_it_is_found_by_looking_deep() {
    let house = House::new();
    let context = replicas::lived(&house);
    let memory = copy(&house, context);
    let (key, row) = any::<Registers>(&memory);
    let mut root = memory.get::<Roots>(&()).unwrap();
    let mut altered = row.clone();
    altered.value = mangrove_protocol::op::Value::new(b"altered").ok();
    root.replace(row.leaf(&key), altered.leaf(&key));
    let counter = any::<Counters>(&memory);
    let set = any::<Sets>(&memory);
    let alterations: [(&str, Prepared); 3] = [
        (
            "registers",
            Box::new(move |over| {
                over.put::<Registers>(key, altered);
                over.put::<Roots>((), root);
            }),
        ),
        (
            "counters",
            Box::new(move |over| {
                let (key, mut row): (_, Counter) = counter;
                row.touched.writes += 1;
                over.put::<Counters>(key, row);
            }),
        ),
        (
            "sets",
            Box::new(move |over| {
                let (key, mut row) = set;
                row.items += 1;
                over.put::<Sets>(key, row);
            }),
        ),
    ];
    for (table, alteration) in alterations {
        let house = house.twin();
        alter(&house, context, alteration);
        assert!(look(&house, Depth::Structure).is_clean(), "the tables agree");
        let report = look(&house, Depth::Deep);
        assert!(report.findings.iter().any(|finding| finding.table == table), "{report:?}");
    }
}

/// Flips one bit anywhere in a file that holds data.
fn flip(folder: &Utf8Path, dice: &mut Dice) -> String {
    let holds_data =
        |path: &Utf8Path| path.extension().is_some_and(|kind| ["sst", "blob"].contains(&kind));
    let files = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
    let mut files: Vec<_> = files.filter(|path| holds_data(path)).collect();
    files.sort();
    let file = &files[dice.index(files.len())];
    let mut bytes = fs::read(file).unwrap();
    let at = dice.index(bytes.len());
    bytes[at] ^= 1 << dice.index(8);
    fs::write(file, &bytes).unwrap();
    format!("{file} at {at} of {}", bytes.len())
}

/// Whatever is not found is where it does no harm: in the filters of table files, and in their notes.
#[test]
fn a_flipped_bit_is_found_and_never_served_as_truth() {
    const FLIPS: usize = 60;
    let house = House::new();
    let context = replicas::lived(&house);
    let memory = copy(&house, context);
    let (mut dice, mut found) = (Dice::new(3, &[3]), 0);
    for _ in 0..FLIPS {
        let house = house.twin();
        let place = flip(&house.path(), &mut dice);
        if look(&house, Depth::Structure).is_clean() {
            assert_eq!(copy(&house, context), memory, "a bit that does no harm: {place}");
            continue;
        }
        found += 1;
        if let Ok((_writer, reader)) = house.try_open() {
            let reading = reader.begin().unwrap();
            let Ok(snapshot) = reading.context(&context) else { continue };
            for_every_table(&mut Truth(&snapshot, &memory));
        }
    }
    assert!(found * 10 > FLIPS * 8, "{found} of {FLIPS}");
}

/// What is read is what was written, or an error.
struct Truth<'a>(&'a Snapshot<'a>, &'a Memory);

impl ForTable for Truth<'_> {
    fn table<T: Table>(&mut self) {
        for (key, row) in T::rows(self.1) {
            match self.0.get::<T>(key) {
                Ok(found) => assert_eq!(found.as_ref(), Some(row), "{}", T::NAME),
                Err(why) => assert!(!why.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn a_check_says_what_is_not_damage() {
    let mut house = House::new();
    replicas::lived(&house);
    let try_look = |house: &House| {
        let key = house.key.as_ref();
        check(&house.path(), (&house.settings, key), Depth::Structure, &mut |_| {})
    };
    let (writer, _reader) = house.open();
    assert!(matches!(try_look(&house), Err(OpenError::InUse { .. })));
    writer.close();
    house.key = Some(mangrove_store::seal::DataKey::from_entropy([1; 32]));
    assert!(matches!(try_look(&house), Err(OpenError::WrongKey { .. })));
    house.key = None;
    let before = files(&house);
    assert!(try_look(&house).unwrap().is_clean());
    assert_eq!(files(&house), before, "a check changes nothing");
    house.set_format(9);
    assert!(matches!(try_look(&house), Err(OpenError::Newer { found: 9, .. })));
}

/// The files that hold data, with their bytes.
fn files(house: &House) -> Vec<(String, Vec<u8>)> {
    let entries = house.path().read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
    let data = entries.filter(|path| {
        let kind = path.extension();
        kind.is_some_and(|kind| ["sst", "blob", "log"].contains(&kind))
    });
    let mut files: Vec<_> = data.map(|path| (path.to_string(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

/// A read that fails shows as one that finds nothing, and is told in the end.
#[test]
fn who_reads_what_is_damaged_is_told_before_anything_leaves() {
    let house = House::new();
    let context = replicas::lived(&house);
    let (key, _) = any::<Registers>(&copy(&house, context));
    house.overwrite("state", Registers::TAG, &mangrove_protocol::ordered::encode(&key));
    let (writer, reader) = house.open();
    let pen = writer.pen(context).unwrap();
    let reading = pen.read(&reader).unwrap();
    let snapshot = reading.context(&context).unwrap();
    assert!(View::get::<Owns>(&snapshot, &()).is_some());
    assert!(View::get::<Registers>(&snapshot, &key).is_none());
    assert!(snapshot.finish().is_err());
    assert!(matches!(reader.health(), Health::Failed(_)));
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    over.put::<Owns>((), Own::default());
    let refused = pen.commit(&over.into_batch(), false);
    assert!(matches!(refused, Err(NotTaken::Refused(WriteError::Failed(_)))), "{refused:?}");
}

#[test]
fn a_node_that_stops_while_it_makes_state_anew_is_well() {
    let house = House::new();
    replicas::lived_until(&house, true);
    let report = look(&house, Depth::Deep);
    assert_eq!(report.findings, []);
}

#[test]
fn rows_that_belong_to_nobody_are_found() {
    let house = House::new();
    replicas::lived(&house);
    let stray = house.twin();
    stray.overwrite("index", 200, b"key");
    assert_eq!(look(&stray, Depth::Structure).findings[0].table, "index");
    let house = house.twin();
    house.forget_contexts();
    let report = look(&house, Depth::Structure);
    assert!(report.findings.iter().any(|it| it.what.contains("does not know")), "{report:?}");
}
