//! An encrypted home shows nothing of its values, and opens under its own key alone.

use std::fs;

use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::id::{DeltaId, PeerId};
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::view::{Memory, Registers};
use mangrove_store::OpenError;
use mangrove_store::seal::DataKey;

use crate::book;
use crate::house::{House, commit, count};

/// Bytes that stand nowhere else, and do not compress.
fn marker() -> [u8; 64] {
    let mut marker = [0; 64];
    blake3::Hasher::new().update(b"a marker").finalize_xof().fill(&mut marker);
    marker
}

/// Whether the marker stands anywhere in the folder.
fn shows_marker(house: &House) -> bool {
    let files = house.path().read_dir_utf8().unwrap();
    let bytes = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let shows = |bytes: Vec<u8>| bytes.windows(64).any(|window| window == marker());
    bytes.into_iter().any(shows)
}

fn write_marker(house: &House) {
    let (writer, _reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    let stamp = Stamp { hlc: Default::default(), delta: DeltaId::ZERO, op: 0 };
    let value = Some(Value::new(&marker()).unwrap());
    let row = Register { value, stamp, author: PeerId::from_bytes([1; 32]) };
    over.put::<Registers>(Key::new("key").unwrap(), row);
    commit(&pen, &over.into_batch());
}

#[test]
fn nothing_of_a_value_stands_readable_in_an_encrypted_home() {
    for (house, shows) in [(House::new(), true), (House::encrypted(), false)] {
        write_marker(&house);
        assert_eq!(shows_marker(&house), shows, "in the log");
        // Opening moves what is in the log to a table.
        house.open().0.close();
        assert_eq!(shows_marker(&house), shows, "in a table");
    }
}

#[test]
fn an_encrypted_home_opens_under_its_own_key_alone() {
    let mut house = House::encrypted();
    let (writer, _reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    (0..100).for_each(|at| commit(&pen, &book::commit(pen.context(), at)));
    drop(pen);
    writer.close();
    let right = house.key.replace(DataKey::from_entropy([8; 32]));
    assert!(matches!(house.try_open(), Err(OpenError::WrongKey { .. })));
    house.key = None;
    assert!(matches!(house.try_open(), Err(OpenError::Locked { .. })));
    house.key = right;
    assert_eq!(count(&house.open().1, book::context(1)), Ok(100));
}

#[test]
fn another_passphrase_opens_the_same_store_and_rewrites_nothing_of_it() {
    use mangrove_store::seal::{Cost, WRAP_ENTROPY_BYTES};

    let mut house = House::encrypted();
    write_marker(&house);
    let key = house.key.clone().unwrap();
    let wrap =
        |phrase: &[u8]| key.wrap(phrase, Cost::RECOMMENDED, [1; WRAP_ENTROPY_BYTES]).unwrap();
    let (before, after) = (wrap(b"old"), wrap(b"new"));
    assert_ne!(before, after);
    assert!(DataKey::unwrap(&after, b"old").is_err());
    house.key = Some(DataKey::unwrap(&after, b"new").unwrap());
    let (_writer, reader) = house.open();
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&book::context(1)).unwrap();
    let row = snapshot.get::<Registers>(&Key::new("key").unwrap()).unwrap().unwrap();
    assert_eq!(row.value.unwrap().as_bytes(), marker());
}

#[test]
fn a_plain_home_does_not_open_under_a_key() {
    let mut house = House::new();
    house.open().0.close();
    house.key = Some(DataKey::from_entropy([8; 32]));
    assert!(matches!(house.try_open(), Err(OpenError::WrongKey { .. })));
}
