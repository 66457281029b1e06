//! The command line as it is typed. The comments here are the manual.

use camino::Utf8PathBuf;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::apply::ApplyArgs;
use crate::backup::BackupArgs;
use crate::blob::BlobArgs;
use crate::check::CheckArgs;
use crate::completions::CompletionsArgs;
use crate::config::ConfigArgs;
use crate::context::ContextArgs;
use crate::delete::DeleteArgs;
use crate::diag::DiagArgs;
use crate::get::GetArgs;
use crate::history::HistoryArgs;
use crate::increment::IncrementArgs;
use crate::init::InitArgs;
use crate::invite::InviteArgs;
use crate::item::ItemArgs;
use crate::join::JoinArgs;
use crate::man::ManArgs;
use crate::member::MemberArgs;
use crate::peers::{ConnectArgs, PeerArgs};
use crate::put::PutArgs;
use crate::restore::RestoreArgs;
use crate::run::RunArgs;
use crate::scan::ScanArgs;
use crate::token::TokenArgs;
use crate::watch::WatchArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 node not reachable, 4 not found, 5 refused, 6 busy or \
timed out, 101 fatal, 130/131/143 ended by a signal.";

/// Keep shared application state equal between your machines
///
/// Mangrove runs on each of your machines and keeps shared application state equal between them,
/// with no server in the middle. Work goes on offline; when nodes meet again they hold the same
/// state.
#[derive(Debug, Parser)]
#[command(name = "mangrove", version, styles = STYLES, after_long_help = EXIT_CODES)]
#[command(max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The command line's grammar, for documentation and completions.
pub fn command() -> clap::Command {
    Args::command()
}

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Use the home in this folder
    ///
    /// Otherwise $MANGROVE_HOME, else `mangrove` in the XDG data folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<Utf8PathBuf>,

    /// Print one JSON document instead of text
    ///
    /// Streams print one JSON document a line. Logs always go to standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print nothing but what was asked for
    #[arg(long, global = true)]
    pub(crate) quiet: bool,

    /// Log more; twice, still more
    #[arg(short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Choose when to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Give up waiting for the node after this many seconds
    #[arg(long, global = true, value_name = "SECS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) timeout: Option<u32>,

    /// Ask the node whose API is here, instead of the one that runs in the home
    ///
    /// For commands that ask a node; `mangrove run` takes it as the address to serve at. Needs --token-file.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) api: Option<String>,

    /// Read the token for the node's API from this file
    ///
    /// Otherwise from `api.token` in the home.
    #[arg(long, global = true, value_name = "F")]
    pub(crate) token_file: Option<Utf8PathBuf>,

    /// Read the passphrase of an encrypted home from this file
    ///
    /// Otherwise from the file that $MANGROVE_PASSPHRASE_FILE names, else from systemd's credential
    /// `mangrove-passphrase`, else it is asked for on a terminal. A line end at the end of the file
    /// does not count.
    #[arg(long, global = true, value_name = "F")]
    pub(crate) passphrase_file: Option<Utf8PathBuf>,

    /// Set one setting for this run, over the file and the environment
    ///
    /// Can be given several times. `mangrove config show` lists the settings.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) settings: Vec<(String, String)>,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as section.key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless $NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(InitArgs),
    Run(RunArgs),
    /// Stop the running node, and wait until it has stopped
    ///
    /// It finishes what it has first, for as long as node.drain_secs says at most. One that is named by --api is told
    /// to stop, and not waited for.
    Stop,
    /// Show how the node is, and each of its contexts
    ///
    /// What a context waits for, since when, and why, stands below. With --json it is what `node.status` answers.
    Status,
    /// Look whether all is well, and say what to do if not
    ///
    /// Looks at the home, the disk, the clock, the API, the node and its contexts, whether or not a node runs. Exits 1
    /// if something is bad.
    Doctor,
    /// List the peers that are connected
    Peers,
    Connect(ConnectArgs),
    /// Turn a peer away, also after restarts
    Ban(PeerArgs),
    /// Let a peer in again that was turned away
    Unban(PeerArgs),
    Context(ContextArgs),
    Invite(InviteArgs),
    Join(JoinArgs),
    Member(MemberArgs),
    Put(PutArgs),
    Get(GetArgs),
    Delete(DeleteArgs),
    Scan(ScanArgs),
    Increment(IncrementArgs),
    /// Insert an item into a set
    Insert(ItemArgs),
    /// Remove an item from a set
    ///
    /// It stays if somebody inserts it at the same time.
    Remove(ItemArgs),
    Apply(ApplyArgs),
    Watch(WatchArgs),
    History(HistoryArgs),
    Blob(BlobArgs),
    Token(TokenArgs),
    Diag(DiagArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Check(CheckArgs),
    Config(ConfigArgs),
    /// Print the limits of the protocol and of this program
    ///
    /// No node is needed. A limit marked with * decides whether a delta is valid: it is the same on
    /// every node and belongs to the version of the protocol.
    Limits,
    Completions(CompletionsArgs),
    Man(ManArgs),
    /// Print the version
    Version,
}

impl Command {
    /// Whether it takes --api and --token-file: those that ask a node do, and to `run` --api means something else.
    pub(crate) const fn takes_api(&self) -> bool {
        !matches!(
            self,
            Self::Init(_)
                | Self::Diag(_)
                | Self::Backup(_)
                | Self::Restore(_)
                | Self::Check(_)
                | Self::Config(_)
                | Self::Limits
                | Self::Completions(_)
                | Self::Man(_)
                | Self::Version
        )
    }
}
