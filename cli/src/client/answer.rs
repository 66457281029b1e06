//! What came back of a call: a result, or why there is none.

use serde::Deserialize;
use serde_json::Value;

use crate::exit::Kind;
use crate::failure::Failure;

/// An answer of the API, whether a call was parsed or not.
#[derive(Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<Value>,
}

/// How a node says no.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What went wrong.
    pub(super) kind: Kind,
    /// What a person is told.
    pub(super) message: String,
    /// What they could do.
    pub(super) hint: Option<String>,
    /// What else a program is told.
    pub(super) rest: Option<Value>,
}

/// Reads an answer.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Value, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Answer { error: Some(error), .. }) => Err(Refusal::of(status, &error)),
        Ok(Answer { result: Some(result), error: None }) if status == 200 => Ok(result),
        _ => Err(Refusal::garbled(status)),
    }
}

impl Refusal {
    fn of(status: u16, error: &Value) -> Self {
        let data = error.get("data");
        let text = |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_str);
        let known = text("kind").and_then(Kind::named);
        let unsaid = Self::garbled(status);
        let message = error.get("message").and_then(Value::as_str).map(str::to_owned);
        let mut rest = data.and_then(Value::as_object).cloned().unwrap_or_default();
        rest.remove("hint");
        if known.is_some() {
            rest.remove("kind");
        }
        Self {
            kind: known.unwrap_or(unsaid.kind),
            message: message.unwrap_or(unsaid.message),
            hint: text("hint").map(str::to_owned),
            rest: (!rest.is_empty()).then_some(Value::Object(rest)),
        }
    }

    /// What can be told of an answer that tells nothing itself.
    pub(super) fn garbled(status: u16) -> Self {
        let (kind, message) = match status {
            200..=299 => (Kind::Internal, "the node's answer cannot be read".to_owned()),
            401 => (Kind::Refused, "the node does not take the token".to_owned()),
            403 => (Kind::Forbidden, "the token does not suffice for this".to_owned()),
            404 => (Kind::NotReachable, "what answers there is no node".to_owned()),
            413 => (Kind::TooLarge, "that is too much for one call".to_owned()),
            421 => (Kind::Misdirected, "the node does not go by this name".to_owned()),
            429 | 503 => (Kind::Busy, "the node is busy".to_owned()),
            status => (Kind::Internal, format!("the node answers with HTTP status {status}")),
        };
        Self { kind, message, hint: None, rest: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal { kind, message, hint, rest } = refusal;
        let failure = Self::new(kind, message);
        let failure = match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
        match rest {
            Some(rest) => failure.data(rest),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, body: &Value) -> Refusal {
        read(status, body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn a_result_is_what_the_method_gave() {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "result": { "a": [1] }, "later": 1 });
        assert_eq!(read(200, body.to_string().as_bytes()), Ok(json!({ "a": [1] })));
    }

    #[test]
    fn an_error_keeps_its_kind_its_hint_and_what_else_it_tells() {
        let data = json!({ "kind": "busy", "hint": "wait", "retryAfterMs": 100 });
        let error = json!({ "code": -32000, "message": "the node is busy", "data": data });
        let found = refusal(200, &json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
        assert_eq!(found.kind, Kind::Busy);
        assert_eq!(
            (found.message.as_str(), found.hint.as_deref()),
            ("the node is busy", Some("wait"))
        );
        assert_eq!(found.rest, Some(json!({ "retryAfterMs": 100 })));
        let failure = Failure::from(found).json();
        assert_eq!(failure.pointer("/error/data/retryAfterMs"), Some(&json!(100)));
    }

    #[test]
    fn a_kind_of_a_later_version_is_kept_for_programs() {
        let error = json!({ "code": -32099, "message": "no", "data": { "kind": "novel" } });
        let found = refusal(200, &json!({ "error": error }));
        assert_eq!((found.kind, found.rest), (Kind::Internal, Some(json!({ "kind": "novel" }))));
    }

    #[test]
    fn what_is_refused_before_it_is_parsed_is_told_by_its_status() {
        for (status, kind) in [
            (401, Kind::Refused),
            (403, Kind::Forbidden),
            (404, Kind::NotReachable),
            (413, Kind::TooLarge),
            (421, Kind::Misdirected),
            (429, Kind::Busy),
            (503, Kind::Busy),
            (500, Kind::Internal),
            (302, Kind::Internal),
            (200, Kind::Internal),
        ] {
            for body in ["", "<html>", "[]", "{}", "{\"result\":null}"] {
                assert_eq!(
                    read(status, body.as_bytes()).unwrap_err().kind,
                    kind,
                    "{status} {body}"
                );
            }
        }
        let error = json!({ "code": -32010, "message": "bye", "data": { "kind": "stopping" } });
        assert_eq!(refusal(503, &json!({ "error": error })).kind, Kind::Stopping);
    }
}
