//! However many heads there are, a write comes after all of them, and no header names more than it
//! may.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::id::{DeltaId, Plane};
use mangrove_protocol::limits::{DEPS_PER_DELTA, DEPS_PER_LOG};
use mangrove_protocol::replica::Config;
use mangrove_protocol::view::{Deltas, History, View, every};

use crate::crank::{Crank, Pen, boundless, config, published, put, write};
use crate::make::size;
use crate::tables;

const NODE: u8 = 50;

fn crank() -> Crank {
    Crank::new(Config { bounds: boundless(), ..config(NODE) })
}

/// Writes once, and checks what was published for it: at most so many deltas, all within the caps,
/// the last of which has everything in its past.
fn check_write(crank: &mut Crank, at_most: usize) -> Vec<Delta> {
    let out = crank.feed(write(0, crate::crank::call(vec![put("k", "v")])));
    let data = published(&out).into_iter().filter(|delta| delta.log().plane == Plane::Data);
    let deltas: Vec<_> = data.cloned().collect();
    assert!(deltas.len() <= at_most, "{} deltas for one write", deltas.len());
    for delta in &deltas {
        assert_eq!(delta.header().check(), Ok(()));
        assert!(delta.header().deps.len() as u64 <= DEPS_PER_DELTA);
    }
    let last = deltas.last().unwrap();
    assert_eq!(tables::heads(&crank.memory), [last.id()].into());
    tables::check(crank);
    deltas
}

/// One delta of each of so many logs.
fn logs(count: u64) -> Vec<Delta> {
    (0..count)
        .map(|life| Pen::new(1 + (life % 60).to_le_bytes()[0], life).life(life).write())
        .collect()
}

#[test]
fn few_heads_are_named_by_the_write_itself() {
    for count in [1, 2, 63, 64] {
        let mut crank = crank();
        crank.give(&logs(count));
        assert_eq!(check_write(&mut crank, 1).len(), 1, "{count}");
    }
}

#[test]
fn more_heads_than_a_delta_may_name_are_joined_first() {
    for (count, expect) in [(65, 2), (128, 2), (129, 3), (500, 8)] {
        let mut crank = crank();
        crank.give(&logs(count));
        assert_eq!(check_write(&mut crank, expect).len(), expect, "{count}");
        assert_eq!(check_write(&mut crank, 1).len(), 1, "joined once and for all");
    }
}

#[test]
fn more_tips_of_one_log_than_a_delta_may_name_are_joined_first() {
    for tips in [4, 5, 9, 16] {
        let mut crank = crank();
        let forks: Vec<_> = (0..tips).map(|at| Pen::new(1, at).write()).collect();
        crank.give(&forks);
        assert_eq!(tables::heads(&crank.memory).len(), forks.len());
        let expect = forks.len().div_ceil(size(DEPS_PER_LOG));
        assert_eq!(check_write(&mut crank, expect).len(), expect);
    }
}

#[test]
fn own_finished_logs_are_joined_like_those_of_others() {
    let mut crank = crank();
    let own: Vec<_> = (0..70).map(|life| Pen::new(NODE, life).life(life).write()).collect();
    crank.give(&own);
    check_write(&mut crank, 2);
}

#[test]
fn a_join_is_one_commit_and_changes_nothing() {
    let mut crank = crank();
    crank.give(&logs(200));
    let (state, commits) = (tables::visible(&crank.memory), crank.commits);
    let deltas = check_write(&mut crank, 4);
    assert_eq!(crank.commits, commits + 1);
    let mut after = tables::visible(&crank.memory);
    after.registers.clear();
    assert_eq!(after, state);
    let order: Vec<DeltaId> = every::<History, _>(&crank.memory).map(|(_, id)| id).collect();
    assert!(order.ends_with(&deltas.iter().map(Delta::id).collect::<Vec<_>>()));
}

#[test]
fn thousands_of_tips_are_joined() {
    let mut crank = crank();
    crank.give(&logs(2_000));
    check_write(&mut crank, 32);
}

/// What is void is never named, nor is what waits.
#[test]
fn only_what_counts_is_named() {
    let mut crank = crank();
    let good = Pen::new(1, 0).write();
    let late = Pen::new(2, 0).citing(&[&good]).write();
    let parked = Pen::new(3, 5).under(2).citing(&[&good]).write();
    let ahead = Pen::new(4, 100_000).citing(&[&good]).write();
    crank.give(&[good.clone(), late, parked, ahead]);
    assert_eq!(tables::voids(&crank.memory).len(), 1);
    let written = crank.edit(vec![put("k", "v")]);
    let delta = crank.memory.get::<Deltas>(&written.delta).unwrap();
    assert_eq!(delta.header().deps, [good.tip()]);
}

/// A void delta stands between: what it cites is in the past all the same, however the void ones
/// are woven.
#[test]
fn heads_are_followed_through_void_deltas() {
    let mut crank = crank();
    let (good, behind) = (Pen::new(1, 10).write(), Pen::new(10, 10).write());
    // Beside a ladder that has more ways down than anybody could go.
    let aside = Pen::new(1, 10).life(50).citing(&[&behind]).write();
    let mut all = vec![good.clone(), behind, aside.clone()];
    let mut rung = vec![good];
    for life in 0..16 {
        let next: Vec<_> = (2..5)
            .map(|author| Pen::new(author, 0).life(life).citing(&rung.iter().collect::<Vec<_>>()))
            .map(|pen| pen.at(10).write())
            .collect();
        all.extend(next.clone());
        rung = next;
    }
    let top = Pen::new(9, 20).citing(&[&aside]).citing(&rung.iter().collect::<Vec<_>>()).write();
    all.push(top.clone());
    crank.give(&all);
    assert_eq!(tables::voids(&crank.memory).len(), 49);
    assert_eq!(tables::heads(&crank.memory), [top.id()].into());
    tables::check(&crank);
}
