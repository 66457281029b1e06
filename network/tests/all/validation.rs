//! What is passed on is what was accepted, by three nodes in a line.

use std::time::Duration;

use mangrove_network::{Heard, Opinion, Posted};

use crate::node::{Node, topic};

/// Long enough for a message to have come through, had it been handed on.
const A_WHILE: Duration = Duration::from_millis(700);

/// The first knows the second, the second the third; all are on one topic.
async fn line() -> [Node; 3] {
    let [mut first, mut second, mut third] =
        [Node::start(1).await, Node::start(2).await, Node::start(3).await];
    first.meet(&mut second).await;
    second.meet(&mut third).await;
    for node in [&first, &second, &third] {
        assert!(node.network.join(topic(1)).await);
    }
    first.until_joined(topic(1), vec![second.peer()]).await;
    second.until_joined(topic(1), vec![first.peer(), third.peer()]).await;
    third.until_joined(topic(1), vec![second.peer()]).await;
    [first, second, third]
}

fn faults(overview: &mangrove_network::Overview, node: &Node, what: &str) -> u64 {
    let peer = overview.peers.iter().find(|it| it.peer == node.peer());
    let faults = peer.into_iter().flat_map(|it| &it.faults);
    faults.filter(|fault| fault.what == what).map(|fault| fault.count).sum()
}

#[tokio::test]
async fn what_is_rejected_is_not_passed_on_and_is_held_against_who_did() {
    let [first, mut second, mut third] = line().await;
    assert_eq!(first.network.publish(topic(1), b"poison".to_vec()), Posted::Queued);
    let Heard { from, judge, .. } = second.hear().await;
    assert_eq!(from, first.peer());
    judge.settle(Opinion::Reject);
    third.assert_quiet(A_WHILE).await;
    second.until(|overview| faults(overview, &first, "rejected") == 1).await;
    // Who said one wrong thing is still listened to.
    assert_eq!(first.network.publish(topic(1), b"honey".to_vec()), Posted::Queued);
    assert_eq!(second.accept().await, b"honey");
    assert_eq!(third.accept().await, b"honey");
}

#[tokio::test]
async fn what_is_ignored_is_not_passed_on_and_nobody_is_to_blame() {
    let [first, mut second, mut third] = line().await;
    assert_eq!(first.network.publish(topic(1), b"not now".to_vec()), Posted::Queued);
    second.hear().await.judge.settle(Opinion::Ignore);
    assert_eq!(first.network.publish(topic(1), b"forgotten".to_vec()), Posted::Queued);
    // One that is dropped has ignored it.
    drop(second.hear().await);
    third.assert_quiet(A_WHILE).await;
    second.until(|overview| faults(overview, &first, "rejected") == 0).await;
}

#[tokio::test]
async fn what_takes_three_seconds_to_judge_is_still_passed_on() {
    let [first, mut second, mut third] = line().await;
    assert_eq!(first.network.publish(topic(1), b"hard to tell".to_vec()), Posted::Queued);
    let Heard { judge, .. } = second.hear().await;
    third.assert_quiet(Duration::from_secs(3)).await;
    judge.settle(Opinion::Accept);
    let heard = third.hear().await;
    assert_eq!((&*heard.bytes, heard.from), (&b"hard to tell"[..], second.peer()));
}

#[tokio::test]
async fn what_nobody_has_time_to_judge_is_shed_and_told_as_missed() {
    let mut first = Node::start(1).await;
    let plan = crate::node::Plan::new(2).with(|settings| settings.messages = 4);
    let mut second = plan.start().await;
    first.meet(&mut second).await;
    for node in [&first, &second] {
        assert!(node.network.join(topic(1)).await);
    }
    first.until_joined(topic(1), vec![second.peer()]).await;
    second.until_joined(topic(1), vec![first.peer()]).await;
    for number in 0..20_u8 {
        assert_eq!(first.network.publish(topic(1), vec![number; 100]), Posted::Queued);
    }
    let mut missed = 0;
    while missed < 16 {
        let is_it = |news: &_| matches!(news, mangrove_network::News::Missed { .. });
        let mangrove_network::News::Missed { topic: of, from, count } =
            second.until_news(is_it).await
        else {
            unreachable!()
        };
        assert_eq!((of, from), (topic(1), vec![first.peer()]));
        missed += count;
    }
    assert_eq!(missed, 16);
    let overview = second.network.overview().await.unwrap();
    let queue = overview.queues.iter().find(|queue| queue.name == "messages").unwrap();
    assert_eq!((queue.peak, queue.capacity), (4, 4));
    for number in 0..4_u8 {
        assert_eq!(second.accept().await, [number; 100]);
    }
    // There is room again.
    assert_eq!(first.network.publish(topic(1), b"more".to_vec()), Posted::Queued);
    assert_eq!(second.accept().await, b"more");
}

#[tokio::test]
async fn a_node_that_is_not_on_a_topic_hears_nothing_of_it() {
    let [first, mut second, mut third] = line().await;
    second.network.leave(topic(1)).await;
    third.until_news(|news| matches!(news, mangrove_network::News::Topics { left, .. } if left == &[topic(1)])).await;
    assert_eq!(first.network.publish(topic(1), b"anybody?".to_vec()), Posted::Queued);
    second.assert_quiet(A_WHILE).await;
    third.assert_quiet(Duration::from_millis(10)).await;
}
