//! Whether the node lives, whether it can be used, what it counts, and what it offers.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use serde_json::json;

use super::{Admitted, Door};
use crate::rpc::document;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whoever gets this answer knows that the process answers.
pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

pub(super) async fn ready(_: Admitted, door: Data<Door>) -> HttpResponse {
    let readiness = door.node.readiness();
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

pub(super) async fn metrics(_: Admitted, door: Data<Door>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPEN_METRICS)).body(door.node.metrics())
}

pub(super) async fn openrpc(_: Admitted) -> HttpResponse {
    HttpResponse::Ok().json(document())
}
