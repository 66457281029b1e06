//! Nodes in this process, some of them replicas.

use std::ops::Bound;
use std::time::Duration;

use mangrove_config::node::Mode;
use mangrove_config::peer::Peer;
use mangrove_config::setting::Text;
use mangrove_network::{Multiaddr, Open, Posted};
use mangrove_protocol::enlist::{Call, Message};
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::governance::Role;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::op::Kind;
use mangrove_protocol::root::Root;
use mangrove_protocol::view::Keys;
use mangrove_store::Direction;

use super::ENLIST;
use crate::directory::State;
use crate::fault::Fault;
use crate::handle::{Range, Terms};
use crate::house::{House, eventually, settings};

const SOON: Duration = Duration::from_secs(20);

/// Starts a replica that serves the nodes of these numbers.
fn replica(number: u8, serves: &[u8]) -> House {
    let mut settings = settings();
    settings.node.mode = Mode::Replica;
    let peer = |number: &u8| NodeKeys::from_bytes(&[*number; 64]).peer().to_string();
    settings.replica.allow = serves.iter().map(|it| Peer::parse(&peer(it)).unwrap()).collect();
    House::start_with(number, settings)
}

fn meet(house: &House, other: &House) {
    let address: Multiaddr = other.node.addresses()[0].parse().unwrap();
    // Those who dial each other at the same moment may have to try again.
    eventually("connected", SOON, || {
        let connected = house.wait(house.node.network().connect(address.clone()));
        connected.map(drop).map_err(|why| why.to_string())
    });
}

fn enlist(house: &House, context: ContextId, count: u64) -> Result<Vec<PeerId>, Fault> {
    house.wait(house.node.enlist(context, count))
}

fn count(house: &House, context: ContextId) -> u64 {
    house.node.look(&context, |look| look.count()).unwrap_or_default()
}

/// How many keys are in the store of a node.
fn keys(house: &House, context: ContextId) -> usize {
    let reading = house.node.reader.begin().unwrap();
    let seen = reading.context(&context).unwrap();
    let all = (Bound::Unbounded, Bound::Unbounded);
    seen.rows::<Keys>(all, Direction::Forward).count()
}

/// Deltas that have had their turn, read or not.
fn deltas(house: &House, context: ContextId) -> u64 {
    house.node.look(&context, |look| look.summary()).map_or(0, |summary| summary.deltas)
}

fn same_deltas(one: &House, other: &House, context: ContextId) {
    eventually("as many deltas", SOON, || match (deltas(one, context), deltas(other, context)) {
        (ours, theirs) if ours == theirs => Ok(()),
        found => Err(format!("{found:?}")),
    });
}

fn until(house: &House, context: ContextId, expect: State) {
    eventually("the state", SOON, || {
        match house.node.find(&context.to_string()).map(|entry| entry.facts()) {
            Ok(facts) if facts.state == expect => Ok(()),
            found => Err(format!("{found:?}, not {expect:?}")),
        }
    });
}

/// Whether something stands anywhere in the files of a node's store.
fn is_in_store(house: &House, marker: &str) -> bool {
    let files = std::fs::read_dir(house.store()).unwrap().map(|file| file.unwrap().path());
    let mut all = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap());
    all.any(|bytes| bytes.windows(marker.len()).any(|part| part == marker.as_bytes()))
}

/// Something that stands nowhere else and that nothing makes shorter.
fn marker() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| char::from(b'!' + 2 + byte % 48)).collect::<String>().replace('\\', "x")
}

#[test]
fn a_replica_keeps_what_it_cannot_read_and_gives_it_to_a_member() {
    let mut owner = House::start(1);
    let keeper = replica(2, &[1]);
    let mut member = House::start(3);
    let context = owner.wait(owner.node.create("kept")).unwrap();
    let terms = Terms { role: Role::Writer, lasts: Duration::from_secs(3_600), uses: 0 };
    let ticket = owner.wait(owner.node.invite(context, terms)).unwrap().ticket;
    assert!(member.wait(member.node.join(&ticket, None, SOON)).unwrap().is_synced);
    assert_eq!(member.stop().code(), 0);

    meet(&owner, &keeper);
    assert_eq!(enlist(&owner, context, 1), Ok(vec![keeper.node.peer()]));
    let marker = marker();
    for number in 0..50 {
        owner.put(context, &format!("key/{number}"), &format!("{marker}{number}")).unwrap();
    }
    until(&keeper, context, State::Ready);
    same_deltas(&owner, &keeper, context);
    let root = owner.root(context);
    assert!(keys(&owner, context) > 0);
    assert_eq!(owner.stop().code(), 0);

    // It has no key, no state and no root, and what it is asked to write it does not.
    assert_eq!(keys(&keeper, context), 0);
    let range = Range {
        kind: Kind::Register,
        prefix: String::new(),
        after: None,
        limit: 9,
        reverse: false,
    };
    assert_eq!(keeper.node.look(&context, |look| look.entities(&range)), Ok(vec![]));
    assert_eq!((keeper.root(context), count(&keeper, context)), (Root::empty().digest(), 0));
    assert!(keeper.put(context, "a", "1").is_err());
    assert_eq!(keeper.wait(keeper.node.create("own")), Err(Fault::Replica));
    assert_eq!(keeper.wait(keeper.node.join(&ticket, None, SOON)), Err(Fault::Replica));

    // The member has nobody else to learn it from, and has never heard of the replica.
    let member = member.again(true);
    assert_eq!(count(&member, context), 0);
    meet(&member, &keeper);
    eventually("all of it", SOON, || match (count(&member, context), member.root(context)) {
        (50, found) if found == root => Ok(()),
        (found, _) => Err(format!("{found} of 50")),
    });

    let mut keeper = keeper;
    assert_eq!(keeper.stop().code(), 0);
    assert!(is_in_store(&owner, &marker), "the search finds what is there");
    assert!(!is_in_store(&keeper, &marker));
}

#[test]
fn a_replica_that_is_let_go_is_given_nothing_more_until_it_is_hired_again() {
    let owner = House::start(1);
    let mut keeper = replica(2, &[1]);
    let context = owner.wait(owner.node.create("kept")).unwrap();
    meet(&owner, &keeper);
    let peer = keeper.node.peer();
    assert_eq!(enlist(&owner, context, 1), Ok(vec![peer]));
    owner.put(context, "a", "1").unwrap();
    until(&keeper, context, State::Ready);
    same_deltas(&owner, &keeper, context);
    let before = deltas(&keeper, context);
    // It is told at the next meeting that it was let go, and nothing else that was said meanwhile.
    assert_eq!(keeper.stop().code(), 0);
    owner.wait(owner.node.delist(context, peer)).unwrap();
    assert!(owner.wait(owner.node.delist(context, peer)).is_err());
    for number in 0..20 {
        owner.put(context, &format!("{number}"), "2").unwrap();
    }
    let keeper = keeper.again(true);
    meet(&owner, &keeper);
    until(&keeper, context, State::Left);
    let facts = keeper.node.find(&context.to_string()).unwrap().facts();
    assert_eq!(facts.why.as_deref(), Some("this replica was let go"));
    // One act of governance, which lets it go.
    eventually("it is stored", SOON, || match deltas(&keeper, context) {
        found if found == before + 1 => Ok(()),
        found => Err(format!("{found} after {before}")),
    });
    eventually("it is where the context is gossiped no more", SOON, || {
        let ties = owner.wait(owner.node.ties(context)).unwrap();
        match ties.iter().any(|tie| tie.peer == peer && tie.is_reachable) {
            false => Ok(()),
            true => Err(format!("{ties:?}")),
        }
    });
    owner.put(context, "b", "3").unwrap();
    assert_eq!(deltas(&keeper, context), before + 1);
    assert_eq!(enlist(&owner, context, 1), Ok(vec![peer]));
    until(&keeper, context, State::Ready);
    same_deltas(&owner, &keeper, context);
}

#[test]
fn only_those_are_served_whom_a_replica_allows_and_only_as_many_hired_as_are_wanted() {
    let owner = House::start(1);
    let (deaf, first, second) = (replica(2, &[3]), replica(4, &[1]), replica(5, &[3, 1]));
    let context = owner.wait(owner.node.create("kept")).unwrap();
    [&deaf, &first, &second].into_iter().for_each(|it| meet(&owner, it));
    let one = enlist(&owner, context, 1).unwrap();
    let two = enlist(&owner, context, 1).unwrap();
    let mut both: Vec<_> = one.iter().chain(&two).copied().collect();
    both.sort();
    let mut expect = [first.node.peer(), second.node.peer()];
    expect.sort();
    assert_eq!(both, expect);
    let replicas = || owner.node.find(&context.to_string()).unwrap().facts().roster.replicas();
    eventually("both are enlisted", SOON, || match replicas() {
        found if found == expect.into() => Ok(()),
        found => Err(format!("{found:?}")),
    });
    assert_eq!(deaf.node.contexts().len(), 0);
    for count in [0, 1_000] {
        assert!(matches!(enlist(&owner, context, count), Err(Fault::Invalid { .. })));
    }
    assert!(matches!(enlist(&deaf, context, 1), Err(Fault::NoContext(_))));
    until(&first, context, State::Ready);
    assert!(matches!(enlist(&first, context, 1), Err(Fault::Undecided(_))));
}

#[test]
fn who_is_hired_and_takes_nothing_is_let_go_again() {
    let (owner, idler) = (House::start(1), House::start(2));
    let context = owner.wait(owner.node.create("kept")).unwrap();
    meet(&idler, &owner);
    // A stranger to the rules: it hears the call as anybody does, answers, and hangs up when it is hired.
    let (nonce, peer) = ([7; 16], owner.node.peer());
    let calling = owner.node.office.open((context, nonce), 1, owner.node.now_ms()).unwrap();
    let say = async |nonce| {
        let stream = idler.node.network.open(peer, ENLIST).await.unwrap();
        let (mut sender, mut receiver) = stream.split();
        sender.send(&Message::Offer { nonce }.encode()).await.unwrap();
        let answer = receiver.receive(SOON).await.unwrap().unwrap();
        Message::decode(&answer).unwrap()
    };
    assert_eq!(idler.wait(say([8; 16])), Message::Refused { retry_after_ms: None });
    assert_eq!(idler.wait(say(nonce)), Message::Hired { context });
    let roster = || owner.node.find(&context.to_string()).unwrap().facts().roster;
    eventually("it is let go", SOON, || match roster().was_delisted(idler.node.peer()) {
        true => Ok(()),
        false => Err(format!("{:?}", roster().replicas())),
    });
    assert_eq!(calling.taken(), []);
    assert_eq!(idler.wait(say(nonce)), Message::Refused { retry_after_ms: None }, "not twice");
}

#[test]
fn a_call_is_handed_on_by_whoever_hears_it_and_a_false_one_is_not() {
    // Neither knows the other: what one says comes to the other by the one in between.
    let (owner, between, keeper) = (House::start(1), replica(2, &[9]), replica(3, &[1]));
    let context = owner.wait(owner.node.create("kept")).unwrap();
    meet(&owner, &between);
    meet(&keeper, &between);
    // Each at another time, or it would be one message.
    let say_a_false_one = || {
        let keys = NodeKeys::from_bytes(&[1; 64]);
        let mut call = Call::sign([1; 16], owner.node.now_ms(), &[], &keys);
        call.signature[0] ^= 1;
        assert_eq!(owner.node.network.publish(Topic::invites(), call.encode()), Posted::Queued);
    };
    eventually("it is rejected", SOON, || {
        say_a_false_one();
        match between.node.metrics().contains("opinion=\"reject\"") {
            true => Ok(()),
            false => Err("not yet".to_owned()),
        }
    });
    assert!(!keeper.node.metrics().contains("opinion=\"reject\""));
    assert_eq!(enlist(&owner, context, 1), Ok(vec![keeper.node.peer()]));
    assert!(keeper.node.metrics().contains("mangrove_delta_calls_total 1"));
}
