//! What comes of a run: nothing, or the first promise that was broken.

use std::fmt;

use crate::bug::Bug;
use crate::tally::Tally;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one, by its number in `docs/simulation.md`.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

impl Violation {
    /// This promise, broken like this.
    pub fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// A run that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// The bug that was planted, if one was.
    pub bug: Option<Bug>,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// On which node.
    pub node: Option<usize>,
    /// What.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at_ms, violation, .. } = self;
        write!(f, "seed {seed} at {at_ms} ms")?;
        if let Some(node) = self.node {
            write!(f, " on node {node}")?;
        }
        write!(f, ": {violation}\n  replay: make sim SEED={seed}")?;
        self.bug.map_or(Ok(()), |bug| write!(f, " BUG={bug}"))
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The running hash of everything that happened.
    pub hash: [u8; 32],
    /// What it lived through.
    pub tally: Tally,
    /// The first promise that it broke.
    pub failure: Option<Failure>,
    /// The last things that happened, if they were asked for.
    pub trace: Vec<String>,
}
