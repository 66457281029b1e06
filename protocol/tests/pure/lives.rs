//! Incarnations and the outbox: no place of a log is ever written twice, and nothing that was
//! acknowledged is kept from the mesh.

use mangrove_protocol::effect::{Effect, Input, Note, Reborn};
use mangrove_protocol::id::{DeltaId, Incarnation};
use mangrove_protocol::replica::{Config, Durability};
use mangrove_protocol::view::{Deltas, History, Outbox, Places, View, every};

use crate::crank::{Crank, Pen, arrival, call, config, notes, published, put, write};
use crate::tables;

const NODE: u8 = 50;

/// Writes once: the log it went into, and why that was begun if it was.
fn life(crank: &mut Crank) -> (Incarnation, Option<Reborn>) {
    let out = crank.feed(write(0, call(vec![put("k", "v")])));
    let delta = published(&out).pop().expect("a delta");
    let why = notes(&out).into_iter().find_map(|note| match note {
        Note::Incarnation { new, why } => {
            assert_eq!(*new, delta.log().incarnation);
            Some(*why)
        }
        _ => None,
    });
    tables::check(crank);
    (delta.log().incarnation, why)
}

fn buffered() -> Crank {
    Crank::new(Config { durability: Durability::Buffered, ..config(NODE) })
}

fn stop(crank: &mut Crank) {
    crank.feed(Input::Stop);
    assert!(crank.replica.is_idle());
}

#[test]
fn the_first_write_begins_a_log_and_a_restart_goes_on_in_it() {
    let mut crank = Crank::of(NODE);
    assert_eq!(crank.own_incarnation(), None);
    let (first, why) = life(&mut crank);
    assert_eq!(why, Some(Reborn::First));
    assert_eq!(life(&mut crank), (first, None));
    crank.reboot();
    assert_eq!(life(&mut crank), (first, None));
    crank.reboot();
    stop(&mut crank);
    crank.reboot();
    assert_eq!(life(&mut crank), (first, None));
}

#[test]
fn a_buffered_node_goes_on_in_its_log_only_after_a_clean_stop() {
    let mut crank = buffered();
    let (first, _) = life(&mut crank);
    assert_eq!(life(&mut crank), (first, None));
    stop(&mut crank);
    crank.reboot();
    let (second, why) = life(&mut crank);
    assert_eq!((second, why), (first, None), "stopped cleanly");
    crank.reboot();
    let (third, why) = life(&mut crank);
    assert_eq!(why, Some(Reborn::Unclean));
    assert_ne!(third, first);
    // Again without a write: what was written before is still not known to be synced.
    crank.reboot();
    stop(&mut crank);
    crank.reboot();
    let (fourth, why) = life(&mut crank);
    assert!(why.is_some() || fourth == third);
}

/// A stop that happens before the first write still ends the doubt about what was written before:
/// never a place twice.
#[test]
fn a_clean_stop_after_an_unclean_one_does_not_hide_that_deltas_were_lost() {
    let mut crank = buffered();
    let (first, _) = life(&mut crank);
    let lost = crank.copy();
    life(&mut crank);
    // The power fails: the second delta is gone here, and out in the mesh.
    let mut crank = lost;
    crank.reboot();
    stop(&mut crank);
    crank.reboot();
    assert_ne!(life(&mut crank).0, first);
}

/// The clean end of the life before is on disk. If the first commit of the next one could be lost, it
/// would come back, and with it a log that others know more of.
#[test]
fn the_first_commit_after_a_clean_end_must_be_synced() {
    let mut crank = buffered();
    life(&mut crank);
    stop(&mut crank);
    crank.reboot();
    for (text, must) in [("first", true), ("second", false)] {
        crank.put(write(0, call(vec![put("k", text)])));
        assert_eq!(crank.must_sync(), must, "{text}");
        crank.rest();
    }
}

#[test]
fn deltas_of_others_do_not_end_a_life() {
    let mut crank = Crank::of(NODE);
    let (first, _) = life(&mut crank);
    crank.give(&[Pen::new(1, 5).write(), Pen::new(NODE, 5).life(77).write()]);
    assert_eq!(life(&mut crank), (first, None));
    let own = every::<Deltas, _>(&crank.memory).map(|(_, delta)| delta).collect::<Vec<_>>();
    crank.give(&own);
    assert_eq!(life(&mut crank), (first, None), "what it has proves nothing");
}

/// What a node wrote and lost, in the order in which it wrote it.
fn rolled_back(count: usize) -> (Crank, Vec<mangrove_protocol::delta::Delta>) {
    let mut crank = Crank::of(NODE);
    life(&mut crank);
    let backup = crank.copy();
    let lost = (0..count).map(|at| crank.edit(vec![put(&format!("lost{at}"), "v")]).delta);
    let ids: Vec<_> = lost.collect();
    let lost = ids.iter().map(|id| crank.memory.get::<Deltas>(id).unwrap()).collect();
    (backup, lost)
}

#[test]
fn a_node_that_is_shown_what_it_forgot_goes_on_in_a_new_log() {
    let (mut crank, lost) = rolled_back(2);
    let before = crank.own_incarnation();
    crank.give(&lost);
    assert!(lost.iter().all(|delta| tables::applied(&crank.memory).contains(&delta.id())));
    let (new, why) = life(&mut crank);
    assert_eq!(why, Some(Reborn::RolledBack));
    assert_ne!(Some(new), before);
    assert_eq!(tables::heads(&crank.memory).len(), 1, "and comes after what it forgot");
    assert_eq!(life(&mut crank), (new, None));
    crank.reboot();
    assert_eq!(life(&mut crank), (new, None));
}

#[test]
fn a_node_that_is_shown_a_part_of_what_it_forgot_goes_on_in_a_new_log() {
    let (mut crank, lost) = rolled_back(3);
    crank.give(&lost[2..]);
    assert_eq!(crank.memory.get::<Places>(&lost[2].id()), None, "what lies between is missing");
    assert_eq!(life(&mut crank).1, Some(Reborn::RolledBack));
    crank.give(&lost[..2]);
    assert!(lost.iter().all(|delta| tables::applied(&crank.memory).contains(&delta.id())));
    tables::check(&crank);
}

#[test]
fn what_a_node_was_shown_is_not_forgotten_by_a_restart() {
    for shown in [0..1, 1..2, 0..2] {
        let (mut crank, lost) = rolled_back(2);
        let before = crank.own_incarnation();
        crank.give(&lost[shown.clone()]);
        crank.reboot();
        let (new, why) = life(&mut crank);
        assert!(why.is_some(), "{shown:?}");
        assert_ne!(Some(new), before, "{shown:?}");
        crank.give(&lost);
        assert_eq!(life(&mut crank).0, new);
        assert!(
            crank.replica.stored().0.values().all(|tips| tips.len() == 1),
            "no fork: {shown:?}"
        );
    }
}

#[test]
fn a_node_that_lost_everything_begins_anew_and_takes_its_own_deltas_back() {
    let mut crank = Crank::of(NODE);
    let (first, _) = life(&mut crank);
    let own = every::<Deltas, _>(&crank.memory).map(|(_, delta)| delta).collect::<Vec<_>>();
    let mut wiped = crank.wiped();
    let (second, why) = life(&mut wiped);
    assert_eq!(why, Some(Reborn::First));
    assert_ne!(second, first);
    wiped.give(&own);
    assert_eq!(life(&mut wiped), (second, None));
    tables::check(&wiped);
}

fn outbox(crank: &Crank) -> Vec<DeltaId> {
    every::<Outbox, _>(&crank.memory).map(|(id, ())| id).collect()
}

fn sent(out: &[Effect]) -> Vec<DeltaId> {
    let mut ids: Vec<_> = published(out).iter().map(|delta| delta.id()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_was_committed_and_perhaps_not_published_is_published_at_the_start() {
    let mut crank = Crank::of(NODE);
    let mut ids =
        vec![crank.edit(vec![put("a", "v")]).delta, crank.edit(vec![put("b", "v")]).delta];
    ids.sort_unstable();
    crank.reboot();
    assert_eq!(sent(&crank.put(Input::Tick)), ids);
    assert_eq!(sent(&crank.put(Input::Tick)), [], "once");
    // Committed, and the process ended before anything could leave.
    crank.put(write(0, call(vec![put("c", "v")])));
    let held = crank.land();
    ids.extend(sent(&held));
    ids.sort_unstable();
    crank.reboot();
    assert_eq!(sent(&crank.put(Input::Tick)), ids);
}

#[test]
fn what_was_never_durable_is_never_published() {
    let mut crank = Crank::of(NODE);
    assert!(sent(&crank.put(write(0, call(vec![put("a", "v")])))).is_empty());
    crank.reboot();
    assert!(sent(&crank.feed(Input::Tick)).is_empty());
    assert_eq!(tables::applied(&crank.memory).len(), 0);
}

#[test]
fn what_went_out_leaves_the_outbox_with_the_next_commit() {
    let mut crank = Crank::of(NODE);
    let first = crank.edit(vec![put("a", "v")]).delta;
    let commits = crank.commits;
    crank.feed(Input::Published(vec![first]));
    assert_eq!(crank.commits, commits, "housekeeping is not worth a sync of its own");
    let second = crank.edit(vec![put("b", "v")]).delta;
    assert_eq!(outbox(&crank), [second]);
    crank.reboot();
    assert_eq!(sent(&crank.put(Input::Tick)), [second]);
    crank.put(Input::Published(vec![second]));
    crank.feed(arrival(&[Pen::new(1, 0).write()]));
    assert_eq!(outbox(&crank), []);
}

#[test]
fn what_went_out_leaves_the_outbox_with_a_stop() {
    let mut crank = Crank::of(NODE);
    let first = crank.edit(vec![put("a", "v")]).delta;
    crank.feed(Input::Published(vec![first]));
    stop(&mut crank);
    assert_eq!(outbox(&crank), []);
    tables::check(&crank);
}

#[test]
fn a_stop_finishes_what_is_in_hand_and_takes_nothing_new() {
    let mut crank = Crank::of(NODE);
    crank.put(write(0, call(vec![put("a", "v")])));
    crank.put(write(1, call(vec![put("b", "v")])));
    crank.put(arrival(&[Pen::new(1, 0).write()]));
    crank.put(Input::Stop);
    assert!(!crank.replica.is_idle());
    let late = Pen::new(2, 0).write();
    crank.put(arrival(std::slice::from_ref(&late)));
    let out = crank.rest();
    assert_eq!(crate::crank::answers(&out).iter().filter(|(_, answer)| answer.is_ok()).count(), 2);
    assert!(crank.replica.is_idle());
    assert_eq!(tables::applied(&crank.memory).len(), 3);
    assert_eq!(crank.memory.get::<Places>(&late.id()), None);
    let commits = crank.commits;
    assert!(crank.feed(Input::Stop).is_empty() && crank.commits == commits);
}

#[test]
fn a_stop_comes_to_an_end_when_what_is_in_hand_changes_nothing() {
    let mut crank = Crank::of(NODE);
    let known = Pen::new(1, 0).write();
    crank.give_one(&known);
    let again = vec![known; 3 * crank.config.bounds.deltas_per_step];
    crank.put(arrival(&again));
    crank.feed(Input::Stop);
    assert!(crank.replica.is_idle());
}

#[test]
fn a_stop_of_a_node_that_never_did_anything_ends_at_once() {
    let mut crank = Crank::of(NODE);
    stop(&mut crank);
    crank.reboot();
    stop(&mut crank);
    let none = Incarnation::new(0);
    assert_ne!(life_after(&mut crank), none);
}

fn life_after(crank: &mut Crank) -> Incarnation {
    crank.reboot();
    life(crank).0
}

#[test]
fn what_came_first_has_its_turn_first_and_then_who_asked() {
    let mut crank = Crank::of(NODE);
    crank.put(write(0, call(vec![put("a", "v")])));
    // While that is on its way: somebody asks, and after that something comes.
    crank.put(write(1, call(vec![put("b", "v")])));
    let theirs = Pen::new(1, 0).write();
    crank.put(arrival(std::slice::from_ref(&theirs)));
    crank.land();
    let out = crank.put(Input::Committed);
    assert!(out.is_empty(), "what follows waits for the disk: {out:?}");
    let out = crank.rest();
    let history = every::<History, _>(&crank.memory).map(|(_, id)| id).collect::<Vec<_>>();
    let ours = published(&out).first().expect("the second write").id();
    let place = |id: DeltaId| history.iter().position(|known| *known == id);
    assert!(place(theirs.id()) < place(ours), "{history:?}");
}

#[test]
fn what_follows_a_commit_goes_to_the_mesh_then_to_ears_then_to_who_asked() {
    let mut crank = Crank::of(NODE);
    crank.put(write(0, call(vec![put("a", "v")])));
    crank.put(write(1, call(vec![put("b", "v")])));
    crank.put(write(2, call(vec![put("c", "v")])));
    let mut kinds = Vec::new();
    for out in [crank.land(), crank.put(Input::Committed), crank.land()] {
        let ranks = out.iter().filter_map(|effect| match effect {
            Effect::Publish(_) => Some(0),
            Effect::Notify { .. } => Some(1),
            Effect::Reply { .. } => Some(2),
            _ => None,
        });
        let ranks = ranks.collect::<Vec<_>>();
        assert!(ranks.is_sorted(), "{out:?}");
        kinds.extend(ranks);
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [0, 1, 2]);
}
