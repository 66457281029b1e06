//! A node with little room for what waits: it does not ask again and again for what it cannot take, and asks
//! as soon as it can.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::{Effect, Input};
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::{Bounds, Config};
use mangrove_protocol::sync::desk::Event;
use mangrove_protocol::view::{Places, View};

use super::net::{Net, quiet};
use crate::crank::{Crank, Pen, boundless, chain, config};
use crate::make::epoch;
use crate::tables;

const MINUTE_MS: u64 = 60_000;
/// Bytes for ten deltas of these tests, more or less.
const ROOM: u64 = 6_000;
/// More than what is on its way when the first is turned away.
const FIRST: usize = 1_000;

/// A node that holds all of these, and one with little room for what waits.
fn net(deltas: &[Delta]) -> Net {
    let full = Crank::new(Config { bounds: boundless(), ..config(50) });
    let bounds = Bounds { parked_bytes_per_member: ROOM, ..boundless() };
    let short = Crank::new(Config { bounds, ..config(51) });
    let mut net = Net::new(vec![full, short], quiet(), &Planted::default());
    net.nodes[0].crank.give(deltas);
    net
}

/// What waits for a key.
fn locked(pen: Pen, count: usize) -> Vec<Delta> {
    chain(pen.under(2).long(200), count)
}

/// Lets it ask once more; returns how many deltas came in it.
fn ask(net: &mut Net) -> usize {
    let before = net.traffic(0, 1).deltas;
    let peer = net.peer(0);
    net.happen(1, Event::Wanted(Some(peer)));
    net.run(MINUTE_MS);
    assert!(net.nodes.iter().all(|node| node.desk.is_at_rest()));
    tables::check(&net.nodes[1].crank);
    net.traffic(0, 1).deltas - before
}

fn learn_key(net: &mut Net, key: u8) {
    let out = net.nodes[1].crank.feed(Input::Key(epoch(key)));
    let wanted = out.iter().any(|effect| matches!(effect, Effect::Fetch { .. }));
    assert!(wanted, "it says that there is room again");
    net.happen(1, Event::Wanted(None));
    net.run(10 * MINUTE_MS);
}

fn holds(net: &Net, deltas: &[Delta]) -> usize {
    let memory = &net.nodes[1].crank.memory;
    deltas.iter().filter(|delta| memory.get::<Places>(&delta.id()).is_some()).count()
}

#[test]
fn what_there_is_no_room_for_is_not_sent_again_and_again() {
    let log = locked(Pen::new(1, 0), 4_000);
    let mut net = net(&log);
    net.meet(1, 0);
    net.run(MINUTE_MS);
    let (first, held) = (net.traffic(0, 1).deltas, holds(&net, &log));
    assert!((1..20).contains(&held) && first < FIRST, "{held} of {first} fit");
    for _ in 0..5 {
        assert_eq!(ask(&mut net), 1, "there might be room for the next one");
    }
    learn_key(&mut net, 2);
    assert_eq!(holds(&net, &log), log.len());
    assert_eq!(ask(&mut net), 0);
}

#[test]
fn others_go_on_beside_a_log_for_which_there_is_no_room() {
    let (log, other) = (locked(Pen::new(1, 0), 500), chain(Pen::new(2, 0).long(200), 500));
    let mut net = net(&[log.clone(), other.clone()].concat());
    net.meet(1, 0);
    net.run(MINUTE_MS);
    assert!(holds(&net, &log) < 20);
    assert_eq!(holds(&net, &other), other.len());
}

#[test]
fn branches_for_which_there_is_no_room_come_ever_more_rarely() {
    let root = Pen::new(1, 0);
    let base = root.write();
    let branch = |at: u64| locked(root.after(&base).at(at), 40);
    let tree: Vec<_> = (1..4).flat_map(branch).collect();
    let mut net = net(&[vec![base], tree.clone()].concat());
    net.meet(1, 0);
    net.run(MINUTE_MS);
    let rounds: Vec<_> = (0..30).map(|_| ask(&mut net)).collect();
    let brought = |rounds: &[usize]| rounds.iter().filter(|count| **count > 0).count();
    assert!(brought(&rounds[..10]) <= 5 && brought(&rounds[10..]) <= 2, "{rounds:?}");
    learn_key(&mut net, 2);
    assert_eq!(holds(&net, &tree), tree.len());
}

/// A member that has many logs turned away does not make others forget which they need not ask for.
#[test]
fn a_throng_of_logs_is_not_sent_again_and_again() {
    let logs: Vec<_> = (0..300).flat_map(|life| locked(Pen::new(1, 0).life(life), 6)).collect();
    let mut net = net(&logs);
    net.meet(1, 0);
    net.run(MINUTE_MS);
    let held = holds(&net, &logs);
    assert!((1..20).contains(&held), "{held}");
    for _ in 0..3 {
        assert!(ask(&mut net) <= 300, "the next one of each log at most");
    }
    learn_key(&mut net, 2);
    assert_eq!(holds(&net, &logs), logs.len());
}

/// One branch was turned away; the other goes on, if it has not to wait.
#[test]
fn a_log_goes_on_beyond_what_was_turned_away_of_another_branch() {
    let pen = Pen::new(1, 0).long(200);
    let base = pen.write();
    let good = chain(pen.after(&base).at(50), 40);
    let bad = locked(pen.after(&base).at(60), 3);
    let more = [&[base][..], &good].concat();
    let mut net = net(&more);
    net.nodes[1].crank.give(&more[..11]);
    // All the room is taken, for good.
    net.nodes[1].crank.give(&locked(Pen::new(1, 0).life(9), 30));
    net.nodes[1].crank.give(&bad);
    assert!(net.nodes[1].crank.replica.turned_away(more[0].log()).is_some());
    net.meet(1, 0);
    net.run(10 * MINUTE_MS);
    assert_eq!(holds(&net, &more), more.len());
}
