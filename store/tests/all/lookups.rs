//! Looking rows up: where there are many more than fit into memory, and where nobody can wait for the disk.

use std::fs;
use std::thread::park_timeout;
use std::time::Duration;

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::id::{ContextId, DeltaId};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::view::{Memory, Outbox};
use mangrove_store::{ReadError, Reader, open};

use crate::house::House;

const CONTEXT: ContextId = ContextId::from_bytes([1; 32]);
/// So many that what leads to the rows of one table is longer than what a part of the cache holds.
const ROWS: u64 = 700_000;
const LOOKUPS: u64 = 1_000;
/// Looking at what was read reads a little, too.
const LITTLE: u64 = 4 * 1024;
/// A row lies in a block of 8 KiB, and what leads there in a few more.
const MOST_BYTES: u64 = 64 * 1024;

fn id(number: u64) -> DeltaId {
    DeltaId::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// Bytes that this process has ever read.
fn read() -> u64 {
    let told = fs::read_to_string("/proc/self/io").unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_lookup_reads_little_however_many_rows_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap();
    let (writer, _reader) = open(path, &Settings::default(), None).unwrap();
    let pen = writer.pen(CONTEXT).unwrap();
    let nothing = Memory::default();
    for page in 0..ROWS / 10_000 {
        let mut over = Overlay::new(&nothing);
        (0..10_000).for_each(|at| over.put::<Outbox>(id(page * 10_000 + at), ()));
        pen.commit(&over.into_batch(), false).unwrap().wait().unwrap();
    }
    drop(pen);
    writer.close();
    let (writer, reader) = open(path, &Settings::default(), None).unwrap();
    // What was written is put in order meanwhile.
    let mut before = 0;
    while read() - before > LITTLE {
        before = read();
        park_timeout(Duration::from_millis(500));
    }
    let reading = reader.begin().unwrap();
    let before = read();
    for at in 0..LOOKUPS {
        assert!(reading.get::<Outbox>(&CONTEXT, &id(at * 691)).unwrap().is_some());
    }
    let each = (read() - before) / LOOKUPS;
    assert!(each < MOST_BYTES, "{each} bytes were read for each");
    drop(reading);
    writer.close();
}

#[test]
fn what_lies_on_the_disk_alone_is_not_at_hand_until_it_was_read() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(CONTEXT).unwrap();
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    over.put::<Outbox>(id(1), ());
    let unknown = reader.begin().unwrap().has_at_hand::<Outbox>(&CONTEXT, &id(1));
    assert_eq!(unknown, Err(ReadError::UnknownContext));
    pen.commit(&over.into_batch(), true).unwrap().wait().unwrap();
    let at_hand = |reader: &Reader, number| {
        reader.begin().unwrap().has_at_hand::<Outbox>(&CONTEXT, &id(number)).unwrap()
    };
    assert_eq!([1, 2].map(|number| at_hand(&reader, number)), [Some(true), Some(false)]);
    drop(pen);
    writer.close();
    let (writer, reader) = house.open();
    assert_eq!(at_hand(&reader, 1), None, "it was moved to a table, and nobody has looked there");
    assert!(reader.begin().unwrap().get::<Outbox>(&CONTEXT, &id(1)).unwrap().is_some());
    assert_eq!(at_hand(&reader, 1), Some(true));
    writer.close();
}
