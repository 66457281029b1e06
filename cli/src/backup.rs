//! `mangrove backup`: a copy of a home to keep elsewhere.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_store::backup::{self, BackupError};
use serde_json::json;

use crate::client::Client;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::field;
use crate::home;
use crate::present::Report;
use crate::running;
use crate::session::Session;
use crate::store;

/// Copy a home to a folder to keep elsewhere
///
/// The node may run: then it does so itself, and all contexts are copied as they are at one moment.
/// The folder is made, or holds an older backup of the home: what has not changed is not copied
/// again. It holds the keys of the node; whoever has it is this node. The API token is not in it.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,
}

/// How long a node may take to copy itself, if nothing else is said.
const LONG: Duration = Duration::from_secs(3_600);

pub(crate) fn run(args: &BackupArgs, session: &Session) -> Result<Report, Failure> {
    let folder = session.absolute(&args.folder);
    if running::api(&session.home).is_some() {
        return of_running_node(&folder, session);
    }
    let (writer, reader) = store::of_stopped_home(session)?;
    let peer = home::peer(&session.home)?;
    let made = backup::backup(&session.home, peer, &reader, &folder);
    writer.close();
    let made = made.map_err(|why| cannot("make a backup", &why))?;
    let backup::Backup { bytes, contexts } = made;
    let json = json!({ "bytes": bytes, "contexts": contexts });
    Ok(Report::note(said(&folder, contexts as u64, bytes), json))
}

fn of_running_node(folder: &Utf8Path, session: &Session) -> Result<Report, Failure> {
    let within = session.timeout.unwrap_or(LONG);
    let made = Client::open(session)?.call_within(
        "node.backup",
        &json!({ "dir": folder.as_str() }),
        within,
    )?;
    let number = |name| field::number(&made, name);
    Ok(Report::note(said(folder, number("contexts"), number("bytes")), made.clone()))
}

fn said(folder: &Utf8Path, contexts: u64, bytes: u64) -> String {
    format!("made a backup in {folder}: {contexts} contexts, {bytes} bytes\n")
}

pub(crate) fn cannot(what: &str, why: &BackupError) -> Failure {
    let kind = match why {
        BackupError::Occupied(_) | BackupError::OfAnother(_) | BackupError::InUse(_) => {
            Kind::Conflict
        }
        BackupError::None(_) => Kind::NotFound,
        _ => Kind::Storage,
    };
    let failure = Failure::new(kind, format!("cannot {what}")).because(why);
    match why {
        BackupError::Occupied(_) | BackupError::OfAnother(_) => {
            failure.hint("name a folder that is missing or empty")
        }
        BackupError::InUse(_) => failure.hint("wait for that one to be done"),
        BackupError::None(_) => failure.hint("name the folder that `mangrove backup` was given"),
        BackupError::Newer(_) => failure.hint("use the newer program"),
        _ => failure,
    }
}
