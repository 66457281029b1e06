//! `mangrove restore`: a home made from a backup.

use camino::Utf8PathBuf;
use serde_json::json;

use crate::failure::Failure;
use crate::home;
use crate::present::Report;
use crate::session::Session;

/// Make a home from a backup
///
/// The home appears whole or not at all; a folder that holds anything is refused. It is the node that
/// the backup was taken of, so that one must never run again: it goes on in new logs, with new
/// feeds and a new API token. An encrypted home stays encrypted under its passphrase.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,
}

pub(crate) fn run(args: &RestoreArgs, session: &Session) -> Result<Report, Failure> {
    home::refuse_occupied(&session.home)?;
    let folder = session.absolute(&args.folder);
    let peer = home::restore(&session.home, &folder)?;
    let root = session.home.root();
    let text = format!("restored the home at {root}\nthis node is {peer}\n");
    let json = json!({ "home": root.as_str(), "peer": peer.to_string() });
    Ok(Report::note(text, json))
}
