//! A proxy passes on, delays, stalls and cuts, as it is switched.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mangrove_cluster::{Mode, Node, Plan, Proxy, eventually};

use crate::place;

const SOON: Duration = Duration::from_secs(20);
/// Long enough for what is passed on at once to arrive.
const MOMENT: Duration = Duration::from_millis(100);

/// Runs `test` with a proxy to somebody who says again whatever is said.
fn with_echo(test: impl FnOnce(&Proxy)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut input = stream.try_clone().unwrap();
                let mut output = stream;
                let mut first = [0];
                // Who connects and says nothing ends this.
                if input.read(&mut first).unwrap_or_default() == 0 {
                    return;
                }
                output.write_all(&first).unwrap_or_default();
                scope.spawn(move || {
                    io::copy(&mut input, &mut output).unwrap_or_default();
                    output.shutdown(Shutdown::Write).unwrap_or_default();
                });
            }
        });
        let proxy = Proxy::start(address);
        test(&proxy);
        drop(proxy);
        drop(TcpStream::connect(address));
    });
}

/// A connection by way of the proxy, over which something was said already.
fn connect(proxy: &Proxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(say(&mut stream, b"hello").unwrap(), b"hello");
    stream
}

/// Says something, and returns what comes back.
fn say(stream: &mut TcpStream, what: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(what)?;
    hear(stream, what.len())
}

fn hear(stream: &mut TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; length];
    stream.read_exact(&mut heard)?;
    Ok(heard)
}

#[test]
fn what_is_passed_on_arrives_whole_and_so_does_its_end() {
    with_echo(|proxy| {
        let mut stream = connect(proxy);
        let long = (0..2_000_000_u32).map(|at| at.to_le_bytes()[0]).collect::<Vec<_>>();
        let mut input = stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                stream.write_all(&long).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            input.read_to_end(&mut heard).unwrap();
            assert!(heard == long, "{} bytes", heard.len());
        });
        assert_eq!(proxy.passed_bytes(), 2 * (5 + 2_000_000));
        assert_eq!(proxy.accepted(), 1);
    });
}

#[test]
fn what_is_delayed_arrives_later_and_one_piece_does_not_wait_for_another() {
    with_echo(|proxy| {
        let mut stream = connect(proxy);
        proxy.switch(Mode::Delay(MOMENT));
        let began = Instant::now();
        for number in 0..10_u8 {
            stream.write_all(&[number]).unwrap();
            thread::park_timeout(Duration::from_millis(5));
        }
        assert_eq!(hear(&mut stream, 10).unwrap(), (0..10).collect::<Vec<_>>());
        let took = began.elapsed();
        assert!(took >= 2 * MOMENT, "each way takes its time: {took:?}");
        assert!(took < 15 * MOMENT, "ten pieces do not take ten times as long: {took:?}");
    });
}

#[test]
fn what_is_stalled_stays_open_says_nothing_and_goes_on_where_it_was() {
    with_echo(|proxy| {
        let mut stream = connect(proxy);
        proxy.switch(Mode::Stall);
        let passed = proxy.passed_bytes();
        stream.write_all(b"held").unwrap();
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        let silent = stream.read(&mut [0]).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
        // Who comes now is taken in, and hears nothing either.
        let mut late = TcpStream::connect(proxy.address()).unwrap();
        late.write_all(b"late").unwrap();
        late.set_read_timeout(Some(MOMENT)).unwrap();
        assert_eq!(late.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(proxy.passed_bytes(), passed);
        proxy.switch(Mode::Pass);
        stream.set_read_timeout(Some(SOON)).unwrap();
        late.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(hear(&mut stream, 4).unwrap(), b"held");
        assert_eq!(hear(&mut late, 4).unwrap(), b"late");
    });
}

#[test]
fn what_is_cut_ends_and_so_does_whatever_is_tried_anew() {
    with_echo(|proxy| {
        let mut stalled = connect(proxy);
        proxy.switch(Mode::Stall);
        stalled.write_all(b"never").unwrap();
        proxy.switch(Mode::Cut);
        assert_eq!(stalled.read(&mut [0]).unwrap_or_default(), 0);
        for _ in 0..3 {
            let mut stream = TcpStream::connect(proxy.address()).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap_or_default(), 0);
        }
        proxy.switch(Mode::Pass);
        connect(proxy);
        assert_eq!(proxy.accepted(), 5);
    });
}

#[test]
fn nodes_meet_by_way_of_a_proxy() {
    let place = place();
    let here = Node::start(&place, Plan::new("here"));
    let proxy = Proxy::start(here.socket());
    let address = proxy.multiaddr(here.peer());
    let there = Node::start(&place, Plan::new("there").arg("--bootstrap").arg(&address));
    let met = |node: &Node, other: &Node| {
        let net = node.command(&["diag", "net", "--json"]).succeeded().json();
        let peers = net["peers"].as_array().unwrap();
        let is_met =
            peers.iter().any(|it| it["peer"] == other.peer() && it["connections"][0].is_object());
        if is_met { Ok(()) } else { Err(net.to_string()) }
    };
    eventually("that they meet", SOON, || met(&here, &there).and_then(|()| met(&there, &here)));
    assert!(proxy.accepted() > 0 && proxy.passed_bytes() > 0);
}
