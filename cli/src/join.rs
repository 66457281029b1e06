//! `mangrove join`: comes into a context by a ticket.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Pause};
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::human::{count, printable, span};
use crate::present::{Bar, Report};
use crate::session::Session;

/// How long the node waits for what others know, before it answers.
const USUAL: Duration = Duration::from_secs(10);
/// How long somebody is tried to be reached who lets this node in.
const REACHING: Duration = Duration::from_secs(30);
/// How long a context is left alone between looks.
const LOOK: Duration = Duration::from_millis(500);

/// Come into a context by a ticket
///
/// Somebody who is in it has to be reachable: tickets are made with `mangrove invite`.
#[derive(Debug, clap::Args)]
pub(crate) struct JoinArgs {
    /// The ticket
    ticket: String,
    /// Call the context so on this node
    #[arg(long, value_name = "LOCAL")]
    name: Option<String>,
    /// Wait until what others know is here
    ///
    /// For as long as it takes, or as --timeout says.
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(args: &JoinArgs, session: &Session) -> Result<Report, Failure> {
    let began = Instant::now();
    let client = Client::open(session)?;
    let wait = USUAL.min(client.patience() / 2);
    let mut params = json!({ "ticket": args.ticket.trim(), "waitSecs": wait.as_secs() });
    if let (Some(params), Some(name)) = (params.as_object_mut(), &args.name) {
        params.insert("name".to_owned(), json!(name));
    }
    // Who is not there yet is looked for by the node, unless this one has less time.
    let within = session.timeout.unwrap_or_else(|| REACHING + USUAL + client.patience());
    let mut joined = client.call_within("context.join", &params, within)?;
    if args.wait && !field::says(&joined, "synced") {
        let deadline = session.timeout.map(|most| began + most);
        let context = field::text(&joined, "context").to_owned();
        let info = Waiting { client: &client, context: &context, session }.wait(deadline)?;
        if let Some(joined) = joined.as_object_mut() {
            joined.insert("role".to_owned(), info.get("role").cloned().unwrap_or_default());
            joined.insert("synced".to_owned(), json!(true));
        }
    }
    Ok(Report::note(told(&joined), joined))
}

fn told(joined: &Value) -> String {
    let context = printable(field::text(joined, "context"));
    let role = match field::text(joined, "role") {
        "" => String::new(),
        role => format!(" as {}", printable(role)),
    };
    match field::says(joined, "synced") {
        true => format!("joined {context}{role}\n"),
        false => format!("joined {context}{role}; what others know is still on its way\n"),
    }
}

/// Somebody who waits for a context.
struct Waiting<'a> {
    client: &'a Client,
    context: &'a str,
    session: &'a Session,
}

impl Waiting<'_> {
    /// Waits until the context can be used; how it is then.
    fn wait(&self, deadline: Option<Instant>) -> Result<Value, Failure> {
        let bar = Bar::new(self.session, "joining");
        let mut pause = Pause::default();
        loop {
            let info = self.client.call("context.get", &json!({ "context": self.context }));
            let seen = match info {
                Ok(info) if is_there(&info) => {
                    bar.clear();
                    return Ok(info);
                }
                Ok(info) => progress(&info),
                Err(failure) if failure.kind().is_passing() => failure.what().to_owned(),
                Err(failure) => {
                    bar.clear();
                    return Err(failure);
                }
            };
            bar.tell(&seen);
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                bar.clear();
                return Err(self.late(&seen));
            }
            pause.wait(left.unwrap_or(LOOK).min(LOOK));
        }
    }

    fn late(&self, seen: &str) -> Failure {
        let most = self.session.timeout.unwrap_or_default();
        let ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let what = format!("the context {} is not here after {}", self.context, span(ms));
        Failure::new(Kind::Busy, what)
            .because(seen)
            .hint("it goes on by itself: see `mangrove context show`, or wait with --timeout SECS")
            .data(json!({ "context": self.context }))
    }
}

/// Whether a context can be used. Nobody else has to be there any more.
fn is_there(info: &Value) -> bool {
    let sync = info.get("sync").map_or("", |sync| field::text(sync, "state"));
    field::text(info, "state") == "ready" && !matches!(sync, "syncing" | "behind")
}

fn progress(info: &Value) -> String {
    let deltas = count(field::number(info, "deltas"));
    let state = printable(field::text(info, "state"));
    match info.pointer("/sync/remaining").and_then(Value::as_u64) {
        Some(left) => format!("it is {state}, {deltas} deltas are here, {} to come", count(left)),
        None => format!("it is {state}, {deltas} deltas are here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_joined_is_told_with_what_is_still_to_come() {
        let joined = json!({ "context": "abc", "role": "writer", "synced": true });
        assert_eq!(told(&joined), "joined abc as writer\n");
        let joined = json!({ "context": "abc", "role": null, "synced": false });
        assert_eq!(told(&joined), "joined abc; what others know is still on its way\n");
    }

    #[test]
    fn a_context_is_there_when_it_is_ready_and_nothing_is_on_its_way() {
        let info = |state: &str, sync: &str| json!({ "state": state, "sync": { "state": sync } });
        assert!(is_there(&info("ready", "converged")) && is_there(&info("ready", "offline")));
        assert!(!is_there(&info("joining", "converged")) && !is_there(&info("ready", "syncing")));
        let info = json!({ "state": "joining", "deltas": 1_234, "sync": { "remaining": 5 } });
        assert_eq!(progress(&info), "it is joining, 1,234 deltas are here, 5 to come");
    }
}
