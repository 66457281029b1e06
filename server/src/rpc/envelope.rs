//! JSON-RPC 2.0 as it comes and goes: one call, a batch, a notification.

use std::collections::BTreeSet;

use mangrove_protocol::limits::RPC_BATCH_CALLS;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::{Error, Kind};

/// What was said in one message.
#[derive(Debug)]
pub(crate) enum Said {
    /// One call.
    One(Result<Call, Refused>),
    /// Several, each on its own.
    Batch(Vec<Result<Call, Refused>>),
}

/// A call that is one.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// By what its answer is known; nothing if it wants none.
    pub(crate) id: Option<Id>,
    /// What is called.
    pub(crate) method: String,
    /// With what: the text of an object.
    pub(crate) params: Box<str>,
}

/// A call that is none: what it is to be answered.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) id: Id,
    pub(crate) error: Error,
}

/// What a caller knows an answer by: a string, a number or null, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id(Box<str>);

/// A call as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    params: Option<&'a RawValue>,
}

/// Tells null from nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Id {
    /// Of what cannot be told what it is.
    pub(crate) fn null() -> Self {
        Self("null".into())
    }

    fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first()? {
            b'"' | b'-' | b'0'..=b'9' | b'n' => Some(Self(text.into())),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Said {
    /// Reads a message. An error is of the whole of it.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let parse = |why: serde_json::Error| Error::new(Kind::Parse, why.to_string());
        let raw = serde_json::from_str::<&RawValue>(text).map_err(parse)?;
        if !raw.get().starts_with('[') {
            return Ok(Self::One(Call::read(raw)));
        }
        let calls = serde_json::from_str::<Vec<&RawValue>>(raw.get()).map_err(parse)?;
        let most = usize::try_from(RPC_BATCH_CALLS).unwrap_or(usize::MAX);
        if calls.is_empty() {
            return Err(Error::new(Kind::InvalidRequest, "the batch is empty"));
        }
        if calls.len() > most {
            let why = format!("a batch has at most {most} calls, and this one has {}", calls.len());
            return Err(Error::new(Kind::TooLarge, why).hint("send several batches"));
        }
        let calls = calls.into_iter().map(Call::read).collect::<Vec<_>>();
        let mut ids = BTreeSet::new();
        for id in calls.iter().filter_map(|call| call.as_ref().ok()?.id.as_ref()) {
            if id.as_str() != "null" && !ids.insert(id.as_str()) {
                let why = format!("`id`: {} occurs twice in the batch", id.as_str());
                return Err(Error::new(Kind::InvalidRequest, why));
            }
        }
        Ok(Self::Batch(calls))
    }
}

impl Call {
    fn read(raw: &RawValue) -> Result<Self, Refused> {
        let refuse = |id, why: String| {
            let hint =
                "a call is {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"node.status\",\"params\":{}}";
            Refused { id, error: Error::new(Kind::InvalidRequest, why).hint(hint) }
        };
        let written = serde_json::from_str::<Written<'_>>(raw.get());
        let written = written.map_err(|why| refuse(Id::null(), why.to_string()))?;
        let id = match written.id.map(Id::read) {
            None => None,
            Some(Some(id)) => Some(id),
            Some(None) => {
                let why = "`id` is neither a string nor a number";
                return Err(refuse(Id::null(), why.to_owned()));
            }
        };
        let named = || id.clone().unwrap_or_else(Id::null);
        if written.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
            return Err(refuse(named(), "`jsonrpc` is not \"2.0\"".to_owned()));
        }
        let method = written.method.map(|raw| serde_json::from_str::<String>(raw.get()));
        let method = match method {
            Some(Ok(method)) => method,
            Some(Err(_)) => return Err(refuse(named(), "`method` is not a string".to_owned())),
            None => return Err(refuse(named(), "`method` is missing".to_owned())),
        };
        let params = match written.params.map(RawValue::get) {
            // So say callers that have none.
            None | Some("null" | "[]") => "{}",
            Some(object) if object.starts_with('{') => object,
            Some(array) if array.starts_with('[') => {
                let error = Error::params("params", "they go by name, in an object");
                return Err(Refused { id: named(), error });
            }
            Some(_) => return Err(refuse(named(), "`params` is not an object".to_owned())),
        };
        Ok(Self { id, method, params: params.into() })
    }
}

/// An answer, if the caller wants one.
pub(crate) fn answer(id: &Id, outcome: &Result<Box<str>, Error>) -> String {
    let id = id.as_str();
    match outcome {
        Ok(result) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"),
        Err(error) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{}}}", error.json()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unwrap_in_result, reason = "in a test, a panic is the report")]
    fn one(text: &str) -> Result<Call, Refused> {
        match Said::read(text).unwrap() {
            Said::One(call) => call,
            Said::Batch(calls) => panic!("{calls:?}"),
        }
    }

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let call = one(r#"{"jsonrpc":"2.0","method":"a.b","params":{"x":1e2},"id":"\u0041"}"#);
        let call = call.unwrap();
        assert_eq!((call.method.as_str(), &*call.params), ("a.b", r#"{"x":1e2}"#));
        assert_eq!(call.id.unwrap().as_str(), r#""\u0041""#);
        for (id, expect) in
            [(r#","id":null"#, Some("null")), ("", None), (r#","id":-1.5"#, Some("-1.5"))]
        {
            let call = one(&format!(r#"{{"jsonrpc":"2.0","method":"a"{id}}}"#)).unwrap();
            assert_eq!(call.id.as_ref().map(Id::as_str), expect);
            assert_eq!(&*call.params, "{}");
        }
    }

    #[test]
    fn what_is_no_call_is_told_why() {
        for (text, id, why) in [
            (r#"1"#, "null", "invalid type"),
            (r#""x""#, "null", "invalid type"),
            (r#"{}"#, "null", "`jsonrpc`"),
            (r#"{"jsonrpc":"1.0","id":7,"method":"a"}"#, "7", "`jsonrpc`"),
            (r#"{"jsonrpc":"2.0","id":7}"#, "7", "`method` is missing"),
            (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, "7", "`method` is not"),
            (r#"{"jsonrpc":"2.0","id":[],"method":"a"}"#, "null", "`id`"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#, "null", "`id`"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","params":"bar"}"#, "7", "`params`"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","params":[1]}"#, "7", "by name"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","param":{}}"#, "null", "`param`"),
        ] {
            let refused = one(text).unwrap_err();
            assert_eq!(refused.id.as_str(), id, "{text}");
            assert!(refused.error.message.contains(why), "{text}: {}", refused.error.message);
        }
    }

    #[test]
    fn a_batch_is_its_calls_or_is_refused_as_a_whole() {
        let Said::Batch(calls) = Said::read(r#" [1, {"jsonrpc":"2.0","method":"a"}]"#).unwrap()
        else {
            panic!("it is a batch")
        };
        assert!(calls[0].is_err() && calls[1].is_ok() && calls.len() == 2);
        let call = r#"{"jsonrpc":"2.0","method":"a"}"#;
        let many = |count| format!("[{}]", vec![call; count].join(","));
        assert!(Said::read(&many(100)).is_ok());
        let twice =
            r#"[{"jsonrpc":"2.0","method":"a","id":1},{"jsonrpc":"2.0","method":"b","id":1}]"#;
        for (text, kind) in [
            ("[]", Kind::InvalidRequest),
            (twice, Kind::InvalidRequest),
            (&many(101), Kind::TooLarge),
            ("[1,]", Kind::Parse),
            ("", Kind::Parse),
            ("{", Kind::Parse),
            ("{} {}", Kind::Parse),
        ] {
            assert_eq!(Said::read(text).unwrap_err().kind, kind, "{text}");
        }
    }

    #[test]
    fn depth_takes_no_stack() {
        let deep = "[".repeat(100_000);
        assert_eq!(Said::read(&deep).unwrap_err().kind, Kind::Parse);
        let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let Said::Batch(calls) = Said::read(&closed).unwrap() else { panic!("it is a batch") };
        assert!(calls[0].is_err());
        let call = format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{"x":{closed}}}}}"#);
        assert!(one(&call).is_ok(), "what is too deep is told by whoever reads it");
    }
}
