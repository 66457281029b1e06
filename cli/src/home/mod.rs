//! Making a home, whole or not at all.
//!
//! Everything is written into a draft folder beside the place of the home, synced, read back, and
//! then renamed into place. Until the rename there is no home, after it there is a whole one. A
//! draft whose maker has died is removed by the next one.

mod draft;
pub(crate) mod format;
mod key;

use std::fs;
use std::io;

use camino::Utf8Path;
use mangrove_config::{Home, Settings, document, failpoint};
use mangrove_protocol::id::PeerId;
use mangrove_protocol::keys::{NODE_KEYS_BYTES, NodeKeys};
use mangrove_store::backup;
use mangrove_store::seal::{Cost, DataKey, SEAL_ENTROPY_BYTES, WRAP_ENTROPY_BYTES};
use zeroize::Zeroizing;

use crate::exit::Kind;
use crate::failure::Failure;
use crate::home::draft::Draft;
pub(crate) use crate::home::draft::write_secret;
pub(crate) use crate::home::key::data_key;
use crate::passphrase::Passphrase;

const DRAFT_MADE: &str = "init.draft_made";
const SETTINGS: &str = "init.settings_written";
const DATA_KEY: &str = "init.data_key_written";
const KEYS: &str = "init.keys_written";
const TOKEN: &str = "init.token_written";
const READ_BACK: &str = "init.read_back";
const SYNCED: &str = "init.synced";
const RENAMED: &str = "init.renamed";

/// The failpoints of making a home, in the order they are passed.
pub const STEPS: [&str; 8] =
    [DRAFT_MADE, SETTINGS, DATA_KEY, KEYS, TOKEN, READ_BACK, SYNCED, RENAMED];

/// Refuses a place where something lies already. An empty folder is nothing.
pub(crate) fn refuse_occupied(home: &Home) -> Result<(), Failure> {
    let root = home.root();
    let occupied = || Failure::new(Kind::Conflict, format!("cannot make a home at {root}"));
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries.count(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let failure = occupied().because("a file lies there");
            return Err(failure.hint("name another folder: --home DIR"));
        }
        Err(error) => {
            let what = format!("cannot look into {root}");
            return Err(Failure::new(Kind::Storage, what).because(error));
        }
    };
    match entries {
        0 => Ok(()),
        _ if home.format_file().exists() => {
            Err(occupied().because("it is a home already").hint("name another folder: --home DIR"))
        }
        _ => Err(occupied()
            .because("the folder is not empty")
            .hint("name another folder, or one inside it: --home DIR")),
    }
}

/// Makes a home and says who its node is.
pub(crate) fn make(
    home: &Home,
    settings: &Settings,
    passphrase: Option<&Passphrase>,
) -> Result<PeerId, Failure> {
    let root = home.root();
    let draft = Draft::beside(root).map_err(|error| cannot_make(root, &error))?;
    let making = Making { root, home: draft.home(), passphrase };
    let peer = making.write(settings)?;
    draft.publish(root).map_err(|error| cannot_make(root, &error))?;
    Ok(peer)
}

/// The keys of a home. Those of an encrypted one are opened by its data key.
pub(crate) fn keys(home: &Home, data_key: Option<&DataKey>) -> Result<NodeKeys, Failure> {
    key::read(home, data_key)
}

/// Whose home it is.
pub(crate) fn peer(home: &Home) -> Result<PeerId, Failure> {
    key::peer(home)
}

/// Makes a home from a backup, and says who its node is.
pub(crate) fn restore(home: &Home, from: &Utf8Path) -> Result<PeerId, Failure> {
    let root = home.root();
    let failed = |error: &io::Error| cannot_make(root, error);
    let draft = Draft::beside(root).map_err(|error| failed(&error))?;
    let restored = draft.home();
    backup::restore(from, &restored).map_err(|why| crate::backup::cannot("restore", &why))?;
    format::require(&restored)?;
    let peer = key::peer(&restored)?;
    let token = token()?;
    write_secret(&restored.token_file(), token.as_bytes()).map_err(|why| failed(&why))?;
    draft.publish(root).map_err(|error| failed(&error))?;
    Ok(peer)
}

fn cannot_make(root: &Utf8Path, error: &io::Error) -> Failure {
    let what = format!("cannot make a home at {root}");
    match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
            Failure::new(Kind::Conflict, what)
                .because("something else has appeared there meanwhile")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Failure::new(Kind::Storage, what)
                .because(error)
                .hint("the folder around the home must be writable; name another: --home DIR")
        }
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => {
            Failure::new(Kind::Storage, what)
                .because("a file system is mounted exactly there")
                .hint(format!("name a folder inside it: --home {root}/home"))
        }
        _ => Failure::new(Kind::Storage, what).because(error),
    }
}

/// A home while it is written.
struct Making<'a> {
    /// Where it will appear.
    root: &'a Utf8Path,
    /// Where its files lie until then.
    home: Home,
    passphrase: Option<&'a Passphrase>,
}

impl Making<'_> {
    /// Writes everything a home holds, and reads back what cannot be lost.
    fn write(&self, settings: &Settings) -> Result<PeerId, Failure> {
        let home = &self.home;
        self.pass(DRAFT_MADE)?;
        self.file(&home.format_file(), format::document().as_bytes())?;
        self.file(&home.config_file(), document::of_new_home(settings).as_bytes())?;
        self.pass(SETTINGS)?;
        let data_key = self.passphrase.map(|phrase| self.write_data_key(phrase)).transpose()?;
        let secret = Zeroizing::new(random::<NODE_KEYS_BYTES>()?);
        let keys = key::document(&secret, data_key.as_ref(), random::<SEAL_ENTROPY_BYTES>()?);
        self.file(&home.key_file(), keys.as_bytes())?;
        self.pass(KEYS)?;
        self.file(&home.token_file(), token()?.as_bytes())?;
        self.pass(TOKEN)?;
        let peer = NodeKeys::from_bytes(&secret).peer();
        self.read_back(peer)?;
        Ok(peer)
    }

    fn write_data_key(&self, passphrase: &Passphrase) -> Result<DataKey, Failure> {
        let data_key = DataKey::from_entropy(random()?);
        let entropy = random::<WRAP_ENTROPY_BYTES>()?;
        let wrapped = data_key.wrap(passphrase, Cost::RECOMMENDED, entropy).map_err(unsealed)?;
        self.file(&self.home.data_key_file(), &wrapped)?;
        self.pass(DATA_KEY)?;
        Ok(data_key)
    }

    /// Opens what was written, as the node will: a home that cannot be opened is never published.
    fn read_back(&self, peer: PeerId) -> Result<(), Failure> {
        let unwrap = |phrase: &Passphrase| data_key(&self.home, phrase);
        let data_key = self.passphrase.map(unwrap).transpose()?;
        let read = key::read(&self.home, data_key.as_ref())?;
        if read.peer() != peer {
            let what = format!("cannot make a home at {}", self.root);
            let failure = Failure::new(Kind::Storage, what);
            return Err(failure.because("its keys read back as those of another node"));
        }
        self.pass(READ_BACK)
    }

    fn file(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
        write_secret(path, bytes).map_err(|error| cannot_make(self.root, &error))
    }

    fn pass(&self, step: &str) -> Result<(), Failure> {
        failpoint::step(step).map_err(|error| cannot_make(self.root, &error))
    }
}

/// The admin token of the API: 256 random bits behind a mark that secret scanners can look for.
fn token() -> Result<Zeroizing<String>, Failure> {
    let bits = Zeroizing::new(random::<32>()?);
    let text = data_encoding::BASE32_NOPAD.encode(bits.as_slice()).to_ascii_lowercase();
    Ok(Zeroizing::new(format!("mgt_{text}\n")))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(Kind::Internal, "the system gives no randomness").because(error)
    })?;
    Ok(bytes)
}

pub(crate) fn unsealed(error: mangrove_store::seal::Error) -> Failure {
    let kind = match error {
        mangrove_store::seal::Error::WrongPassphrase => Kind::Refused,
        _ => Kind::Storage,
    };
    Failure::new(kind, "cannot open the home's keys").because(error)
}
