//! Nodes on networks of their own: how they find each other, and what they make of bad ones.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mangrove_lab::{Conditions, Counters, Lab, Namespace, Switch};
use serde_json::{Value, json};

use crate::child::{Child, command};

/// Where nodes listen if it does not matter where.
const TCP: &str = "/ip4/0.0.0.0/tcp/0";
/// Where they listen if nothing else is set up, but for the port.
const TCP_AND_QUIC: &str = "/ip4/0.0.0.0/tcp/0,/ip4/0.0.0.0/udp/0/quic-v1";
/// How long it may take after a partition until those that were apart are together again.
const HEALED: Duration = Duration::from_millis(1_500);
/// How long it may take after an address has changed: connections that only seem to be there are
/// given up, and others are made.
const MOVED: Duration = Duration::from_secs(20);
/// How long both may take to dial at once.
const CROSSING: Duration = Duration::from_millis(3_300);
/// How soon a node is back that has left connections behind: sooner than they would be missed.
const BACK: Duration = Duration::from_secs(10);

#[test]
fn nodes_on_one_network_find_each_other_untold() {
    let Some(lab) = Lab::open() else { return };
    let town = Town::new(&lab, "lan", TCP);
    town.until_all_are("connected");
    town.gather();
    town.all_hear_all();
}

#[test]
fn those_that_were_apart_are_together_again_soon_over_tcp() {
    part_and_heal(TCP);
}

#[test]
fn those_that_were_apart_are_together_again_soon_over_tcp_and_quic() {
    part_and_heal(TCP_AND_QUIC);
}

/// Cuts several networks, each for longer than the one before: a dial goes into the void for long,
/// and how far it is decides how soon there is another. The later ones are those that try QUIC too.
fn part_and_heal(listen: &str) {
    const MORE_MS: [u64; 6] = [0, 700, 1_400, 5_400, 6_100, 6_800];
    let Some(lab) = Lab::open() else { return };
    let took = std::thread::scope(|scope| {
        let cut = |more_ms| {
            let (lab, more) = (&lab, Duration::from_millis(more_ms));
            scope.spawn(move || part_and_heal_after(lab, listen, more))
        };
        MORE_MS.map(cut).map(|it| it.join().unwrap())
    });
    println!("{listen}: together after {took:?}");
    assert!(took.iter().all(|took| *took <= HEALED), "together after {took:?}");
}

/// Cuts one node from two others until all have noticed, and for some time more. Returns how long
/// it takes from then until it is connected to both again.
fn part_and_heal_after(lab: &Lab, listen: &str, more: Duration) -> Duration {
    let town = Town::new(lab, "server", listen);
    town.acquaint();
    let [a, b, c] = &town.namespaces;
    let [one, others @ ..] = &town.citizens;
    let partition = lab.partition(&[a], &[b, c]).unwrap();
    others.iter().for_each(|other| one.until_both_are("disconnected", other));
    others[0].say("without one");
    others[1].hear("without one");
    let is_over = |event: &Value| event["event"] == "connected";
    let early = one.child.process.wait_for("a way through", more, is_over);
    assert!(early.is_err(), "a partition is none: {early:?}");
    let began = Instant::now();
    partition.heal().unwrap();
    others.iter().for_each(|other| one.until("connected", other));
    let took = began.elapsed();
    others.iter().for_each(|other| other.until("connected", one));
    others.iter().for_each(|other| one.until_both_are("subscribed", other));
    town.all_hear_all();
    took
}

#[test]
fn a_node_whose_address_has_changed_is_connected_again() {
    let Some(lab) = Lab::open() else { return };
    let town = Town::new(&lab, "server", TCP);
    town.acquaint();
    let began = Instant::now();
    let address = town.switch.change_address(&town.namespaces[0]).unwrap();
    let [moved, others @ ..] = &town.citizens;
    // The others may take it back before they have missed it.
    for other in others {
        moved.until("disconnected", other);
        moved.until("connected", other);
    }
    let took = began.elapsed();
    println!("connected again after {took:?}");
    assert_eq!(moved.listens_at(address, 1).len(), 1);
    others.iter().for_each(|other| moved.until_both_are("subscribed", other));
    town.all_hear_all();
    assert!(took <= MOVED, "{took:?}");
}

/// A machine that has crashed and is elsewhere now says no farewell: others still hold connections to
/// what it was, while it makes new ones.
#[test]
fn a_node_that_is_back_before_it_was_missed_hears_and_is_heard() {
    let Some(lab) = Lab::open() else { return };
    let mut town = Town::new(&lab, "server", TCP);
    town.acquaint();
    // Sooner than this both may have dialled at once, and hold two connections.
    let is_over = |event: &Value| event["event"] == "disconnected";
    let quiet = town.citizens[0].child.process.wait_for("the end", CROSSING, is_over);
    assert!(quiet.is_err(), "{quiet:?}");
    town.switch.change_address(&town.namespaces[0]).unwrap();
    town.citizens[0].child.process.kill().unwrap();
    town.citizens[0] = Citizen::start(1, &town.namespaces[0], "server", TCP);
    let [back, others @ ..] = &town.citizens;
    let began = Instant::now();
    back.subscribe();
    for other in others {
        back.want(other);
        // It ends what it has left behind, and with it the connection that it came by.
        other.until("disconnected", back);
        back.until_both_are("subscribed", other);
    }
    town.all_hear_all();
    println!("back after {:?}", began.elapsed());
    assert!(began.elapsed() <= BACK, "{:?}", began.elapsed());
}

#[test]
fn on_a_long_line_that_loses_packets_nothing_is_lost() {
    let Some(lab) = Lab::open() else { return };
    if !lab.can_emulate() {
        return;
    }
    let conditions = Conditions {
        delay: Duration::from_millis(100),
        jitter: Duration::from_millis(20),
        loss: 0.05,
        seed: 1,
        ..Conditions::default()
    };
    let [here, there] = ["here", "there"].map(|label| lab.namespace(label).unwrap());
    let link = lab.emulate(&here, &there, conditions).unwrap();
    let one = Citizen::start(1, &here, "server", TCP);
    let two = Citizen::start(2, &there, "server", TCP);
    one.want(&two);
    one.until_both_are("connected", &two);
    one.subscribe();
    two.subscribe();
    one.until_both_are("subscribed", &two);
    let began = Instant::now();
    // Each waits for the one before it, lest a few packets hold all of them.
    for number in 0..50 {
        let said = format!("number {number}");
        one.say(&said);
        two.hear(&said);
    }
    let heard = began.elapsed();
    one.echo(&two, 1 << 20);
    println!("heard after {heard:?}, echo after {:?}", began.elapsed().saturating_sub(heard));
    for citizen in [&one, &two] {
        let seen = citizen.child.process.seen();
        assert!(seen.iter().all(|event| event["event"] != "disconnected"), "{seen:?}");
    }
    let Counters { there, back } = link.counters().unwrap();
    assert!(there.lost > 0 && back.lost > 0, "not even a packet: {there:?}, {back:?}");
}

/// Three nodes on a switch. They end before their networks do.
struct Town {
    citizens: [Citizen; 3],
    switch: Switch,
    namespaces: [Namespace; 3],
}

/// A node, and where others can reach it.
struct Citizen {
    child: Child,
    addresses: Vec<String>,
}

impl Town {
    fn new(lab: &Lab, profile: &str, listen: &str) -> Self {
        let namespaces = ["a", "b", "c"].map(|label| lab.namespace(label).unwrap());
        let switch = lab.switch(&namespaces.each_ref()).unwrap();
        let citizens = [0, 1, 2]
            .map(|at: u8| Citizen::start(at + 1, &namespaces[usize::from(at)], profile, listen));
        Self { citizens, switch, namespaces }
    }

    /// Has each of them want each other one, and waits until all are connected and on the topic.
    fn acquaint(&self) {
        for (one, other) in self.pairs() {
            one.want(other);
        }
        self.until_all_are("connected");
        self.gather();
    }

    /// Has all of them join the topic, and waits until each knows of each other one.
    fn gather(&self) {
        self.citizens.iter().for_each(Citizen::subscribe);
        self.until_all_are("subscribed");
    }

    /// Waits until each of them has said so of each other one.
    fn until_all_are(&self, what: &str) {
        for (one, other) in self.pairs() {
            one.until(what, other);
        }
    }

    /// What any of them says, all others hear.
    fn all_hear_all(&self) {
        let hello = |citizen: &Citizen| format!("hello from {}", citizen.child.peer);
        self.citizens.iter().for_each(|citizen| citizen.say(&hello(citizen)));
        for (one, other) in self.pairs() {
            one.hear(&hello(other));
        }
    }

    /// Each of them with each other one, both ways.
    fn pairs(&self) -> impl Iterator<Item = (&Citizen, &Citizen)> {
        [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
            .into_iter()
            .map(|(one, other): (usize, usize)| (&self.citizens[one], &self.citizens[other]))
    }
}

impl Citizen {
    fn start(number: u8, namespace: &Namespace, profile: &str, listen: &str) -> Self {
        let inside = namespace.within(&command(number, profile, listen));
        let mut citizen = Self { child: Child::within(inside, number), addresses: Vec::new() };
        let listeners = listen.split(',').count();
        citizen.addresses = citizen.listens_at(namespace.addresses()[0], listeners);
        citizen
    }

    /// Waits until it says so many times that it listens at an address, and says in which way.
    fn listens_at(&self, address: Ipv4Addr, times: usize) -> Vec<String> {
        let begin = format!("/ip4/{address}/");
        let is_it = |event: &Value| {
            let at = event["address"].as_str().unwrap_or_default();
            event["event"] == "listening" && at.starts_with(&begin)
        };
        let address = |event: Value| event["address"].as_str().unwrap().to_owned();
        (0..times).map(|_| address(self.child.until("where it listens", is_it))).collect()
    }

    /// Tells it where another one is, and to stay connected to it.
    fn want(&self, other: &Self) {
        for address in &other.addresses {
            let peer = other.child.peer.to_string();
            self.child.tell(&json!({"do": "want", "peer": peer, "address": address}));
        }
    }

    /// Waits until it says so of another one.
    fn until(&self, what: &str, other: &Self) {
        let peer = other.child.peer.to_string();
        let is_it = |event: &Value| event["event"] == what && event["peer"] == peer;
        self.child.until(&format!("{what}: {peer}"), is_it);
    }

    /// Waits until both say so of each other.
    fn until_both_are(&self, what: &str, other: &Self) {
        self.until(what, other);
        other.until(what, self);
    }

    fn subscribe(&self) {
        self.child.tell(&json!({"do": "subscribe", "topic": 1}));
    }

    /// Sends so many bytes to another one, and waits until they are back.
    fn echo(&self, other: &Self, bytes: u64) {
        let peer = other.child.peer.to_string();
        self.child.tell(&json!({"do": "stream", "peer": peer, "bytes": bytes}));
        let is_it = |event: &Value| event["event"] == "answer" || event["event"] == "error";
        assert_eq!(self.child.until("an answer", is_it)["bytes"], bytes);
    }

    fn say(&self, what: &str) {
        self.child.tell(&json!({"do": "publish", "topic": 1, "data": hex(what)}));
    }

    fn hear(&self, what: &str) {
        let data = hex(what);
        let is_it = |event: &Value| event["event"] == "message" && event["data"] == data;
        self.child.until(what, is_it);
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
