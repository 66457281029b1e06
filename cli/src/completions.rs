//! `mangrove completions`: what a shell needs to complete command lines.

use clap_complete::Shell;
use serde_json::json;

use crate::args;
use crate::present::Report;

/// Print the completions of a shell
///
/// For bash: `mangrove completions bash > ~/.local/share/bash-completion/completions/mangrove`.
/// For zsh, put the output into a file `_mangrove` in a folder of $fpath. For fish:
/// `mangrove completions fish > ~/.config/fish/completions/mangrove.fish`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "mangrove", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": args.shell.to_string(), "script": script });
    Report::answer(script, json)
}
