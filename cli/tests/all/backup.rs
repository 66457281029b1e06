//! `mangrove backup`, `restore` and `check`: a home that is lost comes back, and one that is damaged is
//! found out.

use std::fs;

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::effect::{Input, ReplyTo};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::request::{Edit, Request};
use mangrove_protocol::view::Memory;
use mangrove_store::open;
use mangrove_store::seal::DataKey;

use crate::run::Place;

const NOW_MS: u64 = 1_767_225_600_000;

/// Has a node live in a home for a moment: it founds a context and writes to it.
fn live(home: &Utf8Path, key: Option<&DataKey>) {
    let (writer, reader) = open(&home.join("store"), &Settings::default(), key).unwrap();
    let keys = NodeKeys::from_bytes(&[7; 64]);
    let mut count = 0_u8;
    let mut entropy = |bytes: &mut [u8]| {
        count = count.wrapping_add(1);
        bytes.fill(count);
    };
    let founding = found(&keys, "home", NOW_MS - 1_000, &mut entropy).unwrap();
    let config = Config {
        context: founding.first().unwrap().id().into(),
        keys,
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    let pen = writer.pen(config.context).unwrap();
    let (from, context) = (config.keys.peer(), config.context);
    let mut replica = Replica::boot(config, NOW_MS, &Memory::default());
    let edit =
        |at: u8| Edit::Put(Key::new(&at.to_string()).unwrap(), Value::new(&[at; 99]).unwrap());
    let request = |at| Request { id: None, edits: vec![edit(at)], conditions: Vec::new() };
    let writes = (0..50).map(|at| Input::Write { request: request(at), reply: ReplyTo(0) });
    let inputs = [Input::Deltas { from, deltas: founding }].into_iter().chain(writes);
    for (at, input) in inputs.chain([Input::Stop]).enumerate() {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let reading = reader.begin().unwrap();
            let now_ms = NOW_MS + at as u64;
            let effects = match reading.context(&context) {
                Ok(view) => replica.handle(input, now_ms, &mut entropy, &view),
                Err(_) => replica.handle(input, now_ms, &mut entropy, &Memory::default()),
            };
            if let Some(commit) = effects.commit {
                pen.commit(&commit.batch, commit.must_sync).unwrap().wait().unwrap();
                next = Some(Input::Committed);
            }
        }
    }
    drop(pen);
    writer.close();
}

#[test]
fn a_home_that_is_lost_comes_back_from_its_backup() {
    let place = Place::new();
    let home = place.init();
    live(&home, None);
    let made = place.run(&["backup", "B", "--home", "X", "--json"]).succeeded().json();
    assert_eq!(made["contexts"], 1);
    place.run(&["backup", "B", "--home", "X"]).succeeded();
    let restored = place.run(&["restore", "B", "--home", "Y", "--json"]).succeeded().json();
    for name in ["node.key", "config.toml", "home.toml"] {
        let [before, after] = ["X", "Y"].map(|home| place.path(&format!("{home}/{name}")));
        assert_eq!(fs::read(before).unwrap(), fs::read(after).unwrap(), "{name}");
    }
    let tokens = ["X", "Y"].map(|home| place.path(&format!("{home}/api.token")));
    let [before, after] = tokens.map(|path| fs::read_to_string(path).unwrap());
    assert!(before != after && after.starts_with("mgt_"));
    assert!(
        fs::read_to_string(place.path("Y/node.key"))
            .unwrap()
            .contains(restored["peer"].as_str().unwrap())
    );
    let [kept, found] = ["X", "Y"].map(|home| {
        let run = place.run(&["check", "--deep", "--home", home, "--json"]);
        run.succeeded().json()["rows"].clone()
    });
    assert!(kept == found && kept.as_u64().unwrap() > 200, "{kept} {found}");
}

#[test]
fn an_encrypted_home_stays_encrypted_under_its_passphrase() {
    let place = Place::new();
    let phrase = place.write("phrase", "open sesame\n");
    let with = ["--passphrase-file", phrase.as_str()];
    place.run(&[&["init", "--encrypt", "--home", "X"][..], &with].concat()).succeeded();
    let wrapped = fs::read(place.path("X/data.key")).unwrap();
    live(&place.path("X"), Some(&DataKey::unwrap(&wrapped, b"open sesame").unwrap()));
    place.run(&[&["backup", "B", "--home", "X"][..], &with].concat()).succeeded();
    place.run(&["restore", "B", "--home", "Y"]).succeeded();
    place.run(&[&["check", "--deep", "--home", "Y"][..], &with].concat()).succeeded();
    let run = place.run(&["check", "--home", "Y"]);
    assert_eq!(run.code, Some(5), "it cannot be looked at without");
    let wrong = place.write("wrong", "simsim");
    let run = place.run(&["check", "--home", "Y", "--passphrase-file", wrong.as_str()]);
    assert_eq!(run.code, Some(5));
    assert!(run.stderr.contains("the passphrase does not open this home"), "{}", run.stderr);
}

#[test]
fn a_damaged_home_is_found_out() {
    let place = Place::new();
    let home = place.init();
    place.run(&["check", "--home", "X"]).succeeded();
    live(&home, None);
    // Opening moves what is in the log to tables.
    open(&home.join("store"), &Settings::default(), None).unwrap().0.close();
    let tables = home.join("store").read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
    let table = tables
        .filter(|path| path.extension() == Some("sst"))
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let table = table.unwrap();
    let mut bytes = fs::read(&table).unwrap();
    bytes[200] ^= 1;
    fs::write(&table, bytes).unwrap();
    let run = place.run(&["check", "--home", "X", "--json"]);
    assert_eq!(run.code, Some(1));
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "storage");
    assert!(!error["data"]["findings"].as_array().unwrap().is_empty(), "{error}");
    let run = place.run(&["check", "--home", "X"]);
    assert!(run.stderr.contains("is damaged in") && run.stderr.contains("hint:"), "{}", run.stderr);
}

#[test]
fn what_stands_in_the_way_is_said() {
    let place = Place::new();
    let home = place.init();
    place.write("letter.txt", "dear");
    let failed = |args: &[&str], code: i32, words: &str| {
        let run = place.run(args);
        assert_eq!(run.code, Some(code), "{args:?}");
        assert!(run.stderr.contains(words) && run.stderr.contains("hint:"), "{}", run.stderr);
    };
    failed(&["backup", ".", "--home", "X"], 1, "holds something that is no backup");
    failed(&["restore", ".", "--home", "Y"], 4, "is no backup");
    assert!(!place.path("Y").exists(), "nothing is left behind");
    failed(&["backup", "B", "--home", "Y"], 4, "there is no home");
    place.run(&["backup", "B", "--home", "X"]).succeeded();
    failed(&["restore", "B", "--home", "X"], 1, "it is a home already");
    let (_writer, _reader) = open(&home.join("store"), &Settings::default(), None).unwrap();
    failed(&["backup", "B", "--home", "X"], 1, "is in use by process");
    failed(&["check", "--home", "X"], 1, "is in use by process");
}
