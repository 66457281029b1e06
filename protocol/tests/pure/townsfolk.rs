//! Members decide and write through their replicas, and everybody ends up with what they should.

use mangrove_protocol::effect::{Effect, Input, Undecided};
use mangrove_protocol::governance::{Command, Refusal, Role};
use mangrove_protocol::replica::Mode;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::request::Fault;
use mangrove_protocol::seal::{open_name, seal_name};
use mangrove_protocol::view::{Feed, every};

use crate::tables;
use crate::town::{Town, peer};

const ALL: [&str; 4] = ["owner", "ann", "ben", "cay"];

fn check(town: &Town) {
    town.nodes.values().for_each(tables::check);
}

#[test]
fn whoever_comes_in_reads_what_was_written_before_and_writes() {
    let mut town = Town::honest();
    town.write("ann", "early");
    town.deliver_all(&ALL);
    town.build("dan", Mode::Full);
    assert_eq!(town.try_to_write("dan", "nothing"), Err(Fault::Syncing));
    town.decide("owner", town.grant("dan", Role::Writer));
    town.share("owner", "dan");
    assert!(town.read("dan", "early").is_some());
    town.write("dan", "mine");
    town.deliver_all(&["owner", "ann", "ben", "cay", "dan"]);
    assert!(town.read("cay", "mine").is_some());
    check(&town);
}

#[test]
fn a_removed_member_is_out_and_what_others_write_is_closed_to_it() {
    let mut town = Town::honest();
    town.write("ann", "before");
    town.deliver_all(&ALL);
    // Ann goes on while the owner removes her.
    town.decide("owner", town.remove("ann"));
    town.write("ann", "meanwhile");
    town.share("ann", "ben");
    assert!(town.read("ben", "meanwhile").is_some());
    town.deliver_all(&["owner", "ben", "cay"]);
    for who in ["owner", "ben", "cay"] {
        assert!(town.read(who, "before").is_some(), "{who}");
        assert_eq!(town.read(who, "meanwhile"), None, "{who}");
        assert_eq!(town.role("ann", who), None);
    }
    town.write("ben", "secret");
    town.deliver_all(&ALL);
    assert_eq!(town.read("ann", "secret"), None);
    assert!(!town.can_open("ann", "ben", "secret"));
    assert_eq!(town.try_to_write("ann", "more"), Err(Fault::Forbidden));
    // She is told what she lost.
    let void = every::<Feed, _>(&town.node("ann").memory);
    let void =
        void.filter(|(_, item)| matches!(item, FeedItem::Rebuilt { void } if !void.is_empty()));
    assert_eq!(void.count(), 1);
    check(&town);
}

#[test]
fn whoever_was_removed_can_be_let_in_again() {
    let mut town = Town::honest();
    town.write("ann", "before");
    town.deliver_all(&ALL);
    town.decide("owner", town.remove("ann"));
    town.deliver_all(&ALL);
    town.write("ben", "without");
    town.decide("owner", town.grant("ann", Role::Writer));
    town.deliver_all(&ALL);
    assert!(town.read("ann", "without").is_some());
    town.write("ann", "again");
    town.deliver_all(&ALL);
    assert!(town.read("ben", "again").is_some());
    assert_eq!(town.logs_of("ann").len(), 2, "another right, another log");
    check(&town);
}

#[test]
fn a_writer_who_becomes_a_reader_keeps_what_it_wrote_and_writes_no_more() {
    let mut town = Town::honest();
    town.write("ann", "before");
    town.deliver_all(&ALL);
    town.decide("owner", town.set_role("ann", Role::Reader));
    town.write("ann", "late");
    town.deliver_all(&ALL);
    assert_eq!(town.try_to_write("ann", "more"), Err(Fault::Forbidden));
    for who in ALL {
        assert!(town.read(who, "before").is_some());
        assert_eq!(town.read(who, "late"), None, "{who}: not accepted when it was decided");
    }
    town.write("ben", "for readers too");
    town.deliver_all(&ALL);
    assert!(town.read("ann", "for readers too").is_some());
    check(&town);
}

#[test]
fn who_leaves_gets_no_new_key_and_nobody_waits_for_one() {
    let mut town = Town::honest();
    town.decide("cay", Command::Leave);
    town.deliver_all(&ALL);
    assert_eq!(town.role("cay", "ben"), None);
    town.write("ben", "secret");
    town.write("ann", "crossing");
    town.deliver_all(&ALL);
    assert!(!town.can_open("cay", "ben", "secret"));
    for who in ["owner", "ann", "ben"] {
        assert!(town.read(who, "secret").is_some() && town.read(who, "crossing").is_some());
    }
    check(&town);
}

#[test]
fn two_who_remove_each_other_are_judged_by_rank_alone() {
    let mut town = Town::honest();
    town.decide("owner", town.set_role("ann", Role::Admin));
    town.deliver_all(&ALL);
    town.decide("ann", town.grant("dan", Role::Admin));
    town.build("dan", Mode::Full);
    town.share("ann", "dan");
    let refused = town.try_to_decide("dan", town.remove("ann"));
    assert_eq!(refused, Err(Undecided::Refused(Refusal::NotJunior)));
    town.decide("ann", town.remove("dan"));
    town.deliver_all(&["owner", "ann", "ben", "cay", "dan"]);
    assert_eq!(town.role("dan", "ben"), None);
    assert_eq!(town.role("ann", "dan"), Some(Role::Admin));
    check(&town);
}

#[test]
fn an_admin_removed_while_it_lets_somebody_in_takes_them_along() {
    let mut town = Town::honest();
    town.decide("owner", town.set_role("ann", Role::Admin));
    town.deliver_all(&ALL);
    town.build("dan", Mode::Full);
    town.decide("ann", town.grant("dan", Role::Writer));
    town.share("ann", "dan");
    town.write("dan", "mine");
    town.share("dan", "ben");
    town.decide("owner", town.remove("ann"));
    town.deliver_all(&["owner", "ann", "ben", "cay", "dan"]);
    for who in ["owner", "ben", "cay"] {
        assert_eq!(town.role("dan", who), None, "{who}");
        assert_eq!(town.read(who, "mine"), None, "{who}");
    }
    // The owner lets Dan in by name; what it wrote before stays out.
    town.decide("owner", town.grant("dan", Role::Writer));
    town.deliver_all(&["owner", "ben", "cay", "dan"]);
    town.write("dan", "again");
    town.deliver_all(&["owner", "ben", "cay", "dan"]);
    assert!(town.read("ben", "again").is_some());
    check(&town);
}

#[test]
fn a_cut_that_falls_brings_back_what_it_took() {
    let mut town = Town::honest();
    town.decide("owner", town.set_role("ann", Role::Admin));
    town.deliver_all(&ALL);
    let lost = town.write("ben", "ben's");
    town.share("ben", "cay");
    // Ann has not seen it, and removes Ben; the owner has not seen that, and removes Ann.
    town.decide("ann", town.remove("ben"));
    town.share("ann", "cay");
    assert_eq!(town.read("cay", "ben's"), None);
    town.decide("owner", town.remove("ann"));
    town.deliver_all(&["owner", "ben", "cay"]);
    for who in ["owner", "ben", "cay"] {
        assert_eq!(town.role("ben", who), Some(Role::Writer), "{who}");
        assert!(town.read(who, "ben's").is_some(), "{who}");
    }
    let told = every::<Feed, _>(&town.node("cay").memory).filter(|(_, item)| {
        matches!(item, FeedItem::Change { delta, .. } if lost.iter().any(|it| it.id() == *delta))
    });
    assert_eq!(told.count(), 1, "applications are told once");
    check(&town);
}

#[test]
fn names_are_open_to_members_only() {
    let mut town = Town::honest();
    let replica = &town.nodes["owner"].replica;
    let key = replica.keyring().choose(replica.roster()).unwrap().clone();
    town.decide("owner", Command::Rename { name: seal_name("ville", &key, [3; 12]) });
    town.deliver_all(&ALL);
    let replica = &town.nodes["ben"].replica;
    let name = replica.roster().name().unwrap();
    let opened = open_name(name, |epoch| replica.keyring().get(epoch));
    assert_eq!(opened.as_deref(), Some("ville"));
    assert_eq!(open_name(name, |_| None), None);
    let mut bent = name.to_vec();
    bent[50] ^= 1;
    assert_eq!(open_name(&bent, |epoch| replica.keyring().get(epoch)), None);
}

#[test]
fn a_replica_keeps_everything_and_can_read_nothing() {
    let mut town = Town::honest();
    town.build("keeper", Mode::Replica);
    town.decide("owner", Command::Enlist { replica: peer("keeper") });
    town.write("ann", "one");
    town.write("ben", "two");
    town.deliver_all(&["owner", "ann", "ben", "cay", "keeper"]);
    assert_eq!(town.nodes["keeper"].replica.stored(), town.nodes["owner"].replica.stored());
    assert_eq!(town.nodes["keeper"].replica.applied(), town.nodes["owner"].replica.applied());
    assert_eq!(town.read("keeper", "one"), None);
    assert!(town.nodes["keeper"].replica.keyring().is_empty());
    assert_eq!(town.try_to_write("keeper", "no"), Err(Fault::Forbidden));
    assert!(town.nodes["owner"].replica.roster().replicas().contains(&peer("keeper")));
    // A new member gets everything from the replica alone.
    town.build("dan", Mode::Full);
    town.decide("owner", town.grant("dan", Role::Writer));
    town.share("owner", "keeper");
    town.share("keeper", "dan");
    assert!(town.read("dan", "one").is_some() && town.read("dan", "two").is_some());
    town.decide("owner", Command::Delist { replica: peer("keeper") });
    assert!(town.nodes["owner"].replica.roster().replicas().is_empty());
}

#[test]
fn a_join_is_provisional_until_somebody_else_knows_of_it() {
    let mut town = Town::honest();
    town.build("dan", Mode::Full);
    town.decide("owner", town.grant("dan", Role::Writer));
    town.node("dan").feed(Input::Joined { by: peer("owner") });
    town.share("owner", "dan");
    assert!(town.nodes["dan"].replica.is_provisional());
    town.node("dan").reboot();
    town.share("owner", "dan");
    assert!(town.nodes["dan"].replica.is_provisional(), "the one who let it in does not count");
    town.share("owner", "ben");
    town.share("ben", "dan");
    assert!(!town.nodes["dan"].replica.is_provisional());
}

#[test]
fn a_busy_or_stopping_node_says_so() {
    let mut town = Town::honest();
    let node = town.node("owner");
    node.config.bounds.decisions = 0;
    node.reboot();
    let busy = town.try_to_decide("owner", Command::Rotate);
    assert_eq!(busy, Err(Undecided::Busy));
    town.node("ben").feed(Input::Stop);
    assert_eq!(town.try_to_decide("ben", Command::Rotate), Err(Undecided::Stopping));
}

#[test]
fn a_clock_that_was_set_back_decides_all_the_same() {
    let mut town = Town::honest();
    town.node("owner").now_ms -= 3_600_000;
    town.decide("owner", town.remove("ann"));
    assert_eq!(town.node("owner").replica.roster().role(peer("ann")), None);
}

#[test]
fn a_key_whose_epoch_is_cut_off_is_handed_on_though_nobody_writes() {
    let mut town = Town::honest();
    town.decide("owner", town.set_role("ann", Role::Admin));
    town.deliver_all(&ALL);
    // A new epoch crosses a lowering, which spares what is written under it.
    town.decide("ann", Command::Rotate);
    town.write("ann", "late");
    town.decide("owner", town.set_role("ann", Role::Writer));
    town.share("owner", "ben");
    town.share("ann", "ben");
    assert_eq!(town.read("ben", "late"), None);
    town.share("owner", "ann");
    assert!(town.node("ann").replica.is_tending());
    town.node("ann").now_ms += 40_000;
    town.node("ann").feed(Input::Tick);
    town.share("ann", "ben");
    assert!(town.read("ben", "late").is_some());
    assert!(!town.node("ann").replica.is_tending());
    check(&town);
}

#[test]
fn everybody_is_told_of_members_who_come_and_go() {
    let mut town = Town::honest();
    town.decide("owner", town.remove("ann"));
    let all = town.nodes["owner"].memory.clone();
    town.deliver_all(&["owner", "ben"]);
    let members = |memory| {
        every::<Feed, _>(memory)
            .filter_map(|(_, item)| match item {
                FeedItem::Member { member, role, by } => Some((member, role, by)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let owner = peer("owner");
    let expect = [
        (owner, Some(Role::Owner), owner),
        (peer("ann"), Some(Role::Writer), owner),
        (peer("ben"), Some(Role::Writer), owner),
        (peer("cay"), Some(Role::Writer), owner),
        (peer("ann"), None, owner),
    ];
    assert_eq!(members(&all), expect);
    assert_eq!(members(&town.nodes["ben"].memory), expect);
}

#[test]
fn governance_by_strangers_leaves_nothing() {
    let mut town = Town::honest();
    let mut elsewhere = Town::honest();
    elsewhere.decide("owner", elsewhere.set_role("ann", Role::Admin));
    town.build("dan", Mode::Full);
    let before = town.nodes["ben"].memory.clone();
    let other = crate::crank::FOUNDING.deltas.clone();
    let out = town.give("ben", &other);
    assert!(out.iter().any(|effect| matches!(effect, Effect::Note(_))));
    assert_eq!(town.nodes["ben"].memory, before);
}
