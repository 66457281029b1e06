//! The environment variables of a process, taken once and passed on as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::error::{Place, Problem};

/// What names a setting begins with.
const PREFIX: &str = "MANGROVE_";

/// Environment variables. Tests make their own; only a program's start reads the real one.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The variables of this process. A name that is not UTF-8 cannot be one of ours.
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { variables: std::env::vars_os().filter_map(named).collect() }
    }

    /// The value of a variable, if it is set to something.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.variables.get(name) {
            Some(value) if !value.is_empty() => text(name, value).map(Some),
            _ => Ok(None),
        }
    }

    /// All settings given by `MANGROVE_SECTION__KEY`, as (variable, section, key, value).
    pub(crate) fn settings(&self) -> impl Iterator<Item = Given<'_>> {
        self.variables.iter().filter_map(|(variable, value)| {
            let (section, key) = variable.strip_prefix(PREFIX)?.split_once("__")?;
            Some(Given {
                variable,
                section: section.to_ascii_lowercase(),
                key: key.to_ascii_lowercase(),
                value: text(variable, value),
            })
        })
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: owned.collect() }
    }
}

/// A setting given by a variable.
pub(crate) struct Given<'a> {
    pub(crate) variable: &'a str,
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: Result<&'a str, Problem>,
}

fn text<'a>(name: &str, value: &'a OsString) -> Result<&'a str, Problem> {
    let place = || Place::Environment(name.to_owned());
    value.to_str().ok_or_else(|| Problem::new(place(), "its value is not UTF-8"))
}
