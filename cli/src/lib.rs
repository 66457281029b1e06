//! The `mangrove` command: what a person types, and what a person sees.
//!
//! A command is one file: its arguments, whose documentation is its manual, and one function that
//! returns a [`Report`] or a [`Failure`]. Printing, colours and exit codes are decided once, here and
//! in `present` and `exit`.
//!
//! It will never hold a rule of the protocol, and never write to standard output what a program
//! reading it did not ask for: logs and notes go to standard error.

mod apply;
mod args;
mod backup;
mod blob;
mod check;
mod client;
mod complete;
mod completions;
mod config;
mod confirm;
mod context;
mod delete;
mod diag;
mod doctor;
mod exit;
mod failure;
mod field;
mod get;
mod history;
mod home;
mod human;
mod increment;
mod init;
mod invite;
mod item;
mod join;
mod limits;
mod logging;
mod man;
mod member;
mod paint;
mod passphrase;
mod peers;
mod present;
mod put;
mod restore;
mod run;
mod running;
mod scan;
mod session;
mod span;
mod status;
mod stop;
mod store;
mod token;
mod value;
mod version;
mod watch;
mod write;

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
    complete::answer();
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
    let outcome = session.and_then(|session| {
        refuse_api(&args.command, &session)?;
        match args.command {
            Command::Run(args) => run::run(&args, &session).map(Outcome::Ended),
            Command::Watch(args) => watch::run(&args, &session).map(Outcome::Ended),
            command => report(command, &session).map(Outcome::Done),
        }
    });
    outcome.unwrap_or_else(Outcome::Failed)
}

/// Refuses to name a node to a command that asks none.
fn refuse_api(command: &Command, session: &Session) -> Result<(), Failure> {
    let is_named = session.api.is_some() || session.token_file.is_some();
    if command.takes_api() || !is_named {
        return Ok(());
    }
    Err(Failure::new(Kind::Usage, "this command asks no node by its API")
        .hint("leave out --api and --token-file"))
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
        Command::Doctor => Ok(doctor::run(session)),
        Command::Limits => Ok(limits::run()),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, session),
        Command::Version => Ok(version::run()),
        command => ask(&command, session),
    }
}

/// Commands that ask a node.
fn ask(command: &Command, session: &Session) -> Result<Report, Failure> {
    match command {
        Command::Status => status::run(session),
        Command::Peers => peers::list(session),
        Command::Connect(args) => peers::connect(args, session),
        Command::Ban(args) => peers::ban(args, session),
        Command::Unban(args) => peers::unban(args, session),
        Command::Context(args) => context::run(args, session),
        Command::Invite(args) => invite::run(args, session),
        Command::Join(args) => join::run(args, session),
        Command::Member(args) => member::run(args, session),
        Command::Put(args) => put::run(args, session),
        Command::Get(args) => get::run(args, session),
        Command::Delete(args) => delete::run(args, session),
        Command::Scan(args) => scan::run(args, session),
        Command::Increment(args) => increment::run(args, session),
        Command::Insert(args) => item::insert(args, session),
        Command::Remove(args) => item::remove(args, session),
        Command::Apply(args) => apply::run(args, session),
        Command::History(args) => history::run(args, session),
        Command::Token(args) => token::run(args, session),
        Command::Blob(args) => Err(blob::run(args)),
        _ => Err(Failure::new(Kind::Internal, "this command gives no report")),
    }
}
