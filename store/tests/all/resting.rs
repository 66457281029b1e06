//! What is in memory goes to tables when nothing is written for a while.

use std::fs;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::id::ContextId;
use mangrove_protocol::id::{DeltaId, PeerId};
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::view::{Memory, Registers};
use mangrove_store::{Pen, open};

const CONTEXT: ContextId = ContextId::from_bytes([1; 32]);
/// Long enough for a table that was begun to be there.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that none was begun.
const WHILE: Duration = Duration::from_millis(300);

/// Writes this many rows of a kilobyte.
fn write(pen: &Pen, rows: u32) {
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    let delta = DeltaId::from_bytes([3; 32]);
    for row in 0..rows {
        let stamp = Stamp { hlc: Hlc::LAST, delta, op: row };
        let value = Some(Value::new(&[b'1'; 1_000]).unwrap());
        let row = Register { value, stamp, author: PeerId::from_bytes([4; 32]) };
        over.put::<Registers>(Key::new(&format!("{:05}", stamp.op)).unwrap(), row);
    }
    pen.commit(&over.into_batch(), false).unwrap().wait().unwrap();
}

fn tables(folder: &Utf8Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|end| end == "sst")).count()
}

#[test]
fn what_is_in_memory_goes_to_tables_once_it_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap();
    let (writer, _reader) = open(path, &Settings::default(), None).unwrap();
    let (pens, pen) = (writer.pens(), writer.pen(CONTEXT).unwrap());
    let before = tables(path);
    write(&pen, 4_000);
    pens.rest();
    park_timeout(WHILE);
    assert_eq!(tables(path), before, "something was written since it was looked before");
    write(&pen, 1);
    pens.rest();
    park_timeout(WHILE);
    assert_eq!(tables(path), before, "and again");
    pens.rest();
    let until = Instant::now() + SOON;
    // One of what the store knows of contexts, and one of registers: they come one after the other.
    while tables(path) < before + 2 {
        assert!(Instant::now() < until, "nothing is moved");
        park_timeout(Duration::from_millis(5));
    }
    let before = tables(path);
    write(&pen, 10);
    (0..3).for_each(|_| pens.rest());
    park_timeout(WHILE);
    assert_eq!(tables(path), before, "a little is not worth a table");
    drop(pen);
    writer.close();
}
