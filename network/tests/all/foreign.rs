//! Peers of other makes: they hear and are heard, judged and answered as our own are.

use std::process::Command;

use mangrove_config::network::Authorship;
use mangrove_lab::{Foreign, Process};
use mangrove_network::{Heard, Multiaddr, Open, Opinion, Posted, StreamError};
use mangrove_protocol::id::PeerId;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::node::{Node, PATIENCE, Plan, TALK, topic};

/// Which one is started.
type Make = fn(&Foreign) -> Command;

#[tokio::test]
async fn a_peer_in_javascript_converses_as_our_own_do() {
    converses(Foreign::js).await;
}

#[tokio::test]
async fn a_peer_in_python_converses_as_our_own_do() {
    converses(Foreign::py).await;
}

#[tokio::test]
async fn what_a_peer_in_javascript_garbles_hurts_nobody() {
    garbles(Foreign::js).await;
}

#[tokio::test]
async fn what_a_peer_in_python_garbles_hurts_nobody() {
    garbles(Foreign::py).await;
}

#[tokio::test]
async fn a_peer_in_javascript_hears_and_is_heard_where_messages_are_signed() {
    signs(Foreign::js).await;
}

#[tokio::test]
async fn a_peer_in_python_hears_and_is_heard_where_messages_are_signed() {
    signs(Foreign::py).await;
}

/// A peer that somebody else has written. It is on the topic, and echoes what comes on streams for
/// [`TALK`].
struct Stranger {
    process: Process,
    peer: PeerId,
    address: Multiaddr,
}

/// Two of our own, the first of which strangers know.
struct Line {
    first: Node,
    second: Node,
}

async fn converses(make: Make) {
    let Some([caller, called]) = Stranger::start(make, &[]) else { return };
    let mut line = Line::start().await;
    caller.order(&json!({"do": "dial", "address": line.first.full_address().to_string()}));
    let found = line.first.network.connect(called.address.clone()).await;
    assert_eq!(found, Ok(called.peer));
    line.admit(&[&caller, &called]).await;
    for stranger in [&caller, &called] {
        line.hear_of(stranger).await;
        line.judge(stranger).await;
        line.first.answer_to(stranger).await;
        line.first.ask(stranger).await;
    }
}

async fn garbles(make: Make) {
    let Some([bad, good]) = Stranger::start(make, &[]) else { return };
    let mut line = Line::start().await;
    for stranger in [&bad, &good] {
        let address = line.first.full_address().to_string();
        stranger.order(&json!({"do": "dial", "address": address}));
        line.admit(&[stranger]).await;
    }
    let peer = line.first.peer().to_string();
    // A frame of four gigabytes is announced.
    let frame = json!({"do": "raw", "peer": peer, "protocol": TALK.name, "data": "ffffffff616263"});
    bad.tell(&frame);
    let incoming = timeout(PATIENCE, line.first.ears.streams.recv()).await.expect("nobody called");
    let (_, mut receive) = incoming.unwrap().stream.split();
    let refused = receive.receive(PATIENCE).await;
    assert!(matches!(refused, Err(StreamError::Oversized { .. })), "{refused:?}");
    bad.until_carried_out("raw");
    line.first.until_blamed(bad.peer, "oversized").await;

    // Ten bytes that are no message, and then one of a length beyond all bounds.
    let mesh = "/meshsub/1.1.0";
    let nonsense = "0affffffffffffffffffffffffffffffffffff0a";
    bad.order(&json!({"do": "raw", "peer": peer, "protocol": mesh, "data": nonsense}));
    line.hear_of(&good).await;
    line.judge(&good).await;
    line.first.answer_to(&good).await;
}

async fn signs(make: Make) {
    let Some([stranger]) = Stranger::start(make, &["--signed"]) else { return };
    let signed = |number| Plan::new(number).with(|it| it.authorship = Authorship::Signed);
    let mut line = Line::of(signed(1).start().await, signed(2).start().await).await;
    stranger.order(&json!({"do": "dial", "address": line.first.full_address().to_string()}));
    line.admit(&[&stranger]).await;
    line.hear_of(&stranger).await;
    line.judge(&stranger).await;
}

impl Stranger {
    /// So many of them. `None` where there are none to be had, which a line on the standard error
    /// tells; in CI they have to be there.
    fn start<const N: usize>(make: Make, more: &[&str]) -> Option<[Self; N]> {
        let found = Foreign::find().unwrap();
        let is_ci = std::env::var_os("CI").is_some();
        assert!(found.is_some() || !is_ci, "in CI the foreign peers have to be there");
        let foreign = found?;
        // All of them start at once, and are waited for one after the other.
        let processes: [Process; N] = std::array::from_fn(|_| {
            let mut command = make(foreign);
            command.args(["--echo", TALK.name]).args(more);
            Process::start(command, "stranger").unwrap()
        });
        Some(processes.map(Self::of))
    }

    fn of(process: Process) -> Self {
        let is_ready = |event: &Value| event["event"] == "ready";
        let ready = process.wait_for("it is ready", PATIENCE, is_ready).unwrap();
        let peer = ready["peer"].as_str().unwrap().parse().unwrap();
        let address = ready["addresses"][0].as_str().unwrap().parse().unwrap();
        let stranger = Self { process, peer, address };
        // Before it meets anybody: py-libp2p does not tell a peer of topics that it joins while it
        // greets it.
        stranger.order(&json!({"do": "subscribe", "topic": topic(1).to_string()}));
        stranger
    }

    fn tell(&self, order: &Value) {
        self.process.tell(order).unwrap();
    }

    /// Tells it to do something, and waits until it has.
    fn order(&self, order: &Value) {
        self.tell(order);
        self.until_done(order["do"].as_str().unwrap());
    }

    fn until_done(&self, what: &str) {
        let outcome = self.until_carried_out(what);
        assert_eq!(outcome["event"], "done", "{outcome}");
    }

    /// Waits until it has done something, or has failed to.
    fn until_carried_out(&self, what: &str) -> Value {
        self.until(&format!("an end of `{what}`"), |event| {
            event["event"] == "error" || (event["event"] == "done" && event["do"] == what)
        })
    }

    fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.process.wait_for(what, PATIENCE, is_it).unwrap()
    }

    fn publish(&self, bytes: &[u8]) {
        self.order(&json!({"do": "publish", "topic": topic(1).to_string(), "data": hex(bytes)}));
    }

    /// Waits until it hears this from that peer.
    fn hear(&self, bytes: &[u8], from: PeerId) {
        let (topic, data, from) = (topic(1).to_string(), hex(bytes), from.to_string());
        self.until("the message", |event| {
            let is_it = event["event"] == "message" && event["data"] == data;
            is_it && event["topic"] == topic && event["from"] == from
        });
    }
}

impl Line {
    async fn start() -> Self {
        Self::of(Node::start(1).await, Node::start(2).await).await
    }

    async fn of(mut first: Node, mut second: Node) -> Self {
        first.meet(&mut second).await;
        for node in [&first, &second] {
            assert!(node.network.join(topic(1)).await);
        }
        first.until_joined(topic(1), vec![second.peer()]).await;
        second.until_joined(topic(1), vec![first.peer()]).await;
        Self { first, second }
    }

    /// Waits until the first and the strangers that are being connected know that all are on the topic. They come in
    /// any order, and the news of each is told once.
    async fn admit(&mut self, strangers: &[&Stranger]) {
        let (peer, name) = (self.first.peer().to_string(), topic(1).to_string());
        for stranger in strangers {
            stranger.until("the first is on the topic", |event| {
                event["event"] == "subscribed" && event["peer"] == peer && event["topic"] == name
            });
            self.first.until_connected(stranger.peer).await;
        }
        let peers = strangers.iter().map(|stranger| stranger.peer).collect();
        self.first.until_joined(topic(1), peers).await;
    }

    /// What the first says and what it passes on, a stranger hears.
    async fn hear_of(&mut self, stranger: &Stranger) {
        let Self { first, second } = self;
        let said = format!("for {}", stranger.peer).into_bytes();
        assert_eq!(first.network.publish(topic(1), said.clone()), Posted::Queued);
        stranger.hear(&said, first.peer());
        assert_eq!(second.accept().await, said);
        let said = format!("from afar for {}", stranger.peer).into_bytes();
        assert_eq!(second.network.publish(topic(1), said.clone()), Posted::Queued);
        assert_eq!(first.accept().await, said);
        stranger.hear(&said, first.peer());
    }

    /// What a stranger says is passed on if it is good, and else it is held against it.
    async fn judge(&mut self, stranger: &Stranger) {
        let Self { first, second } = self;
        for (said, opinion) in [("poison", Opinion::Reject), ("honey", Opinion::Accept)] {
            let said = format!("{said} of {}", stranger.peer).into_bytes();
            stranger.publish(&said);
            let Heard { topic: on, from, bytes, judge } = first.hear().await;
            assert_eq!((on, from, &bytes), (topic(1), stranger.peer, &said));
            judge.settle(opinion);
            if opinion == Opinion::Accept {
                // Had it been handed on, the poison would have come before it.
                let Heard { from, bytes, judge, .. } = second.hear().await;
                assert_eq!((from, bytes), (first.peer(), said));
                judge.settle(Opinion::Accept);
            }
        }
        first.until_blamed(stranger.peer, "rejected").await;
    }
}

/// An empty one, a short one and a long one.
fn frames() -> [Vec<u8>; 3] {
    let long = (0..200 << 10).map(|number: u32| (number * 31).to_le_bytes()[1]);
    [Vec::new(), b"hello".to_vec(), long.collect()]
}

impl Node {
    /// A stranger opens a stream and gets back what it sends.
    async fn answer_to(&mut self, stranger: &Stranger) {
        let sent = frames().map(|frame| hex(&frame));
        let (peer, protocol) = (self.peer().to_string(), TALK.name);
        stranger.tell(&json!({"do": "stream", "peer": peer, "protocol": protocol, "frames": sent}));
        let incoming = timeout(PATIENCE, self.ears.streams.recv()).await.expect("nobody called");
        let stream = incoming.unwrap().stream;
        assert_eq!(stream.peer(), stranger.peer);
        let (mut send, mut receive) = stream.split();
        while let Some(frame) = receive.receive(PATIENCE).await.unwrap() {
            send.send(&frame).await.unwrap();
        }
        send.finish().await.unwrap();
        let answer = || stranger.until("an answer", |event| event["event"] == "answer");
        for frame in &sent {
            assert_eq!(answer()["data"], *frame);
        }
        stranger.until_done("stream");
    }

    /// Opens a stream to a stranger, and gets back what it sends.
    async fn ask(&self, stranger: &Stranger) {
        let stream = self.network.open(stranger.peer, TALK).await.unwrap();
        let (mut send, mut receive) = stream.split();
        for frame in frames() {
            send.send(&frame).await.unwrap();
            assert_eq!(receive.receive(PATIENCE).await, Ok(Some(frame)));
        }
        send.finish().await.unwrap();
        assert_eq!(receive.receive(PATIENCE).await, Ok(None));
    }

    /// Waits until it holds something against a peer, which it does once.
    async fn until_blamed(&self, peer: PeerId, what: &str) {
        self.until(|overview| {
            let found = overview.peers.iter().find(|it| it.peer == peer);
            let mut faults = found.into_iter().flat_map(|it| &it.faults);
            faults.any(|fault| fault.what == what && fault.count == 1)
        })
        .await;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
