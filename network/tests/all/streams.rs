//! Streams: what goes in comes out, waits have ends, and there are only so many.

use std::time::{Duration, Instant};

use mangrove_network::{Incoming, Open, Protocol, Receiver, Sender, Stream, StreamError, Why};
use tokio::time::timeout;

use crate::node::{Node, PATIENCE, Plan, TALK, keys};

async fn two() -> [Node; 2] {
    let [mut one, mut two] = [Node::start(1).await, Node::start(2).await];
    one.meet(&mut two).await;
    [one, two]
}

impl Node {
    async fn call(&self, other: &Self) -> Result<(Sender, Receiver), StreamError> {
        self.network.open(other.peer(), TALK).await.map(Stream::split)
    }

    async fn answer(&mut self) -> (Sender, Receiver) {
        let incoming = timeout(PATIENCE, self.ears.streams.recv()).await.expect("nobody called");
        incoming.unwrap().stream.split()
    }
}

#[tokio::test]
async fn frames_arrive_whole_both_ways_at_once() {
    let [one, mut two] = two().await;
    let (mut send, mut receive) = one.call(&two).await.unwrap();
    let frames = [vec![], vec![1], vec![2; 70_000], vec![3; 1 << 20], vec![4; 12]];
    let echo = async {
        let (mut send, mut receive) = two.answer().await;
        while let Some(frame) = receive.receive(PATIENCE).await.unwrap() {
            send.send(&frame).await.unwrap();
        }
        send.finish().await.unwrap();
    };
    let talk = async {
        for frame in &frames {
            send.send(frame).await.unwrap();
        }
        send.finish().await.unwrap();
        let mut found = Vec::new();
        while let Some(frame) = receive.receive(PATIENCE).await.unwrap() {
            found.push(frame);
        }
        found
    };
    let ((), found) = tokio::join!(echo, talk);
    assert_eq!(found, frames);
}

#[tokio::test]
async fn a_stream_tells_who_is_at_the_other_end_and_what_it_is_for() {
    let [one, mut two] = two().await;
    let stream = one.network.open(two.peer(), TALK).await.unwrap();
    assert_eq!(stream.peer(), two.peer());
    let (mut send, _receive) = stream.split();
    send.send(b"hello").await.unwrap();
    let Incoming { protocol, stream } = two.ears.streams.recv().await.unwrap();
    assert_eq!((protocol, stream.peer()), (TALK, one.peer()));
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_not_sent_and_not_taken() {
    let generous = Protocol { frame_bytes: 2 << 20, ..TALK };
    let [one, mut two] = two().await;
    let (mut send, _receive) = one.call(&two).await.unwrap();
    let long = vec![0; (1 << 20) + 1];
    let too_long = StreamError::Oversized { bytes: (1 << 20) + 1, most: 1 << 20 };
    assert_eq!(send.send(&long).await, Err(too_long.clone()));
    send.send(b"still fine").await.unwrap();
    let (_, mut receive) = two.answer().await;
    assert_eq!(receive.receive(PATIENCE).await, Ok(Some(b"still fine".to_vec())));

    let (mut send, _receive) = one.network.open(two.peer(), generous).await.unwrap().split();
    let refuse = async {
        let (_, mut receive) = two.answer().await;
        receive.receive(PATIENCE).await
    };
    // It notices that the other side has hung up before it is through.
    let (sent, refused) = tokio::join!(send.send(&long), refuse);
    assert_eq!((sent, refused), (Err(StreamError::Ended), Err(too_long)));
    let culprit = one.peer();
    two.until(|overview| {
        let peer = overview.peers.iter().find(|it| it.peer == culprit).unwrap();
        peer.faults.iter().any(|fault| fault.what == "oversized" && fault.count == 1)
    })
    .await;
}

#[tokio::test]
async fn who_says_nothing_is_silent_and_who_ends_has_finished() {
    let [one, mut two] = two().await;
    let (mut send, mut receive) = one.call(&two).await.unwrap();
    send.send(b"well?").await.unwrap();
    let (answer, _) = two.answer().await;
    let began = Instant::now();
    assert_eq!(receive.receive(Duration::from_millis(200)).await, Err(StreamError::Silent));
    assert!(began.elapsed() >= Duration::from_millis(200));
    answer.finish().await.unwrap();
    assert_eq!(receive.receive(PATIENCE).await, Ok(None));
}

#[tokio::test]
async fn who_breaks_off_in_a_frame_is_noticed() {
    let (near, far) = tokio::io::duplex(64);
    let far = tokio_util::compat::TokioAsyncReadCompatExt::compat(far);
    let stream = Stream::over(far, keys(2).peer(), 100);
    let (_, mut receive) = stream.piece_within(Duration::from_millis(300)).split();
    let (_, mut near) = tokio::io::split(near);
    tokio::io::AsyncWriteExt::write_all(&mut near, &[10, 0, 0, 0, 1, 2]).await.unwrap();
    let stalled = StreamError::Stalled(Duration::from_millis(300));
    assert_eq!(receive.receive(PATIENCE).await, Err(stalled));
}

#[tokio::test]
async fn what_the_other_side_does_not_know_is_said_so() {
    let [one, two] = two().await;
    let other = Protocol { name: "/mangrove/other/1", frame_bytes: 10 };
    assert_eq!(one.network.open(two.peer(), other).await.unwrap_err(), StreamError::Unsupported);
}

#[tokio::test]
async fn a_peer_that_nobody_wants_is_not_connected_and_one_that_is_wanted_is_waited_for() {
    let [one, mut two] = [Node::start(1).await, Node::start(2).await];
    assert_eq!(one.call(&two).await.unwrap_err(), StreamError::NotConnected);
    let (network, peer, address) = (one.network.clone(), two.peer(), two.full_address());
    network.want(peer, Why::Join).await;
    let call = network.open(peer, TALK);
    let meet = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let source = mangrove_network::Source::Ticket;
        network.learn(peer, vec![address], source).await;
    };
    let (stream, ()) = tokio::join!(call, meet);
    let (mut send, _receive) = stream.unwrap().split();
    send.send(b"at last").await.unwrap();
    let (_, mut receive) = two.answer().await;
    assert_eq!(receive.receive(PATIENCE).await, Ok(Some(b"at last".to_vec())));
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_they_come_back() {
    let few = |settings: &mut mangrove_config::network::Network| settings.streams_per_peer = 3;
    let mut one = Plan::new(1).with(few).start().await;
    let mut two = Node::start(2).await;
    one.meet(&mut two).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(one.call(&two).await.unwrap());
    }
    assert_eq!(one.call(&two).await.unwrap_err(), StreamError::Busy);
    held.pop();
    held.push(one.call(&two).await.unwrap());
    // Those that are opened from the other side are counted by themselves, and refused beyond.
    let mut answered = Vec::new();
    for _ in 0..3 {
        let (mut send, receive) = two.call(&one).await.unwrap();
        send.send(b"hello").await.unwrap();
        answered.push(one.answer().await);
        held.push((send, receive));
    }
    let (mut send, mut receive) = two.call(&one).await.unwrap();
    drop(send.send(b"one too many").await);
    let refused = receive.receive(PATIENCE).await;
    assert!(matches!(refused, Ok(None) | Err(StreamError::Ended)), "{refused:?}");
    answered.pop();
    let (mut send, _receive) = two.call(&one).await.unwrap();
    send.send(b"and now").await.unwrap();
    let (_, mut receive) = one.answer().await;
    assert_eq!(receive.receive(PATIENCE).await, Ok(Some(b"and now".to_vec())));
}

/// Nobody takes streams in for a while, and all of them are there afterwards.
#[tokio::test]
async fn no_stream_is_lost_because_its_taker_is_slow() {
    const STREAMS: u64 = 300;
    let many = |settings: &mut mangrove_config::network::Network| {
        settings.streams = 1_000;
        settings.streams_per_peer = 1_000;
    };
    let mut one = Plan::new(1).with(many).start().await;
    let mut two = Plan::new(2).with(many).start().await;
    one.meet(&mut two).await;
    // One connection carries fewer streams at a time than there are: they end and make room.
    let (network, peer) = (one.network.clone(), two.peer());
    let talk = async {
        for number in 0..STREAMS {
            let (mut send, _receive) = network.open(peer, TALK).await.unwrap().split();
            send.send(&number.to_le_bytes()).await.unwrap();
            send.finish().await.unwrap();
            if number == 40 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    };
    let take = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut found = std::collections::BTreeSet::new();
        while found.len() < 300 {
            let (_send, mut receive) = two.answer().await;
            let frame = receive.receive(PATIENCE).await.unwrap().unwrap();
            found.insert(u64::from_le_bytes(frame.try_into().unwrap()));
        }
        found.len()
    };
    let ((), found) = tokio::join!(talk, take);
    assert_eq!(found, 300);
}

#[tokio::test]
async fn the_end_of_a_peer_ends_its_streams() {
    let [one, mut two] = two().await;
    let (mut send, mut receive) = one.call(&two).await.unwrap();
    send.send(b"hello").await.unwrap();
    let (_send, _receive) = two.answer().await;
    two.stop();
    let ended = receive.receive(PATIENCE).await;
    assert!(
        matches!(ended, Err(StreamError::Ended | StreamError::Broken(_)) | Ok(None)),
        "{ended:?}"
    );
    drop(two);
    one.until(|overview| overview.peers.iter().all(|peer| peer.connections.is_empty())).await;
}
