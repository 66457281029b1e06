//! Whatever happens to a node, and however little room it has, its tables agree with each other and
//! with what it keeps in memory.

use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::fold::FOLD_VERSION;
use mangrove_protocol::graph::Status;
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::op::Kind;
use mangrove_protocol::replica::beat::Heartbeat;
use mangrove_protocol::replica::{Bounds, Config, Durability};
use mangrove_protocol::request::{Condition, Edit, Expect};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crank::{
    Crank, Dice, arrival, call, config, named, on_condition, published, put, write,
};
use crate::dag::{LATE_EPOCH, Past, any_past};
use crate::make::{epoch, key, keys, value};
use crate::tables;

/// One of the authors of generated pasts, in a life of its own.
const NODE: u8 = 3;

/// What may happen next.
#[derive(Debug, Clone)]
enum Event {
    Arrive { from: usize, count: usize },
    ArriveInAnyOrder { seed: u64, count: usize },
    Write { what: u8 },
    Key,
    Later { ms: u64 },
    Beat { ahead_ms: u64 },
    Published,
    Ahead,
    Land,
    Reboot,
    Stop,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..100_usize, 1..40_usize).prop_map(|(from, count)| Event::Arrive { from, count }),
        4 => (any::<u64>(), 1..60_usize)
            .prop_map(|(seed, count)| Event::ArriveInAnyOrder { seed, count }),
        6 => (0..8_u8).prop_map(|what| Event::Write { what }),
        1 => Just(Event::Key),
        2 => (0..200_000_u64).prop_map(|ms| Event::Later { ms }),
        1 => (0..2_u64).prop_map(|ahead| Event::Beat { ahead_ms: ahead * 100_000 }),
        2 => Just(Event::Published),
        4 => Just(Event::Ahead),
        6 => Just(Event::Land),
        2 => Just(Event::Reboot),
        1 => Just(Event::Stop),
    ]
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (1..4_usize, 0..6_000_u64, 0..6_000_u64, 600..6_000_u64, 600..9_000_u64, 1..5_usize).prop_map(
        |(writes, arrived_bytes, loose_bytes, parked_bytes_per_member, parked_bytes, logs)| {
            Bounds {
                writes,
                write_bytes: arrived_bytes / 8,
                arrived_bytes: arrived_bytes + 1_500,
                deltas_per_step: writes * 3,
                loose_bytes,
                parked_bytes_per_member,
                parked_bytes,
                logs_per_authority: logs,
                writes_ahead: 1,
                ..Bounds::default()
            }
        },
    )
}

/// A node, what it is given, and what it has said to the mesh.
struct Run {
    crank: Crank,
    past: Past,
    out: Vec<Effect>,
    asked: u64,
}

impl Run {
    fn call(what: u8) -> mangrove_protocol::request::Request {
        let absent = Condition { kind: Kind::Set, key: key("s"), expect: Expect::Absent };
        match what {
            0 => call(vec![put("k0", "own")]),
            1 => call(vec![Edit::Insert(key("k1"), value("0"))]),
            2 => call(vec![Edit::Delete(Kind::Set, key("k1"))]),
            3 => call(vec![Edit::Delete(Kind::Counter, key("k2"))]),
            4 => on_condition(vec![absent], vec![Edit::Insert(key("s"), value("i"))]),
            5 => named("once", vec![Edit::Increment(key("n"), 1)]),
            6 => call(vec![Edit::Remove(key("k0"), value("1"))]),
            _ => call(vec![Edit::Emit("e".to_owned(), vec![1])]),
        }
    }

    fn happen(&mut self, event: &Event) {
        let deltas = &self.past.deltas;
        let input = match event {
            Event::Arrive { from, count } => {
                arrival(&deltas.iter().skip(*from).take(*count).cloned().collect::<Vec<_>>())
            }
            Event::ArriveInAnyOrder { seed, count } => {
                let mut some = deltas.clone();
                Dice::new(*seed).shuffle(&mut some);
                some.truncate(*count);
                arrival(&some)
            }
            Event::Write { what } => {
                self.asked += 1;
                write(self.asked, Self::call(*what))
            }
            Event::Key => Input::Key(epoch(LATE_EPOCH)),
            Event::Later { ms } => {
                self.crank.now_ms += ms;
                Input::Tick
            }
            Event::Beat { ahead_ms } => {
                let beat = Heartbeat {
                    stored: [0; 32],
                    applied: [0; 32],
                    root: None,
                    fold_version: FOLD_VERSION,
                    deltas: 0,
                    time_ms: self.crank.now_ms + ahead_ms,
                    nonce: 0,
                };
                Input::Heartbeat { from: keys(1).peer(), beat }
            }
            Event::Published => Input::Published(self.said()),
            Event::Land if self.crank.is_in_flight() => {
                let out = self.crank.commit();
                return self.out.extend(out);
            }
            Event::Land => Input::Tick,
            Event::Ahead => Input::Ahead,
            Event::Reboot => return self.crank.reboot(),
            Event::Stop => {
                let mut out = self.crank.feed(Input::Stop);
                assert!(self.crank.replica.is_idle(), "a stop comes to an end");
                self.out.append(&mut out);
                return self.crank.reboot();
            }
        };
        let out = self.crank.put(input);
        self.out.extend(out);
    }

    fn said(&self) -> Vec<DeltaId> {
        published(&self.out).into_iter().map(mangrove_protocol::delta::Delta::id).collect()
    }

    /// Nothing that left the node is ever unknown to it, and it never contradicts itself.
    fn check(&mut self) {
        let out = self.crank.rest();
        self.out.extend(out);
        tables::check(&self.crank);
        let counts = |id: &DeltaId| {
            let status = tables::status(&self.crank.memory, *id);
            matches!(status, Some(Status::Applied { .. }))
        };
        assert!(self.said().iter().all(counts), "said and then forgotten");
        let mut places = std::collections::BTreeMap::new();
        for delta in published(&self.out) {
            let before = places.insert((*delta.log(), delta.seq()), delta.id());
            assert!(before.is_none_or(|id| id == delta.id()), "one place, two deltas");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn tables_agree_whatever_happens(
        past in any_past(100),
        bounds in any_bounds(),
        events in vec(any_event(), 1..60),
    ) {
        for durability in [Durability::Fsync, Durability::Buffered] {
            let crank = Crank::new(Config { bounds, durability, ..config(NODE) });
            let mut run = Run { crank, past: past.clone(), out: Vec::new(), asked: 0 };
            for some in events.chunks(8) {
                some.iter().for_each(|event| run.happen(event));
                run.check();
            }
        }
    }
}
