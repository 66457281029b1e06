//! What is served over HTTP, and to whom.

mod admit;
mod cross;
mod gate;
mod health;
mod hosts;
mod named;
mod rpc;
mod stream;
mod throttle;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{Data, PayloadConfig, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use mangrove_node::Handle;
use mangrove_protocol::limits::RPC_BODY_BYTES;
use serde_json::json;
use tokio::sync::watch;

pub(crate) use admit::{Admitted, Denied};
use cross::Origins;
pub(crate) use cross::origins;
pub(crate) use gate::Gate;
use hosts::Hosts;
pub(crate) use named::{RequestName, named};

use crate::access::Tokens;
use crate::rpc::{Error, Kind};

/// What all requests have in common.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) node: Handle,
    pub(crate) tokens: Tokens,
    pub(crate) gate: Gate,
    hosts: Hosts,
    origins: Origins,
    ending: Ending,
}

/// Told when the server stops: sockets and streams end then, which never would by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Ending(Arc<watch::Sender<bool>>);

impl Ending {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn tell(&self) {
        self.0.send_replace(true);
    }

    /// Until it is told.
    pub(crate) async fn told(self) {
        self.0.subscribe().wait_for(|is_told| *is_told).await.map(drop).ok();
    }
}

impl Door {
    pub(crate) fn new(node: Handle, tokens: Tokens, ending: Ending) -> Self {
        let settings = &node.settings().server;
        let (gate, hosts) = (Gate::new(settings), Hosts::of(settings));
        let origins = Origins::of(settings);
        Self { node, tokens, gate, hosts, origins, ending }
    }

    /// What tells that the server stops.
    pub(crate) fn ending(&self) -> Ending {
        self.ending.clone()
    }
}

pub(crate) fn routes(door: &Data<Door>, config: &mut ServiceConfig) {
    config.app_data(door.clone());
    config.app_data(PayloadConfig::new(usize::try_from(RPC_BODY_BYTES).unwrap_or(usize::MAX)));
    config.route("/health", get().to(health::health));
    config.route("/ready", get().to(health::ready));
    config.route("/metrics", get().to(health::metrics));
    config.route("/openrpc.json", get().to(health::openrpc));
    config.route("/rpc", post().to(rpc::rpc));
    config.route("/ws", get().to(crate::socket::open));
    config.route("/v1/contexts/{context}/feed", get().to(stream::feed));
    config.default_service(actix_web::web::to(unknown));
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    refuse(&Error::new(Kind::NotFound, format!("there is no {}", request.path())))
}

/// An error where no call was parsed.
pub(crate) fn refuse(error: &Error) -> HttpResponse {
    builder(error).json(json!({ "error": error.json() }))
}

/// An answer with the status of an error, and when to try again if that is known.
pub(crate) fn builder(error: &Error) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(error.kind.status());
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if error.kind == Kind::Unauthorized {
        response.insert_header((actix_web::http::header::WWW_AUTHENTICATE, "Bearer"));
    }
    if let Some(ms) = error.retry_after_ms {
        let secs = ms.div_ceil(1_000).max(1);
        response.insert_header((actix_web::http::header::RETRY_AFTER, secs));
    }
    response
}
