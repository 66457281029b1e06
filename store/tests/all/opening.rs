//! What lies in a folder opens, or says why not.

use std::fs;

use mangrove_store::{FORMAT, Health, OpenError, ReadError, Taken};

use crate::book;
use crate::house::{House, commit, count};

#[test]
fn what_was_written_is_there_after_the_next_start() {
    let house = House::new();
    for start in 0..4 {
        let (writer, reader) = house.open();
        assert_eq!(count(&reader, book::context(1)), Ok(start * 10));
        let pen = writer.pen(book::context(1)).unwrap();
        (start * 10..start * 10 + 10).for_each(|at| commit(&pen, &book::commit(pen.context(), at)));
        drop(pen);
        writer.close();
        assert_eq!(reader.begin().err(), Some(ReadError::Closed));
    }
    let (_, reader) = house.open();
    assert_eq!(reader.contexts(), [book::context(1)]);
}

#[test]
fn a_second_one_is_told_who_has_it_open() {
    let house = House::new();
    let (writer, _reader) = house.open();
    let Err(OpenError::InUse { by, .. }) = house.try_open() else { panic!("it opened twice") };
    assert_eq!(by, std::process::id().to_string());
    writer.close();
}

#[test]
fn a_context_has_one_writer_at_a_time() {
    let house = House::new();
    let (writer, _reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    assert_eq!(writer.pen(book::context(1)).err(), Some(Taken));
    writer.pen(book::context(2)).unwrap();
    drop(pen);
    writer.pen(book::context(1)).unwrap();
}

#[test]
fn contexts_do_not_touch_each_other_and_one_that_is_forgotten_is_gone() {
    let house = House::new();
    let contexts = [1, 2, 3].map(book::context);
    {
        let (writer, reader) = house.open();
        let pens = contexts.map(|context| writer.pen(context).unwrap());
        assert_eq!(reader.contexts(), [], "nothing of them is there yet");
        for at in 0..20 {
            pens.iter().for_each(|pen| commit(pen, &book::commit(pen.context(), at)));
        }
        let [_first, second, _third] = pens;
        second.forget().unwrap().wait().unwrap();
        let counts = contexts.map(|context| count(&reader, context));
        assert_eq!(counts, [Ok(20), Ok(0), Ok(20)]);
        let pen = writer.pen(contexts[1]).unwrap();
        commit(&pen, &book::commit(contexts[1], 0));
        assert_eq!(count(&reader, contexts[1]), Ok(1), "it may come back, and begins anew");
    }
    let (_writer, reader) = house.open();
    assert_eq!(contexts.map(|context| count(&reader, context)), [Ok(20), Ok(1), Ok(20)]);
}

#[test]
fn a_store_of_a_later_version_is_refused_with_both_versions() {
    let house = House::new();
    house.open().0.close();
    house.set_format(FORMAT + 6);
    let Err(why) = house.try_open() else { panic!("it opened") };
    let newer = matches!(why, OpenError::Newer { found, known, .. } if (found, known) == (FORMAT + 6, FORMAT));
    assert!(newer, "{why}");
}

#[test]
fn what_is_no_store_is_not_taken_for_an_empty_one() {
    let house = House::new();
    house.open().0.close();
    let path = house.path();
    let manifest = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let manifest = manifest.filter(|path| path.to_string_lossy().contains("MANIFEST"));
    manifest.for_each(|path| fs::write(path, b"garbage").unwrap());
    assert!(matches!(house.try_open(), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_store_that_is_well_says_so() {
    let house = House::new();
    let (writer, reader) = house.open();
    assert_eq!(reader.health(), Health::Well);
    let mut registry = prometheus_client::registry::Registry::default();
    reader.register(&mut registry);
    let pen = writer.pen(book::context(1)).unwrap();
    commit(&pen, &book::commit(pen.context(), 0));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("store_commits_total 1\n"), "{text}");
    assert!(text.contains("# HELP store_memtable_bytes"), "{text}");
}
