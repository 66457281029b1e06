//! The token that opens the API.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header;

/// The token that opens the API.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// As it stands in its file; `None` if nothing does.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Whether a request bears it. That takes equally long wherever the two differ.
    pub(crate) fn opens(&self, request: &HttpRequest) -> bool {
        let borne = request.headers().get(header::AUTHORIZATION);
        let borne = borne.and_then(|borne| borne.to_str().ok());
        borne.and_then(|borne| borne.strip_prefix("Bearer ")).is_some_and(|it| self.is(it.trim()))
    }

    fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |found, (a, b)| found | (a ^ b));
        ours.len() == theirs.len() && differing == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn check(header: Option<&str>, expect: bool) {
        let token = Token::new("mgt_secret\n").unwrap();
        let request = TestRequest::default();
        let request = match header {
            Some(header) => request.insert_header(("Authorization", header)),
            None => request,
        };
        assert_eq!(token.opens(&request.to_http_request()), expect, "{header:?}");
    }

    #[test]
    fn a_request_is_let_in_by_the_whole_token_alone() {
        check(Some("Bearer mgt_secret"), true);
        check(Some("Bearer  mgt_secret "), true);
        check(None, false);
        check(Some("Bearer mgt_secre"), false);
        check(Some("Bearer mgt_secrets"), false);
        check(Some("Bearer mgt_secreT"), false);
        check(Some("Bearer "), false);
        check(Some("Basic mgt_secret"), false);
        check(Some("mgt_secret"), false);
    }

    #[test]
    fn an_empty_token_opens_nothing_and_a_token_is_never_shown() {
        assert_eq!(Token::new(" \n"), None);
        assert_eq!(format!("{:?}", Token::new("mgt_secret")), "Some(Token)");
    }
}
