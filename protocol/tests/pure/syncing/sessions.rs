//! Two nodes over a link that counts: what they end up with, and what it cost.

use mangrove_protocol::effect::Input;
use mangrove_protocol::governance::Role;
use mangrove_protocol::planted::Planted;
use mangrove_protocol::replica::Mode;
use mangrove_protocol::sync::{Ending, Message, Pair, Refused, Said, Session};

use super::net::{Net, Traffic, quiet};
use crate::tables;
use crate::town::{Town, peer};

/// What came of a session, each way.
struct Report {
    ways: [Traffic; 2],
    /// How often the direction changed.
    turns: u64,
}

impl Report {
    fn said(&self, what: &str) -> [usize; 2] {
        let count = |way: &Traffic| way.said.iter().filter(|said| *said == what).count();
        [count(&self.ways[0]), count(&self.ways[1])]
    }
}

/// Runs something with two of a town.
fn with<T>(town: &mut Town, who: [&'static str; 2], run: impl FnOnce(&mut Net) -> T) -> T {
    let cranks = who.map(|who| town.nodes.remove(who).unwrap());
    let mut net = Net::new(cranks.into(), quiet(), &Planted::default());
    let result = run(&mut net);
    for (who, node) in who.into_iter().zip(net.nodes) {
        assert_eq!(node.desk.fault(), None);
        assert!(node.desk.is_at_rest(), "{who} is not at rest");
        let blamed: Vec<_> = node.desk.ledger().entries().collect();
        assert!(blamed.is_empty(), "{who} blames {blamed:?}");
        town.nodes.insert(who, node.crank);
    }
    result
}

fn sync(town: &mut Town, opener: &'static str, answerer: &'static str) -> Report {
    with(town, [opener, answerer], |net| {
        net.sync(0, 1);
        report(net)
    })
}

fn report(net: &Net) -> Report {
    let turns = net.last_ms / 50;
    Report { ways: [net.traffic(0, 1), net.traffic(1, 0)], turns }
}

fn same(town: &mut Town, one: &'static str, other: &'static str) {
    let stored = town.node(one).replica.stored();
    assert_eq!(stored, town.node(other).replica.stored());
    let applied = town.node(one).replica.applied();
    assert_eq!(applied, town.node(other).replica.applied());
    let root = tables::root(&town.node(one).memory);
    assert_eq!(root, tables::root(&town.node(other).memory));
}

#[test]
fn equal_nodes_are_done_in_one_round_trip_and_few_bytes() {
    let mut town = Town::honest();
    let report = sync(&mut town, "ann", "ben");
    assert_eq!(report.said("Equal"), [0, 1]);
    assert_eq!(report.turns, 2);
    assert!(report.ways.iter().all(|way| way.bytes < 300), "{:?}", report.ways);
}

#[test]
fn each_gets_what_the_other_has() {
    let mut town = Town::honest();
    for text in ["a", "b", "c"] {
        town.write("ann", text);
        town.write("ben", text);
    }
    let report = sync(&mut town, "ann", "ben");
    assert_eq!(report.said("Done"), [1, 1], "{:?}", report.ways);
    same(&mut town, "ann", "ben");
    assert_eq!(sync(&mut town, "ben", "ann").said("Equal"), [0, 1]);
}

#[test]
fn governance_goes_first_and_says_what_of_the_data_counts() {
    let mut town = Town::honest();
    town.write("ann", "early");
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    town.decide("owner", town.remove("cay"));
    town.write("cay", "late");
    town.write("ben", "meanwhile");
    let report = sync(&mut town, "ben", "owner");
    assert_eq!(report.said("Done"), [2, 2], "{:?}", report.ways);
    same(&mut town, "ben", "owner");
    assert!(town.role("cay", "ben").is_none());
}

#[test]
fn who_was_removed_is_told_so_and_shown_no_data() {
    let mut town = Town::honest();
    town.decide("owner", town.remove("cay"));
    town.write("owner", "secret");
    let report = sync(&mut town, "cay", "owner");
    assert_eq!(town.role("cay", "cay"), None);
    assert_eq!(report.said("Done"), [2, 2], "{:?}", report.ways);
    assert!(town.read("cay", "secret").is_none());
    let told = |way: &Traffic| way.bytes < 2_000;
    assert!(report.ways.iter().all(told), "{:?}", report.ways);
}

#[test]
fn what_somebody_wrote_before_leaving_still_gets_to_the_others() {
    let mut town = Town::honest();
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    town.write("cay", "last words");
    town.decide("cay", mangrove_protocol::governance::Command::Leave);
    town.write("owner", "secret");
    sync(&mut town, "cay", "owner");
    assert_eq!(town.role("cay", "owner"), None);
    assert!(town.read("owner", "last words").is_some());
    assert!(town.read("cay", "secret").is_none());
}

#[test]
fn who_never_was_a_member_is_shown_governance_and_no_more() {
    let mut town = Town::honest();
    town.build("dan", Mode::Full);
    town.node("dan").feed(Input::Tick);
    town.write("owner", "secret");
    let report = sync(&mut town, "dan", "owner");
    assert_eq!(report.said("Refused"), [0, 1], "{:?}", report.ways);
    assert!(town.read("dan", "secret").is_none());
    let governance = |who: &str| town.nodes[who].replica.governance();
    assert_eq!(governance("dan"), governance("owner"));
}

#[test]
fn a_newcomer_gets_everything_from_nothing() {
    let mut town = Town::honest();
    for at in 0..300 {
        town.write("ann", &at.to_string());
    }
    town.deliver_all(&["owner", "ann"]);
    town.decide("owner", town.grant("dan", Role::Writer));
    town.build("dan", Mode::Full);
    town.node("dan").feed(Input::Tick);
    let report = sync(&mut town, "dan", "owner");
    assert_eq!(report.said("Done"), [2, 2], "{:?}", report.ways);
    same(&mut town, "dan", "owner");
    let way = &report.ways[1];
    assert!(way.bytes - way.delta_bytes < 3_000 + way.delta_bytes / 50, "{way:?}");
}

#[test]
fn round_trips_do_not_grow_with_history() {
    let turns = |count: usize| {
        let mut town = Town::honest();
        for at in 0..count {
            town.write("ann", &at.to_string());
        }
        sync(&mut town, "ben", "ann").turns
    };
    // Beyond the first few there is a probe, and what follows it.
    assert!(turns(1) + 4 >= turns(100));
    assert_eq!(turns(100), turns(1_000));
}

#[test]
fn a_session_cut_anywhere_resumes_without_sending_again_what_is_stored() {
    let mut town = Town::honest();
    for at in 0..200 {
        town.write("ann", &at.to_string());
    }
    for cut_after in 1..24 {
        let ben = town.node("ben").copy();
        let (once, again) = with(&mut town, ["ben", "ann"], |net| {
            net.cut_after = cut_after;
            net.sync(0, 1);
            let stored = net.nodes[0].crank.replica.stored();
            let stored: u64 = stored.0.values().flatten().map(|(seq, _)| seq.get()).sum();
            net.cut_after = usize::MAX;
            let before = net.traffic(1, 0).deltas;
            net.sync(0, 1);
            (stored, net.traffic(1, 0).deltas - before)
        });
        same(&mut town, "ann", "ben");
        let stored = town.node("ben").replica.stored();
        let all: u64 = stored.0.values().flatten().map(|(seq, _)| seq.get()).sum();
        assert_eq!(again as u64, all - once, "cut after {cut_after}");
        *town.node("ben") = ben;
    }
}

#[test]
fn many_deltas_cost_little_more_than_their_bytes() {
    let mut town = Town::honest();
    for at in 0..2_000 {
        town.write("ann", &at.to_string());
    }
    let report = sync(&mut town, "ben", "ann");
    same(&mut town, "ann", "ben");
    let way = &report.ways[1];
    assert!(way.bytes - way.delta_bytes < 1_000 + way.delta_bytes / 50, "{way:?}");
}

#[test]
fn both_branches_of_a_fork_get_everywhere() {
    let mut town = Town::honest();
    for at in 0..50 {
        town.write("ann", &at.to_string());
    }
    town.deliver_all(&["owner", "ann", "ben", "cay"]);
    // Two copies of one node go on apart.
    let twin = town.node("ann").copy();
    for at in 0..20 {
        town.write("ann", &format!("one {at}"));
    }
    sync(&mut town, "ben", "ann");
    *town.node("ann") = twin;
    for at in 0..30 {
        town.write("ann", &format!("other {at}"));
    }
    sync(&mut town, "cay", "ann");
    for (opener, answerer) in [("ben", "cay"), ("owner", "ben")] {
        let report = sync(&mut town, opener, answerer);
        assert_eq!(report.said("Done"), [1, 1], "{:?}", report.ways);
        same(&mut town, opener, answerer);
    }
    assert!(town.read("owner", "one 19").is_some() && town.read("owner", "other 29").is_some());
}

#[test]
fn who_does_not_know_the_context_learns_nothing() {
    let mut town = Town::honest();
    let context = mangrove_protocol::id::ContextId::from_bytes([9; 32]);
    let pair = Pair { context, us: peer("dan"), them: peer("ann") };
    let (_, hello) = Session::open(pair, [1; 16], &town.node("ben").replica);
    let context = town.node("ann").replica.context();
    let mut session =
        Session::answer(Pair { context, us: peer("ann"), them: peer("dan") }, [2; 16]);
    let ann = town.node("ann");
    let said = session.on(hello, true, &ann.replica, &ann.memory);
    let refused = Message::Refused { why: Refused::UnknownContext, retry_after_ms: None };
    assert!(
        matches!(&said[..], [Said::Send(message), Said::Over(Ending::Gave(_))] if *message == refused)
    );
}
