//! How bytes reach a peer: TCP with Noise and Yamux, and QUIC, to addresses or names.

use std::io;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::dummy::DummyTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::metrics::BandwidthTransport;
use libp2p::{PeerId, Transport, dns, noise, quic, tcp, yamux};
use prometheus_client::registry::Registry;

use crate::patience::{Patience, Patient};
use crate::stall::Stall;

/// How long both sides may take to prove who they are.
const HANDSHAKE: Duration = Duration::from_secs(8);
/// How long a peer may say nothing, where each asks the other every four seconds; and how long its
/// system may take nothing of what is sent. A slow link that is busy is no dead link.
const SILENCE: Duration = Duration::from_secs(14);
const STALLED: Duration = Duration::from_secs(12);
/// Streams of one connection at a time. Each may hold 256 KiB that nobody reads.
const STREAMS_PER_CONNECTION: u8 = 64;
/// What a peer may send on one QUIC stream, and on one QUIC connection, that nobody reads.
const QUIC_STREAM_BYTES: u32 = 2 << 20;
const QUIC_CONNECTION_BYTES: u32 = 8 << 20;

type Wire = Boxed<(PeerId, StreamMuxerBox)>;

/// The transport of a node with this key, whose traffic is counted in `registry`, and whose dials may
/// take as long as `patience` says when they begin.
pub(crate) fn transport(
    keypair: &Keypair,
    patience: &Patience,
    registry: &mut Registry,
) -> io::Result<Wire> {
    let tcp = over_tcp(keypair)?;
    let quic = quic::tokio::Transport::new(quic_config(keypair));
    let quic = quic.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let both = tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed();
    let counted = BandwidthTransport::new(Patient::new(named(both)?, patience), registry);
    Ok(counted.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

fn over_tcp(keypair: &Keypair) -> io::Result<Wire> {
    let noise = noise::Config::new(keypair).map_err(io::Error::other)?;
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_PER_CONNECTION.into());
    let tcp = tcp::tokio::Transport::new(tcp::Config::new().nodelay(true));
    let tcp = tcp
        .map(|stream, _| Stall::new(stream, SILENCE, STALLED))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(HANDSHAKE);
    Ok(tcp.boxed())
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = HANDSHAKE;
    config.max_idle_timeout = 10_000;
    config.keep_alive_interval = Duration::from_secs(4);
    config.max_concurrent_stream_limit = STREAMS_PER_CONNECTION.into();
    config.max_stream_data = QUIC_STREAM_BYTES;
    config.max_connection_data = QUIC_CONNECTION_BYTES;
    config
}

/// The same, for names too. A machine that does not say whom it asks for names does without: asking
/// servers that nobody named would tell strangers who is looked for.
fn named(transport: Wire) -> io::Result<Wire> {
    if let Err(why) = dns::tokio::Transport::system(DummyTransport::<()>::new()) {
        tracing::warn!(%why, "names of peers cannot be looked up; addresses can still be dialled");
        return Ok(transport);
    }
    Ok(dns::tokio::Transport::system(transport)?.boxed())
}
