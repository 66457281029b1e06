//! Addresses: of the API, and of peers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::peer::Peer;
use crate::setting::{Text, Unfit};

/// Where the API listens: an IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiAddress(SocketAddr);

impl ApiAddress {
    /// This port, for programs on this machine only.
    pub const fn loopback(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The address to bind.
    pub const fn socket(self) -> SocketAddr {
        self.0
    }

    /// Whether only this machine can reach it.
    pub const fn is_loopback(self) -> bool {
        self.0.ip().is_loopback()
    }
}

impl fmt::Display for ApiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Text for ApiAddress {
    const EXPECTED: &'static str = "an IP address and a port";

    fn parse(text: &str) -> Result<Self, Unfit> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let example =
            |hint: &str| Err(Unfit::new(format!("`{text}` is not {}", Self::EXPECTED)).hint(hint));
        let Some((host, port)) = text.rsplit_once(':') else {
            return example("write both, such as 127.0.0.1:2770");
        };
        parse_port(port)?;
        match host {
            "localhost" => example("names are not looked up here: write 127.0.0.1"),
            "" | "*" => example("for all interfaces write 0.0.0.0 or [::]"),
            _ if host.parse::<Ipv6Addr>().is_ok() => {
                example(&format!("an IPv6 address stands in brackets: [{host}]:{port}"))
            }
            _ => example("write both, such as 127.0.0.1:2770"),
        }
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

fn parse_port(text: &str) -> Result<u16, Unfit> {
    match text.parse::<u64>() {
        Ok(port) => u16::try_from(port).map_err(|_| {
            Unfit::new(format!("port {text} is out of range")).hint("ports go from 0 to 65535")
        }),
        Err(_) => {
            Err(Unfit::new(format!("`{text}` is not a port")).hint("ports go from 0 to 65535"))
        }
    }
}

/// Where a peer listens: a multiaddress over TCP or QUIC.
///
/// Kept as it was written. Only the shapes that this node can listen on or dial are accepted, so
/// that a slip is found where the configuration is read:
///
/// `/HOST/tcp/PORT` or `/HOST/udp/PORT/quic-v1`, then perhaps `/p2p/PEER`, with HOST one of
/// `ip4/ADDRESS`, `ip6/ADDRESS`, `dns/NAME`, `dns4/NAME`, `dns6/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multiaddr {
    text: String,
    ip: Option<IpAddr>,
    port: u16,
    transport: Transport,
    peer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tcp,
    Quic,
}

impl Multiaddr {
    /// TCP and QUIC at `port`, on every interface, over IPv4 and IPv6.
    pub fn any_interface(port: u16) -> Vec<Self> {
        let hosts: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let both = [Transport::Tcp, Transport::Quic];
        let pairs = hosts.into_iter().flat_map(|ip| both.map(|transport| (ip, transport)));
        pairs.map(|(ip, transport)| Self::listening(ip, port, transport)).collect()
    }

    fn listening(ip: IpAddr, port: u16, transport: Transport) -> Self {
        let version = if ip.is_ipv4() { "ip4" } else { "ip6" };
        let text = match transport {
            Transport::Tcp => format!("/{version}/{ip}/tcp/{port}"),
            Transport::Quic => format!("/{version}/{ip}/udp/{port}/quic-v1"),
        };
        Self { text, ip: Some(ip), port, transport, peer: None }
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The peer that is expected there.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// Whether listening here and listening at the TCP address `other` exclude each other.
    pub fn takes(&self, other: SocketAddr) -> bool {
        let meets =
            |ip: IpAddr| ip == other.ip() || ip.is_unspecified() || other.ip().is_unspecified();
        self.transport == Transport::Tcp
            && self.port == other.port()
            && self.port != 0
            && self.ip.is_some_and(|ip| ip.is_ipv4() == other.is_ipv4() && meets(ip))
    }
}

impl fmt::Display for Multiaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Text for Multiaddr {
    const EXPECTED: &'static str = "a multiaddress";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let not = |why: &str| Unfit::new(format!("`{text}` is not a multiaddress: {why}"));
        let example = "write one like /ip4/192.0.2.7/tcp/2771 or /ip4/192.0.2.7/udp/2771/quic-v1";
        let parts =
            text.strip_prefix('/').ok_or_else(|| not("it begins with `/`").hint(example))?;
        let mut parts = parts.split('/');
        let ip = parse_host(&mut parts).map_err(|why| not(&why).hint(example))?;
        let kind = parts.next();
        let port = parse_port(parts.next().unwrap_or_default())?;
        let mut rest = parts.collect::<Vec<_>>();
        let transport = match (kind, rest.first().copied()) {
            (Some("tcp"), _) => Transport::Tcp,
            (Some("udp"), Some("quic-v1")) => {
                rest.remove(0);
                Transport::Quic
            }
            (Some("udp"), _) => return Err(not("after the UDP port comes /quic-v1").hint(example)),
            _ => return Err(not("after the host comes /tcp/PORT or /udp/PORT").hint(example)),
        };
        let peer = parse_peer(&rest).map_err(|why| not(why).hint(example))?;
        Ok(Self { text: text.to_owned(), ip, port, transport, peer })
    }

    fn print(&self) -> String {
        self.text.clone()
    }
}

/// The host part; `None` for a name that is looked up when it is dialled.
fn parse_host<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Result<Option<IpAddr>, String> {
    let kind = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let wrong = || format!("`{host}` is not an address for /{kind}");
    match kind {
        "ip4" => host.parse::<Ipv4Addr>().map(|ip| Some(ip.into())).map_err(|_| wrong()),
        "ip6" => host.parse::<Ipv6Addr>().map(|ip| Some(ip.into())).map_err(|_| wrong()),
        "dns" | "dns4" | "dns6" if is_host_name(host) => Ok(None),
        "dns" | "dns4" | "dns6" => Err(wrong()),
        _ => Err(format!("`/{kind}` is not a kind of host")),
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

fn parse_peer(rest: &[&str]) -> Result<Option<String>, &'static str> {
    match rest {
        [] => Ok(None),
        ["p2p", peer] if Peer::is_shaped(peer) => Ok(Some((*peer).to_owned())),
        ["p2p", ..] => Err("after /p2p/ comes a peer id, such as 12D3KooW…"),
        _ => Err("nothing but /p2p/PEER may follow the port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Text>(text: &str, expect: Result<(), (&str, &str)>) {
        let found = T::parse(text);
        if let Ok(value) = &found {
            assert_eq!(value.print(), text);
        }
        let found = found.map(|_| ());
        let expect = expect.map_err(|(why, hint)| Unfit::new(why).hint(hint));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn an_api_address_is_an_ip_address_and_a_port() {
        check::<ApiAddress>("127.0.0.1:2770", Ok(()));
        check::<ApiAddress>("[::1]:0", Ok(()));
        let range = "ports go from 0 to 65535";
        check::<ApiAddress>("127.0.0.1:99999", Err(("port 99999 is out of range", range)));
        check::<ApiAddress>("127.0.0.1:http", Err(("`http` is not a port", range)));
        let not = |text| format!("`{text}` is not an IP address and a port");
        let both = "write both, such as 127.0.0.1:2770";
        check::<ApiAddress>("127.0.0.1", Err((&not("127.0.0.1"), both)));
        check::<ApiAddress>("300.0.0.1:1", Err((&not("300.0.0.1:1"), both)));
        let named = "names are not looked up here: write 127.0.0.1";
        check::<ApiAddress>("localhost:1", Err((&not("localhost:1"), named)));
        let brackets = "an IPv6 address stands in brackets: [::1]:1";
        check::<ApiAddress>("::1:1", Err((&not("::1:1"), brackets)));
    }

    #[test]
    fn a_multiaddress_is_one_that_can_be_listened_on_or_dialled() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        for good in [
            "/ip4/0.0.0.0/tcp/0",
            "/ip6/::1/udp/2771/quic-v1",
            "/dns/peer.example.org/tcp/2771",
            &format!("/dns4/x/udp/1/quic-v1/p2p/{peer}"),
        ] {
            check::<Multiaddr>(good, Ok(()));
        }
        for (bad, why) in [
            ("ip4/1.2.3.4/tcp/1", "it begins with `/`"),
            ("/ip4/1.2.3/tcp/1", "`1.2.3` is not an address for /ip4"),
            ("/ip5/1.2.3.4/tcp/1", "`/ip5` is not a kind of host"),
            ("/dns/-a..b/tcp/1", "`-a..b` is not an address for /dns"),
            ("/ip4/1.2.3.4/sctp/1", "after the host comes /tcp/PORT or /udp/PORT"),
            ("/ip4/1.2.3.4/udp/1", "after the UDP port comes /quic-v1"),
            ("/ip4/1.2.3.4/tcp/1/ws", "nothing but /p2p/PEER may follow the port"),
            ("/ip4/1.2.3.4/tcp/1/p2p/bob", "after /p2p/ comes a peer id, such as 12D3KooW…"),
        ] {
            let found = Multiaddr::parse(bad).unwrap_err().why;
            assert_eq!(found, format!("`{bad}` is not a multiaddress: {why}"));
        }
        let range = "ports go from 0 to 65535";
        check::<Multiaddr>("/ip4/1.2.3.4/tcp/65536", Err(("port 65536 is out of range", range)));
    }

    #[test]
    fn every_default_reads_back() {
        for address in Multiaddr::any_interface(2771) {
            assert_eq!(Multiaddr::parse(address.as_str()), Ok(address));
        }
    }
}
