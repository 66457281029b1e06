//! Namespaces reach those they are joined to, unless a partition is between them.

use std::process::Command;

use mangrove_lab::Process;

use crate::probe::{self, GROUP, LONG, Pings, Probe};

/// What a datagram is given to come back, where it should not.
const NEVER_MS: u32 = 100;
/// What a datagram is given to come back, where it should.
const SOON_MS: u32 = 10_000;

#[test]
fn two_namespaces_reach_each_other_over_a_wire_and_nobody_else() {
    let Some(lab) = probe::lab() else { return };
    let [a, b, c] = ["a", "b", "c"].map(|label| lab.namespace(label).unwrap());
    let wire = lab.connect(&a, &b).unwrap();
    let to = wire.address_of(&b).unwrap();
    let (here, there, stranger) = (Probe::start(&a), Probe::start(&b), Probe::start(&c));
    assert!(here.reaches(to, there.port(), SOON_MS));
    assert!(there.reaches(wire.address_of(&a).unwrap(), here.port(), SOON_MS));
    assert!(here.reaches([127, 0, 0, 1].into(), here.port(), SOON_MS));
    assert_eq!(wire.address_of(&c), None);
    assert!(!stranger.reaches(to, there.port(), NEVER_MS));
    drop(wire);
    assert!(a.addresses().is_empty());
}

#[test]
fn a_partition_cuts_and_heals() {
    let Some(lab) = probe::lab() else { return };
    let [a, b, c] = ["a", "b", "c"].map(|label| lab.namespace(label).unwrap());
    let switch = lab.switch(&[&a, &b, &c]).unwrap();
    let [to_a, to_b, to_c] = [&a, &b, &c].map(|it| switch.address_of(it).unwrap());
    let [on_a, on_b, on_c] = [&a, &b, &c].map(Probe::start);
    let partition = lab.partition(&[&a], &[&b, &c]).unwrap();
    assert!(!on_a.reaches(to_b, on_b.port(), NEVER_MS));
    assert!(!on_c.reaches(to_a, on_a.port(), NEVER_MS));
    assert!(on_b.reaches(to_c, on_c.port(), SOON_MS));
    partition.heal().unwrap();
    assert!(on_a.reaches(to_b, on_b.port(), SOON_MS));
    assert!(on_c.reaches(to_a, on_a.port(), SOON_MS));
}

#[test]
fn a_partition_ends_when_it_is_dropped_and_not_with_another() {
    let Some(lab) = probe::lab() else { return };
    let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
    let wire = lab.connect(&a, &b).unwrap();
    let to = wire.address_of(&b).unwrap();
    let (here, there) = (Probe::start(&a), Probe::start(&b));
    let (first, second) = (lab.partition(&[&a], &[&b]), lab.partition(&[&a], &[&b]));
    drop(first.unwrap());
    assert!(!here.reaches(to, there.port(), NEVER_MS));
    drop(second.unwrap());
    assert!(here.reaches(to, there.port(), SOON_MS));
}

#[test]
fn the_deaf_are_heard() {
    let Some(lab) = probe::lab() else { return };
    let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
    let wire = lab.connect(&a, &b).unwrap();
    let to = wire.address_of(&b).unwrap();
    let deaf = lab.deafen(&[&a], &[&b]).unwrap();
    let mut listener = b.command("python3");
    listener.args(["-I", "-S", "-u", "-c", LISTEN]);
    let listener = Process::start(listener, "listener").unwrap();
    let port = listener.next(LONG).unwrap().as_u64().unwrap().try_into().unwrap();
    let here = Probe::start(&a);
    assert!(!here.reaches(to, port, NEVER_MS));
    listener.wait_for("a datagram", LONG, |event| *event == "heard").unwrap();
    drop(deaf);
    assert!(here.reaches(to, port, SOON_MS));
    listener.kill().unwrap();
}

#[test]
fn a_changed_address_is_reached_and_the_old_one_is_not() {
    let Some(lab) = probe::lab() else { return };
    let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
    let switch = lab.switch(&[&a, &b]).unwrap();
    let (here, there) = (Probe::start(&a), Probe::start(&b));
    let old = switch.address_of(&b).unwrap();
    let new = switch.change_address(&b).unwrap();
    assert_eq!((switch.address_of(&b), b.addresses()), (Some(new), vec![new]));
    assert!(here.reaches(new, there.port(), SOON_MS));
    assert!(!here.reaches(old, there.port(), NEVER_MS));
}

#[test]
fn a_partition_holds_against_an_address_that_is_changed_meanwhile() {
    let Some(lab) = probe::lab() else { return };
    let [a, b] = ["a", "b"].map(|label| lab.namespace(label).unwrap());
    let wire = lab.connect(&a, &b).unwrap();
    let (here, there) = (Probe::start(&a), Probe::start(&b));
    // In one direction, so that nothing but the new address of the unheard is what keeps it unheard.
    let deaf = lab.deafen(&[&a], &[&b]).unwrap();
    let new = wire.change_address(&b).unwrap();
    assert!(!here.reaches(new, there.port(), NEVER_MS));
    deaf.heal().unwrap();
    assert!(here.reaches(new, there.port(), SOON_MS));
}

#[test]
fn what_is_sent_to_all_reaches_all_but_those_who_are_cut_off() {
    let Some(lab) = probe::lab() else { return };
    let [a, b, c] = ["a", "b", "c"].map(|label| lab.namespace(label).unwrap());
    let switch = lab.switch(&[&a, &b]).unwrap();
    switch.join(&c).unwrap();
    let on_a = Probe::in_group(&a, 0);
    let port = on_a.port();
    let others = [&b, &c].map(|it| Probe::in_group(it, port));
    others.iter().for_each(|other| assert_eq!(other.port(), port));
    let heard = |patience_ms| {
        let pings = Pings { to: GROUP, port, count: 1, interval_ms: 0.0, patience_ms };
        on_a.ping(pings).heard
    };
    let [to_a, to_b, to_c] = [&a, &b, &c].map(|it| switch.address_of(it).unwrap());
    assert_eq!(heard(400), [to_a, to_b, to_c]);
    let _partition = lab.partition(&[&a], &[&c]).unwrap();
    assert_eq!(heard(200), [to_a, to_b]);
}

#[test]
fn a_command_is_taken_inside_with_all_that_belongs_to_it() {
    let Some(lab) = probe::lab() else { return };
    let inside = lab.namespace("inside").unwrap();
    let mut command = Command::new("bash");
    command.args([
        "-c",
        "echo $WORD $PWD ${HOME-none}; PATH=$PATH:/usr/sbin:/sbin ip netns identify $$",
    ]);
    command.env("WORD", "mangrove").env_remove("HOME").current_dir("/tmp");
    let output = inside.within(&command).output().unwrap();
    let expect = format!("mangrove /tmp none\n{}\n", inside.name());
    assert_eq!(String::from_utf8_lossy(&output.stdout), expect);
}

/// Hears datagrams, and answers them.
const LISTEN: &str = r#"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 0))
print(s.getsockname()[1])
while True:
    packet, sender = s.recvfrom(65536)
    print('"heard"')
    s.sendto(packet, sender)
"#;
