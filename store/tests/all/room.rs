//! A disk without room: writes are refused, reads go on, and it goes away by itself.

use std::process::Command;

use mangrove_config::failpoint;
use mangrove_store::{Health, NotTaken, WriteError};

use crate::book;
use crate::child::{CONTEXTS, Child, PROGRAM};
use crate::house::{House, commit, count};

/// A disk of 96 MiB in memory that only this process and its children see; something on it is in the way, until
/// a line is read. After another line the writer is killed and what it left is counted.
const SCRIPT: &str = r#"
    set -e
    mount -t tmpfs -o size=96m none "$1"
    head -c 80m /dev/zero > "$1/in-the-way"
    "$2" "$1/store" fsync "$3" 0 &
    writer=$!
    read -r line
    rm "$1/in-the-way"
    read -r line
    kill -9 $writer
    wait $writer || true
    "$2" "$1/store" count "$3" 0
"#;

#[test]
fn a_disk_that_fills_up_refuses_and_is_well_again_once_there_is_room() {
    let house = House::new();
    std::fs::create_dir(house.path()).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"]);
    command.args([house.path().as_str(), PROGRAM, &CONTEXTS.to_string()]);
    let mut child = Child::start(command);
    while child.complaints.is_empty() {
        assert!(child.read(), "it ended before the disk was full");
    }
    // Refused, again and again, and nothing worse.
    while child.complaints.len() < 40 {
        assert!(child.read(), "{:?}", child.complaints);
    }
    child.tell("make room");
    child.read_more(2_000);
    let known = ["the disk is full", "the database was opened anew"];
    let unknown = child.complaints.iter().find(|why| !known.contains(&why.as_str()));
    assert_eq!(unknown, None);
    child.tell("end");
    // What was acknowledged before the kill is heard as well; then the counts come.
    check_counts(&child.end());
}

/// Everything that was acknowledged is there.
fn check_counts(child: &Child) {
    for number in 1..=CONTEXTS {
        let (found, least) = (child.counted[&number], child.acknowledged[&number] + 1);
        assert!((least..=least + 1).contains(&found), "{number} has {found} commits of {least}");
    }
}

/// The same disk, several times: nearly full at first, then with a little more room, and then the writer is killed.
const KILLS: &str = r#"
    set -e
    mount -t tmpfs -o size=96m none "$1"
    for room in 16 30; do
        head -c $((96 - room))m /dev/zero > "$1/in-the-way" || true
        "$2" "$1/store" fsync "$3" 0 &
        writer=$!
        read -r line
        truncate -s -6M "$1/in-the-way"
        read -r line
        kill -9 $writer
        wait $writer || true
        rm "$1/in-the-way"
        "$2" "$1/store" count "$3" 0
    done
"#;

/// The database tries to go on by itself when there is a little room, and must not make half of it durable.
#[test]
fn who_is_killed_while_the_disk_is_full_has_lost_nothing() {
    let house = House::new();
    std::fs::create_dir(house.path()).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", KILLS, "sh"]);
    command.args([house.path().as_str(), PROGRAM, &CONTEXTS.to_string()]);
    let mut child = Child::start(command);
    for round in 0..2 {
        // Long enough for the database to look whether there is room again.
        for complaints in [20, 160] {
            child.complaints.clear();
            while child.complaints.len() < complaints {
                assert!(child.read(), "round {round}: {:?}", child.complaints);
            }
            child.tell("go on");
        }
        child.counted.clear();
        while child.counted.len() < usize::from(CONTEXTS) {
            assert!(child.read(), "round {round}: {:?}", child.complaints);
        }
        let known = ["the disk is full", "the database was opened anew"];
        let unknown = child.complaints.iter().find(|why| !known.contains(&why.as_str()));
        assert_eq!(unknown, None, "round {round}");
        check_counts(&child);
        for (number, found) in child.counted.clone() {
            child.acknowledged.insert(number, found - 1);
        }
    }
}

#[test]
fn with_too_little_room_writes_are_refused_and_reads_go_on() {
    let mut house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    commit(&pen, &book::commit(pen.context(), 0));
    drop(pen);
    writer.close();
    drop(reader);
    // More than there is.
    house.settings.min_free_mib = 1 << 30;
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    let batch = book::commit(pen.context(), 1);
    assert_eq!(pen.commit(&batch, false).unwrap().wait().err(), Some(WriteError::Full));
    assert_eq!(reader.health(), Health::Full);
    let refused = pen.commit(&batch, false).err();
    assert_eq!(refused, Some(NotTaken::Refused(WriteError::Full)), "it is refused at once");
    assert_eq!(count(&reader, book::context(1)), Ok(1));
}

/// Nobody has to ask for it to be noticed.
#[test]
fn a_disk_that_has_room_again_is_noticed_by_itself() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    let batch = book::commit(pen.context(), 0);
    failpoint::global().set_all("store.no_room=true").unwrap();
    assert_eq!(pen.commit(&batch, false).unwrap().wait().err(), Some(WriteError::Full));
    let mut health = reader.watch();
    assert_eq!(*health.borrow(), Health::Full);
    failpoint::global().set_all("store.no_room").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(health.wait_for(|health| *health == Health::Well)).unwrap();
    pen.commit(&batch, false).unwrap().wait().unwrap();
}
