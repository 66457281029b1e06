//! `mangrove completions`: what a shell needs to complete command lines.

use clap::ValueEnum;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};
use serde_json::json;

use crate::complete::VARIABLE;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::present::Report;

/// Print the completions of a shell
///
/// They complete commands, flags, and the names of the contexts of the node. For bash, put
/// `source <(mangrove completions bash)` into ~/.bashrc; for zsh, `source <(mangrove completions zsh)` into ~/.zshrc; for
/// fish, `mangrove completions fish | source` into ~/.config/fish/completions/mangrove.fish.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// A shell that can be told how to complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Elvish => &Elvish,
            Self::Fish => &Fish,
            Self::Powershell => &Powershell,
            Self::Zsh => &Zsh,
        }
    }
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Report, Failure> {
    let (completer, mut script) = (args.shell.completer(), Vec::new());
    let written =
        completer.write_registration(VARIABLE, "mangrove", "mangrove", "mangrove", &mut script);
    written.map_err(|why| {
        Failure::new(Kind::Internal, "the completions cannot be written").because(why)
    })?;
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": completer.name(), "script": script });
    Ok(Report::answer(script, json))
}
