//! The section `[node]`: what a node is, how it uses the machine, and how it starts and stops.

use std::fmt;

use crate::failpoint::Spec;
use crate::section::section;
use crate::setting::{Text, Unfit};

section! {
    /// What this node is, and how it uses the machine.
    "node" => Node {
        /// `full`: it takes part in contexts, reads them and writes. `replica`: it keeps contexts for
        /// the peers that `replica.allow` lists, without the keys to read them.
        mode: Mode = Mode::Full,
        /// Threads on which contexts are worked on. 0: as many as there are cores, at most 4.
        context_threads: u64 = 0,
        /// Events that may wait in each lane of an actor. What becomes of more depends on what they are.
        lane_events: u64 = 1_024,
        /// Memory for events that wait in a lane, in MiB.
        lane_mib: u64 = 8,
        /// Commits, checks of signatures and the like that one actor may have begun at a time. While there
        /// are as many, it takes nothing new.
        in_flight: u64 = 64,
        /// Memory for them, in MiB.
        in_flight_mib: u64 = 16,
        /// Handling one event for longer than so many milliseconds is said in the log.
        slow_event_ms: u64 = 100,
        /// When more events wait than ever before, that is said in the log, once there are so many.
        deep_queue: u64 = 1_000,
        /// How long stopping may take, in seconds, before what is left is dropped.
        drain_secs: u64 = 10,
        /// Files that may be open at a time, as far as the system lets them.
        open_files: u64 = 64_000,
        /// Whether `mangrove diag` and `mangrove stop` reach this node, by a socket in its home.
        diagnostics: bool = true,
        /// What is to fail on purpose, for tests; in release builds nothing can. Each as
        /// `key(,sub:X|,p:F|,once)*=value`; on a command line in brackets, as a list of a file.
        failpoints: Vec<Spec> = Vec::new(),
    }
}

impl Node {
    /// What is out of range, with the key at fault.
    pub(crate) fn out_of_range(&self) -> Option<(&'static str, Unfit)> {
        Unfit::first_outside([
            ("node.context_threads", self.context_threads, 0, 64),
            ("node.lane_events", self.lane_events, 1, 65_536),
            ("node.lane_mib", self.lane_mib, 1, 4_096),
            ("node.in_flight", self.in_flight, 1, 65_536),
            ("node.in_flight_mib", self.in_flight_mib, 1, 4_096),
            ("node.slow_event_ms", self.slow_event_ms, 1, 3_600_000),
            ("node.deep_queue", self.deep_queue, 1, 1 << 30),
            ("node.drain_secs", self.drain_secs, 1, 3_600),
            ("node.open_files", self.open_files, 64, 1 << 30),
        ])
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One that takes part.
    Full,
    /// One that keeps what others write.
    Replica,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Replica => "replica",
        })
    }
}

impl Text for Mode {
    const EXPECTED: &'static str = "`full` or `replica`";

    fn parse(text: &str) -> Result<Self, Unfit> {
        match text {
            "full" => Ok(Self::Full),
            "replica" => Ok(Self::Replica),
            _ => Err(Unfit::new(format!("expected {}, found `{text}`", Self::EXPECTED))),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_reads_what_it_prints() {
        for mode in [Mode::Full, Mode::Replica] {
            assert_eq!(Mode::parse(&mode.print()), Ok(mode));
        }
        let why = "expected `full` or `replica`, found `reader`";
        assert_eq!(Mode::parse("reader"), Err(Unfit::new(why)));
    }
}
