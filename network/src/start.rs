//! Starting the network.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use camino::Utf8PathBuf;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol as Part;
use libp2p::{Multiaddr, TransportError};
use mangrove_config::network::Network as Settings;
use mangrove_protocol::keys::NodeKeys;
use prometheus_client::registry::Registry;
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType, bind, socket};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::driver::Driver;
use crate::error::StartError;
use crate::gossip::Heard;
use crate::network::Network;
use crate::news::News;
use crate::stream::{Incoming, Protocol};

/// How long a listener may take to say where it can be reached. One that says nothing is left to it.
const LISTENING: Duration = Duration::from_secs(2);

/// What the network is made of.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Who this node is.
    pub keys: &'a NodeKeys,
    /// How it is set up.
    pub settings: &'a Settings,
    /// What peers may open streams for.
    pub protocols: Vec<Protocol>,
    /// Where addresses of peers outlive the process.
    pub peers_file: Option<Utf8PathBuf>,
    /// Where bans outlive it.
    pub bans_file: Option<Utf8PathBuf>,
    /// Where is counted what happens.
    pub registry: &'a mut Registry,
}

/// A network that listens and is about to run.
#[derive(Debug)]
pub struct Opened {
    /// What has to run for anything to happen.
    pub driver: Driver,
    /// What it is told by.
    pub network: Network,
    /// What it tells by.
    pub ears: Ears,
    /// Where peers can reach it.
    pub addresses: Vec<Multiaddr>,
}

/// What the network tells, by who wants to know.
#[derive(Debug)]
pub struct Ears {
    /// Messages to be judged.
    pub heard: mpsc::Receiver<Heard>,
    /// What becomes of peers, topics and addresses.
    pub news: mpsc::Receiver<News>,
    /// Streams that peers have opened.
    pub streams: mpsc::Receiver<Incoming>,
}

/// Opens the network: it listens. Who is known is dialled, and nobody waits for that.
pub async fn open(setup: Setup<'_>) -> Result<Opened, StartError> {
    let addresses = setup.settings.listen.iter().map(|address| address.as_str().to_owned());
    let addresses = addresses.collect::<Vec<_>>();
    let (mut driver, network, ears) = Driver::new(setup)?;
    let mut quiet = Vec::new();
    for address in &addresses {
        quiet.extend(listen(&mut driver, address)?);
    }
    if quiet.is_empty() && !addresses.is_empty() {
        let address = addresses.join(", ");
        let why = "this machine can listen on none of them".to_owned();
        return Err(StartError::CannotListen { address, why });
    }
    // An interface may come later: what can be reached by then is told as news.
    let settled = timeout(LISTENING, driver.until_listening(quiet)).await;
    settled.unwrap_or(Ok(()))?;
    let addresses = driver.addresses();
    Ok(Opened { driver, network, ears, addresses })
}

/// Listens at an address; `None` if this machine does not know its kind, as one without IPv6.
fn listen(driver: &mut Driver, address: &str) -> Result<Option<ListenerId>, StartError> {
    let parsed = address.parse::<Multiaddr>().map_err(|why| StartError::NoAddress {
        address: address.to_owned(),
        why: why.to_string(),
    })?;
    vacant(&parsed).map_err(|why| match refusal(address, &why) {
        Refusal::Fatal(error) => error,
        Refusal::Unknown => {
            StartError::CannotListen { address: address.to_owned(), why: why.to_string() }
        }
    })?;
    match driver.listen(parsed) {
        Ok(listener) => Ok(Some(listener)),
        Err(TransportError::MultiaddrNotSupported(_)) => Err(StartError::CannotListen {
            address: address.to_owned(),
            why: "it is a name; write the address of an interface".to_owned(),
        }),
        Err(TransportError::Other(why)) => match refusal(address, &why) {
            Refusal::Fatal(error) => Err(error),
            Refusal::Unknown => {
                tracing::warn!(address, %why, "this machine does not know such addresses");
                Ok(None)
            }
        },
    }
}

/// Makes sure that nobody listens there. The transport would not notice: it shares its ports, so that it can dial
/// from them, and the system then deals out connections between all that listen.
fn vacant(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Part::Ip4(ip)) => IpAddr::V4(ip),
        Some(Part::Ip6(ip)) => IpAddr::V6(ip),
        _ => return Ok(()),
    };
    let Some(Part::Tcp(port)) = parts.next() else { return Ok(()) };
    let family = if ip.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    // A family that this machine does not know is met again by whoever listens.
    let Ok(probe) = socket(family, SocketType::STREAM, None) else { return Ok(()) };
    set_socket_reuseaddr(&probe, true)?;
    if ip.is_ipv6() {
        set_ipv6_v6only(&probe, true)?;
    }
    match bind(&probe, &SocketAddr::new(ip, port)) {
        Err(Errno::ADDRINUSE) if port != 0 => Err(Errno::ADDRINUSE.into()),
        _ => Ok(()),
    }
}

enum Refusal {
    Fatal(StartError),
    /// The machine does not have this kind of address.
    Unknown,
}

/// What a listener's failure means.
fn refusal(address: &str, why: &io::Error) -> Refusal {
    let address = address.to_owned();
    let cause = system_error(why);
    let cause = cause.as_ref().unwrap_or(why);
    Refusal::Fatal(match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { address },
        io::ErrorKind::PermissionDenied => StartError::NotAllowed { address },
        io::ErrorKind::Unsupported => return Refusal::Unknown,
        // "Address family not supported by protocol" has no kind of its own.
        _ if cause.raw_os_error() == Some(97) => return Refusal::Unknown,
        _ => StartError::CannotListen { address, why: cause.to_string() },
    })
}

/// The error that the system gave. Transports wrap it in ways that hide all of it but its words.
pub(crate) fn system_error(why: &io::Error) -> Option<io::Error> {
    let text = why.to_string();
    let (_, code) = text.split_once("(os error ")?;
    let (code, _) = code.split_once(')')?;
    code.parse().ok().map(io::Error::from_raw_os_error)
}

/// A listener that has closed before it ever listened.
pub(crate) fn closed(addresses: &[Multiaddr], why: &io::Error) -> StartError {
    let address = addresses.iter().map(Multiaddr::to_string).collect::<Vec<_>>().join(", ");
    match refusal(&address, why) {
        Refusal::Fatal(error) => error,
        Refusal::Unknown => StartError::CannotListen { address, why: why.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_found_however_it_is_wrapped() {
        let inner = io::Error::from_raw_os_error(98);
        let wrapped = io::Error::other(format!("listening failed: {inner}"));
        let found = system_error(&wrapped).unwrap();
        assert_eq!(found.kind(), io::ErrorKind::AddrInUse);
        assert!(system_error(&io::Error::other("no reason")).is_none());
    }
}
