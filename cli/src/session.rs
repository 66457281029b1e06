//! What every command starts from: the global flags, resolved.

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_config::file::Source;
use mangrove_config::{Environment, Home, Override, Resolved, Sources};
use rustix::termios::tcgetwinsize;

use crate::args::{Color, Global};
use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::format;
use crate::paint::{Look, Paint};

/// How a command speaks while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// To programs.
    Json,
    /// Only if it is asked for something.
    Quiet,
    /// To people.
    Text,
}

impl Voice {
    const fn of(global: &Global) -> Self {
        match (global.json, global.quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) => Self::Text,
        }
    }
}

/// One run of the program.
pub(crate) struct Session {
    pub(crate) home: Home,
    pub(crate) environment: Environment,
    pub(crate) passphrase_file: Option<Utf8PathBuf>,
    /// How it speaks while it runs.
    pub(crate) voice: Voice,
    /// How much more is to be logged.
    pub(crate) verbose: u8,
    /// Whether a terminal may be shown colours.
    pub(crate) uses_color: bool,
    /// How long the node is waited for, if that was said.
    pub(crate) timeout: Option<Duration>,
    /// Whether progress is to be shown.
    pub(crate) shows_progress: bool,
    /// Whether nothing is to be said but what was asked for.
    pub(crate) is_quiet: bool,
    /// What answers are written for.
    pub(crate) look: Look,
    /// Where the node's API is, if that was said.
    pub(crate) api: Option<String>,
    /// Where the token for it lies, if that was said.
    pub(crate) token_file: Option<Utf8PathBuf>,
    current: Utf8PathBuf,
    overrides: Vec<Override>,
}

impl Session {
    pub(crate) fn new(global: Global, environment: Environment) -> Result<Self, Failure> {
        let current = current_folder()?;
        let home = match &global.home {
            Some(folder) => Home::at(folder, &current),
            None => Home::locate(&environment, &current)
                .map_err(|problem| Failure::config(&problem.into()))?,
        };
        let given = |(key, value): (String, String)| Override {
            flag: format!("--set {key}={value}"),
            key,
            value,
        };
        let voice = Voice::of(&global);
        let overrides = global.settings.into_iter().map(given).collect();
        let shows_progress = !global.json && !global.quiet && io::stderr().is_terminal();
        let is_plain = !matches!(environment.get("NO_COLOR"), Ok(None));
        let paint = Paint::when(match global.color {
            Color::Always => true,
            Color::Auto => !is_plain && io::stdout().is_terminal(),
            Color::Never => false,
        });
        Ok(Self {
            home,
            passphrase_file: global.passphrase_file,
            voice,
            verbose: global.verbose,
            uses_color: match global.color {
                Color::Always => true,
                Color::Auto => !is_plain,
                Color::Never => false,
            },
            timeout: global.timeout.map(|secs| Duration::from_secs(u64::from(secs))),
            environment,
            shows_progress,
            is_quiet: global.quiet,
            look: Look { paint, columns: columns() },
            api: global.api,
            token_file: global.token_file,
            current,
            overrides,
        })
    }

    /// Whether programs are spoken to.
    pub(crate) fn speaks_json(&self) -> bool {
        self.voice == Voice::Json
    }

    /// A folder that was named, from the folder in which the program runs.
    pub(crate) fn absolute(&self, folder: &Utf8Path) -> Utf8PathBuf {
        self.current.join(folder)
    }

    /// The configuration in force, from every layer. A home that does not exist has no file.
    pub(crate) fn resolve(&self) -> Result<Resolved, Failure> {
        format::check(&self.home)?;
        let file = Source::read(&self.home.config_file());
        let file = file.map_err(|error| Failure::config(&error))?;
        self.resolve_with(file)
    }

    /// The same, with what flags of a command say of single settings.
    pub(crate) fn resolve_given(&self, given: Vec<Override>) -> Result<Resolved, Failure> {
        let file = Source::read(&self.home.config_file());
        let file = file.map_err(|error| Failure::config(&error))?;
        let overrides = self.overrides.iter().cloned().chain(given).collect();
        let sources = Sources { file, environment: self.environment.clone(), overrides };
        sources.resolve().map_err(|error| Failure::config(&error))
    }

    /// The same, with this file instead of the one in the home.
    pub(crate) fn resolve_with(&self, file: Option<Source>) -> Result<Resolved, Failure> {
        let environment = self.environment.clone();
        let sources = Sources { file, environment, overrides: self.overrides.clone() };
        sources.resolve().map_err(|error| Failure::config(&error))
    }
}

/// How wide the terminal is that standard output goes to, if it goes to one.
fn columns() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn current_folder() -> Result<Utf8PathBuf, Failure> {
    let failure = || Failure::new(Kind::Internal, "cannot tell the current folder");
    let current = env::current_dir().map_err(|error| failure().because(error))?;
    let current = Utf8Path::from_path(&current).map(Utf8Path::to_owned);
    current.ok_or_else(|| failure().because("its path is not UTF-8"))
}
