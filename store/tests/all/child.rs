//! The process that writes, as its tests see it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdout, Command, Stdio};

use camino::Utf8Path;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mangrove-store-child");
/// Contexts that it writes to at once.
pub(crate) const CONTEXTS: u8 = 8;

/// How many commits of each context were acknowledged.
pub(crate) type Acknowledged = BTreeMap<u8, u64>;

/// A process that writes.
pub(crate) struct Child {
    process: Process,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    pub(crate) acknowledged: Acknowledged,
    /// How many commits of each context were found afterwards.
    pub(crate) counted: Acknowledged,
    /// What it could not do.
    pub(crate) complaints: Vec<String>,
    pub(crate) count: u64,
}

impl Child {
    pub(crate) fn writing(folder: &Utf8Path, durability: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args([folder.as_str(), durability, &CONTEXTS.to_string(), "0"]);
        Self::start(command)
    }

    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (acknowledged, counted, complaints) =
            (Acknowledged::new(), Acknowledged::new(), Vec::new());
        Self { process, lines, acknowledged, counted, complaints, count: 0 }
    }

    /// Takes note of the next line; says whether there was one.
    pub(crate) fn read(&mut self) -> bool {
        let Some(Ok(line)) = self.lines.next() else { return false };
        if let Some(complaint) = line.strip_prefix("! ") {
            self.complaints.push(complaint.to_owned());
            return true;
        }
        let counted = line.strip_prefix("= ");
        let (context, number) = counted.unwrap_or(&line).split_once(' ').unwrap();
        let (context, number) = (context.parse().unwrap(), number.parse().unwrap());
        if counted.is_some() {
            self.counted.insert(context, number);
        } else {
            self.count += 1;
            self.acknowledged.insert(context, number);
        }
        true
    }

    /// Reads until so many more are acknowledged, or the process has ended.
    pub(crate) fn read_more(&mut self, count: u64) {
        let until = self.count + count;
        while self.count < until && self.read() {}
    }

    /// Says something to it.
    pub(crate) fn tell(&mut self, line: &str) {
        // It may have ended.
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").ok();
    }

    /// Ends it as nothing can be prepared for, and hears what it had still said.
    pub(crate) fn kill(mut self) -> Self {
        self.process.kill().unwrap();
        self.end()
    }

    /// Hears it out.
    pub(crate) fn end(mut self) -> Self {
        while self.read() {}
        self.process.wait().unwrap();
        self
    }
}
