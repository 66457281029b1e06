//! What is written, in the words of the API.

use serde_json::{Value, json};

/// Sets a register.
pub fn put(key: &str, value: impl Into<Value>) -> Value {
    json!({ "op": "put", "key": key, "value": value.into() })
}

/// Removes whatever the node sees under a key of this kind.
pub fn delete(key: &str, kind: crate::Kind) -> Value {
    json!({ "op": "delete", "key": key, "kind": kind.name() })
}

/// Adds to a counter.
pub fn increment(key: &str, by: i64) -> Value {
    json!({ "op": "increment", "key": key, "by": by })
}

/// Puts an item into a set.
pub fn insert(key: &str, item: impl Into<Value>) -> Value {
    json!({ "op": "insert", "key": key, "item": item.into() })
}

/// Takes an item out of a set, as far as the node sees it there.
pub fn remove(key: &str, item: impl Into<Value>) -> Value {
    json!({ "op": "remove", "key": key, "item": item.into() })
}

/// Tells applications something.
pub fn emit(name: &str, data: impl Into<Value>) -> Value {
    json!({ "op": "emit", "name": name, "data": data.into() })
}
