//! `mangrove apply`: writes many operations, a batch at a time.

mod batch;
mod sender;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_protocol::limits::OPS_PER_DELTA;
use serde_json::json;

use self::batch::Batches;
use self::sender::{Done, Sender};
use crate::exit::Kind;
use crate::failure::Failure;
use crate::human::count;
use crate::present::{Bar, Report};
use crate::session::Session;

/// Write many operations, from lines of JSON
///
/// Each line is an operation: {"op":"put","key":"k","value":1}, {"op":"delete","key":"k"},
/// {"op":"increment","key":"k","by":1}, {"op":"insert","key":"k","item":1}, {"op":"remove","key":"k","item":1}, or
/// {"op":"emit","name":"n","data":1}. Empty lines are passed over.
///
/// Each batch is one delta: all of it is written, or nothing. When the connection is lost, a batch is sent again, and
/// written once all the same. A batch that is refused ends it; those before it stay written, and the error says from
/// which line on to go on.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// The context: its name here, its id, or how its id begins
    context: String,
    /// The file that holds the lines; `-` for standard input
    #[arg(default_value = "-", hide_default_value = true)]
    file: Utf8PathBuf,
    /// Write so many operations at once, or fewer where they would not fit into one delta
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..=OPS_PER_DELTA)
    )]
    batch: u64,
}

pub(crate) fn run(args: &ApplyArgs, session: &Session) -> Result<Report, Failure> {
    let mut sender = Sender::open(&args.context, session)?;
    let most = usize::try_from(args.batch).unwrap_or(usize::MAX);
    let mut batches = Batches::new(source(&args.file, session)?, most);
    let bar = Bar::new(session, "applied");
    let began = Instant::now();
    let mut done = Done::default();
    let outcome = loop {
        match batches.next() {
            Ok(Some(batch)) => match sender.send(&batch, &mut done) {
                Ok(()) => bar.tell(&progress(&done, began)),
                Err(failure) => break Err(failure),
            },
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    bar.clear();
    match outcome {
        Ok(()) => Ok(report(&done)),
        Err(failure) => Err(broken_off(failure, &done)),
    }
}

fn source(file: &Utf8Path, session: &Session) -> Result<Box<dyn BufRead>, Failure> {
    if file.as_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let path = session.absolute(file);
    let opened = File::open(&path).map_err(|why| {
        Failure::new(Kind::NotFound, format!("cannot read operations from {path}")).because(why)
    })?;
    Ok(Box::new(BufReader::new(opened)))
}

fn progress(done: &Done, began: Instant) -> String {
    let ms = began.elapsed().as_millis().max(1);
    let rate = u128::from(done.ops) * 1_000 / ms;
    let rate = count(u64::try_from(rate).unwrap_or(u64::MAX));
    format!("{} operations, {rate} a second", count(done.ops))
}

fn report(done: &Done) -> Report {
    let Done { batches, ops, cursor, .. } = done;
    let word =
        |count: u64, one: &'static str, many: &'static str| if count == 1 { one } else { many };
    let (operations, in_batches) =
        (word(*ops, "operation", "operations"), word(*batches, "batch", "batches"));
    let (ops_told, batches_told) = (count(*ops), count(*batches));
    let text = format!("applied {ops_told} {operations} in {batches_told} {in_batches}\n");
    Report::note(text, json!({ "batches": batches, "ops": ops, "cursor": cursor }))
}

/// What was refused, and what is written all the same.
fn broken_off(failure: Failure, done: &Done) -> Failure {
    let Done { batches, ops, cursor, next_line } = done;
    let failure = failure.data(json!({ "batches": batches, "ops": ops, "cursor": cursor }));
    if *batches == 0 {
        return failure.because("nothing is written");
    }
    let (ops, batches) = (count(*ops), count(*batches));
    failure
        .because(format!("{ops} operations before it are written, in {batches} batches"))
        .hint(format!("go on with the rest: tail -n +{next_line} FILE | mangrove apply …"))
        .data(json!({ "nextLine": next_line }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_told_when_something_is_refused() {
        let failure = || Failure::new(Kind::Usage, "line 7: it is no operation");
        let none = broken_off(failure(), &Done::default());
        assert_eq!(none.message(), "line 7: it is no operation: nothing is written");
        let done = Done { batches: 2, ops: 1_500, cursor: Some("c".to_owned()), next_line: 1_501 };
        let some = broken_off(failure(), &done);
        assert!(some.message().contains("1,500 operations before it are written, in 2 batches"));
        let data = json!({ "batches": 2, "ops": 1_500, "cursor": "c", "nextLine": 1_501 });
        assert_eq!(some.json().pointer("/error/data"), Some(&data));
    }
}
