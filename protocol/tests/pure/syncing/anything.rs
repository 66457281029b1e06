//! Whatever two nodes know of a past with forks, removals and lies in it: after a session or two, cut
//! off here and there, they hold the same.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::Config;
use mangrove_protocol::view::{Entries, Table};
use proptest::prelude::*;

use super::net::{Net, quiet};
use crate::crank::{Crank, Dice, boundless, config};
use crate::cutting::Past;
use crate::tables;

fn node(seed: u8, known: &[Delta]) -> Crank {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(seed) });
    crank.give(known);
    crank
}

fn check(seed: u64, steps: usize, cut_after: usize) {
    let past = Past::new(seed, steps);
    let mut dice = Dice::new(seed);
    let all: Vec<_> = past.governance.iter().chain(&past.data).cloned().collect();
    let mut some = || -> Vec<Delta> {
        let share = dice.below(4);
        all.iter().filter(|_| dice.below(4) <= share).cloned().collect()
    };
    let nodes = vec![node(50, &some()), node(51, &some())];
    let mut net = Net::new(nodes, quiet(), &Planted::default());
    net.cut_after = cut_after;
    net.sync(0, 1);
    net.cut_after = usize::MAX;
    // What arrives may join with what came ahead of it, so that there is more to show the next time.
    let held = |net: &Net| -> usize {
        net.nodes.iter().map(|it| Entries::rows(&it.crank.memory).len()).sum()
    };
    let equals = |net: &Net| {
        let way = net.traffic(1, 0);
        way.said.iter().filter(|said| *said == "Equal").count()
    };
    let mut before = None;
    loop {
        let equal = equals(&net);
        net.sync(0, 1);
        assert!(net.nodes.iter().all(|node| node.desk.is_at_rest()));
        if equals(&net) > equal {
            break;
        }
        let now = held(&net);
        assert!(before < Some(now), "a session brought nothing, and they do not hold the same");
        before = Some(now);
    }
    for node in &net.nodes {
        assert!(node.desk.ledger().entries().next().is_none(), "somebody was blamed");
    }
    let [one, other] = [0, 1].map(|at| &net.nodes[at].crank);
    assert_eq!(one.replica.stored(), other.replica.stored());
    assert_eq!(tables::applied(&one.memory), tables::applied(&other.memory));
    assert_eq!(tables::root(&one.memory), tables::root(&other.memory));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn two_nodes_end_up_with_the_same_whatever_they_know(
        seed: u64, steps in 1..60_usize, cut_after in 0..30_usize
    ) {
        check(seed, steps, cut_after);
    }
}

/// One side holds a head of a cut-off and, beyond it, the branch that is all the other side holds.
#[test]
fn a_head_is_sent_to_who_holds_the_branch_that_it_cuts_off() {
    check(12_377_060_630_007_809_907, 38, 5);
}
