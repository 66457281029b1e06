//! `mangrove limits`: the limits table, without a node.

use mangrove_protocol::limits::{Limit, Scope, TABLE};
use serde_json::Value;

use crate::present::{Report, aligned};

pub(crate) fn run() -> Report {
    let json = TABLE.iter().map(|limit| (limit.name.to_owned(), limit.value.into()));
    let rows = TABLE.iter().map(row).collect::<Vec<_>>();
    let text = format!("{}* decides validity\n", aligned(&rows));
    Report::answer(text, Value::Object(json.collect()))
}

fn row(limit: &Limit) -> Vec<String> {
    let mark = if limit.scope == Scope::Validity { "*" } else { "" };
    let name = format!("{}{mark}", limit.name);
    vec![name, limit.value.to_string(), readable(limit), limit.what.to_owned()]
}

/// A number of bytes as a person writes it; nothing for other numbers.
fn readable(limit: &Limit) -> String {
    const KIB: u64 = 1024;
    let bytes = limit.name.to_lowercase().contains("bytes");
    match limit.value {
        value if !bytes || value < KIB => String::new(),
        value if value % (KIB * KIB) == 0 => format!("{} MiB", value / (KIB * KIB)),
        value if value % KIB == 0 => format!("{} KiB", value / KIB),
        _ => String::new(),
    }
}
