//! The mesh forms, and what one says all hear.

use std::time::{Duration, Instant};

use mangrove_network::{Opinion, Posted};
use tokio::task::JoinSet;

use crate::node::{Node, PATIENCE, topic};

/// From the moment of publishing to that of being heard, for all but one in a hundred.
const SOON: Duration = Duration::from_millis(150);

#[tokio::test]
async fn what_one_of_two_says_the_other_hears() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.meet(&mut two).await;
    assert!(one.network.join(topic(1)).await);
    assert!(two.network.join(topic(1)).await);
    one.until_joined(topic(1), vec![two.peer()]).await;
    two.until_joined(topic(1), vec![one.peer()]).await;
    assert_eq!(one.network.publish(topic(1), b"hello".to_vec()), Posted::Queued);
    let heard = two.hear().await;
    assert_eq!((heard.topic, heard.from, &*heard.bytes), (topic(1), one.peer(), &b"hello"[..]));
    // A name is the hash of what is said: the same again is no news.
    assert_eq!(one.network.publish(topic(1), b"hello".to_vec()), Posted::Queued);
    assert_eq!(two.network.publish(topic(1), b"back".to_vec()), Posted::Queued);
    assert_eq!(one.accept().await, b"back");
    two.assert_quiet(Duration::from_millis(300)).await;
}

/// Twenty nodes, each connected to a few others; what any of them says, all hear, soon.
#[tokio::test]
async fn what_one_of_twenty_says_all_hear_soon() {
    const NODES: usize = 20;
    const ROUNDS: usize = 10;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(Node::start(u8::try_from(number).unwrap() + 1).await);
    }
    for number in 0..NODES {
        for step in [1, 4, 9] {
            let address = nodes[(number + step) % NODES].full_address();
            nodes[number].network.connect(address).await.unwrap();
        }
    }
    for node in &nodes {
        assert!(node.network.join(topic(1)).await);
    }
    for number in 0..NODES {
        let next = nodes[(number + 1) % NODES].peer();
        nodes[number].until_joined(topic(1), vec![next]).await;
    }
    let began = Instant::now();
    let mut listeners = JoinSet::new();
    let networks = nodes.iter().map(|node| node.network.clone()).collect::<Vec<_>>();
    for mut node in nodes {
        listeners.spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < (NODES - 1) * ROUNDS {
                let message = node.hear().await;
                let said_ms = u64::from_le_bytes(message.bytes[..8].try_into().unwrap());
                message.judge.settle(Opinion::Accept);
                heard.push(began.elapsed().saturating_sub(Duration::from_micros(said_ms)));
            }
            drop(node.network.overview().await);
            (node, heard)
        });
    }
    for round in 0..ROUNDS {
        for (number, network) in networks.iter().enumerate() {
            let now = u64::try_from(began.elapsed().as_micros()).unwrap();
            let mut bytes = now.to_le_bytes().to_vec();
            bytes.extend(format!("round {round}, node {number}").bytes());
            bytes.resize(300, 0);
            assert_eq!(network.publish(topic(1), bytes), Posted::Queued);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let all =
        tokio::time::timeout(PATIENCE, listeners.join_all()).await.expect("not all heard all");
    let mut times = all.iter().flat_map(|(_, heard)| heard).copied().collect::<Vec<_>>();
    assert_eq!(times.len(), NODES * (NODES - 1) * ROUNDS);
    times.sort_unstable();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("twenty nodes: median {median:?}, p99 {late:?}");
    assert!(late <= SOON, "p99 {late:?}");
}

#[tokio::test]
async fn a_thousand_topics_work() {
    const TOPICS: u16 = 1_000;
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    for number in 0..TOPICS {
        assert!(one.network.join(topic(number)).await);
    }
    one.meet(&mut two).await;
    for number in 0..TOPICS {
        assert!(two.network.join(topic(number)).await);
    }
    for node in [&mut one, &mut two] {
        let mut joined = std::collections::BTreeSet::new();
        while joined.len() < usize::from(TOPICS) {
            let is_it = |news: &_| matches!(news, mangrove_network::News::Topics { .. });
            let news = node.until_news(is_it).await;
            let mangrove_network::News::Topics { joined: more, .. } = news else { unreachable!() };
            joined.extend(more);
        }
    }
    for number in (0..TOPICS).rev() {
        let said = number.to_le_bytes().to_vec();
        assert_eq!(one.network.publish(topic(number), said.clone()), Posted::Queued);
        let heard = two.hear().await;
        assert_eq!((heard.topic, heard.bytes), (topic(number), said));
        heard.judge.settle(Opinion::Accept);
    }
}
