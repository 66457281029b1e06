//! Heartbeats: they show what is durable, start comparisons, and condemn nobody.

use mangrove_protocol::effect::{Effect, Input, Note};
use mangrove_protocol::replica::beat::{FIRST_BEAT_MS, Heartbeat, LAST_BEAT_MS, SealedRoot};

use crate::crank::{Crank, FOUNDING, Pen, call, notes, put, write};
use crate::make::{epoch, keys};

const NODE: u8 = 50;

fn beats(out: &[Effect]) -> Vec<Heartbeat> {
    let beat = |effect: &Effect| match effect {
        Effect::Beat(beat) => Some(*beat),
        _ => None,
    };
    out.iter().filter_map(beat).collect()
}

/// Lets time pass until the next heartbeat, and returns it.
fn beat(crank: &mut Crank) -> Heartbeat {
    for _ in 0..100 {
        if let [beat] = beats(&crank.feed(Input::Tick))[..] {
            return beat;
        }
        crank.now_ms = crank.wake_at_ms.unwrap();
    }
    panic!("no heartbeat");
}

fn hear(crank: &mut Crank, beat: Heartbeat) -> Vec<Effect> {
    crank.feed(Input::Heartbeat { from: keys(9).peer(), beat })
}

#[test]
fn nodes_with_the_same_deltas_show_the_same() {
    let (mut one, mut other) = (Crank::of(NODE), Crank::of(NODE + 1));
    let deltas = [Pen::new(1, 0).write(), Pen::new(2, 0).write(), Pen::new(3, 0).under(2).write()];
    one.give(&deltas);
    other.give(&[deltas[2].clone(), deltas[1].clone(), deltas[0].clone()]);
    let (left, right) = (beat(&mut one), beat(&mut other));
    let bare = |beat| Heartbeat { nonce: 0, root: None, ..beat };
    assert_eq!(bare(left), bare(right));
    assert!(left.root.is_some() && left.root != right.root, "nobody else can compare roots");
    assert_eq!(left.deltas, FOUNDING.deltas.len() as u64 + 2);
    assert!(hear(&mut one, right).is_empty(), "nothing to do");
    let empty = beat(&mut Crank::of(NODE));
    assert_ne!((left.stored, left.applied, left.root), (empty.stored, empty.applied, empty.root));
}

#[test]
fn a_difference_starts_a_comparison() {
    let (mut one, mut other) = (Crank::of(NODE), Crank::of(NODE + 1));
    one.give(&[Pen::new(1, 0).write()]);
    let theirs = beat(&mut other);
    let out = hear(&mut one, theirs);
    assert!(matches!(out[..], [Effect::Sync { with }] if with == keys(9).peer()), "{out:?}");
}

#[test]
fn roots_are_compared_only_between_equals() {
    let mut crank = Crank::of(NODE);
    crank.give(&[Pen::new(1, 0).write(), Pen::new(2, 0).under(2).write()]);
    let own = beat(&mut crank);
    let other = SealedRoot { tag: [1; 32], ..own.root.unwrap() };
    let other_root = Heartbeat { root: Some(other), ..own };
    let diverged = Note::Diverged { with: keys(9).peer() };
    assert_eq!(notes(&hear(&mut crank, other_root)), [&diverged]);
    let later_rules = Heartbeat { fold_version: own.fold_version + 1, ..other_root };
    assert!(hear(&mut crank, later_rules).is_empty());
    // The peer has the key and folded more: another root is what one expects.
    let ahead = Heartbeat { applied: [2; 32], ..other_root };
    assert!(hear(&mut crank, ahead).is_empty());
    crank.feed(Input::Key(epoch(2)));
    assert!(hear(&mut crank, other_root).is_empty());
}

#[test]
fn a_heartbeat_shows_only_what_is_durable() {
    let mut crank = Crank::of(NODE);
    let before = beat(&mut crank);
    crank.put(write(0, call(vec![put("k", "v")])));
    crank.now_ms += LAST_BEAT_MS;
    assert!(beats(&crank.put(Input::Tick)).is_empty(), "not while a commit is in flight");
    crank.land();
    let after = beats(&crank.put(Input::Committed));
    assert_eq!(after.len(), 1);
    assert_ne!(after[0].root, before.root);
}

#[test]
fn heartbeats_come_after_activity_and_then_ever_more_rarely() {
    let mut crank = Crank::of(NODE);
    crank.edit(vec![put("k", "v")]);
    let first = crank.now_ms;
    let times: Vec<_> = (0..7).map(|_| beat(&mut crank).time_ms).collect();
    assert_eq!(times[0], first + FIRST_BEAT_MS);
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [20_000, 40_000, 80_000, 160_000, LAST_BEAT_MS, LAST_BEAT_MS]);
    crank.edit(vec![put("k", "w")]);
    let again = crank.now_ms;
    assert_eq!(beat(&mut crank).time_ms, again + FIRST_BEAT_MS);
}
