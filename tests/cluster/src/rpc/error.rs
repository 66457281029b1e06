//! Why a call has no result.

use std::time::Duration;

use serde_json::Value;

use crate::http::Response;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The node says no. It has done nothing.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Nobody was there: the request was not sent.
    #[error("nobody answers there: {0}")]
    Unreachable(String),
    /// It was sent, or some of it, and not answered. Nobody knows whether it was carried out.
    #[error("no answer: {0}")]
    Lost(String),
    /// The answer is not what the contract says.
    #[error("the answer to {what} is not what the contract says: {why}: {answer}")]
    Misshapen {
        /// What was asked, or which part of the answer it is about.
        what: String,
        /// What is wrong with it.
        why: String,
        /// The answer itself, or its beginning.
        answer: String,
    },
}

/// How a node says no.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{kind} ({code}): {message}{}", hint.as_ref().map(|it| format!(" ({it})")).unwrap_or_default())]
pub struct Refusal {
    /// The status of HTTP: 200 if the call was parsed.
    pub status: u16,
    /// The code of JSON-RPC; 0 if the call was refused before it was parsed, without a body.
    pub code: i64,
    /// Its name, which programs go by.
    pub kind: String,
    /// What a person reads.
    pub message: String,
    /// What can be done.
    pub hint: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// All that the error tells beside its message.
    pub data: Value,
}

impl RpcError {
    /// How the node says no, if it does.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The kind of refusal; empty if it is none.
    pub fn kind(&self) -> &str {
        self.refusal().map_or("", |refusal| &refusal.kind)
    }

    pub(crate) fn misshapen(what: &str, why: impl Into<String>, answer: &str) -> Self {
        const SHOWN: usize = 500;
        let answer = answer.chars().take(SHOWN).collect();
        Self::Misshapen { what: what.to_owned(), why: why.into(), answer }
    }
}

/// What an answer to the request of this number says.
pub(super) fn result_of(response: &Response, id: u64) -> Result<Value, RpcError> {
    let text = String::from_utf8_lossy(&response.body);
    let body = serde_json::from_slice::<Value>(&response.body);
    if response.status != 200 {
        let body = body.unwrap_or_default();
        let error = body.get("error").unwrap_or(&Value::Null);
        return Err(RpcError::Refused(refusal(error, response)));
    }
    let misshapen = |why: &str| RpcError::misshapen("a call", why, &text);
    let body = body.map_err(|why| misshapen(&why.to_string()))?;
    if body.get("jsonrpc") != Some(&"2.0".into()) {
        return Err(misshapen("it is not JSON-RPC 2.0"));
    }
    if body.get("id") != Some(&id.into()) {
        return Err(misshapen(&format!("it does not answer the request {id}")));
    }
    match (body.get("result"), body.get("error")) {
        (Some(result), None) => Ok(result.clone()),
        (None, Some(error)) => {
            let refusal = refusal(error, response);
            let is_whole = refusal.code != 0 && error.pointer("/data/kind").is_some();
            if is_whole {
                Err(RpcError::Refused(refusal))
            } else {
                Err(misshapen("an error without a kind"))
            }
        }
        _ => Err(misshapen("it is neither a result nor an error")),
    }
}

fn refusal(error: &Value, response: &Response) -> Box<Refusal> {
    let data = error.get("data").cloned().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let after = data.get("retryAfterMs").and_then(Value::as_u64).map(Duration::from_millis);
    let status = response.status;
    Box::new(Refusal {
        status,
        code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
        kind: text(data.get("kind")).unwrap_or_else(|| format!("http {status}")),
        message: text(error.get("message")).unwrap_or_default(),
        hint: text(data.get("hint")),
        retry_after: after.or(response.retry_after),
        data,
    })
}
