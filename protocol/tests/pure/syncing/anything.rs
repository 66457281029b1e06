//! Whatever two nodes know of a past with forks, removals and lies in it: after a session or two, cut
//! off here and there, they hold the same.

use std::collections::VecDeque;

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Input;
use mangrove_protocol::replica::Config;
use mangrove_protocol::sync::{Ending, Message, Pair, Said, Session};
use mangrove_protocol::view::{Entries, Table};
use proptest::prelude::*;

use crate::crank::{Crank, Dice, boundless, config};
use crate::cutting::Past;
use crate::tables;

fn node(seed: u8, known: &[Delta]) -> Crank {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(seed) });
    crank.give(known);
    crank
}

/// A session between two; how it ended for each, if it was not cut off.
fn sync(nodes: &mut [Crank; 2], cut_after: usize, nonce: u8) -> [Option<Ending>; 2] {
    let context = nodes[0].replica.context();
    let peers = [0, 1].map(|at| nodes[at].replica.peer());
    let pair = |at: usize| Pair { context, us: peers[at], them: peers[1 - at] };
    let (opener, hello) = Session::open(pair(0), [nonce; 16], &nodes[0].replica);
    let mut sessions = [opener, Session::answer(pair(1), [nonce; 16])];
    let mut queue = VecDeque::from([(1, hello)]);
    let (mut endings, mut carried) = ([None; 2], 0);
    while let Some((at, message)) = queue.pop_front() {
        carried += 1;
        if carried > cut_after {
            break;
        }
        let message = Message::decode(&message.encode()).unwrap();
        let mut said = sessions[at].on(message, &nodes[at].replica, &nodes[at].memory);
        while !said.is_empty() {
            for one in std::mem::take(&mut said) {
                let from = peers[1 - at];
                match one {
                    Said::Send(message) => queue.push_back((1 - at, message)),
                    Said::Deliver(deltas) => drop(nodes[at].feed(Input::Deltas { from, deltas })),
                    Said::Agreed => drop(nodes[at].feed(Input::Agreed { with: from })),
                    Said::Over(ending) => endings[at] = Some(ending),
                }
            }
            said = sessions[at].go_on(&nodes[at].replica, &nodes[at].memory);
        }
    }
    endings
}

fn check(seed: u64, steps: usize, cut_after: usize) {
    let past = Past::new(seed, steps);
    let mut dice = Dice::new(seed);
    let all: Vec<_> = past.governance.iter().chain(&past.data).cloned().collect();
    let mut some = || -> Vec<Delta> {
        let share = dice.below(4);
        all.iter().filter(|_| dice.below(4) <= share).cloned().collect()
    };
    let mut nodes = [node(50, &some()), node(51, &some())];
    let mut nonce = 0;
    let mut next = |nodes: &mut _, cut_after| {
        nonce += 1;
        sync(nodes, cut_after, nonce)
    };
    next(&mut nodes, cut_after);
    let equal = [Some(Ending::Equal); 2];
    // What arrives may join with what came ahead of it, so that there is more to show the next time.
    let held = |nodes: &[Crank; 2]| -> usize {
        nodes.iter().map(|it| Entries::rows(&it.memory).len()).sum()
    };
    let mut before = None;
    while next(&mut nodes, usize::MAX) != equal {
        let now = held(&nodes);
        assert!(before < Some(now), "a session brought nothing, and they do not hold the same");
        before = Some(now);
    }
    let [one, other] = &nodes;
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
