//! A backup is a home to come: taken while others write, made into a home elsewhere.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::Home;
use mangrove_protocol::id::PeerId;
use mangrove_protocol::view::{Owns, View};
use mangrove_store::backup::{BackupError, backup, restore};
use mangrove_store::check::{Depth, check};

use crate::book;
use crate::house::{House, commit, count};
use crate::replicas;

const PEER: PeerId = PeerId::from_bytes([7; 32]);

/// The home around a store.
fn home(house: &House) -> Home {
    Home::at(house.path().parent().unwrap(), Utf8Path::new("/"))
}

fn to(house: &House) -> Utf8PathBuf {
    house.path().parent().unwrap().join("backups/of home")
}

#[test]
fn what_was_there_when_a_backup_was_taken_is_restored() {
    let (house, elsewhere) = (House::new(), House::new());
    fs::write(home(&house).key_file(), "the keys").unwrap();
    fs::write(home(&house).token_file(), "the token").unwrap();
    let (writer, reader) = house.open();
    let pens = [1, 2].map(|number| writer.pen(book::context(number)).unwrap());
    let write = |from: u64, until: u64| {
        for at in from..until {
            pens.iter().for_each(|pen| commit(pen, &book::commit(pen.context(), at)));
        }
    };
    write(0, 300);
    let first = backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    assert_eq!(first.contexts, 2);
    write(300, 310);
    backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    write(310, 400);
    restore(&to(&house), &home(&elsewhere)).unwrap();
    let (_writer, restored) = elsewhere.open();
    for number in [1, 2] {
        assert_eq!(count(&restored, book::context(number)), Ok(310));
    }
    let keys = fs::read_to_string(home(&elsewhere).key_file()).unwrap();
    assert_eq!(keys, "the keys");
    assert!(!home(&elsewhere).token_file().exists(), "a restored home gets a token of its own");
}

#[test]
fn a_backup_that_is_taken_while_others_write_holds_whole_commits() {
    let (house, elsewhere) = (House::new(), House::new());
    let (writer, reader) = house.open();
    let contexts = [1, 2, 3].map(book::context);
    let pens = contexts.map(|context| writer.pen(context).unwrap());
    pens.iter().for_each(|pen| commit(pen, &book::commit(pen.context(), 0)));
    std::thread::scope(|scope| {
        for pen in &pens {
            let write = move || {
                (1..600).for_each(|at| commit(pen, &book::commit(pen.context(), at)));
            };
            std::thread::Builder::new().spawn_scoped(scope, write).unwrap();
        }
        backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    });
    restore(&to(&house), &home(&elsewhere)).unwrap();
    let (_writer, restored) = elsewhere.open();
    for context in contexts {
        assert!((1..=600).contains(&count(&restored, context).unwrap()));
    }
}

#[test]
fn a_restored_node_goes_on_in_a_new_log_with_a_new_feed() {
    for (house, elsewhere) in
        [(House::new(), House::new()), (House::encrypted(), House::encrypted())]
    {
        let context = replicas::lived(&house);
        let (_writer, reader) = house.open();
        let own = |reader: &mangrove_store::Reader| {
            let reading = reader.begin().unwrap();
            let snapshot = reading.context(&context).unwrap();
            (View::get::<Owns>(&snapshot, &()).unwrap(), snapshot.feed_start().unwrap().generation)
        };
        let (before, feed) = own(&reader);
        assert!(before.incarnation.is_some());
        backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
        restore(&to(&house), &home(&elsewhere)).unwrap();
        let (writer, restored) = elsewhere.open();
        let (after, new_feed) = own(&restored);
        assert_eq!(after.incarnation, None);
        assert_eq!((after.settled, after.feed), (before.settled, before.feed));
        assert_ne!(feed, new_feed);
        writer.close();
        let settings = &elsewhere.settings;
        let look =
            check(&elsewhere.path(), (settings, elsewhere.key.as_ref()), Depth::Deep, &mut |_| {});
        assert!(look.unwrap().is_clean());
        // Only once: from the next start on it is a home like any other.
        let (_writer, again) = elsewhere.open();
        assert_eq!(own(&again).1, new_feed);
    }
}

#[test]
fn what_is_no_backup_is_told_apart() {
    let house = House::new();
    let (_writer, reader) = house.open();
    let other = house.path().parent().unwrap().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter.txt"), "dear").unwrap();
    let refused = backup(&home(&house), PEER, &reader, &other);
    assert!(matches!(refused, Err(BackupError::Occupied(_))), "{refused:?}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "it is not touched");
    let elsewhere = House::new();
    assert!(matches!(restore(&other, &home(&elsewhere)), Err(BackupError::None(_))));
    backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    let other = backup(&home(&house), PeerId::from_bytes([8; 32]), &reader, &to(&house));
    assert!(matches!(other, Err(BackupError::OfAnother(_))), "{other:?}");
    elsewhere.open().0.close();
    let refused = restore(&to(&house), &home(&elsewhere));
    assert!(matches!(refused, Err(BackupError::Occupied(_))), "{refused:?}");
    fs::write(to(&house).join("backup.toml"), "format = 7\npeer = \"x\"\n").unwrap();
    assert!(matches!(restore(&to(&house), &home(&elsewhere)), Err(BackupError::Newer(_))));
}

#[test]
fn what_has_not_changed_is_not_copied_again() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    (0..2_000).for_each(|at| commit(&pen, &book::commit(pen.context(), at)));
    let size = || bytes(&to(&house));
    backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    let first = size();
    commit(&pen, &book::commit(pen.context(), 2_000));
    backup(&home(&house), PEER, &reader, &to(&house)).unwrap();
    assert!(size() < first + first / 4, "{first} bytes became {}", size());
}

fn bytes(folder: &Utf8Path) -> u64 {
    let entries = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap());
    let of = |entry: camino::Utf8DirEntry| match entry.file_type().unwrap().is_dir() {
        true => bytes(entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    entries.map(of).sum()
}
