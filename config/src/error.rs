//! What can be wrong with a configuration, and where.

use std::fmt;

use camino::Utf8PathBuf;

use crate::setting::Unfit;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is the default.
    Default,
    /// In a file; lines and columns count from 1.
    File {
        /// Which file.
        path: Utf8PathBuf,
        /// Where in it, if it is about one place.
        at: Option<(usize, usize)>,
    },
    /// In this environment variable.
    Environment(String),
    /// On the command line, by this flag.
    CommandLine(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, at: None } => write!(f, "{path}"),
            Self::File { path, at: Some((line, column)) } => write!(f, "{path}:{line}:{column}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::CommandLine(flag) => write!(f, "command line: {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// Which setting, as `section.key`, if it is about one.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    /// Something wrong at this place.
    pub fn new(place: Place, what: impl Into<String>) -> Self {
        Self { place, key: None, what: what.into(), hint: None }
    }

    /// A value at this place that does not fit `key`.
    pub fn unfit(place: Place, key: &str, unfit: Unfit) -> Self {
        Self { place, key: Some(key.to_owned()), what: unfit.why, hint: unfit.hint }
    }

    /// The same, with what to write instead.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with a configuration, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Error {}
