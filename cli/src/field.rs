//! Looking into what the node answered.

use serde_json::Value;

/// The text in this field; an empty one if there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The number in this field; 0 if there is none.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Whether this field says yes.
pub(crate) fn says(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// What the list in this field holds; nothing if there is none.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).map(items).unwrap_or_default()
}

/// What a list holds; nothing if it is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_is_empty() {
        let value = json!({ "a": "x", "b": 7, "c": true, "d": [1] });
        assert_eq!((text(&value, "a"), number(&value, "b")), ("x", 7));
        assert!(says(&value, "c") && list(&value, "d").len() == 1);
        let empty = json!(null);
        assert_eq!((text(&empty, "a"), number(&empty, "b")), ("", 0));
        assert!(!says(&empty, "c") && list(&empty, "d").is_empty() && items(&empty).is_empty());
    }
}
