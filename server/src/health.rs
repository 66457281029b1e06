//! Whether the node lives, whether it can be used, and what it counts.

use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{HttpRequest, HttpResponse};
use mangrove_node::Handle;
use serde_json::{Value, json};

use crate::token::Token;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.route("/health", get().to(health));
    config.route("/ready", get().to(ready));
    config.route("/metrics", get().to(metrics));
    config.default_service(get().to(unknown));
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
    let message = format!("there is no {}", request.path());
    HttpResponse::NotFound().json(refusal(-32003, "notFound", &message, None))
}

fn unauthorized() -> HttpResponse {
    let hint =
        "send the header `Authorization: Bearer TOKEN`; the token lies in api.token in the home";
    HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer")).json(refusal(
        -32001,
        "unauthorized",
        "this needs a token",
        Some(hint),
    ))
}

fn refusal(code: i32, kind: &str, message: &str, hint: Option<&str>) -> Value {
    json!({ "error": { "code": code, "message": message, "data": { "kind": kind, "hint": hint } } })
}
