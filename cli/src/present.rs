//! What a person or a program sees of a command: the only place that prints.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use mangrove_config::Environment;
use serde_json::{Value, json};

use crate::Outcome;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::paint::{Paint, Tone};
use crate::session::{Session, Voice};

/// What a command has to say when it is done.
#[derive(Debug)]
pub struct Report {
    text: String,
    json: Value,
    asked_for: bool,
    remark: Option<String>,
    ending: Ending,
}

impl Report {
    /// What was asked for.
    pub fn answer(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, asked_for: true, remark: None, ending: Ending(0) }
    }

    /// A note on what was done; `--quiet` keeps it back.
    pub fn note(text: impl Into<String>, json: Value) -> Self {
        Self { asked_for: false, ..Self::answer(text, json) }
    }

    /// The same, with something beside it for whoever reads the text, on standard error.
    #[must_use]
    pub(crate) fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// The same, after which the process returns this.
    #[must_use]
    pub(crate) fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }
}

/// What a command returns that has said all it had to say while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending(pub(crate) u8);

/// Where a command says things while it runs.
pub(crate) struct Stream(Voice);

impl Stream {
    pub(crate) const fn of(session: &Session) -> Self {
        Self(session.voice)
    }

    /// Says something, as a line of JSON where that was asked for. A reader that has gone away hears nothing.
    pub(crate) fn tell(&self, text: &str, json: &Value) -> Result<(), Failure> {
        let said = match self.0 {
            Voice::Json => out(&format!("{json}\n")),
            Voice::Quiet => Ok(()),
            Voice::Text => out(text),
        };
        match said {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&why)),
            _ => Ok(()),
        }
    }

    /// Says something that was asked for, as a line of JSON where that was wanted. It is over once nobody reads it.
    pub(crate) fn item(&self, text: &str, json: &Value) -> Result<ControlFlow<()>, Failure> {
        let said = match self.0 {
            Voice::Json => out(&format!("{json}\n")),
            Voice::Quiet | Voice::Text => out(text),
        };
        match said {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(why) => Err(unwritten(&why)),
        }
    }
}

fn unwritten(why: &io::Error) -> Failure {
    Failure::new(Kind::Internal, "cannot write to standard output").because(why)
}

/// Tells whoever looks on what goes on beside what was asked for. Whoever does not see it misses nothing.
pub(crate) fn notice(session: &Session, text: &str) {
    if !session.is_quiet {
        err(text).ok();
    }
}

/// Asks whoever sits at the terminal, and returns the line that is typed.
pub(crate) fn ask(question: &str) -> io::Result<String> {
    err(question)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer)
}

/// Columns of text, each as wide as its widest cell, two spaces apart.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths = (0..columns).map(width).collect::<Vec<_>>();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// How far something has come that takes long: one line on a terminal, nothing elsewhere.
pub(crate) struct Bar {
    what: &'static str,
    is_shown: bool,
}

impl Bar {
    pub(crate) const fn new(session: &Session, what: &'static str) -> Self {
        Self { what, is_shown: session.shows_progress }
    }

    pub(crate) fn show(&self, done: u64, of: u64) {
        const WIDTH: u64 = 30;
        if self.is_shown {
            let filled = usize::try_from(done * WIDTH / of.max(1)).unwrap_or_default();
            let bar = "#".repeat(filled.min(30));
            let percent = done * 100 / of.max(1);
            // Whoever does not see it misses nothing.
            err(&format!("\r{} [{bar:<30}] {percent:>3} %", self.what)).ok();
        }
    }

    /// Shows this instead of how much of it is done, where that is not known.
    pub(crate) fn tell(&self, text: &str) {
        if self.is_shown {
            err(&format!("\r\x1b[2K{} {text}", self.what)).ok();
        }
    }

    /// Leaves the line empty.
    pub(crate) fn clear(&self) {
        if self.is_shown {
            err("\r\x1b[2K").ok();
        }
    }
}

/// How to print. Known before the arguments are understood, since that may fail too.
pub(crate) struct Screen {
    json: bool,
    quiet: bool,
    paint: Paint,
}

impl Screen {
    pub(crate) fn new(typed: &[OsString], environment: &Environment) -> Self {
        let before_end = typed.iter().take_while(|arg| *arg != "--").collect::<Vec<_>>();
        let has = |flag: &str| before_end.iter().any(|arg| *arg == flag);
        let pair = before_end.windows(2).find_map(|pair| match pair {
            [flag, when] if *flag == "--color" => Some(when.to_owned()),
            _ => None,
        });
        let color = |when: &str| {
            has(&format!("--color={when}")) || pair.is_some_and(|chosen| chosen == when)
        };
        let plain = !matches!(environment.get("NO_COLOR"), Ok(None));
        let auto = !plain && io::stdout().is_terminal() && io::stderr().is_terminal();
        Self {
            json: has("--json"),
            quiet: has("--quiet"),
            paint: Paint::when(color("always") || (auto && !color("never"))),
        }
    }

    /// Prints what came of it and says what the process returns. A reader that has gone away, as
    /// `head` does, is no failure.
    pub(crate) fn show(&self, outcome: Outcome) -> ExitCode {
        let (printed, code) = match outcome {
            Outcome::Done(report) => {
                let Ending(code) = report.ending;
                (self.report(&report), ExitCode::from(code))
            }
            Outcome::Ended(Ending(code)) => (Ok(()), ExitCode::from(code)),
            Outcome::Failed(failure) => (self.failure(&failure), failure.kind().exit_code()),
            Outcome::Clap(error) if error.use_stderr() => {
                (self.usage(&error), Kind::Usage.exit_code())
            }
            Outcome::Clap(error) => (out(&self.styled(&error)), ExitCode::SUCCESS),
        };
        match printed {
            Ok(()) => code,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
            Err(_) => Kind::Internal.exit_code(),
        }
    }

    fn report(&self, report: &Report) -> io::Result<()> {
        match (self.json, self.quiet && !report.asked_for) {
            (true, _) => out(&document(&report.json)),
            (false, true) => Ok(()),
            (false, false) => {
                out(&report.text)?;
                match &report.remark {
                    Some(remark) if !self.quiet => err(remark),
                    _ => Ok(()),
                }
            }
        }
    }

    fn failure(&self, failure: &Failure) -> io::Result<()> {
        match self.json {
            true => out(&document(&failure.json())),
            false => err(&failure.text(|word| self.paint.paint(Tone::Bad, word))),
        }
    }

    fn usage(&self, error: &clap::Error) -> io::Result<()> {
        if !self.json {
            return err(&self.styled(error));
        }
        let text = error.render().to_string();
        let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message);
        out(&document(&json!({ "error": {
            "code": Kind::Usage.code(),
            "kind": Kind::Usage.name(),
            "message": message.trim(),
            "hint": hint.trim(),
        }})))
    }

    fn styled(&self, error: &clap::Error) -> String {
        let text = error.render();
        if self.paint.is_on() { text.ansi().to_string() } else { text.to_string() }
    }
}

fn document(json: &Value) -> String {
    format!("{json:#}\n")
}

fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn err(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let text = aligned(&[row(&["a", "bb"]), row(&["größer", "c", "d"])]);
        assert_eq!(text, "a       bb\ngrößer  c   d\n");
    }
}
