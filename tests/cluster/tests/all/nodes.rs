//! A node is run, broken and run again, as a test wants it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mangrove_cluster::{Node, Plan, Port, eventually};

use crate::place;

const SOON: Duration = Duration::from_secs(20);

/// Asks a node how it is, and waits so long for the answer.
fn ask(node: &Node, patience: Duration) -> io::Result<usize> {
    let mut stream = TcpStream::connect(node.door().access().unwrap().address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    stream.read(&mut [0; 64])
}

#[test]
fn a_node_that_was_killed_is_the_same_one_when_it_is_run_again() {
    let mut node = Node::start(&place(), Plan::new("a"));
    let (peer, address, token) = (node.peer().to_owned(), node.address().to_owned(), node.token());
    assert!(address.ends_with(&format!("/p2p/{peer}")), "{address}");
    assert!(ask(&node, SOON).unwrap() > 0);
    for _ in 0..3 {
        node.kill();
        assert_eq!(node.door().access(), None);
        assert!(TcpStream::connect(node.socket()).is_err(), "nobody listens any more");
        node.restart(Port::Same);
        assert_eq!((node.peer(), node.address()), (peer.as_str(), address.as_str()));
        assert!(ask(&node, SOON).unwrap() > 0);
    }
    node.kill();
    node.restart(Port::Fresh);
    assert_eq!((node.peer(), node.token()), (peer.as_str(), token));
    assert!(TcpStream::connect(node.socket()).is_ok());
}

#[test]
fn a_node_that_is_stopped_tells_by_which_signal() {
    let mut node = Node::start(&place(), Plan::new("a"));
    assert_eq!(node.stop(), Some(143));
    node.restart(Port::Same);
    node.signal(rustix::process::Signal::INT);
    assert_eq!(node.wait_for_end(), Some(130));
}

#[test]
fn a_node_that_is_held_answers_nobody_until_it_is_let_go() {
    let node = Node::start(&place(), Plan::new("a"));
    assert!(ask(&node, SOON).unwrap() > 0);
    node.pause();
    let silent = ask(&node, Duration::from_millis(200)).unwrap_err();
    assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
    node.resume();
    assert!(ask(&node, SOON).unwrap() > 0);
    node.pause();
    drop(node);
}

#[test]
fn a_node_has_its_settings_and_failpoints_from_its_plan_and_while_it_runs() {
    let plan = Plan::new("a").set("log.filter", "warn").failing("first=error;second,p:0=error");
    let mut node = Node::start(&place(), plan);
    let set = |node: &Node| {
        let told = node.command(&["diag", "failpoint", "none", "--json"]).succeeded().json();
        let set = told["failpoints"].as_array().unwrap().iter();
        set.map(|it| it["failpoint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(set(&node), ["first=error", "second,p:0=error"]);
    node.fail_at("third,once=abort");
    assert_eq!(set(&node), ["first=error", "second,p:0=error", "third,once=abort"]);
    let log = eventually("that it logs what it was told to", SOON, || {
        let log = node.log();
        let is_told = log.iter().any(|line| line.contains("a failpoint was set"));
        if is_told { Ok(log) } else { Err(log.join("\n")) }
    });
    assert!(log.iter().all(|line| !line.contains(" INFO ")), "{log:?}");
    node.kill();
    node.restart(Port::Same);
    assert_eq!(set(&node), ["first=error", "second,p:0=error"], "the plan is that of every life");
}

#[test]
fn what_a_node_takes_can_be_told() {
    let node = Node::start(&place(), Plan::new("a"));
    assert!((1 << 20..1 << 30).contains(&node.resident_bytes()));
    assert!(node.cpu_time() > Duration::ZERO);
    assert!(node.api().starts_with("http://127.0.0.1:"));
}

#[test]
fn many_nodes_run_beside_each_other_in_one_place() {
    let place = place();
    let nodes = ["a", "b", "c"].map(|name| Node::start(&place, Plan::new(name)));
    let mut peers = nodes.iter().map(Node::peer).collect::<Vec<_>>();
    peers.sort_unstable();
    peers.dedup();
    assert_eq!(peers.len(), 3);
    let homes = nodes.iter().map(|node| node.home().join("home.toml").exists());
    assert!(homes.eq([true; 3]));
}

#[test]
#[should_panic(expected = "`a` has not given that it is ready")]
fn a_node_that_does_not_start_says_why() {
    Node::start(&place(), Plan::new("a").set("network.profile", "moon"));
}
