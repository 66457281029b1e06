//! What it costs to bring two nodes to hold the same, counted at the sizes that were promised.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Input;
use mangrove_protocol::id::Plane;
use mangrove_protocol::limits::DELTA_BYTES;
use mangrove_protocol::op::Op;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config};
use mangrove_protocol::sync::desk::Room;

use super::net::{Net, quiet};
use crate::crank::{Crank, Pen, boundless, chain, config};
use crate::make::{key, size, value};

/// Logs, and deltas of each.
const LOGS: usize = 1_000;
const LONG: usize = 100;
/// Writers, each of whom has begun as many logs as it takes.
const WRITERS: u8 = 40;
/// What a comparison of a thousand logs costs, whatever differs: four bytes a log for the groups,
/// twice a greeting, and messages as such.
const FIXED: usize = 4_096 + 1_024;

/// Bytes in a millisecond: a window lasts longer than a round trip.
const BANDWIDTH: u64 = 8_192;

fn logs() -> Vec<Vec<Delta>> {
    let log = |number: usize| {
        let author = u8::try_from(number % usize::from(WRITERS)).unwrap() + 1;
        let life = 1 + (number / usize::from(WRITERS)) as u64;
        chain(Pen::new(author, 0).life(life), LONG)
    };
    (0..LOGS).map(log).collect()
}

fn node(seed: u8) -> Crank {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(seed) });
    crank.feed(Input::Tick);
    crank
}

/// Another node that holds the same.
fn twin(of: &Crank, seed: u8) -> Crank {
    let mut twin = node(seed);
    twin.memory = of.memory.clone();
    twin.reboot();
    twin.feed(Input::Tick);
    twin
}

/// What went over the wire beside deltas, each way, and how many deltas.
fn overhead(net: &Net) -> ([usize; 2], [usize; 2]) {
    let ways = [net.traffic(0, 1), net.traffic(1, 0)];
    let beside = |at: usize| ways[at].bytes - ways[at].delta_bytes;
    ([beside(0), beside(1)], [ways[0].deltas, ways[1].deltas])
}

#[test]
fn a_thousand_logs_and_a_hundred_thousand_deltas_cost_what_was_promised() {
    let written = logs();
    let mut full = node(50);
    for log in &written {
        full.give(log);
    }
    let last = written[500].last().unwrap();
    let next = Pen::new(0, LONG as u64 + 1);
    let author = last.log().author;
    let author = (1..=WRITERS).find(|seed| crate::make::keys(*seed).peer() == author).unwrap();
    let next = Pen { author, life: last.log().incarnation.get(), ..next.after(last) }.write();
    let behind = twin(&full, 51);
    full.give_one(&next);
    // One delta is lacking, on either side of the one who begins.
    for order in [false, true] {
        let mut cranks = vec![twin(&full, 52), behind.copy()];
        if order {
            cranks.reverse();
        }
        let mut net = Net::new(cranks, quiet(), &Planted::default());
        net.sync(0, 1);
        let (beside, deltas) = overhead(&net);
        assert_eq!(deltas.iter().sum::<usize>(), 1);
        let all: usize = beside.iter().sum();
        assert!(all <= FIXED + 3 * 64, "{all} bytes for one delta");
        let ends = [0, 1].map(|at| net.nodes[at].crank.replica.stored().digest());
        assert_eq!(ends[0], ends[1]);
    }
    // Everything is.
    let mut net = Net::new(vec![node(53), full], quiet(), &Planted::default());
    net.nature(1, 0).bandwidth = BANDWIDTH;
    net.sync(0, 1);
    let ([asked, beside], [_, deltas]) = overhead(&net);
    assert_eq!(deltas, LOGS * LONG + 1);
    let bytes = net.traffic(1, 0).delta_bytes;
    let most = FIXED + 64 * LOGS + bytes / 50;
    assert!(asked + beside <= most, "{asked} and {beside} bytes beside {bytes}");
    // Beyond the time it takes to send it all.
    let trips = (net.last_ms - net.traffic(1, 0).bytes as u64 / BANDWIDTH).div_ceil(100);
    assert!(trips <= 6, "{trips} round trips");
    assert!(net.nodes[0].peak <= Room::default().bytes, "{} bytes at once", net.nodes[0].peak);
}

#[test]
fn what_would_be_refused_is_not_asked_for_again_and_again() {
    let mut full = node(50);
    for life in 0..10 {
        full.give(&chain(Pen::new(1, 0).life(life), 5));
    }
    let bounds = Bounds { logs_per_authority: 4, ..boundless() };
    let mut narrow = Crank::new(Config { bounds, ..config(51) });
    narrow.feed(Input::Tick);
    let mut net = Net::new(vec![narrow, full], quiet(), &Planted::default());
    for _ in 0..3 {
        net.sync(0, 1);
    }
    // Which of them there is room for is found out with the first, and then no others are sent.
    let sent = net.traffic(1, 0).deltas;
    net.sync(0, 1);
    assert_eq!(net.traffic(1, 0).deltas, sent);
    let held = net.nodes[0].crank.replica.stored();
    let logs = held.0.keys().filter(|log| log.plane == Plane::Data).count();
    assert_eq!(logs, 4);
}

#[test]
fn the_longest_delta_there_can_be_gets_through() {
    // As long as it may be, to the byte.
    let put =
        |name: &str, length: usize| Op::Put { key: key(name), value: value(&"x".repeat(length)) };
    let long = |length| Pen::new(1, 0).saying(vec![put("a", 515_000), put("b", length)]).write();
    let spare = size(DELTA_BYTES) - long(500_000).bytes().len();
    let delta = long(500_000 + spare);
    assert_eq!(delta.bytes().len(), size(DELTA_BYTES));
    let mut full = node(50);
    full.give_one(&delta);
    for room in [quiet(), Room { window: 1_024, probe: 1, bytes: 1_024, ..quiet() }] {
        let mut net = Net::new(vec![node(51), full.copy()], room, &Planted::default());
        net.sync(0, 1);
        let ends = [0, 1].map(|at| net.nodes[at].crank.replica.stored());
        assert_eq!(ends[0], ends[1]);
        assert!(net.nodes[0].desk.ledger().entries().next().is_none());
    }
}
