//! The store and the simulator's model of one, given the same: they show the same.

use std::ops::{Bound, RangeBounds};

use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{AbsoluteDot, Counter, Register, SetItem, Stamp, Touched};
use mangrove_protocol::governance::Role;
use mangrove_protocol::graph::{Cause, Place, Status, Void};
use mangrove_protocol::id::{
    AuthorityId, ContextId, DeltaId, EpochId, Incarnation, LogId, PeerId, Plane, Seq, Tip,
};
use mangrove_protocol::log::LogRow;
use mangrove_protocol::op::{Key, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::replica::memory::Own;
use mangrove_protocol::request::RequestId;
use mangrove_protocol::view::{
    Batch, Counters, Entries, Feed, ForTable, Heads, History, Items, Keys, Leaning, Logs, Memory,
    Outbox, Owns, Places, Registers, RequestAges, Table, View, Waiting, for_every_table,
};
use mangrove_sim::dice::Dice;
use mangrove_sim::store::Store as Model;
use mangrove_store::{Direction, Pen, Reader, Snapshot, Writer};

use crate::house::{House, commit};

const CONTEXTS: usize = 3;

/// Few of everything, so that rows meet.
fn small(dice: &mut Dice) -> u8 {
    u8::try_from(dice.index(6)).unwrap()
}

fn id(dice: &mut Dice) -> DeltaId {
    DeltaId::from_bytes([small(dice) * 51; 32])
}

fn log(dice: &mut Dice) -> LogId {
    LogId {
        author: PeerId::from_bytes([small(dice); 32]),
        authority: AuthorityId::from_bytes([small(dice); 32]),
        incarnation: Incarnation::new(u64::MAX / u64::from(small(dice) + 1)),
        plane: if dice.below(2) == 0 { Plane::Data } else { Plane::Governance },
    }
}

fn seq(dice: &mut Dice) -> Seq {
    Seq::new([1, 2, 255, 256, 65_536, u64::MAX][usize::from(small(dice))]).unwrap()
}

fn tip(dice: &mut Dice) -> Tip {
    Tip { log: log(dice), seq: seq(dice), id: id(dice) }
}

fn text(dice: &mut Dice) -> String {
    ["", "a", "a\0", "a\0b", "ab", "\u{10ffff}"][usize::from(small(dice))].to_owned()
}

fn key(dice: &mut Dice) -> Key {
    Key::new(&text(dice)).unwrap()
}

fn value(dice: &mut Dice) -> Value {
    Value::new([&[][..], &[0], &[0, 1], &[0, 255], &[255], &[255, 0]][usize::from(small(dice))])
        .unwrap()
}

fn stamp(dice: &mut Dice) -> Stamp {
    Stamp { hlc: Hlc::new(dice.below(1 << 40), 0), delta: id(dice), op: 1 }
}

fn touched(dice: &mut Dice) -> Touched {
    Touched { writes: dice.below(9), last: stamp(dice), author: PeerId::from_bytes([1; 32]) }
}

fn cause(dice: &mut Dice) -> Cause {
    match dice.index(4) {
        0 => Cause::Parent(id(dice)),
        1 => Cause::Key(EpochId::from_bytes([small(dice); 32])),
        2 => Cause::Clock(Hlc::from_bits(u64::MAX / u64::from(small(dice) + 1))),
        _ => Cause::Version,
    }
}

fn place(dice: &mut Dice) -> Place {
    let status = match dice.index(3) {
        0 => Status::Applied { order: dice.below(100) },
        1 => Status::Void { order: dice.below(100), why: Void::Sealed },
        _ => Status::Parked { cause: cause(dice), since_ms: 5 },
    };
    let (log, seq, prev) = (log(dice), seq(dice), id(dice));
    Place { log, seq, prev, hlc: Hlc::new(7, 7), bytes: dice.below(1 << 20), told: true, status }
}

fn set<T: Table>(dice: &mut Dice, over: &mut Overlay<'_, Memory>, (key, row): (T::Key, T::Row)) {
    match dice.below(10) < 3 {
        true => over.remove::<T>(key),
        false => over.put::<T>(key, row),
    }
}

/// One change of one table.
fn change(dice: &mut Dice, over: &mut Overlay<'_, Memory>) {
    match dice.index(16) {
        0 => {
            let row = (dice.below(300), id(dice));
            set::<History>(dice, over, row);
        }
        1 => {
            let row = (id(dice), tip(dice));
            set::<Heads>(dice, over, row);
        }
        2 => {
            let row =
                Register { value: Some(value(dice)), stamp: stamp(dice), author: log(dice).author };
            let row = (key(dice), row);
            set::<Registers>(dice, over, row);
        }
        3 => {
            let row = (key(dice), Counter { sum: i128::MIN, touched: touched(dice) });
            set::<Counters>(dice, over, row);
        }
        4 => {
            let dots = [AbsoluteDot { delta: id(dice), op: 0 }].into();
            let row = ((key(dice), value(dice)), SetItem { dots, cancelled: Default::default() });
            set::<Items>(dice, over, row);
        }
        5 => {
            let row = ((cause(dice), id(dice)), ());
            set::<Waiting>(dice, over, row);
        }
        6 => {
            let row = ((log(dice), seq(dice), id(dice)), ());
            set::<Entries>(dice, over, row);
        }
        7 => {
            let stored = [(seq(dice), id(dice)), (seq(dice), id(dice))].into_iter().collect();
            let row = (log(dice), LogRow { stored, cited: true, ..LogRow::default() });
            set::<Logs>(dice, over, row);
        }
        8 => {
            let row = (id(dice), place(dice));
            set::<Places>(dice, over, row);
        }
        9 => {
            let row = (log(dice), [small(dice); 32]);
            set::<Leaning>(dice, over, row);
        }
        10 => {
            let epoch = mangrove_protocol::seal::EpochKey::from_bytes([small(dice); 32]);
            set::<Keys>(dice, over, (epoch.id(), epoch));
        }
        11 => {
            let member = PeerId::from_bytes([small(dice); 32]);
            let item = FeedItem::Member { member, role: Some(Role::Writer), by: member };
            let row = (dice.below(50), item);
            set::<Feed>(dice, over, row);
        }
        12 => {
            let row = (id(dice), ());
            set::<Outbox>(dice, over, row);
        }
        13 => {
            let request = RequestId { scope: text(dice), name: text(dice) };
            let row = ((dice.below(5), request), ());
            set::<RequestAges>(dice, over, row);
        }
        _ => {
            let row = Own { settled: dice.below(100), gov_said: vec![tip(dice)], ..Own::default() };
            over.put::<Owns>((), row);
        }
    }
}

fn batch(dice: &mut Dice) -> Batch {
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    for _ in 0..=dice.index(12) {
        change(dice, &mut over);
    }
    over.into_batch()
}

/// Compares a snapshot with a memory, table by table.
struct Comparison<'a> {
    snapshot: &'a Snapshot<'a>,
    memory: &'a Memory,
    dice: Dice,
    rows: usize,
}

impl ForTable for Comparison<'_> {
    fn table<T: Table>(&mut self) {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let forward = self.snapshot.rows::<T>(all, Direction::Forward);
        let forward: Vec<_> = forward.collect::<Result<_, _>>().unwrap();
        let wanted: Vec<_> =
            T::rows(self.memory).iter().map(|(key, row)| (key.clone(), row.clone())).collect();
        assert_eq!(forward, wanted, "{}", T::NAME);
        let reverse = self.snapshot.rows::<T>(all, Direction::Reverse);
        let reverse: Vec<_> = reverse.collect::<Result<_, _>>().unwrap();
        assert!(reverse.iter().eq(wanted.iter().rev()), "{} in reverse", T::NAME);
        self.rows += wanted.len();
        for _ in 0..4.min(wanted.len()) {
            let (key, _) = &wanted[self.dice.index(wanted.len())];
            let (other, _) = &wanted[self.dice.index(wanted.len())];
            let limit = self.dice.index(5);
            for bound in [Bound::Included(key), Bound::Excluded(key), Bound::Unbounded] {
                let found = View::scan::<T>(self.snapshot, bound, limit);
                assert_eq!(found, self.memory.scan::<T>(bound, limit), "{}", T::NAME);
                let found = View::last::<T>(self.snapshot, bound);
                assert_eq!(found, self.memory.last::<T>(bound), "{}", T::NAME);
                for until in [Bound::Included(other), Bound::Excluded(other)] {
                    self.check_between::<T>(bound, until);
                }
            }
            assert_eq!(View::get::<T>(self.snapshot, key), self.memory.get::<T>(key));
            assert_eq!(self.snapshot.get::<T>(key).unwrap(), self.memory.get::<T>(key));
        }
    }
}

impl Comparison<'_> {
    fn check_between<T: Table>(&self, from: Bound<&T::Key>, until: Bound<&T::Key>) {
        let found = self.snapshot.rows::<T>((from, until), Direction::Forward);
        let found: Vec<_> = found.map(Result::unwrap).map(|(key, _)| key).collect();
        let is_in = |key: &&T::Key| (from, until).contains(*key);
        let wanted: Vec<_> = T::rows(self.memory).keys().filter(is_in).cloned().collect();
        assert_eq!(found, wanted, "{} from {from:?} until {until:?}", T::NAME);
        let found = self.snapshot.rows::<T>((from, until), Direction::Reverse);
        assert!(found.map(Result::unwrap).map(|(key, _)| key).eq(wanted.into_iter().rev()));
    }
}

/// One row as it is now, also of a moment that has passed.
#[test]
fn a_row_is_read_as_it_is_now() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(context(0)).unwrap();
    let put = |order: u64, id: u8| {
        let nothing = Memory::default();
        let mut over = Overlay::new(&nothing);
        over.put::<History>(order, DeltaId::from_bytes([id; 32]));
        commit(&pen, &over.into_batch());
    };
    put(1, 1);
    let reading = reader.begin().unwrap();
    let before = reading.context(&context(0)).unwrap();
    put(1, 2);
    let (now, then) = (reading.get::<History>(&context(0), &1), before.get::<History>(&1));
    assert_eq!(now, Ok(Some(DeltaId::from_bytes([2; 32]))));
    assert_eq!(then, Ok(Some(DeltaId::from_bytes([1; 32]))));
    assert_eq!(reading.get::<History>(&context(0), &7), Ok(None));
    assert!(reading.get::<History>(&context(1), &1).is_err());
}

#[test]
fn a_scan_by_prefix_shows_what_begins_like_it() {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(context(0)).unwrap();
    let mut dice = Dice::new(1, &[3]);
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    for _ in 0..80 {
        let name = format!("{}{}", text(&mut dice), text(&mut dice));
        let row = Counter { sum: 1, touched: touched(&mut dice) };
        over.put::<Counters>(Key::new(&name).unwrap(), row);
    }
    let batch = over.into_batch();
    let mut memory = Memory::default();
    memory.apply(&batch);
    commit(&pen, &batch);
    let reading = reader.begin().unwrap();
    let snapshot = reading.context(&context(0)).unwrap();
    for prefix in ["", "a", "a\0", "ab", "a\0a", "b", "\u{10ffff}"] {
        let begins = mangrove_protocol::ordered::beginning(prefix);
        let wanted = Counters::rows(&memory).keys().filter(|key| key.as_str().starts_with(prefix));
        let wanted: Vec<_> = wanted.cloned().collect();
        let keys = |direction| {
            let rows = snapshot.prefixed::<Counters>(&begins, direction);
            rows.map(|row| row.unwrap().0).collect::<Vec<_>>()
        };
        assert_eq!(keys(Direction::Forward), wanted, "{prefix:?}");
        assert!(keys(Direction::Reverse).iter().eq(wanted.iter().rev()), "{prefix:?}");
    }
}

struct Two {
    house: House,
    model: Model,
    store: Option<(Writer, Reader)>,
    pens: Vec<Pen>,
    dice: Dice,
    compared: usize,
}

fn context(number: usize) -> ContextId {
    ContextId::from_bytes([u8::try_from(number).unwrap() * 85; 32])
}

impl Two {
    fn new(house: House, seed: u64) -> Self {
        let (model, dice) = (Model::new(CONTEXTS), Dice::new(seed, &[1]));
        let mut two = Self { house, model, store: None, pens: Vec::new(), dice, compared: 0 };
        two.open();
        // A context is known from its first commit on.
        for at in 0..CONTEXTS {
            two.write(at);
        }
        two
    }

    fn open(&mut self) {
        let (writer, reader) = self.house.open();
        self.pens = (0..CONTEXTS).map(|at| writer.pen(context(at)).unwrap()).collect();
        self.store = Some((writer, reader));
        self.model.open();
    }

    fn write(&mut self, at: usize) {
        let batch = batch(&mut self.dice);
        commit(&self.pens[at], &batch);
        self.model.write(at, batch);
    }

    fn compare(&mut self, snapshot: &Snapshot<'_>, memory: &Memory) {
        let dice = Dice::new(self.dice.below(1 << 30), &[2]);
        let mut comparison = Comparison { snapshot, memory, dice, rows: 0 };
        for_every_table(&mut comparison);
        self.compared += comparison.rows;
    }

    /// Snapshots that are taken midway show what was there then.
    fn run(&mut self) {
        for _ in 0..25 {
            let at = self.dice.index(CONTEXTS);
            let reading = self.store.as_ref().unwrap().1.begin().unwrap();
            let snapshot = reading.context(&context(at)).unwrap();
            let memory = self.model.written(at).unwrap().clone();
            for _ in 0..self.dice.index(8) {
                let at = self.dice.index(CONTEXTS);
                self.write(at);
            }
            self.compare(&snapshot, &memory);
            drop(snapshot);
            drop(reading);
            if self.dice.below(100) < 15 {
                self.pens.clear();
                self.store.take().unwrap().0.close();
                self.open();
            }
        }
    }
}

#[test]
fn the_store_and_its_model_show_the_same() {
    let mut compared = 0;
    for seed in 0..6 {
        let mut two = Two::new(House::new(), seed);
        two.run();
        compared += two.compared;
    }
    assert!(compared > 5_000, "{compared}");
}

#[test]
fn an_encrypted_store_and_the_model_show_the_same() {
    for seed in 100..103 {
        Two::new(House::encrypted(), seed).run();
    }
}
