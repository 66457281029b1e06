//! `mangrove version`.

use serde_json::json;

use crate::home::format;
use crate::present::Report;

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run() -> Report {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let text = format!("mangrove {VERSION}\n");
    let json = json!({ "version": VERSION, "homeFormat": format::CURRENT, "build": build });
    Report::answer(text, json)
}
