//! The store of a home, as commands without a node use it.

use mangrove_store::seal::DataKey;
use mangrove_store::{OpenError, Reader, Writer, open};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::{self, format};
use crate::passphrase;
use crate::session::Session;

/// The data key of the home, if it is encrypted; asks for the passphrase.
pub(crate) fn data_key(session: &Session) -> Result<Option<DataKey>, Failure> {
    if !session.home.data_key_file().exists() {
        return Ok(None);
    }
    let passphrase = passphrase::existing(session)?;
    home::data_key(&session.home, &passphrase).map(Some)
}

/// Opens the store of a home that no node has open.
pub(crate) fn of_stopped_home(session: &Session) -> Result<(Writer, Reader), Failure> {
    format::require(&session.home)?;
    let settings = session.resolve()?.settings.store;
    let key = data_key(session)?;
    open(&session.home.store_folder(), &settings, key.as_ref()).map_err(|why| unopened(&why))
}

/// A store that does not open.
pub(crate) fn unopened(why: &OpenError) -> Failure {
    let kind = match why {
        OpenError::InUse { .. } => Kind::Conflict,
        OpenError::Locked { .. } | OpenError::WrongKey { .. } => Kind::Refused,
        _ => Kind::Storage,
    };
    let failure = Failure::new(kind, "cannot open the home's store").because(why);
    match why {
        OpenError::InUse { .. } => failure.hint("stop the node that runs in this home first"),
        OpenError::Newer { .. } => failure.hint("use the newer program, or another home"),
        OpenError::WrongKey { .. } => failure.hint("does data.key belong to this home?"),
        OpenError::Damaged { .. } => {
            failure.hint("see what `mangrove check` says of it, and restore a backup")
        }
        _ => failure,
    }
}
