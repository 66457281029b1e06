//! Pages of other origins: which may call, and what browsers are told of it.

use actix_cors::Cors;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use mangrove_config::server::Server as Settings;

/// For how long a browser may go by what it was told.
const TOLD_SECS: usize = 3_600;

/// The origins whose pages may call.
#[derive(Debug)]
pub(super) struct Origins(Vec<String>);

impl Origins {
    /// Those that the settings list.
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.origins.iter().map(ToString::to_string).collect())
    }

    /// Whether a request comes from a page that may call. Programs that are no browsers name no origin.
    pub(super) fn let_in(&self, request: &HttpRequest) -> bool {
        let headers = request.headers();
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let host = headers.get(header::HOST);
        self.has(origin) || host.is_some_and(|host| is_of(origin, host))
    }

    fn has(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.0.iter().any(|listed| listed == origin))
    }
}

/// Whether an origin is the very server that is asked.
fn is_of(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let (Ok(origin), Ok(host)) = (origin.to_str(), host.to_str()) else { return false };
    origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host))
}

/// What tells browsers which pages may call.
pub(crate) fn origins(settings: &Settings) -> Cors {
    let listed = settings.origins.iter().map(ToString::to_string);
    let cors = listed.fold(Cors::default(), |cors, origin| cors.allowed_origin(&origin));
    cors.allowed_methods(["GET", "POST"])
        .allowed_headers(["authorization", "content-type", "last-event-id", "x-request-id"])
        .expose_headers(["retry-after", "x-request-id"])
        .max_age(TOLD_SECS)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn listed_pages_and_those_of_this_server_are_let_in_and_no_others() {
        let origins = Origins(vec!["https://app.example".to_owned()]);
        let asks = |origin: Option<&str>| {
            let request = TestRequest::default().insert_header((header::HOST, "127.0.0.1:2770"));
            let request = match origin {
                Some(origin) => request.insert_header((header::ORIGIN, origin)),
                None => request,
            };
            origins.let_in(&request.to_http_request())
        };
        assert!(asks(None));
        assert!(asks(Some("https://app.example")));
        assert!(asks(Some("http://127.0.0.1:2770")));
        for bad in
            ["null", "https://evil.example", "http://app.example", "http://127.0.0.1:2771", ""]
        {
            assert!(!asks(Some(bad)), "{bad}");
        }
    }
}
