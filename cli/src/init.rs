//! `mangrove init`: makes a home.

use mangrove_config::Settings;
use mangrove_config::setting::Text;
use serde_json::json;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home;
use crate::passphrase;
use crate::present::Report;
use crate::session::Session;

/// Make a home: the folder that holds a node's identity, settings and data
///
/// The home appears whole or not at all, readable by its owner alone. A folder that holds anything
/// is refused and not touched.
///
/// Whoever has the file node.key is this node. Keep a copy of it where only you can read it.
#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// Tell this name to the members of shared contexts
    #[arg(long, value_name = "N")]
    name: Option<String>,

    /// Encrypt what the node keeps on disk, under a passphrase
    ///
    /// There is no way back into an encrypted home without its passphrase. What stays readable:
    /// the settings, the API token, the keys of entities, items of sets, ids and sizes.
    #[arg(long)]
    encrypt: bool,
}

pub(crate) fn run(args: &InitArgs, session: &Session) -> Result<Report, Failure> {
    home::refuse_occupied(&session.home)?;
    let mut settings = Settings::default();
    if let Some(name) = &args.name {
        settings.identity.name = Text::parse(name).map_err(|unfit| {
            Failure::new(Kind::Usage, format!("--name {name:?} cannot be used")).because(unfit.why)
        })?;
    }
    let passphrase = match args.encrypt {
        true => Some(passphrase::choose(session)?),
        false => None,
    };
    let peer = home::make(&session.home, &settings, passphrase.as_ref())?;
    let root = session.home.root();
    let sealed = if args.encrypt { ", encrypted" } else { "" };
    let text = format!("made a home at {root}{sealed}\nthis node is {peer}\n");
    let json = json!({
        "home": root.as_str(),
        "peer": peer.to_string(),
        "name": settings.identity.name.as_str(),
        "encrypted": args.encrypt,
    });
    Ok(Report::note(text, json))
}
