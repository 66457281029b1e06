//! Starting, and what stands in the way.

use std::time::{Duration, Instant};

use mangrove_config::address::Multiaddr as Written;
use mangrove_config::setting::Text;
use mangrove_network::{ConnectError, Multiaddr, StartError};

use crate::node::{Node, Plan, keys};

fn written(address: &str) -> Written {
    Written::parse(address).unwrap()
}

async fn refused(plan: Plan) -> StartError {
    plan.try_start().await.err().expect("it started")
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let plan = Plan::new(1).with(|settings| settings.listen = vec![written(&address)]);
    assert_eq!(refused(plan).await.to_string(), format!("{address} is in use"));

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1", taken.local_addr().unwrap().port());
    let plan = Plan::new(1).with(|settings| settings.listen = vec![written(&address)]);
    assert_eq!(refused(plan).await.to_string(), format!("{address} is in use"));
}

#[tokio::test]
async fn a_port_of_another_node_is_taken_as_well() {
    for address in ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let plan = |at: &str| {
            let at = written(at);
            Plan::new(1).with(|settings| settings.listen = vec![at.clone()])
        };
        let node = plan(address).start().await;
        let taken = node.full_address().to_string();
        let taken = taken.split("/p2p/").next().unwrap();
        let again = plan(taken);
        assert_eq!(refused(again).await.to_string(), format!("{taken} is in use"));
        drop(node);
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let plan = Plan::new(1).with(|it| it.listen = vec![written("/ip4/192.0.2.1/tcp/0")]);
    let why = refused(plan).await.to_string();
    assert!(why.starts_with("cannot listen on /ip4/192.0.2.1/tcp/0: Cannot assign"), "{why}");
    let plan = Plan::new(1).with(|it| it.listen = vec![written("/dns/localhost/tcp/0")]);
    let why = "cannot listen on /dns/localhost/tcp/0: it is a name; write the address of an \
               interface";
    assert_eq!(refused(plan).await.to_string(), why);
}

#[tokio::test]
async fn a_bootstrap_peer_that_is_not_there_delays_nothing() {
    // Nothing answers there: such packets are dropped by every router.
    let gone = format!("/ip4/192.0.2.1/tcp/1/p2p/{}", keys(9).peer());
    let began = Instant::now();
    let node =
        Plan::new(1).with(|settings| settings.bootstrap = vec![written(&gone)]).start().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    node.until(|overview| overview.peers.iter().any(|it| it.peer == keys(9).peer())).await;
}

#[tokio::test]
async fn a_bootstrap_peer_is_connected_as_soon_as_it_is_there() {
    let mut late = Node::start(2).await;
    let address = late.full_address();
    late.stop();
    let bootstrap = written(&address.to_string());
    let mut node = Plan::new(1).with(|settings| settings.bootstrap = vec![bootstrap]).start().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let port = late.address.to_string();
    let late = Plan::new(2).with(|settings| settings.listen = vec![written(&port)]).start().await;
    let is_it = |news: &_| *news == mangrove_network::News::Connected(late.peer());
    node.until_news(is_it).await;
}

#[tokio::test]
async fn a_node_without_addresses_only_dials() {
    let mut node = Plan::new(1).with(|settings| settings.listen.clear()).start().await;
    let mut other = Node::start(2).await;
    node.meet(&mut other).await;
    assert_eq!(node.network.overview().await.unwrap().addresses, []);
}

#[tokio::test]
async fn quic_and_tcp_both_work() {
    let both = vec![written("/ip4/127.0.0.1/udp/0/quic-v1")];
    let mut quic = Plan::new(1).with(|settings| settings.listen = both).start().await;
    let mut other = Node::start(2).await;
    other.meet(&mut quic).await;
    let overview = other.network.overview().await.unwrap();
    let transports = overview.peers.iter().flat_map(|peer| &peer.connections);
    let transports = transports.map(|it| it.transport.label()).collect::<Vec<_>>();
    assert_eq!(transports, ["quic"]);
}

/// What a person is told who asks to be connected.
#[tokio::test]
async fn who_cannot_be_reached_is_told_apart() {
    let (node, other) = (Node::start(1).await, Node::start(2).await);
    let connect = |address: String| {
        let address = address.parse::<Multiaddr>().unwrap();
        let network = node.network.clone();
        async move { network.connect(address).await }
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", closed.port());
    let refused = connect(address.clone()).await.unwrap_err().to_string();
    assert_eq!(refused, format!("{address} cannot be reached: Connection refused (os error 111)"));

    let address = format!("{}/p2p/{}", other.address, keys(3).peer());
    let another = connect(address.clone()).await.unwrap_err().to_string();
    assert_eq!(another, format!("{address} belongs to another peer, {}", other.peer()));

    let myself = node.address.to_string();
    let found = connect(myself.clone()).await.unwrap_err();
    assert_eq!(found, ConnectError::Myself(myself.parse().unwrap()));

    let odd = connect("/ip4/127.0.0.1/sctp/5".to_owned()).await.unwrap_err();
    assert!(matches!(odd, ConnectError::Undiallable(_)), "{odd}");

    assert_eq!(connect(other.address.to_string()).await, Ok(other.peer()));
    assert_eq!(connect(other.full_address().to_string()).await, Ok(other.peer()));
}
