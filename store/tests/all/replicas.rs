//! A replica over the store does what one over a memory does, also after a restart.

use mangrove_protocol::effect::{Effect, Input, ReplyTo};
use mangrove_protocol::id::ContextId;
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config, Durability, Mode, Replica, found};
use mangrove_protocol::request::{Edit, Request, RequestId};
use mangrove_protocol::view::{ForTable, Memory, Table, View, every, for_every_table};
use mangrove_sim::dice::Dice;
use mangrove_sim::store::Store as Model;
use mangrove_store::{Pen, Reader, Snapshot, Writer};

use crate::house::House;

const NOW_MS: u64 = 1_767_225_600_000;

/// What is written, and what it is read from.
enum Place<'s> {
    Model(Model),
    Store(&'s Pen, &'s Reader),
}

struct Node<'s> {
    config: Config,
    replica: Replica,
    place: Place<'s>,
    dice: Dice,
    now_ms: u64,
    /// What it wanted done, in words.
    said: Vec<String>,
}

fn with_snapshot<T>(
    reader: &Reader,
    id: ContextId,
    look: impl FnOnce(Option<&Snapshot<'_>>) -> T,
) -> T {
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&id).ok();
    look(snapshot.as_ref())
}

fn boot(config: &Config, place: &Place<'_>, now_ms: u64) -> Replica {
    match place {
        Place::Model(model) => Replica::boot(config.clone(), now_ms, model.synced(0).unwrap()),
        Place::Store(_, reader) => with_snapshot(reader, config.context, |view| match view {
            Some(view) => Replica::boot(config.clone(), now_ms, view),
            None => Replica::boot(config.clone(), now_ms, &Memory::default()),
        }),
    }
}

impl<'s> Node<'s> {
    fn new(config: Config, place: Place<'s>) -> Self {
        let replica = boot(&config, &place, NOW_MS);
        let dice = Dice::new(5, &[5]);
        Self { config, replica, place, dice, now_ms: NOW_MS, said: Vec::new() }
    }

    fn reboot(&mut self) {
        self.replica = boot(&self.config, &self.place, self.now_ms);
    }

    fn handle(&mut self, input: Input) -> mangrove_protocol::effect::Effects {
        let Self { replica, dice, now_ms, place, config, .. } = self;
        let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
        match place {
            Place::Model(model) => {
                replica.handle(input, *now_ms, &mut entropy, model.synced(0).unwrap())
            }
            Place::Store(_, reader) => with_snapshot(reader, config.context, |view| match view {
                Some(view) => replica.handle(input, *now_ms, &mut entropy, view),
                None => replica.handle(input, *now_ms, &mut entropy, &Memory::default()),
            }),
        }
    }

    /// So many commits, and no more.
    fn feed_some(&mut self, input: Input, commits: usize) {
        let mut next = self.handle(input).commit;
        for _ in 0..commits {
            let Some(commit) = next.take() else { return };
            let Place::Store(pen, _) = &self.place else { unreachable!() };
            pen.commit(&commit.batch, commit.must_sync).unwrap().wait().unwrap();
            next = self.handle(Input::Committed).commit;
        }
        assert!(next.is_some(), "there is more to do");
    }

    fn feed(&mut self, input: Input) {
        let mut input = Some(input);
        while let Some(next) = input.take() {
            self.now_ms += 1;
            let effects = self.handle(next);
            self.hear(&effects.now);
            if let Some(commit) = effects.commit {
                let held = match &mut self.place {
                    Place::Model(model) => {
                        let ticket = model.write(0, commit.batch);
                        commit.held.release(&model.sync(ticket).unwrap())
                    }
                    Place::Store(pen, _) => {
                        let receipt = pen.commit(&commit.batch, commit.must_sync).unwrap();
                        commit.held.release(&receipt.wait().unwrap())
                    }
                };
                self.hear(&held);
                input = Some(Input::Committed);
            }
        }
    }

    fn hear(&mut self, effects: &[Effect]) {
        self.said.extend(effects.iter().map(|effect| format!("{effect:?}")));
    }

    /// Founds its context, writes a good deal, starts again now and then.
    fn live(&mut self, founding: &[mangrove_protocol::delta::Delta]) {
        let from = self.config.keys.peer();
        self.feed(Input::Deltas { from, deltas: founding.to_vec() });
        for round in 0..60 {
            let request = request(round);
            self.feed(Input::Write { request, reply: ReplyTo(round) });
            if round % 13 == 12 {
                self.reboot();
                self.feed(Input::Tick);
            }
        }
        self.feed(Input::Rebuild);
        for _ in 0..20 {
            self.feed(Input::Tick);
        }
        self.feed(Input::Stop);
    }
}

fn request(round: u64) -> Request {
    let key = Key::new(&format!("key {}", round % 7)).unwrap();
    let value = Value::new(&[u8::try_from(round).unwrap(); 10]).unwrap();
    let edits = match round % 4 {
        0 => vec![Edit::Put(key, value)],
        1 => vec![Edit::Increment(key, 5)],
        2 => vec![Edit::Insert(key.clone(), value.clone()), Edit::Put(key, value)],
        _ => vec![Edit::Remove(key, value), Edit::Emit("event".to_owned(), vec![1])],
    };
    let id = RequestId { scope: "test".to_owned(), name: round.to_string() };
    Request { id: Some(id), edits, conditions: Vec::new() }
}

struct Same<'a>(&'a Snapshot<'a>, &'a Memory, usize);

impl ForTable for Same<'_> {
    fn table<T: Table>(&mut self) {
        let (stored, model): (Vec<_>, Vec<_>) =
            (every::<T, _>(self.0).collect(), every::<T, _>(self.1).collect());
        assert_eq!(stored, model, "{}", T::NAME);
        self.2 += usize::from(!stored.is_empty());
    }
}

/// Has a replica live in a house for a while, and leave; returns its context.
pub(crate) fn lived(house: &House) -> ContextId {
    lived_until(house, false)
}

/// The same; it may leave in the middle of making its state anew.
pub(crate) fn lived_until(house: &House, rebuilding: bool) -> ContextId {
    let (writer, reader) = house.open();
    let (config, founding) = config();
    let pen = writer.pen(config.context).unwrap();
    let context = config.context;
    let mut node = Node::new(config, Place::Store(&pen, &reader));
    node.live(&founding);
    if rebuilding {
        node.reboot();
        node.feed_some(Input::Rebuild, 1);
    }
    context
}

/// The node of these tests, and what founds its context.
pub(crate) fn config() -> (Config, Vec<mangrove_protocol::delta::Delta>) {
    let keys = NodeKeys::from_bytes(&[7; 64]);
    let mut dice = Dice::new(9, &[9]);
    let mut entropy = |bytes: &mut [u8]| dice.fill(bytes);
    let founding = found(&keys, "home", NOW_MS - 1_000, &mut entropy).unwrap();
    let config = Config {
        context: founding[0].id().into(),
        keys,
        mode: Mode::Full,
        durability: Durability::Fsync,
        bounds: Bounds::default(),
        planted: Planted::default(),
    };
    (config, founding)
}

fn check(house: &House) {
    let (writer, reader): (Writer, Reader) = house.open();
    let (config, founding) = config();
    let pen = writer.pen(config.context).unwrap();
    let mut model = Node::new(config.clone(), Place::Model(Model::new(1)));
    let mut stored = Node::new(config.clone(), Place::Store(&pen, &reader));
    model.live(&founding);
    stored.live(&founding);
    assert!(model.said.len() > 100);
    assert_eq!(model.said, stored.said);
    let Place::Model(memory) = &model.place else { unreachable!() };
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&config.context).unwrap();
    let mut same = Same(&snapshot, memory.synced(0).unwrap(), 0);
    for_every_table(&mut same);
    assert!(same.2 >= 14, "only {} tables hold anything", same.2);
    let own = View::get::<mangrove_protocol::view::Owns>(&snapshot, &());
    assert!(own.unwrap().clean);
}

#[test]
fn a_replica_over_the_store_is_one_over_a_memory() {
    check(&House::new());
}

#[test]
fn the_same_in_an_encrypted_home() {
    check(&House::encrypted());
}
