//! Two sides find out exactly which logs differ, and say little for it.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::id::{ContextId, DeltaId, LogId, Plane, Seq};
use mangrove_protocol::log::Vector;
use mangrove_protocol::sync::{End, Lens, Message, Outline, Part, Stretch, differing, groups_for};
use proptest::prelude::*;

use crate::make::{id, keys, seq};

const PLANE: Plane = Plane::Data;

/// What a comparison found, and what was said for it.
#[derive(Debug)]
struct Found {
    /// The logs of which each side learns where the other ends.
    opener: BTreeSet<LogId>,
    answerer: BTreeSet<LogId>,
    bytes: usize,
}

fn lens(seed: u8) -> Lens {
    Lens::new(ContextId::from_bytes([1; 32]), &[seed; 16], &[2; 16])
}

/// Compares as a session does.
fn compare(seed: u8, opener: &Vector, answerer: &Vector) -> Found {
    let groups = groups_for(opener.0.len(), answerer.0.len());
    let [a, b] = [opener, answerer].map(|it| Outline::new(lens(seed), it, PLANE, groups));
    let mut bytes = 0;
    let mut say = |message: Message| {
        let said = message.encode();
        bytes += said.len();
        Message::decode(&said).unwrap()
    };
    let Message::Groups { digests, .. } =
        say(Message::Groups { plane: PLANE, governance: [0; 32], digests: b.digests() })
    else {
        unreachable!()
    };
    let groups = differing(&a.digests(), &digests);
    let lines = a.lines(&groups);
    let Message::Lines { groups, lines, .. } =
        say(Message::Lines { plane: PLANE, governance: [0; 32], groups, lines })
    else {
        unreachable!()
    };
    let found = b.compare(&groups, &lines);
    let mut ends: Vec<End> = found.ours.iter().map(|log| b.end(log, false)).collect();
    ends.extend(found.only_ours.iter().map(|log| b.end(log, true)));
    ends.extend(found.unknown.iter().map(|name| End { name: *name, hint: None, tips: vec![] }));
    ends.sort_by_key(|end| end.name);
    let Message::Ends { ends, .. } = say(Message::Ends { plane: PLANE, ends }) else {
        unreachable!()
    };
    // The opener says where it ends if that is anywhere else.
    let known = ends.iter().filter_map(|end| Some((*a.log(end.name)?, end.tips.is_empty())));
    let own: Vec<_> = known.map(|(log, hinted)| a.end(&log, hinted)).collect();
    say(Message::Ends { plane: PLANE, ends: own.clone() });
    // Each asks for what it lacks, once.
    let lacks = |ends: &[End], ours: &Outline| {
        let behind = ends.iter().filter(|end| {
            let log = ours.log(end.name).copied();
            let last = log.and_then(|log| ours.tips(&log).last().map(|(seq, _)| *seq));
            end.tips.iter().any(|tip| Some(tip.seq) > last)
        });
        let part = |end: &End| match ours.log(end.name) {
            Some(_) => Part::Rest { until: 0 },
            None => Part::Within { after: 0, until: 0 },
        };
        let stretch = |end: &End| Stretch { name: end.name, part: part(end) };
        behind.map(stretch).collect::<Vec<_>>()
    };
    for stretches in [lacks(&ends, &a), lacks(&own, &b)] {
        if !stretches.is_empty() {
            say(Message::Want { number: 1, credit: 1 << 20, stretches });
            say(Message::Given { number: 1, apart: vec![] });
        }
    }
    let logs = |outline: &Outline| {
        ends.iter().filter_map(|end| outline.log(end.name)).copied().collect::<BTreeSet<_>>()
    };
    Found { opener: logs(&a), answerer: logs(&b), bytes }
}

fn log(number: u64) -> LogId {
    let author = keys(number.to_le_bytes()[0] % 8).peer();
    LogId {
        author,
        authority: id(3).into(),
        incarnation: mangrove_protocol::id::Incarnation::new(number),
        plane: PLANE,
    }
}

fn tip(number: u64, at: u64) -> (Seq, DeltaId) {
    let hash = blake3::hash(&[number.to_le_bytes(), at.to_le_bytes()].concat());
    (seq(at), DeltaId::from_bytes(*hash.as_bytes()))
}

fn vector(logs: impl IntoIterator<Item = (u64, u64)>) -> Vector {
    Vector(logs.into_iter().map(|(number, at)| (log(number), vec![tip(number, at)])).collect())
}

/// The logs that do not end the same.
fn differ(one: &Vector, other: &Vector) -> BTreeSet<LogId> {
    let all = one.0.keys().chain(other.0.keys());
    all.filter(|log| one.0.get(*log) != other.0.get(*log)).copied().collect()
}

fn check(seed: u8, one: &Vector, other: &Vector) -> Found {
    let found = compare(seed, one, other);
    let wanted = differ(one, other);
    let held = |vector: &Vector| {
        wanted.iter().filter(|log| vector.0.contains_key(*log)).copied().collect::<BTreeSet<_>>()
    };
    assert_eq!(found.opener, held(one));
    assert_eq!(found.answerer, held(other));
    found
}

fn thousand() -> BTreeMap<u64, u64> {
    (0..1_000).map(|number| (number, 100_000)).collect()
}

/// Four bytes a log for the groups, and messages as such.
const FIXED: usize = 4_300;

#[test]
fn one_missing_delta_among_a_thousand_logs_costs_little() {
    let behind = vector(thousand());
    let mut ahead = thousand();
    ahead.insert(500, 100_001);
    let ahead = vector(ahead);
    for (opener, answerer) in [(&ahead, &behind), (&behind, &ahead)] {
        let worst = (0..20).map(|seed| check(seed, opener, answerer).bytes).max().unwrap();
        assert!(worst <= FIXED + 3 * 64, "{worst}");
    }
}

#[test]
fn each_log_that_differs_costs_64_bytes_at_most() {
    for count in [10, 50, 200, 500, 1_000] {
        let behind = vector(thousand());
        let ahead =
            vector(thousand().into_iter().map(|(log, at)| (log, at + u64::from(log < count))));
        for (opener, answerer) in [(&ahead, &behind), (&behind, &ahead)] {
            let bytes = check(1, opener, answerer).bytes;
            let most = FIXED + 64 * usize::try_from(count).unwrap();
            assert!(bytes <= most, "{count} logs cost {bytes} bytes");
        }
    }
}

#[test]
fn both_sides_count_groups_the_same_way() {
    let power = |ours, theirs| {
        let groups = groups_for(ours, theirs);
        assert_eq!(groups, groups_for(theirs, ours));
        assert!(groups.is_power_of_two());
        groups
    };
    assert_eq!([power(0, 0), power(1, 0), power(3, 2), power(0, 1_000)], [1, 1, 2, 512]);
    assert_eq!(power(1 << 30, 5), 1 << 16);
}

#[test]
fn every_session_names_everything_anew() {
    let (one, other) = (lens(1), lens(2));
    assert_ne!(one.name(&log(1)), other.name(&log(1)));
    assert_ne!(one.point(seq(1), id(1)), other.point(seq(1), id(1)));
    let shown = vector([(1, 1)]);
    let digests = |lens: &Lens| Outline::new(lens.clone(), &shown, PLANE, 1).digests();
    assert_ne!(digests(&one), digests(&other));
}

#[test]
fn the_other_plane_has_no_part_in_it() {
    let shown = vector([(1, 1), (2, 1)]);
    assert_eq!(Outline::new(lens(1), &shown, PLANE, 4).len(), 2);
    assert!(Outline::new(lens(1), &shown, Plane::Governance, 4).is_empty());
}

#[test]
fn a_log_with_more_tips_than_can_be_said_is_said_in_part() {
    let tips: Vec<_> = (1..=300).map(|at| tip(1, at)).collect();
    let end = Outline::new(lens(1), &Vector([(log(1), tips)].into()), PLANE, 1).end(&log(1), false);
    let Ok(Message::Ends { ends, .. }) =
        Message::decode(&Message::Ends { plane: PLANE, ends: vec![end] }.encode())
    else {
        panic!("it is no message");
    };
    assert_eq!(ends[0].tips.len(), 127);
}

proptest! {
    #[test]
    fn what_differs_is_found_and_nothing_else(
        one in prop::collection::btree_map(0_u64..60, 1_u64..4, 0..40),
        other in prop::collection::btree_map(0_u64..60, 1_u64..4, 0..40),
        seed: u8,
    ) {
        check(seed, &vector(one), &vector(other));
    }
}
