//! A replica is a function of the set of deltas it was given: neither the order of arrival, nor how
//! they came, nor restarts leave a trace.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_protocol::delta::Delta;
use mangrove_protocol::effect::Input;
use mangrove_protocol::graph::{Cause, Void};
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::log::Vector;
use mangrove_protocol::replica::{Bounds, Config};
use proptest::prelude::*;

use crate::crank::{Crank, Dice, NOW_MS, boundless, config};
use crate::dag::{END_MS, Fate, LATE_EPOCH, Past, any_past};
use crate::make::{epoch, keys};
use crate::model::State;
use crate::tables;

/// The node that looks on; it writes nothing.
pub(crate) const ONLOOKER: u8 = 50;

/// Everything that may not depend on how it came about.
#[derive(Debug, PartialEq)]
struct Outcome {
    state: State,
    root: [u8; 32],
    heads: BTreeSet<DeltaId>,
    stored: [u8; 32],
    applied: [u8; 32],
    applied_ids: BTreeSet<DeltaId>,
    voids: BTreeMap<DeltaId, Void>,
    parked: BTreeMap<DeltaId, Cause>,
}

impl Outcome {
    fn of(crank: &Crank) -> Self {
        Self {
            state: tables::visible(&crank.memory),
            root: tables::root(&crank.memory).digest(),
            heads: tables::heads(&crank.memory),
            stored: digest_of_others(crank.replica.stored()),
            applied: digest_of_others(crank.replica.applied()),
            applied_ids: tables::applied(&crank.memory),
            voids: tables::voids(&crank.memory),
            parked: tables::parked(&crank.memory),
        }
    }

    fn check_same(&self, other: &Self, how: &str) {
        assert_eq!(self.applied_ids, other.applied_ids, "{how}");
        assert_eq!((&self.voids, &self.parked), (&other.voids, &other.parked), "{how}");
        assert_eq!(self.heads, other.heads, "{how}");
        assert_eq!(self.stored, other.stored, "{how}: digest of what is stored");
        assert_eq!(self, other, "{how}");
    }

    fn check(&self, fate: &Fate) {
        assert_eq!(self.applied_ids, fate.applied);
        assert_eq!(self.voids, fate.voids);
        assert_eq!(self.parked, fate.parked);
        assert_eq!(self.state, fate.state);
        assert_eq!(self.root, fate.state.root().digest());
    }
}

/// Of all logs but the node's own, in which it hands on keys in its own time.
fn digest_of_others(Vector(mut logs): Vector) -> [u8; 32] {
    let own = keys(ONLOOKER).peer();
    logs.retain(|log, _| log.author != own);
    Vector(logs).digest()
}

/// How a past comes to a node.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Parents first, all at once, and all that is needed is there.
    InOrder,
    /// In any order, in pieces, twice in part, with restarts; keys and time come in between.
    Anyhow(u64),
    /// The same with hardly any room for what does not fit yet, and then offered again in order, a few at a time.
    Pinched(u64),
}

fn node(manner: Manner) -> Config {
    let bounds = match manner {
        Manner::Pinched(_) => Bounds { loose_bytes: 2_000, arrived_bytes: 6_000, ..boundless() },
        _ => boundless(),
    };
    Config { bounds, ..config(ONLOOKER) }
}

fn arrive(past: &Past, manner: Manner) -> Outcome {
    let mut crank = Crank::new(node(manner));
    match manner {
        Manner::InOrder => {
            late_key(&mut crank);
            crank.now_ms = NOW_MS + END_MS;
            crank.give(&past.deltas);
        }
        Manner::Anyhow(seed) => anyhow(&mut crank, past, seed),
        Manner::Pinched(seed) => {
            anyhow(&mut crank, past, seed);
            // As a sync session would go on: from the start of each log, until nothing changes.
            loop {
                let before = crank.replica.stored().digest();
                for some in past.deltas.chunks(4) {
                    crank.give(some);
                }
                if crank.replica.stored().digest() == before {
                    break;
                }
            }
        }
    }
    tables::check(&crank);
    Outcome::of(&crank)
}

fn late_key(crank: &mut Crank) {
    crank.feed(Input::Key(epoch(LATE_EPOCH)));
}

fn anyhow(crank: &mut Crank, past: &Past, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut arriving: Vec<Delta> = past.deltas.clone();
    let again = dice.below(past.deltas.len() / 4 + 1);
    arriving.extend_from_within(..again);
    dice.shuffle(&mut arriving);
    let (key_at, time_at) = (dice.below(arriving.len()), dice.below(arriving.len()));
    let biggest = 1 + dice.below(20);
    let mut at = 0;
    while at < arriving.len() {
        let next = (at + 1 + dice.below(biggest)).min(arriving.len());
        crank.give(&arriving[at..next]);
        if (at..next).contains(&key_at) {
            late_key(crank);
        }
        if (at..next).contains(&time_at) {
            crank.now_ms += END_MS / 2;
            crank.feed(Input::Tick);
        }
        if dice.below(8) == 0 {
            crank.reboot();
            // What was only in memory is lost, so it comes again.
            arriving.extend_from_within(..next);
            if arriving.len() > 4 * past.deltas.len() {
                arriving.truncate(next);
                arriving.extend(past.deltas.iter().cloned());
                crank.give(&arriving[next..]);
                break;
            }
        }
        at = next;
    }
    late_key(crank);
    crank.now_ms = crank.now_ms.max(NOW_MS + END_MS);
    crank.feed(Input::Tick);
}

fn check(past: &Past, seed: u64) {
    let fate = past.fate();
    let in_order = arrive(past, Manner::InOrder);
    in_order.check(&fate);
    for salt in 0..3 {
        let anyhow = arrive(past, Manner::Anyhow(seed.wrapping_add(salt)));
        anyhow.check_same(&in_order, "anyhow");
    }
    arrive(past, Manner::Pinched(seed)).check_same(&in_order, "pinched");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn small_pasts_end_the_same_whatever_the_order(past in any_past(12), seed: u64) {
        check(&past, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn large_pasts_end_the_same_whatever_the_order(past in any_past(200), seed: u64) {
        check(&past, seed);
    }
}
