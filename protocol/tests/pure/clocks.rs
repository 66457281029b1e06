//! Clocks: the future waits, the past does not come back, and a node whose clock cannot be right does
//! not write.

use mangrove_protocol::clock::{Hlc, MAX_AHEAD_MS};
use mangrove_protocol::effect::Input;
use mangrove_protocol::fold::FOLD_VERSION;
use mangrove_protocol::graph::{Cause, Status};
use mangrove_protocol::replica::beat::{Heartbeat, LAST_BEAT_MS};
use mangrove_protocol::request::{Fault, Written};
use mangrove_protocol::view::{Deltas, Owns, View};

use crate::crank::{Crank, NOW_MS, Pen, call, put};
use crate::make::keys;
use crate::tables;

const NODE: u8 = 50;

fn write(crank: &mut Crank) -> Result<Written, Fault> {
    crank.ask(call(vec![put("k", "v")]))
}

fn clock(crank: &Crank) -> Hlc {
    crank.memory.get::<Owns>(&()).unwrap_or_default().clock
}

fn hlc_of(crank: &Crank, written: &Written) -> Hlc {
    crank.memory.get::<Deltas>(&written.delta).unwrap().header().hlc
}

#[test]
fn a_write_is_stamped_after_everything_that_is_applied() {
    let mut crank = Crank::of(NODE);
    let first = write(&mut crank).unwrap();
    assert_eq!(
        hlc_of(&crank, &first),
        Hlc::new(NOW_MS, 0),
        "by the wall clock where that is ahead"
    );
    crank.give(&[Pen::new(1, 59_000).write()]);
    let second = write(&mut crank).unwrap();
    assert_eq!(hlc_of(&crank, &second), Hlc::new(NOW_MS + 59_000, 1));
    crank.now_ms += 59_500;
    let third = write(&mut crank).unwrap();
    assert_eq!(hlc_of(&crank, &third), Hlc::new(NOW_MS + 59_500, 0));
    tables::check(&crank);
}

#[test]
fn what_is_a_minute_ahead_waits_for_its_time() {
    let mut crank = Crank::of(NODE);
    let believed = Pen::new(1, MAX_AHEAD_MS).write();
    let ahead = Pen::new(2, MAX_AHEAD_MS + 1).write();
    let further = Pen::new(3, MAX_AHEAD_MS + 500).citing(&[&ahead]).write();
    crank.give(&[believed.clone(), ahead.clone(), further.clone()]);
    assert_eq!(tables::applied(&crank.memory), [believed.id()].into());
    assert_eq!(tables::parked(&crank.memory)[&ahead.id()], Cause::Clock(ahead.header().hlc));
    assert_eq!(crank.wake_at_ms, Some(NOW_MS + 1), "asks to be woken when it is believed");
    tables::check(&crank);
    crank.now_ms += 1;
    crank.feed(Input::Tick);
    assert_eq!(tables::parked(&crank.memory)[&further.id()], Cause::Clock(further.header().hlc));
    assert_eq!(crank.wake_at_ms, Some(NOW_MS + 500));
    crank.now_ms = NOW_MS + 500;
    crank.feed(Input::Tick);
    assert_eq!(tables::parked(&crank.memory).len(), 0);
    tables::check(&crank);
}

#[test]
fn what_waits_for_its_time_is_woken_after_a_restart() {
    let mut crank = Crank::of(NODE);
    let ahead = Pen::new(2, MAX_AHEAD_MS + 1_000).write();
    crank.give_one(&ahead);
    crank.reboot();
    crank.now_ms += 1_000;
    crank.feed(Input::Tick);
    assert_eq!(tables::applied(&crank.memory), [ahead.id()].into());
}

#[test]
fn neither_what_waits_nor_what_is_void_moves_the_clock() {
    let mut crank = Crank::of(NODE);
    let good = Pen::new(1, 10).write();
    let misnamed = {
        let mut pen = Pen::new(2, 50_000).citing(&[&good]);
        pen.deps[0].seq = pen.deps[0].seq.next();
        pen
    };
    let far = Pen { hlc: Hlc::LAST, author: 3, ..misnamed.clone() };
    crank.give(&[
        good.clone(),
        misnamed.write(),
        far.write(),
        Pen::new(4, 50_000).under(2).write(),
        Pen::new(5, 70_000).write(),
        Pen::new(6, 50_000).bytes(vec![1, 0, 0, 0, 0]).write(),
        Pen::new(7, 50_000).bytes(vec![99]).write(),
    ]);
    assert_eq!(clock(&crank), good.header().hlc);
    let waits = tables::parked(&crank.memory).into_values();
    assert_eq!(waits.filter(|it| *it == Cause::Parent(good.id())).count(), 2);
    let written = write(&mut crank).unwrap();
    assert!(hlc_of(&crank, &written) < Hlc::new(NOW_MS + 1_000, 0));
    tables::check(&crank);
}

#[test]
fn a_clock_set_back_stops_own_writes_and_a_clock_set_right_lets_them_on() {
    let mut crank = Crank::of(NODE);
    write(&mut crank).unwrap();
    crank.now_ms -= MAX_AHEAD_MS;
    assert!(write(&mut crank).is_ok(), "a minute is tolerated");
    crank.now_ms -= 5_000;
    let commits = crank.commits;
    assert_eq!(write(&mut crank), Err(Fault::Clock { off_ms: MAX_AHEAD_MS + 5_000 }));
    assert_eq!(crank.commits, commits);
    crank.now_ms += 5_000;
    assert!(write(&mut crank).is_ok());
}

fn beat(time_ms: u64) -> Heartbeat {
    Heartbeat {
        stored: [0; 32],
        applied: [0; 32],
        root: None,
        fold_version: FOLD_VERSION,
        deltas: 0,
        time_ms,
        nonce: 0,
    }
}

fn hear(crank: &mut Crank, peer: u8, ahead_ms: u64) {
    let beat = beat(crank.now_ms + ahead_ms);
    crank.feed(Input::Heartbeat { from: keys(peer).peer(), beat });
}

#[test]
fn a_node_at_odds_with_most_peers_does_not_write() {
    let mut crank = Crank::of(NODE);
    hear(&mut crank, 1, 3_600_000);
    assert!(write(&mut crank).is_ok(), "one peer is not most");
    hear(&mut crank, 2, 3_700_000);
    assert_eq!(write(&mut crank), Err(Fault::Clock { off_ms: 3_600_000 }));
    hear(&mut crank, 3, 0);
    assert!(write(&mut crank).is_err());
    hear(&mut crank, 4, 0);
    assert!(write(&mut crank).is_ok(), "half is not most");
    hear(&mut crank, 4, 3_600_000);
    assert!(write(&mut crank).is_err());
    crank.now_ms += 3_600_000;
    for peer in 1..5 {
        hear(&mut crank, peer, 0);
    }
    assert!(write(&mut crank).is_ok(), "goes away by itself");
}

/// Set right, a clock is right, even if those who said that it was wrong are never heard again.
#[test]
fn peers_that_went_away_do_not_hold_a_clock_wrong_for_ever() {
    let mut crank = Crank::of(NODE);
    hear(&mut crank, 1, 3_600_000);
    hear(&mut crank, 2, 3_600_000);
    assert!(write(&mut crank).is_err());
    crank.now_ms += 3_600_000 + 2 * LAST_BEAT_MS;
    assert!(write(&mut crank).is_ok());
}

#[test]
fn a_clock_at_its_end_says_so() {
    let mut crank = Crank::of(NODE);
    crank.now_ms = u64::MAX >> 16;
    assert!(write(&mut crank).is_ok());
    crank.now_ms += 1;
    assert_eq!(write(&mut crank), Err(Fault::Exhausted));
}

#[test]
fn what_waits_says_since_when() {
    let mut crank = Crank::of(NODE);
    let delta = Pen::new(1, 200_000).under(2).write();
    crank.give_one(&delta);
    crank.now_ms += 150_000;
    crank.feed(Input::Tick);
    let status = tables::status(&crank.memory, delta.id()).unwrap();
    assert!(matches!(status, Status::Parked { cause: Cause::Key(_), since_ms: NOW_MS }));
}
