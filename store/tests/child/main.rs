//! A process that opens a store and writes to it until it is killed, for the tests of crashes.
//!
//! ```text
//! mangrove-store-child FOLDER DURABILITY CONTEXTS MIN_FREE_MIB
//! ```
//! It writes to so many contexts at once, each commit once the one before is durable, and prints a line for
//! each that is: `CONTEXT COMMIT`. What it cannot write it prints as `! WHY`, and goes on where that helps.
//! Each line that it is told sets failpoints. With `count` for a durability it prints `= CONTEXT COMMITS` and ends.

#[path = "book.rs"]
mod book;

use std::io::{self, Write};
use std::process::ExitCode;

use mangrove_config::failpoint;
use mangrove_config::setting::Text;
use mangrove_config::store::{Durability, Store};
use mangrove_store::{NotTaken, Pen, Reader, WriteError, Writer, open};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("! {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, folder, durability, contexts, min_free] = arguments.as_slice() else {
        return Err("FOLDER DURABILITY CONTEXTS MIN_FREE_MIB".to_owned());
    };
    let failpoints = std::env::var("MANGROVE_FAILPOINTS").unwrap_or_default();
    failpoint::global().set_all(&failpoints).map_err(|why| why.to_string())?;
    let number = |text: &str| text.parse::<u64>().map_err(|why| why.to_string());
    let only_counts = durability == "count";
    let durability = if only_counts { "fsync" } else { durability };
    let settings = Store {
        durability: Durability::parse(durability).map_err(|unfit| unfit.why)?,
        min_free_mib: number(min_free)?,
        wal_mib: 4,
        ..Store::default()
    };
    let contexts = u8::try_from(number(contexts)?).map_err(|why| why.to_string())?;
    let (writer, reader) =
        open(folder.as_str().into(), &settings, None).map_err(|why| why.to_string())?;
    if only_counts {
        return (1..=contexts).try_for_each(|number| {
            let reading = reader.begin().map_err(|why| why.to_string())?;
            let found = reading.context(&book::context(number));
            let count = found.map_or(Ok(0), |snapshot| book::count(&snapshot))?;
            say(&format!("= {number} {count}"));
            Ok(())
        });
    }
    std::thread::Builder::new().spawn(listen).map_err(|why| why.to_string())?;
    std::thread::scope(|scope| {
        for number in 1..=contexts {
            let (writer, reader) = (&writer, &reader);
            let write = move || write_on(writer, reader, number);
            let builder = std::thread::Builder::new();
            builder.spawn_scoped(scope, write).map_err(|why| why.to_string())?;
        }
        Ok(())
    })
}

/// Sets the failpoints it is told.
fn listen() {
    for line in io::stdin().lines().map_while(Result::ok) {
        if let Err(why) = failpoint::global().set_all(&line) {
            say(&format!("! {why}"));
        }
    }
}

/// One line at a time, whole, and at once.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    if written.is_err() {
        // Whoever listened is gone.
        std::process::abort();
    }
}

/// Writes to a context until nothing helps any more.
fn write_on(writer: &Writer, reader: &Reader, number: u8) {
    loop {
        let Err(why) = write(writer, reader, number) else { return };
        say(&format!("! {why}"));
        if !matches!(why.as_str(), FULL | STALE) {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

const FULL: &str = "the disk is full";
const STALE: &str = "the database was opened anew";

fn write(writer: &Writer, reader: &Reader, number: u8) -> Result<(), String> {
    let context = book::context(number);
    let pen = writer.pen(context).map_err(|why| why.to_string())?;
    let mut next = {
        let reading = reader.begin().map_err(|_| STALE)?;
        reading.context(&context).map_or(Ok(0), |snapshot| book::count(&snapshot))?
    };
    loop {
        commit(&pen, &book::commit(context, next))?;
        say(&format!("{number} {next}"));
        next += 1;
    }
}

fn commit(pen: &Pen, batch: &mangrove_protocol::view::Batch) -> Result<(), String> {
    let words = |why: WriteError| why.to_string();
    match pen.commit(batch, false) {
        Ok(receipt) => receipt.wait().map(drop).map_err(words),
        Err(NotTaken::Busy) => Err("busy, with one commit each".to_owned()),
        Err(NotTaken::Refused(why)) => Err(words(why)),
        Err(why) => Err(why.to_string()),
    }
}
