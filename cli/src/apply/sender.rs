//! Writing batches, each of them once, also where connections are lost.

use std::time::Instant;

use data_encoding::BASE32_NOPAD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::batch::Batch;
use crate::client::{Client, Pause};
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::session::Session;

/// Somebody who writes batches to a context.
pub(super) struct Sender<'a> {
    session: &'a Session,
    client: Client,
    context: String,
    /// What the requests of this run begin with, unlike those of any other.
    run: String,
}

/// What is written.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Batches.
    pub(super) batches: u64,
    /// Operations in them.
    pub(super) ops: u64,
    /// Where the feed is after the last one.
    pub(super) cursor: Option<String>,
    /// The first line that is not written.
    pub(super) next_line: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    context: &'a str,
    ops: &'a [Box<RawValue>],
    request_id: &'a str,
}

impl<'a> Sender<'a> {
    /// Finds the context.
    pub(super) fn open(context: &str, session: &'a Session) -> Result<Self, Failure> {
        let client = Client::open(session)?;
        let found = client.call("context.get", &json!({ "context": context }))?;
        let context = field::text(&found, "context").to_owned();
        let mut chance = [0; 16];
        getrandom::fill(&mut chance).map_err(|why| {
            Failure::new(Kind::Internal, "the system gives no randomness").because(why)
        })?;
        let run = BASE32_NOPAD.encode(&chance).to_ascii_lowercase();
        Ok(Self { session, client, context, run })
    }

    /// Writes a batch. It goes by a name, so that the node knows it when it comes again.
    pub(super) fn send(&mut self, batch: &Batch, done: &mut Done) -> Result<(), Failure> {
        let request_id = format!("{}-{}", self.run, done.batches);
        let context = self.context.clone();
        let params = Params { context: &context, ops: &batch.ops, request_id: &request_id };
        let applied = self.call(&params).map_err(|failure| placed(failure, &batch.lines))?;
        done.batches += 1;
        done.ops += batch.ops.len() as u64;
        done.cursor = Some(field::text(&applied, "cursor").to_owned());
        done.next_line = batch.lines.last().map_or(0, |last| last + 1);
        Ok(())
    }

    /// Asks until there is an answer, for as long as a node is waited for.
    fn call(&mut self, params: &Params<'_>) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.client.patience();
        let mut pause = Pause::default();
        loop {
            let failure = match self.client.call("state.apply", params) {
                Ok(applied) => return Ok(applied),
                Err(failure) => failure,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if !failure.kind().is_passing() || left.is_zero() {
                return Err(failure);
            }
            pause.wait(left);
            // It may serve elsewhere now.
            if let Ok(client) = Client::open(self.session) {
                self.client = client;
            }
        }
    }
}

/// The refusal of a batch, with the line that it is about if it names an operation.
fn placed(failure: Failure, lines: &[u64]) -> Failure {
    let named = place(failure.what()).and_then(|at| lines.get(at)).copied();
    let data = named.map(|line| json!({ "line": line }));
    let failure = match (named, lines) {
        (Some(line), _) | (None, &[line]) => failure.under(format!("line {line} is not written")),
        (None, &[first, .., last]) => {
            failure.under(format!("lines {first} to {last} are not written"))
        }
        (None, []) => failure,
    };
    match data {
        Some(data) => failure.data(data),
        None => failure,
    }
}

/// The place among the operations that a refusal names, as in: `ops[7].value`.
fn place(message: &str) -> Option<usize> {
    let (_, after) = message.split_once("`ops[")?;
    after.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_line_of_its_operation() {
        let check = |message: &str, lines: &[u64], expect: &str| {
            let failure = placed(Failure::new(Kind::Usage, message), lines);
            assert_eq!(failure.what(), expect, "{message}");
            assert!(failure.message().ends_with(message), "{}", failure.message());
        };
        let lines = [3, 5, 9];
        check("`ops[1].value`: it is missing", &lines, "line 5 is not written");
        check("`ops[0]`: unknown field `x`", &lines, "line 3 is not written");
        check("the node is busy", &lines, "lines 3 to 9 are not written");
        check("the node is busy", &[7], "line 7 is not written");
        check("`ops[9]`: there is none", &lines, "lines 3 to 9 are not written");
        check("`ops[x]`: there is none", &lines, "lines 3 to 9 are not written");
    }
}
