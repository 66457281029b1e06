//! Which addresses are worth remembering, and in which form.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use mangrove_protocol::id::PeerId;

use super::Transport;

/// No address of ours is nearly as long; those of strangers must not be longer.
const MOST_BYTES: usize = 300;

/// The form in which an address of `peer` is kept: without the peer at its end. `None` if it cannot
/// be dialled: it names another peer, a relay, no host or no port, or is of another transport.
pub(super) fn tidied(mut address: Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    if address.len() > MOST_BYTES {
        return None;
    }
    if let Some(Protocol::P2p(named)) = address.iter().last() {
        if named.to_string() != peer.to_string() {
            return None;
        }
        address.pop();
    }
    can_be_dialled(&address).then_some(address)
}

/// How an address is reached.
pub(crate) fn transport(address: &Multiaddr) -> Transport {
    let is_quic = address.iter().any(|part| part == Protocol::QuicV1);
    if is_quic { Transport::Quic } else { Transport::Tcp }
}

/// Whether it names a host and a port, and no more. `dnsaddr` stands for whole addresses.
pub(crate) fn can_be_dialled(address: &Multiaddr) -> bool {
    let mut parts = address.iter().peekable();
    if parts.next_if(|part| matches!(part, Protocol::Ip6zone(zone) if is_plain(zone))).is_some()
        && !matches!(parts.peek(), Some(Protocol::Ip6(_)))
    {
        return false;
    }
    let Some(host) = parts.next().filter(is_host) else { return false };
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => matches!(host, Protocol::Dnsaddr(_)),
        (Some(Protocol::Tcp(port)), None, _) => port != 0,
        (Some(Protocol::Udp(port)), Some(Protocol::QuicV1), None) => port != 0,
        _ => false,
    }
}

fn is_host(part: &Protocol<'_>) -> bool {
    match part {
        Protocol::Ip4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()),
        Protocol::Ip6(ip) => !(ip.is_unspecified() || ip.is_multicast()),
        Protocol::Dns(name)
        | Protocol::Dns4(name)
        | Protocol::Dns6(name)
        | Protocol::Dnsaddr(name) => is_plain(name),
        _ => false,
    }
}

/// Whether a name is made of what names are made of, so that it prints, and parses, as it is.
fn is_plain(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !name.is_empty() && name.chars().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::super::trial::{address, peer};
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let tidied = tidied(address(text), peer(1));
        assert_eq!(tidied.map(|it| it.to_string()).as_deref(), expect, "{text}");
    }

    #[test]
    fn an_address_is_kept_without_its_peer() {
        check("/ip4/10.0.0.1/tcp/4001", Some("/ip4/10.0.0.1/tcp/4001"));
        let named = |n| format!("/ip4/10.0.0.1/tcp/4001/p2p/{}", peer(n));
        check(&named(1), Some("/ip4/10.0.0.1/tcp/4001"));
        check(&named(2), None);
    }

    #[test]
    fn what_can_be_dialled_is_kept() {
        for text in [
            "/ip6/::1/tcp/1",
            "/ip4/127.0.0.1/udp/9/quic-v1",
            "/dns/example.org/tcp/443",
            "/ip6zone/eth0/ip6/fe80::1/tcp/9",
            "/dnsaddr/example.org",
        ] {
            check(text, Some(text));
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for text in [
            "/ip4/0.0.0.0/tcp/4001",
            "/ip6/::/tcp/4001",
            "/ip4/224.0.0.251/tcp/4001",
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/10.0.0.1/udp/0/quic-v1",
            "/ip4/10.0.0.1/udp/4001",
            "/ip4/10.0.0.1/tcp/4001/ws",
            "/ip4/10.0.0.1",
            "/tcp/4001",
            "/ip4/10.0.0.1/tcp/1/tcp/2",
            "/ip4/10.0.0.1/quic-v1",
            "/ip6zone/eth0/ip4/10.0.0.1/tcp/9",
            "/dns/a b/tcp/1",
            "/memory/7",
        ] {
            check(text, None);
        }
        check(&format!("/ip4/10.0.0.1/tcp/1/p2p/{}/p2p-circuit", peer(2)), None);
        check(&format!("/ip4/10.0.0.1/tcp/1/p2p/{0}/p2p-circuit/p2p/{0}", peer(1)), None);
        check(&format!("/dns/{}/tcp/1", "a".repeat(400)), None);
        check(&format!("/p2p/{}", peer(1)), None);
    }
}
