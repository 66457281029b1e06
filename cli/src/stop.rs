//! `mangrove stop`: stops the node of a home.

use serde_json::json;

use crate::client::Client;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::present::Report;
use crate::run::STOPPING;
use crate::running::{diagnose, has_ended, pid};
use crate::session::Session;

pub(crate) fn run(session: &Session) -> Result<Report, Failure> {
    if session.api.is_some() {
        let done = Client::open(session)?.call("node.stop", &json!({}))?;
        return Ok(Report::note("stopping\n", done));
    }
    let answer = diagnose(session, "stop")?;
    let within = session.timeout.unwrap_or(STOPPING);
    match serde_json::from_str(&answer).ok().and_then(|told| pid(&told)) {
        Some(pid) if !has_ended(pid, within) => {
            let what = format!("the node is still stopping after {} s", within.as_secs());
            let failure = Failure::new(Kind::Busy, what);
            Err(failure.hint(format!("see its log; to end it at once: kill -INT {pid}")))
        }
        _ => Ok(Report::note("stopped\n", json!({}))),
    }
}
