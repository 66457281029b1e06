//! What lies in a folder opens, or says why not.

use std::fs;

use mangrove_store::{FORMAT, Health, NotTaken, OpenError, ReadError, Taken, WriteError};

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

/// Whoever writes next sees what came of what was handed in before.
#[test]
fn a_context_is_free_once_all_that_was_handed_in_is_answered() {
    let house = House::new();
    let (writer, reader) = house.open();
    let context = book::context(1);
    for at in 0..200 {
        let pen = writer.pen(context).unwrap();
        assert_eq!(count(&reader, context), Ok(at));
        let receipt = pen.commit(&book::commit(context, at), false).unwrap();
        drop(pen);
        // It may be answered by now, or not.
        if let Ok(early) = writer.pen(context) {
            assert_eq!(count(&reader, context), Ok(at + 1));
            drop(early);
        }
        receipt.wait().unwrap();
    }
}

#[test]
fn a_context_that_is_forgotten_and_comes_back_at_once_loses_nothing() {
    let house = House::new();
    let (writer, reader) = house.open();
    let context = book::context(1);
    for round in 1..20 {
        let pen = writer.pen(context).unwrap();
        (0..round).for_each(|at| commit(&pen, &book::commit(context, at)));
        assert_eq!(count(&reader, context), Ok(round));
        pen.forget().unwrap().wait().unwrap();
    }
    let pen = writer.pen(context).unwrap();
    commit(&pen, &book::commit(context, 0));
    drop(pen);
    writer.close();
    assert_eq!(count(&house.open().1, context), Ok(1));
}

#[test]
fn a_store_that_has_lost_the_file_it_is_opened_by_is_no_new_one() {
    let house = House::new();
    let (writer, _reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    commit(&pen, &book::commit(pen.context(), 0));
    drop(pen);
    writer.close();
    fs::remove_file(house.path().join("CURRENT")).unwrap();
    for _ in 0..2 {
        assert!(matches!(house.try_open(), Err(OpenError::Damaged { .. })));
    }
}

#[test]
fn a_store_can_be_closed_where_tasks_run() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = House::new();
    runtime.block_on(async {
        let (writer, reader) = house.open();
        let pen = writer.pen(book::context(1)).unwrap();
        for at in 0..10 {
            let batch = book::commit(pen.context(), at);
            pen.commit_in_turn(&batch, false).await.unwrap().await.unwrap();
        }
        assert_eq!(count(&reader, book::context(1)), Ok(10));
        drop(writer);
        let late = pen.commit_in_turn(&book::commit(pen.context(), 10), false).await;
        assert_eq!(late.err(), Some(NotTaken::Refused(WriteError::Closed)));
    });
}

/// After a clean stop nothing that was written is in a log alone.
#[test]
fn a_clean_stop_leaves_no_log_behind() {
    let house = House::new();
    let (writer, _reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    (0..50).for_each(|at| commit(&pen, &book::commit(pen.context(), at)));
    drop(pen);
    writer.close();
    for entry in house.path().read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension() == Some("log") {
            fs::write(entry.path(), b"").unwrap();
        }
    }
    assert_eq!(count(&house.open().1, book::context(1)), Ok(50));
}

#[test]
fn a_context_has_one_commit_on_its_way_at_a_time() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    let (mut next, mut refused) = (0, 0);
    while refused < 20 {
        let receipt = pen.commit(&book::commit(pen.context(), next), false).unwrap();
        next += 1;
        match pen.commit(&book::commit(pen.context(), next), false) {
            Err(why) => {
                assert_eq!(why, NotTaken::InFlight);
                refused += 1;
            }
            // The one before was answered already.
            Ok(second) => {
                second.wait().unwrap();
                next += 1;
            }
        }
        receipt.wait().unwrap();
        assert_eq!(count(&reader, pen.context()), Ok(next));
    }
}

/// What is left then holds nothing that anybody was told of.
#[test]
fn a_first_start_that_is_ended_early_is_begun_again() {
    let house = House::new();
    house.open().0.close();
    let beginnings = ["MANIFEST", "OPTIONS", "IDENTITY", "LOCK", "LOG"];
    for entry in house.path().read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        if !beginnings.iter().any(|name| entry.file_name().starts_with(name)) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    commit(&pen, &book::commit(pen.context(), 0));
    assert_eq!(count(&reader, pen.context()), Ok(1));
}

/// A trim that is on its way when a commit waits for its place is not undone by it.
#[test]
fn a_commit_in_turn_keeps_what_was_trimmed_meanwhile() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut house = House::new();
    house.settings.queue = 1;
    runtime.block_on(async {
        let (writer, reader) = house.open();
        let pen = writer.pen(book::context(1)).unwrap();
        for at in 0..30 {
            let batch = book::commit(pen.context(), at);
            pen.commit_in_turn(&batch, false).await.unwrap().await.unwrap();
        }
        let trim = pen.trim_feed(10, &reader).unwrap().unwrap();
        let batch = book::commit(pen.context(), 30);
        // Refused if the trim is still on its way when there is a place.
        if let Ok(receipt) = pen.commit_in_turn(&batch, false).await {
            receipt.await.unwrap();
        }
        trim.await.unwrap();
        let reading = reader.begin().unwrap();
        let snapshot = reading.context(&pen.context()).unwrap();
        assert_eq!(snapshot.feed_start().unwrap().next, 10);
    });
}
