//! Whether the node lives, whether it can be used, and what it counts.

use actix_web::http::header;
use actix_web::web::{Data, PayloadConfig, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use mangrove_node::Handle;
use mangrove_protocol::limits::RPC_BODY_BYTES;
use serde_json::json;

use crate::rpc::{self, Error, Kind};
use crate::token::Token;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/health", get().to(health));
    config.route("/ready", get().to(ready));
    config.route("/metrics", get().to(metrics));
    config.app_data(PayloadConfig::new(most_bytes()));
    config.route("/rpc", post().to(rpc::rpc));
    config.default_service(get().to(unknown));
}

/// Bytes of the longest request.
fn most_bytes() -> usize {
    usize::try_from(RPC_BODY_BYTES).unwrap_or(usize::MAX)
}

/// Whoever gets this answer knows that the process answers.
async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(request: HttpRequest, node: Data<Handle>, token: Data<Token>) -> HttpResponse {
    if !token.opens(&request) {
        return unauthorized();
    }
    let readiness = node.readiness();
    let mut response = match readiness.is_ready() {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    response.json(json!({
        "ready": readiness.is_ready(),
        "state": readiness.phase.name(),
        "reasons": readiness.reasons,
    }))
}

async fn metrics(request: HttpRequest, node: Data<Handle>, token: Data<Token>) -> HttpResponse {
    if !token.opens(&request) {
        return unauthorized();
    }
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPEN_METRICS)).body(node.metrics())
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    let error = Error::new(Kind::NotFound, format!("there is no {}", request.path()));
    HttpResponse::NotFound().json(json!({ "error": error.json() }))
}

pub(crate) fn unauthorized() -> HttpResponse {
    let hint =
        "send the header `Authorization: Bearer TOKEN`; the token lies in api.token in the home";
    let error = Error::new(Kind::Unauthorized, "this needs a token").hint(hint);
    let mut response = HttpResponse::Unauthorized();
    response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    response.json(json!({ "error": error.json() }))
}
