//! The section `[log]`: what a node writes to standard error.

use std::fmt;

use crate::nearest::nearest;
use crate::section::section;
use crate::setting::{Text, Unfit};

section! {
    /// What the node writes to standard error.
    "log" => Log {
        /// Which events are written: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`),
        /// or a list of `target=level` between commas, the most specific one deciding. Each `-v`
        /// raises a bare level by one.
        filter: Filter = Filter::default(),
        /// `text` for people, `json` for machines: one object a line.
        format: Format = Format::Text,
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Which events are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The filter in the syntax of `tracing`'s directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter with its bare level raised by this many steps, at most to `trace`.
    #[must_use]
    pub fn raised(&self, steps: usize) -> Self {
        let directives = self.0.split(',').map(|directive| {
            let level = LEVELS.iter().position(|level| *level == directive);
            let raised = level.map(|level| (level + steps).min(LEVELS.len() - 1));
            raised.and_then(|level| LEVELS.get(level).copied()).unwrap_or(directive)
        });
        Self(directives.collect::<Vec<_>>().join(","))
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Text for Filter {
    const EXPECTED: &'static str = "a level or a list of target=level";

    fn parse(text: &str) -> Result<Self, Unfit> {
        let directives = text.split(',').map(str::trim).collect::<Vec<_>>();
        directives.iter().try_for_each(|directive| check_directive(directive))?;
        Ok(Self(directives.join(",")))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

fn check_directive(directive: &str) -> Result<(), Unfit> {
    let (target, level) = match directive.split_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, directive),
    };
    let names_module = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    if target.is_some_and(|target| target.is_empty() || !target.chars().all(names_module)) {
        return Err(Unfit::new(format!("`{directive}` does not name a target before its `=`"))
            .hint("write a module, such as mangrove_store=debug"));
    }
    if LEVELS.contains(&level) {
        return Ok(());
    }
    let unfit = Unfit::new(format!("`{level}` is not a level"));
    Err(match nearest(level, LEVELS) {
        Some(level) => unfit.hint(format!("did you mean `{level}`?")),
        None => unfit.hint(format!("levels are {}", LEVELS.join(", "))),
    })
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One readable line each.
    Text,
    /// One JSON object each.
    Json,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl Text for Format {
    const EXPECTED: &'static str = "`text` or `json`";

    fn parse(text: &str) -> Result<Self, Unfit> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
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

    fn check(text: &str, expect: Result<&str, &str>) {
        let found = Filter::parse(text);
        let found = found.as_ref().map(Filter::as_str).map_err(|unfit| unfit.why.as_str());
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn a_filter_is_levels_and_targets() {
        check("info", Ok("info"));
        check("warn, mangrove_store=debug", Ok("warn,mangrove_store=debug"));
        check("infos", Err("`infos` is not a level"));
        check("mangrove_store=", Err("`` is not a level"));
        check("=debug", Err("`=debug` does not name a target before its `=`"));
        check("", Err("`` is not a level"));
    }

    #[test]
    fn each_v_raises_the_bare_level_by_one() {
        let filter = Filter::parse("warn,libp2p=error").unwrap();
        assert_eq!(filter.raised(0), filter);
        assert_eq!(filter.raised(2).as_str(), "debug,libp2p=error");
        assert_eq!(filter.raised(9).as_str(), "trace,libp2p=error");
    }
}
