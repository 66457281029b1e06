//! What is promised of canonical text.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::*;

mod properties;
mod refusals;
mod rfc;

fn check(text: &str, expect: &str) {
    let bytes = canonical(text).map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(bytes.as_deref(), Ok(expect), "{text}");
    assert!(is_canonical(expect.as_bytes()), "{expect}");
    assert_eq!(is_canonical(text.as_bytes()), text == expect, "{text}");
}

/// What a document says, as `serde_json` reads it; numbers by the bits of their doubles, which it
/// does not always read to the last.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Other(serde_json::Value),
    Number(u64),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Said {
    fn of(text: &str) -> Self {
        match text.trim_start().as_bytes()[0] {
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap();
                Self::Array(items.iter().map(|item| Self::of(item.get())).collect())
            }
            b'{' => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
                let members = members.into_iter();
                Self::Object(members.map(|(name, it)| (name, Self::of(it.get()))).collect())
            }
            b'-' | b'0'..=b'9' => {
                let double: f64 = text.trim().parse().unwrap();
                Self::Number((double + 0.0).to_bits())
            }
            _ => Self::Other(serde_json::from_str(text).unwrap()),
        }
    }
}

#[test]
fn what_is_not_canonical_is_shown_as_base64_which_is_canonical() {
    for (bytes, expect) in [
        (br#"{"a":[1,"\n"]}"#.as_slice(), r#"{"a":[1,"\n"]}"#),
        (b"", r#"{"$bytes":""}"#),
        (b"\xff\xfe", r#"{"$bytes":"//4="}"#),
        (b"1 ", r#"{"$bytes":"MSA="}"#),
        (b"1.0", r#"{"$bytes":"MS4w"}"#),
        (b"-0", r#"{"$bytes":"LTA="}"#),
        (b">>>???", r#"{"$bytes":"Pj4+Pz8/"}"#),
        (br#"{"b":0,"a":0}"#, r#"{"$bytes":"eyJiIjowLCJhIjowfQ=="}"#),
    ] {
        assert_eq!(shown(bytes), expect);
        assert!(is_canonical(expect.as_bytes()), "{expect}");
        assert_eq!(is_canonical(bytes), bytes == expect.as_bytes(), "{expect}");
    }
}

#[test]
fn canonical_bytes_are_shown_without_copying_them() {
    assert!(matches!(shown(b"[]"), Cow::Borrowed("[]")));
}

#[test]
fn a_raw_value_of_a_request_is_a_document() {
    let request = r#"{"value": { "b" : 1.0 , "a":1e1} }"#;
    let request: BTreeMap<String, Box<RawValue>> = serde_json::from_str(request).unwrap();
    check(request["value"].get(), r#"{"a":10,"b":1}"#);
}
