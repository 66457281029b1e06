//! Who is let in: by the name that they call this server by, and by a token.

use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};

use serde::Deserialize;

use super::{Door, refuse};
use crate::access::{Caller, Secret};
use crate::rpc::{Error, Kind};

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct Admitted(pub(crate) Caller);

/// Somebody who was not.
#[derive(Debug)]
pub(crate) struct Denied(Error);

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl ResponseError for Denied {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        refuse(&self.0)
    }
}

impl FromRequest for Admitted {
    type Error = Denied;
    type Future = Ready<Result<Self, Denied>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit(request).map(Self).map_err(Denied))
    }
}

fn admit(request: &HttpRequest) -> Result<Caller, Error> {
    let door = request.app_data::<Data<Door>>();
    let door = door.ok_or_else(|| Error::new(Kind::Internal, "there is no node"))?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|it| it.as_str()));
    if !host.is_some_and(|host| door.hosts.has(host)) {
        let why = format!("this is not {}", host.unwrap_or("what you call"));
        let hint = "call it by its number, or list the name in server.hosts";
        return Err(Error::new(Kind::Misdirected, why).hint(hint));
    }
    let address = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.ip());
    door.gate.knock(address)?;
    if !door.origins.let_in(request) {
        let hint = "list the origin in server.origins if pages from there may call this node";
        return Err(Error::new(Kind::Forbidden, "pages from elsewhere may not call").hint(hint));
    }
    let secret = bearer(request).ok_or_else(|| unauthorized("this needs a token"))?;
    if let Some(caller) = door.tokens.admit(&secret, door.node.now_ms()) {
        door.gate.ask(&caller.token)?;
        return Ok(caller);
    }
    door.gate.guess(address)?;
    Err(unauthorized("this token is wrong, was revoked, or has run out"))
}

fn unauthorized(why: &str) -> Error {
    let hint =
        "send the header `Authorization: Bearer TOKEN`; the token lies in api.token in the home";
    Error::new(Kind::Unauthorized, why).hint(hint)
}

/// The token that a request bears in its head. Where browsers cannot say anything there, it may be in the address.
fn bearer(request: &HttpRequest) -> Option<Secret> {
    if let Some(borne) = request.headers().get(header::AUTHORIZATION) {
        let (scheme, secret) = borne.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Secret::read(secret)).flatten();
    }
    let path = request.path();
    if path != "/ws" && !path.ends_with("/feed") {
        return None;
    }
    let in_address = Query::<InAddress>::from_query(request.query_string()).ok()?.into_inner();
    Secret::read(&in_address.token?)
}

/// What of an address is a token.
#[derive(Deserialize)]
struct InAddress {
    token: Option<String>,
}
