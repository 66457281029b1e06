//! Starting and stopping the server of the API.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::rt;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use mangrove_config::server::Server as Settings;
use mangrove_node::Handle;
use tokio::task::AbortHandle;

use crate::access::Tokens;
use crate::error::StartError;
use crate::http::{Door, Ending, named, origins, routes};
use crate::tls::Certificate;

/// Threads that answer.
const WORKERS: usize = 2;
/// Connections at a time, to all threads together.
const CONNECTIONS: usize = 8_192;
/// Who sends the head of a request for longer than this is cut off.
const HEAD: Duration = Duration::from_secs(10);
/// A connection on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// An address that is listened at, and nobody is answered yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    certificate: Option<Certificate>,
}

/// A server that answers.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    is_sealed: bool,
    handle: ServerHandle,
    running: rt::task::JoinHandle<io::Result<()>>,
    ending: Ending,
}

impl Listener {
    /// Listens where the settings say.
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        let named = settings.certificate();
        let certificate = named.map(|(chain, key)| Certificate::read(chain, key)).transpose()?;
        let address = settings.listen.socket();
        let refused = |why: io::Error| match why.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            io::ErrorKind::PermissionDenied => StartError::NotAllowed(address),
            _ => StartError::CannotListen { address, why },
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, certificate })
    }

    /// Answers from now on. Requests in progress have so long to end in once it is stopped. Within
    /// `mangrove_node::block_on`.
    pub fn serve(
        self,
        node: Handle,
        tokens: Tokens,
        grace: Duration,
    ) -> Result<Serving, StartError> {
        let Self { listener, address, certificate } = self;
        let (ending, settings) = (Ending::new(), node.settings().server.clone());
        let door = Data::new(Door::new(node, tokens, ending.clone()));
        let app = move || {
            let app = App::new().configure(|config| routes(&door, config));
            app.wrap(origins(&settings)).wrap(from_fn(named))
        };
        let server = HttpServer::new(app)
            .workers(WORKERS)
            .max_connections(CONNECTIONS / WORKERS)
            .client_request_timeout(HEAD)
            .keep_alive(IDLE)
            .shutdown_timeout(grace.as_secs().max(1))
            .disable_signals();
        let is_sealed = certificate.is_some();
        let server = match certificate {
            None => server.listen(listener),
            Some(certificate) => {
                let config = certificate.config()?;
                rt::spawn(followed(certificate, ending.clone()));
                server.listen_rustls_0_23(listener, config)
            }
        };
        let server = server.map_err(StartError::System)?.run();
        let (handle, running) = (server.handle(), rt::spawn(server));
        Ok(Serving { address, is_sealed, handle, running, ending })
    }
}

impl Serving {
    /// Where it answers.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where programs on this machine find it.
    pub fn url(&self) -> String {
        let scheme = if self.is_sealed { "https" } else { "http" };
        let mut address = self.address;
        // It listens everywhere, and so here.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("{scheme}://{address}")
    }

    /// How it is stopped, and what tells that it has ended by itself.
    pub fn split(self) -> (Stopper, impl Future<Output = String>) {
        let Self { handle, running, ending, .. } = self;
        let stopper = Stopper { handle, running: running.abort_handle(), ending };
        let ended = async {
            match running.await {
                Ok(Ok(())) => "the server of the API has ended".to_owned(),
                Ok(Err(why)) => format!("the server of the API has failed: {why}"),
                Err(why) => format!("the server of the API has panicked: {why}"),
            }
        };
        (stopper, ended)
    }
}

/// Reads a certificate again when it changes, until the server stops.
async fn followed(certificate: Certificate, ending: Ending) {
    tokio::select! {
        () = ending.told() => {}
        () = certificate.follow() => {}
    }
}

/// What stops a server.
#[derive(Debug, Clone)]
pub struct Stopper {
    handle: ServerHandle,
    running: AbortHandle,
    ending: Ending,
}

impl Stopper {
    /// Takes no more requests, and waits for the answers of those there are.
    pub async fn drain(self) {
        self.ending.tell();
        self.handle.stop(true).await;
    }

    /// Takes no more requests, and breaks off those there are, also while it is being drained.
    pub fn cut(self) {
        // A server takes one order at a time; when it is dropped, so is all that it has.
        self.running.abort();
    }
}
