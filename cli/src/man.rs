//! `mangrove man`: the manual as pages for `man`.

use std::fs;

use camino::Utf8PathBuf;
use serde_json::json;

use crate::args;
use crate::exit::Kind;
use crate::failure::Failure;
use crate::present::Report;
use crate::session::Session;

/// Write the pages of the manual into a folder
///
/// One page for each command: `mangrove man ~/.local/share/man/man1`, then `man mangrove-run`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder, which is made if it is missing
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,
}

pub(crate) fn run(args: &ManArgs, session: &Session) -> Result<Report, Failure> {
    let folder = session.absolute(&args.folder);
    let failed = |why| {
        Failure::new(Kind::Storage, format!("cannot write the manual to {folder}")).because(why)
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    clap_mangen::generate_to(args::command(), &folder).map_err(failed)?;
    let json = json!({ "dir": folder.as_str() });
    Ok(Report::note(format!("wrote the manual to {folder}\n"), json))
}
