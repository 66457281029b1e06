//! How much is looked at to judge one more delta, in numbers that no machine changes; and what has to
//! be kept of a log so that it can be judged at all.

use std::collections::BTreeSet;

use mangrove_protocol::governance::{Act, CutOff, Deed, Role, Roster, Standing};
use mangrove_protocol::id::{AuthorityId, DeltaId, LogId, Plane, Seq};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{Story, expect, expect_acts};

use Role::{Admin, Writer};

const MANY: usize = 600;
/// More than one delta and one cut-off in both parts, and far less than there are.
const FEW: usize = 8;

/// Ann takes in bob, and he carl and dan.
fn family() -> Story {
    let mut story = Story::new("ann");
    story.grant("ann", "bob", Admin);
    story.grant("bob", "carl", Admin);
    story.grant("bob", "dan", Writer);
    story
}

/// Repeats something after this story, and checks that each time a few things are looked at.
#[track_caller]
fn check_each(mut story: Story, mut again: impl FnMut(&mut Story)) -> Roster {
    let mut roster = story.roster();
    for number in 0..MANY {
        let before = story.deeds().len();
        again(&mut story);
        for deed in &story.deeds()[before..] {
            let looked_at = roster.insert(deed.clone()).looked_at;
            assert!(looked_at <= FEW, "{looked_at} for number {number}");
        }
    }
    let whole = story.roster();
    assert_eq!(roster, whole, "one by one");
    whole
}

/// The log that somebody writes, cut where it is.
fn close(story: &Story, whose: &str) -> Act {
    let log = story.log(whose);
    let tip = story.deeds().iter().rfind(|deed| deed.log == log);
    let heads = tip.map(|deed| (deed.seq, deed.id)).into_iter().collect();
    Act::Close { cut: CutOff { log, heads } }
}

#[test]
fn closing_ones_own_log_many_times_stays_cheap() {
    let again = |story: &mut Story| {
        let act = close(story, "carl");
        story.act("carl", act);
    };
    check_each(family(), again);
}

#[test]
fn closing_a_juniors_log_many_times_stays_cheap() {
    let mut story = family();
    story.rename("carl", "it");
    let again = |story: &mut Story| {
        let act = close(story, "carl");
        story.act("bob", act);
    };
    check_each(story, again);
}

#[test]
fn leaving_many_times_stays_cheap() {
    check_each(family(), |story| {
        story.leave("carl", &[]);
    });
}

#[test]
fn writing_on_after_everything_was_closed_stays_cheap() {
    let mut story = family();
    for _ in 0..MANY {
        let act = close(&story, "carl");
        story.act("carl", act);
    }
    check_each(story, |story| {
        story.rename("carl", "it");
    });
}

#[test]
fn who_was_removed_writes_on_in_vain_and_cheaply() {
    let mut story = family();
    story.revoke("ann", "carl", &[]);
    check_each(story, |story| {
        let act = close(story, "carl");
        story.act("carl", act);
        story.rename("carl", "it");
    });
}

#[test]
fn closing_data_logs_looks_at_nothing_else() {
    check_each(family(), |story| {
        let cut = CutOff { log: story.data_log("carl"), heads: Vec::new() };
        story.act("carl", Act::Close { cut });
    });
}

/// Only then does something come that all of them have to be asked about again, and each once.
#[test]
fn a_head_that_many_waited_for_has_each_looked_at_once() {
    let mut story = family();
    let first = story.rename("carl", "it");
    let (awaited, log) = (story.rename("carl", "that"), story.log("carl"));
    for _ in 0..MANY {
        story.close("bob", log, &[awaited]);
    }
    let late = story.deeds().iter().find(|deed| deed.id == awaited).unwrap().clone();
    let early = story.deeds().iter().filter(|deed| deed.id != awaited).cloned();
    let mut roster = Roster::of(story.context(), early);
    let looked_at = roster.insert(late).looked_at;
    assert!((MANY..3 * MANY).contains(&looked_at), "{looked_at}");
    expect_acts(&roster, &[first, awaited], &[]);
    assert_eq!(roster, story.roster());
}

#[test]
fn a_forked_log_is_gone_through_once_for_each_change() {
    let mut story = family();
    let first = story.rename("carl", "it");
    for _ in 0..MANY {
        let act = close(&story, "carl");
        story.act("carl", act);
    }
    let mut roster = story.roster();
    let branch = story.fork(first, Act::Rename { name: b"that".to_vec() });
    let act = close(&story, "carl");
    story.act("carl", act);
    for deed in &story.deeds()[story.deeds().len() - 2..] {
        let looked_at = roster.insert(deed.clone()).looked_at;
        // Once for each part, both the log and its cut-offs.
        assert!(looked_at <= 4 * MANY + FEW, "{looked_at}");
    }
    expect_acts(&roster, &[first], &[branch]);
    assert_eq!(roster, story.roster());
}

#[test]
fn a_fall_looks_at_what_falls_and_nothing_else() {
    let mut story = family();
    for number in 0..MANY {
        let act = close(&story, "carl");
        story.act("carl", act);
        let who = if number % 2 == 0 { "bob" } else { "ann" };
        story.rename(who, "it");
    }
    let mut roster = story.roster();
    story.revoke("ann", "bob", &[]);
    let judgement = roster.insert(story.deeds().last().unwrap().clone());
    // All that bob, carl and dan did, and the revocation.
    let fallen = 3 + MANY + MANY / 2;
    assert_eq!(judgement.changed.len(), fallen);
    // Of bob's own log, each delta once for each part; that carl's do not count needs no look at them.
    assert!(judgement.looked_at <= MANY + 2 * FEW, "{}", judgement.looked_at);
}

#[test]
fn everything_at_once_looks_at_each_a_few_times() {
    let mut story = family();
    for _ in 0..MANY {
        for who in ["bob", "carl"] {
            let act = close(&story, "carl");
            story.act(who, act);
        }
    }
    let mut roster = Roster::new(story.context());
    let looked_at = roster.extend(story.deeds().to_vec()).looked_at;
    assert!(looked_at <= 4 * story.deeds().len(), "{looked_at}");
}

#[test]
fn what_is_beyond_ones_own_cut_off_is_kept_to_be_judged() {
    let mut story = family();
    let log = story.log("carl");
    story.leave("carl", &[]);
    let beyond = story.rename("carl", "it");
    let closed = story.close("carl", log, &[]);
    let roster = expect(&story, "ann owner, bob admin, dan writer");
    expect_acts(&roster, &[closed], &[beyond]);
    assert_eq!(roster.kept(&log), Standing::Within(Vec::new()));
    let act = close(&story, "carl");
    story.act("bob", act.clone());
    let Act::Close { cut } = act else { unreachable!() };
    // Once another ends it, what carl named is kept beside what bob did.
    let kept = sets(story.roster().kept(&log));
    assert_eq!(kept.len(), 3);
    assert!(kept.contains(&cut.heads));
}

const WRITERS: [&str; 4] = ["ann", "bob", "carl", "dan"];

/// Something that one of them does to one of them, with two deltas of the other's.
type Step = (u8, Index, Index, (Index, Index));

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    vec((0..12_u8, index(), index(), (index(), index())), 1..40)
}

/// What comes of it.
fn told(steps: &[Step]) -> Vec<Deed> {
    let mut story = family();
    for (what, who, whom, (one, other)) in steps {
        let (who, whom) = (*who.get(&WRITERS), *whom.get(&WRITERS));
        let log = story.log(whom);
        let theirs = story.deeds().iter().filter(|deed| deed.log == log).map(|deed| deed.id);
        let theirs: Vec<DeltaId> = theirs.collect();
        let heads = if theirs.is_empty() {
            Vec::new()
        } else {
            vec![*one.get(&theirs), *other.get(&theirs)]
        };
        match what {
            0 => drop(story.grant(who, whom, Admin)),
            1 => drop(story.set_role(who, whom, Writer, &heads)),
            2 => drop(story.revoke(who, whom, &heads)),
            3 | 4 => drop(story.close(who, log, &heads)),
            5 | 6 => drop(story.close(whom, log, &heads)),
            7 | 8 => drop(story.leave(whom, &heads)),
            9 if !heads.is_empty() => {
                story.fork(heads[0], Act::Rename { name: b"fork".to_vec() });
            }
            10 => story.starts(whom, log.authority),
            _ => drop(story.rename(whom, "it")),
        }
    }
    story.deeds().to_vec()
}

fn sets(standing: Standing) -> Vec<Vec<(Seq, DeltaId)>> {
    match standing {
        Standing::Within(sets) => sets,
        Standing::Nothing | Standing::Unknown => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn how_much_is_kept_of_a_log_is_never_less_by_what_it_says(steps in any_steps()) {
        let deeds = told(&steps);
        let genesis = deeds[0].id;
        let context = genesis.into();
        let logs: BTreeSet<LogId> = deeds.iter().map(|deed| deed.log).collect();
        for log in logs.into_iter().filter(|log| log.authority != AuthorityId::ZERO) {
            let (of_it, rest): (Vec<_>, Vec<_>) =
                deeds.iter().cloned().partition(|deed| deed.log == log);
            let mut roster = Roster::of(context, rest);
            let kept = roster.kept(&log);
            for deed in of_it.into_iter().rev() {
                roster.insert(deed);
                let now = roster.kept(&log);
                if kept == Standing::Within(Vec::new()) || kept == Standing::Nothing {
                    prop_assert_eq!(&now, &kept);
                }
                let now = sets(now);
                prop_assert!(sets(kept.clone()).iter().all(|heads| now.contains(heads)));
            }
            let standing = sets(roster.standing(&log));
            let left = |heads: &Vec<(Seq, DeltaId)>| {
                standing.iter().any(|set| heads.iter().all(|head| set.contains(head)))
            };
            prop_assert!(sets(kept).iter().all(left));
            let data = LogId { plane: Plane::Data, ..log };
            prop_assert_eq!(roster.kept(&data), roster.standing(&data));
        }
    }
}
