//! Who is known, wanted and banned, and what of it outlives the process.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use mangrove_config::setting::Text;
use mangrove_network::{News, Posted, StartError, Why};

use crate::hostile::Hostile;
use crate::node::{Node, Plan};

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

impl Plan {
    fn at_home(mut self, folder: &Utf8PathBuf) -> Self {
        self.folder = Some(folder.clone());
        self
    }

    fn at(self, address: &mangrove_network::Multiaddr) -> Self {
        let address = mangrove_config::address::Multiaddr::parse(&address.to_string()).unwrap();
        self.with(|settings| settings.listen = vec![address])
    }
}

#[tokio::test]
async fn a_ban_ends_the_connection_and_outlives_the_process() {
    let (_folder, path) = folder();
    let mut one = Plan::new(1).at_home(&path).start().await;
    let mut two = Node::start(2).await;
    one.meet(&mut two).await;
    let (peer, address) = (one.peer(), one.address.clone());
    one.network.ban(two.peer()).await;
    two.until_news(|news| *news == News::Disconnected(peer)).await;
    one.stop();
    drop(one);

    let mut one = Plan::new(1).at_home(&path).at(&address).start().await;
    let banned = one.network.connect(two.full_address()).await.unwrap_err().to_string();
    assert_eq!(banned, "the peer is turned away: it is banned");
    // It is let in no more, though it tries.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let overview = one.network.overview().await.unwrap();
    assert!(overview.peers.iter().all(|it| it.connections.is_empty()));
    assert!(one.network.unban(two.peer()).await);
    assert!(!one.network.unban(two.peer()).await);
    one.meet(&mut two).await;
}

#[tokio::test]
async fn a_ban_list_that_cannot_be_read_is_no_empty_one() {
    let (_folder, path) = folder();
    std::fs::write(path.join("bans.json"), "{").unwrap();
    let refused = Plan::new(1).at_home(&path).try_start().await.err().unwrap();
    let StartError::Bans(why) = &refused else { panic!("{refused}") };
    assert!(why.to_string().contains("bans.json"), "{why}");
    assert!(!why.hint().is_empty());
}

#[tokio::test]
async fn addresses_that_cannot_be_read_are_forgotten() {
    let (_folder, path) = folder();
    std::fs::write(path.join("peers.json"), "{").unwrap();
    Plan::new(1).at_home(&path).start().await;
}

#[tokio::test]
async fn where_a_peer_was_met_outlives_the_process() {
    let (_folder, path) = folder();
    let mut one = Plan::new(1).at_home(&path).start().await;
    let mut two = Node::start(2).await;
    one.meet(&mut two).await;
    one.stop();
    let mut one = Plan::new(1).at_home(&path).start().await;
    one.network.want(two.peer(), Why::Member).await;
    one.until_news(|news| *news == News::Connected(two.peer())).await;
}

#[tokio::test]
async fn a_wanted_peer_that_comes_back_is_connected_again_soon() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.meet(&mut two).await;
    let (peer, address) = (two.peer(), two.address.clone());
    // It has to have been there for a while, or else it is one that comes and goes.
    tokio::time::sleep(Duration::from_secs(6)).await;
    two.stop();
    one.until_news(|news| *news == News::Disconnected(peer)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let two = Plan::new(2).at(&address).start().await;
    let began = Instant::now();
    one.until_news(|news| *news == News::Connected(peer)).await;
    println!("back after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    drop(two);
}

/// A peer that has forgotten a connection dials, while it is still held here: what was said on it, as
/// that the peer is on a topic, would never be said again.
#[tokio::test]
async fn a_peer_that_comes_anew_ends_what_it_has_left_behind() {
    let mut node = Node::start(1).await;
    let peer = Hostile::meet(&node.full_address()).await;
    node.until_news(|news| *news == News::Connected(peer.peer)).await;
    // Sooner than this it may have dialled for two reasons at once.
    tokio::time::sleep(Duration::from_millis(600)).await;
    peer.dial().await;
    node.until_news(|news| *news == News::Disconnected(peer.peer)).await;
    node.until(|overview| overview.peers.iter().all(|it| it.connections.is_empty())).await;
    peer.dial().await;
    node.until_news(|news| *news == News::Connected(peer.peer)).await;
}

#[tokio::test]
async fn it_is_told_why_and_how_a_peer_is_connected() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.meet(&mut two).await;
    one.network.want(two.peer(), Why::Member).await;
    let peer = two.peer();
    // The first round trip is measured within a few seconds.
    one.until(|overview| {
        let found = overview.peers.iter().find(|it| it.peer == peer).unwrap();
        let [link] = &found.connections[..] else { return false };
        found.why == [Why::Manual, Why::Member]
            && (link.direction.label(), link.transport.label()) == ("outbound", "tcp")
            && !link.relayed
            && link.rtt.is_some_and(|rtt| rtt < Duration::from_secs(1))
    })
    .await;
    let peer = one.peer();
    two.until(|overview| {
        let found = overview.peers.iter().find(|it| it.peer == peer).unwrap();
        found.why.is_empty() && found.connections[0].direction.label() == "inbound"
    })
    .await;
}

#[tokio::test]
async fn what_is_counted_is_counted_in_one_registry_without_names() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.meet(&mut two).await;
    one.network.join(crate::node::topic(1)).await;
    assert_ne!(one.network.publish(crate::node::topic(1), b"alone".to_vec()), Posted::Closed);
    one.network.overview().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &one.registry).unwrap();
    for line in [
        "network_messages_published_total{outcome=\"alone\"} 1",
        "network_peers_connected 1",
        "network_queue_depth{queue=\"commands\"} 0",
        "network_streams_inbound 0",
        "libp2p_bandwidth_bytes_total{protocols=",
        "libp2p_swarm_connections_established_total{",
        "gossipsub_heartbeat_duration",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(!text.contains(&crate::node::topic(1).to_string()));
    assert!(!text.contains(&two.peer().to_string()));
}
