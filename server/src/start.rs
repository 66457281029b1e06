//! Starting and stopping the server of the API.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use mangrove_config::server::Server as Settings;
use mangrove_node::Handle;
use tokio::task::AbortHandle;

use crate::error::StartError;
use crate::health;
use crate::token::Token;

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
}

/// A server that answers.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    handle: ServerHandle,
    running: rt::task::JoinHandle<io::Result<()>>,
}

impl Listener {
    /// Listens where the settings say.
    pub fn bind(settings: &Settings) -> Result<Self, StartError> {
        let address = settings.listen.socket();
        let refused = |why: io::Error| match why.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            io::ErrorKind::PermissionDenied => StartError::NotAllowed(address),
            _ => StartError::CannotListen { address, why },
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Answers from now on. Requests in progress have so long to end in once it is stopped. Within
    /// `mangrove_node::block_on`.
    pub fn serve(self, node: Handle, token: Token, grace: Duration) -> Result<Serving, StartError> {
        let Self { listener, address } = self;
        let (node, token) = (Data::new(node), Data::new(token));
        let app = move || {
            App::new().app_data(node.clone()).app_data(token.clone()).configure(health::routes)
        };
        let server = HttpServer::new(app)
            .workers(WORKERS)
            .max_connections(CONNECTIONS / WORKERS)
            .client_request_timeout(HEAD)
            .keep_alive(IDLE)
            .shutdown_timeout(grace.as_secs().max(1))
            .disable_signals()
            .listen(listener)
            .map_err(StartError::System)?
            .run();
        Ok(Serving { address, handle: server.handle(), running: rt::spawn(server) })
    }
}

impl Serving {
    /// Where it answers.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is stopped, and what tells that it has ended by itself.
    pub fn split(self) -> (Stopper, impl Future<Output = String>) {
        let Self { handle, running, .. } = self;
        let stopper = Stopper { handle, running: running.abort_handle() };
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

/// What stops a server.
#[derive(Debug, Clone)]
pub struct Stopper {
    handle: ServerHandle,
    running: AbortHandle,
}

impl Stopper {
    /// Takes no more requests, and waits for the answers of those there are.
    pub async fn drain(self) {
        self.handle.stop(true).await;
    }

    /// Takes no more requests, and breaks off those there are, also while it is being drained.
    pub fn cut(self) {
        // A server takes one order at a time; when it is dropped, so is all that it has.
        self.running.abort();
    }
}
