//! What was waited for in vain, told so that nobody has to run the test again to understand it.

use std::fmt;
use std::time::Duration;

/// Characters that a line is told with.
const WIDTH: usize = 400;

/// Something that a process did not say or do in time.
///
/// It prints the same way for `{}` and `{:?}`, so that an `unwrap` tells everything.
#[derive(thiserror::Error)]
pub struct Missed {
    /// The name of the process.
    pub process: Box<str>,
    /// What was waited for.
    pub what: Box<str>,
    /// For how long.
    pub waited: Duration,
    /// How the process ended, if it did.
    pub ended: Option<Box<str>>,
    /// How many events wait to be asked for.
    pub waiting: usize,
    /// The last lines that it said, the oldest first.
    pub said: Vec<String>,
    /// The last lines of its standard error, the oldest first.
    pub complaints: Vec<String>,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, what, waited, waiting, .. } = self;
        writeln!(f, "`{process}` has not given {what} in {waited:.1?}")?;
        match &self.ended {
            Some(how) => writeln!(f, "it has ended: {how}")?,
            None => writeln!(f, "it is still there")?,
        }
        writeln!(f, "events that nobody has asked for: {waiting}")?;
        section(f, "it said", &self.said)?;
        section(f, "its standard error", &self.complaints)
    }
}

impl fmt::Debug for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return writeln!(f, "{title}: nothing");
    }
    writeln!(f, "{title}, last {} lines:", lines.len())?;
    for line in lines {
        let rest = if line.chars().nth(WIDTH).is_some() { "…" } else { "" };
        writeln!(f, "    {}{rest}", line.chars().take(WIDTH).collect::<String>())?;
    }
    Ok(())
}
