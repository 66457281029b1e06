//! The `mangrove` command: what a person types, and what a person sees.
//!
//! A command is one file: its arguments, whose documentation is its manual, and one function that
//! returns a [`Report`] or a [`Failure`]. Printing, colours and exit codes are decided once, here and
//! in `present` and `exit`.
//!
//! It will never hold a rule of the protocol, and never write to standard output what a program
//! reading it did not ask for: logs and notes go to standard error.

mod args;
mod backup;
mod check;
mod completions;
mod config;
mod diag;
mod exit;
mod failure;
mod home;
mod init;
mod limits;
mod logging;
mod passphrase;
mod present;
mod restore;
mod run;
mod running;
mod session;
mod stop;
mod store;
mod version;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use mangrove_config::{Environment, failpoint};

pub use crate::args::command;
use crate::args::{Args, Command};
pub use crate::exit::Kind;
pub use crate::failure::Failure;
pub use crate::home::STEPS;
pub use crate::present::Report;
use crate::present::{Ending, Screen};
use crate::session::Session;

/// What a busy hour took goes back to the system once it is quiet, also of what the database took.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The whole program: reads the arguments and the environment, acts, prints, and says how it went.
pub fn main() -> ExitCode {
    let typed = env::args_os().collect::<Vec<_>>();
    let environment = Environment::of_process();
    let screen = Screen::new(&typed, &environment);
    let outcome = act(&typed, environment);
    screen.show(outcome)
}

/// What came of a command line.
enum Outcome {
    /// Clap has something to print by itself: help, the version, or a usage error.
    Clap(clap::Error),
    /// A command succeeded.
    Done(Report),
    /// A command has said what it had to say, and returns this.
    Ended(Ending),
    /// A command failed.
    Failed(Failure),
}

fn act(typed: &[OsString], environment: Environment) -> Outcome {
    let args = match Args::try_parse_from(typed) {
        Ok(args) => args,
        Err(error) => return Outcome::Clap(error),
    };
    let armed = arm_failpoints(&environment);
    let session = armed.and_then(|()| Session::new(args.global, environment));
    let outcome = session.and_then(|session| match args.command {
        Command::Run(args) => run::run(&args, &session).map(Outcome::Ended),
        command => report(command, &session).map(Outcome::Done),
    });
    outcome.unwrap_or_else(Outcome::Failed)
}

fn arm_failpoints(environment: &Environment) -> Result<(), Failure> {
    const VARIABLE: &str = "MANGROVE_FAILPOINTS";
    let list = environment.get(VARIABLE).map_err(|problem| Failure::config(&problem.into()))?;
    failpoint::global().set_all(list.unwrap_or_default()).map_err(|error| {
        Failure::new(Kind::Usage, format!("{VARIABLE} cannot be used")).because(error)
    })
}

fn report(command: Command, session: &Session) -> Result<Report, Failure> {
    match command {
        Command::Init(args) => init::run(&args, session),
        Command::Config(args) => config::run(args, session),
        Command::Backup(args) => backup::run(&args, session),
        Command::Restore(args) => restore::run(&args, session),
        Command::Check(args) => check::run(&args, session),
        Command::Stop => stop::run(session),
        Command::Diag(args) => diag::run(&args, session),
        Command::Run(_) => Err(Failure::new(Kind::Internal, "running gives no report")),
        Command::Limits => Ok(limits::run()),
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Version => Ok(version::run()),
    }
}
