//! The naive fold of a home: its deltas are found, opened and folded, and the home stays as it is.

use camino::Utf8Path;
use mangrove_cluster::{Dump, Kind, Shown, naive};
use mangrove_config::store::Store as Settings;
use mangrove_protocol::effect::{Input, ReplyTo};
use mangrove_protocol::fold::{Stamp, Table, refold};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Kind as OpKind, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::request::{Edit, Request};
use mangrove_protocol::view::Memory;
use mangrove_store::{Reader, Writer, open};
use serde_json::json;

use crate::place;

const NOW_MS: u64 = 1_767_225_600_000;

/// Has a node live in a home for a moment: it founds a context and makes each of these edits by itself.
/// Returns the context, and what the product's fold makes of it.
fn live(home: &Utf8Path, edits: Vec<Edit>) -> (String, Dump) {
    let (writer, reader) = open(&home.join("store"), &Settings::default(), None).unwrap();
    let mut count = 0_u8;
    let mut entropy = |bytes: &mut [u8]| {
        count = count.wrapping_add(1);
        bytes.fill(count);
    };
    let keys = NodeKeys::from_bytes(&[7; 64]);
    let founding = found(&keys, "home", NOW_MS - 1_000, &mut entropy).unwrap();
    let config = Config {
        context: founding[0].id().into(),
        keys,
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    let context = config.context;
    let from = config.keys.peer();
    let writes = edits.into_iter().map(|edit| Input::Write {
        request: Request { id: None, edits: vec![edit], conditions: Vec::new() },
        reply: ReplyTo(0),
    });
    let inputs = [Input::Deltas { from, deltas: founding }].into_iter().chain(writes);
    carry_out(config, inputs.chain([Input::Stop]), &mut entropy, (&writer, &reader));
    let reading = reader.begin().unwrap();
    let (table, _) = refold(&reading.context(&context).unwrap()).unwrap();
    drop(reading);
    writer.close();
    (context.to_string(), shown(&table))
}

fn carry_out(
    config: Config,
    inputs: impl Iterator<Item = Input>,
    entropy: &mut impl FnMut(&mut [u8]),
    (writer, reader): (&Writer, &Reader),
) {
    let context = config.context;
    let pen = writer.pen(context).unwrap();
    let mut replica = Replica::boot(config, NOW_MS, &Memory::default());
    for (at, input) in (0_u64..).zip(inputs) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let (reading, now_ms) = (reader.begin().unwrap(), NOW_MS + at);
            let effects = match reading.context(&context) {
                Ok(view) => replica.handle(input, now_ms, entropy, &view),
                Err(_) => replica.handle(input, now_ms, entropy, &Memory::default()),
            };
            if let Some(commit) = effects.commit {
                pen.commit(&commit.batch, commit.must_sync).unwrap().wait().unwrap();
                next = Some(Input::Committed);
            }
        }
    }
}

/// What is to be seen of a table of the product.
pub(crate) fn shown(table: &Table) -> Dump {
    let json =
        |value: &Value| serde_json::from_slice::<serde_json::Value>(value.as_bytes()).unwrap();
    let shown = |value: serde_json::Value, author: PeerId, stamp: Stamp| {
        let (author, delta) = (author.to_string(), stamp.delta.to_string());
        Shown { value, author, delta, marks: None }
    };
    let mut dump = Dump::default();
    for (key, row) in table.registers() {
        let Some(value) = &row.value else { continue };
        let it = shown(json(value), row.author, row.stamp);
        dump.entries.insert((Kind::Register, key.as_str().to_owned()), it);
    }
    for (key, row) in table.counters().iter().filter(|(_, row)| row.sum != 0) {
        let small = i64::try_from(row.sum).ok().filter(|sum| sum.unsigned_abs() <= 1 << 53);
        let value = small.map_or_else(|| json!(row.sum.to_string()), |small| json!(small));
        let it = shown(value, row.touched.author, row.touched.last);
        dump.entries.insert((Kind::Counter, key.as_str().to_owned()), it);
    }
    for (key, row) in table.sets().iter().filter(|(_, row)| row.items > 0) {
        let items = table.items()[key].iter().filter(|(_, item)| item.is_visible());
        let value = items.map(|(item, _)| json(item)).collect::<serde_json::Value>();
        let it = shown(value, row.touched.author, row.touched.last);
        dump.entries.insert((Kind::Set, key.as_str().to_owned()), it);
    }
    dump
}

fn edits() -> Vec<Edit> {
    let key = |text: &str| Key::new(text).unwrap();
    let value = |json: serde_json::Value| Value::new(json.to_string().as_bytes()).unwrap();
    let mut edits =
        (0..300).map(|at| Edit::Put(key(&format!("r{at}")), value(json!(at)))).collect();
    let more: &mut Vec<Edit> = &mut edits;
    more.push(Edit::Put(key("r7"), value(json!({ "again": [7] }))));
    more.push(Edit::Delete(OpKind::Register, key("r8")));
    more.extend((1..20).map(|by| Edit::Increment(key("sum"), by)));
    more.push(Edit::Increment(key("none"), 5));
    more.push(Edit::Delete(OpKind::Counter, key("none")));
    more.extend(["x", "y", "z"].map(|item| Edit::Insert(key("set"), value(json!(item)))));
    more.push(Edit::Remove(key("set"), value(json!("y"))));
    more.push(Edit::Insert(key("gone"), value(json!(1))));
    more.push(Edit::Delete(OpKind::Set, key("gone")));
    edits
}

#[test]
fn the_deltas_of_a_home_come_to_what_the_product_shows() {
    let place = place();
    let home = place.path("a");
    let (context, product) = live(&home, edits());
    let found = naive::read(&home, &context).unwrap();
    assert_eq!((found.void, found.parked), (0, 0));
    assert!(found.governance >= 2);
    let ops = found.written.iter().map(|it| it.ops.len());
    assert_eq!(ops.sum::<usize>(), edits().len());
    let naive = naive::fold(&found.written);
    naive.same("naive", ("product", &product)).unwrap();
    let of = |kind: Kind, key: &str| {
        naive.entries.get(&(kind, key.to_owned())).map(|shown| shown.value.clone())
    };
    assert_eq!(of(Kind::Register, "r7"), Some(json!({ "again": [7] })));
    assert_eq!(of(Kind::Counter, "sum"), Some(json!(190)));
    assert_eq!(of(Kind::Set, "set"), Some(json!(["x", "z"])));
    let gone = [(Kind::Register, "r8"), (Kind::Counter, "none"), (Kind::Set, "gone")];
    assert!(gone.iter().all(|(kind, key)| of(*kind, key).is_none()), "{naive}");
}

#[test]
fn one_delta_less_is_a_difference() {
    let place = place();
    let home = place.path("a");
    let (context, product) = live(&home, edits());
    let found = naive::read(&home, &context).unwrap();
    let fewer = |without: usize| {
        let mut written = found.written.clone();
        written.remove(without);
        naive::fold(&written).same("naive", ("product", &product))
    };
    let differing = (0..found.written.len()).filter(|at| fewer(*at).is_err()).count();
    assert!(differing > 250, "{differing} of {} would be missed", found.written.len());
}

#[test]
fn a_home_that_is_read_stays_as_it_is_and_what_is_wrong_is_told() {
    let place = place();
    let home = place.path("a");
    let (context, _) = live(&home, edits());
    assert_eq!(naive::read(&home, &context), naive::read(&home, &context));
    let other = "a".repeat(52);
    let unknown = naive::read(&home, &other).unwrap_err().to_string();
    assert!(unknown.contains("knows no such context"), "{unknown}");
    assert!(naive::read(&home, "shared").is_err(), "a name is no context");
    assert!(naive::read(&home.join("none"), &context).is_err());
}
