//! Requests have names, by which answers and logs tell them apart.

use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest};

/// Where a request may bring a name of its own, and where its answer says it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// A longer name is none.
const LONGEST: usize = 64;

/// What a request is called. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestName(Rc<str>);

impl RequestName {
    /// The name that a request brings, or else one that no other request has.
    fn of(headers: &HeaderMap) -> Self {
        let brought = headers.get(HEADER).and_then(|name| name.to_str().ok());
        let is_name = |name: &&str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
            (1..=LONGEST).contains(&name.len()) && name.bytes().all(is_plain)
        };
        Self(brought.filter(is_name).map_or_else(fresh, Rc::from))
    }

    /// What the request was called when it came.
    pub(crate) fn given(request: &HttpRequest) -> Self {
        let given = request.extensions().get::<Self>().cloned();
        given.unwrap_or_else(|| Self(fresh()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When this process named its first request, and a number.
fn fresh() -> Rc<str> {
    static BEGAN: LazyLock<u128> = LazyLock::new(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
    });
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:x}-{}", *BEGAN, NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Names a request, says the name with the answer, and logs both. What an address holds beside the path is not
/// logged: it may be a token.
pub(crate) async fn named(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let (name, begun) = (RequestName::of(request.headers()), Instant::now());
    request.extensions_mut().insert(name.clone());
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(name.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    let (request, status) = (response.request(), response.status().as_u16());
    let took_us = begun.elapsed().as_micros();
    let (method, path) = (request.method(), request.path());
    tracing::debug!(req = %name, %method, path, status, took_us, "answered");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(brought: &'static str) -> RequestName {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static(brought));
        RequestName::of(&headers)
    }

    #[test]
    fn a_request_keeps_a_name_that_can_stand_in_a_log_and_otherwise_gets_one_of_its_own() {
        assert_eq!(name("4bf92f35-77b3/7.1").as_str(), "4bf92f35-77b3/7.1");
        for no_name in ["", "a b", "a\tb", "a\"b", &*"x".repeat(65).leak()] {
            assert_ne!(name(no_name).as_str(), no_name);
        }
        assert_ne!(name("").as_str(), name("").as_str());
    }
}
