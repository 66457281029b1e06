//! One operation on one entity, as several commands write it.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::client::Client;
use crate::failure::Failure;
use crate::field;
use crate::present::Report;
use crate::session::Session;

/// An operation, as the API takes it.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "camelCase")]
pub(crate) enum Op<'a> {
    /// Sets a register.
    Put { key: &'a str, value: &'a RawValue },
    /// Deletes an entity.
    Delete { key: &'a str, kind: &'static str },
    /// Adds to a counter.
    Increment { key: &'a str, by: i64 },
    /// Puts an item into a set.
    Insert { key: &'a str, item: &'a RawValue },
    /// Takes an item out of a set.
    Remove { key: &'a str, item: &'a RawValue },
}

#[derive(Serialize)]
struct Params<'a> {
    context: &'a str,
    ops: [Op<'a>; 1],
}

/// Writes it, and says so in these words.
pub(crate) fn write(
    session: &Session,
    context: &str,
    op: Op<'_>,
    words: &str,
) -> Result<Report, Failure> {
    let client = Client::open(session)?;
    let applied = client.call("state.apply", &Params { context, ops: [op] })?;
    Ok(Report::note(told(words, &applied), applied))
}

fn told(words: &str, applied: &Value) -> String {
    match field::list(applied, "versions") {
        [Value::String(version)] => format!("{words}: it has version {version}\n"),
        _ => format!("{words}\n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_written_as_the_api_takes_them() {
        let value = RawValue::from_string("[1.50]".to_owned()).unwrap();
        let check = |op: Op<'_>, expect: &str| {
            assert_eq!(serde_json::to_string(&op).unwrap(), expect);
        };
        let key = "k";
        check(Op::Put { key, value: &value }, r#"{"op":"put","key":"k","value":[1.50]}"#);
        let kind = "set";
        check(Op::Delete { key, kind }, r#"{"op":"delete","key":"k","kind":"set"}"#);
        check(Op::Increment { key, by: -2 }, r#"{"op":"increment","key":"k","by":-2}"#);
        check(Op::Insert { key, item: &value }, r#"{"op":"insert","key":"k","item":[1.50]}"#);
        check(Op::Remove { key, item: &value }, r#"{"op":"remove","key":"k","item":[1.50]}"#);
    }

    #[test]
    fn a_version_is_told_where_there_is_one() {
        assert_eq!(told("put k", &json!({ "versions": ["v"] })), "put k: it has version v\n");
        assert_eq!(told("deleted k", &json!({ "versions": [null] })), "deleted k\n");
    }
}
