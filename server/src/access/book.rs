//! The tokens of a node.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use data_encoding::BASE32_NOPAD;
use mangrove_protocol::id::ContextId;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Access, Caller, Secret};

/// The id of the token that every home has.
const ADMIN: &str = "admin";
/// Tokens of one node.
const MOST: usize = 1_000;
/// Bytes of an id.
const ID_BYTES: usize = 10;
/// Bytes of the file that holds so many tokens, and more.
const MOST_BYTES: u64 = 4 << 20;

/// Why tokens cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The disk does not take or give the file.
    #[error("{path}: {why}")]
    Disk {
        /// Of which file.
        path: Utf8PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The file is not what this program writes.
    #[error("{path} cannot be read as tokens: {why}")]
    Garbled {
        /// Of which file.
        path: Utf8PathBuf,
        /// Where it is wrong.
        why: String,
    },
    /// There are as many as there may be.
    #[error("there are {MOST} tokens already: revoke one")]
    TooMany,
    /// The system has no chance to give.
    #[error("the system gives no random bytes")]
    NoChance,
}

/// The tokens of a node. Cheap to clone; the clones are one.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    path: Utf8PathBuf,
    by_hash: BTreeMap<[u8; 32], Known>,
}

/// A token, as it is known.
#[derive(Debug)]
struct Known {
    id: Arc<str>,
    access: Access,
    only: Option<ContextId>,
    expires_at_ms: Option<u64>,
    last_used_at_ms: Option<u64>,
    holds: watch::Sender<bool>,
}

/// What a token is to allow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) access: Access,
    pub(crate) only: Option<ContextId>,
    pub(crate) expires_at_ms: Option<u64>,
}

/// A token that was made.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) id: Arc<str>,
    pub(crate) secret: Secret,
}

/// A token, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: Arc<str>,
    pub(crate) access: Access,
    pub(crate) only: Option<ContextId>,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) last_used_at_ms: Option<u64>,
}

/// A token, as it stands in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line {
    id: String,
    hash: String,
    access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<u64>,
}

impl Tokens {
    /// Those in a file, which need not be there, and the one that every home has, if its text holds one. Its file is
    /// the only place where it stands, so that whoever changes that has changed the token.
    pub fn open(path: &Utf8Path, admin: &str) -> Result<Self, TokensError> {
        let mut by_hash = BTreeMap::new();
        for line in read(path)? {
            let (hash, known) = line.known().map_err(|why| garbled(path, why))?;
            by_hash.insert(hash, known);
        }
        if let Some(secret) = Secret::read(admin) {
            let terms = Terms { access: Access::Admin, only: None, expires_at_ms: None };
            by_hash.insert(secret.hash(), Known::new(ADMIN.into(), terms));
        }
        Ok(Self(Arc::new(Mutex::new(Book { path: path.to_owned(), by_hash }))))
    }

    /// Who comes with this, if it is a token and has not run out.
    pub(crate) fn admit(&self, secret: &Secret, now_ms: u64) -> Option<Caller> {
        let mut book = self.0.lock();
        let known = book.by_hash.get_mut(&secret.hash())?;
        let caller = known.caller();
        if !caller.holds(now_ms) {
            return None;
        }
        known.last_used_at_ms = Some(now_ms);
        Some(caller)
    }

    /// Makes one. It is in the file before anybody has it.
    pub(crate) fn create(&self, terms: Terms) -> Result<Fresh, TokensError> {
        let secret = Secret::random().ok_or(TokensError::NoChance)?;
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|_| TokensError::NoChance)?;
        let id: Arc<str> = BASE32_NOPAD.encode(&id).to_ascii_lowercase().into();
        let mut book = self.0.lock();
        if book.by_hash.len() >= MOST {
            return Err(TokensError::TooMany);
        }
        book.by_hash.insert(secret.hash(), Known::new(Arc::clone(&id), terms));
        if let Err(why) = book.write() {
            book.by_hash.remove(&secret.hash());
            return Err(why);
        }
        Ok(Fresh { id, secret })
    }

    /// Those that were made, whether or not they have run out.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let book = self.0.lock();
        let mut all = book.made().map(|(_, known)| known.listed()).collect::<Vec<_>>();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Takes one back: whoever has come with it is let go. Whether there was one.
    pub(crate) fn revoke(&self, id: &str) -> Result<bool, TokensError> {
        let mut book = self.0.lock();
        let hash = book.made().find(|(_, known)| &*known.id == id).map(|(hash, _)| *hash);
        let Some((hash, known)) = hash.and_then(|hash| book.by_hash.remove_entry(&hash)) else {
            return Ok(false);
        };
        if let Err(why) = book.write() {
            // It would be back after the next start.
            book.by_hash.insert(hash, known);
            return Err(why);
        }
        known.holds.send_replace(false);
        Ok(true)
    }

    /// Writes down when each was used last.
    pub fn save(&self) -> Result<(), TokensError> {
        let book = self.0.lock();
        match book.made().next() {
            Some(_) => book.write(),
            None => Ok(()),
        }
    }
}

impl Book {
    /// Those that are in the file.
    fn made(&self) -> impl Iterator<Item = (&[u8; 32], &Known)> {
        self.by_hash.iter().filter(|(_, known)| &*known.id != ADMIN)
    }

    /// Writes the file anew. It is the old one or the new one at any moment.
    fn write(&self) -> Result<(), TokensError> {
        let lines = self.made().map(|(hash, known)| known.line(hash)).collect::<Vec<_>>();
        let failed = |why| TokensError::Disk { path: self.path.clone(), why };
        let mut text = serde_json::to_string_pretty(&lines).map_err(|why| failed(why.into()))?;
        text.push('\n');
        replace(&self.path, text.as_bytes()).map_err(failed)
    }
}

impl Known {
    fn new(id: Arc<str>, terms: Terms) -> Self {
        let Terms { access, only, expires_at_ms } = terms;
        let holds = watch::Sender::new(true);
        Self { id, access, only, expires_at_ms, last_used_at_ms: None, holds }
    }

    fn caller(&self) -> Caller {
        Caller {
            token: Arc::clone(&self.id),
            access: self.access,
            only: self.only,
            expires_at_ms: self.expires_at_ms,
            holds: self.holds.subscribe(),
        }
    }

    fn listed(&self) -> Listed {
        let Self { id, access, only, expires_at_ms, last_used_at_ms, .. } = self;
        let id = Arc::clone(id);
        Listed {
            id,
            access: *access,
            only: *only,
            expires_at_ms: *expires_at_ms,
            last_used_at_ms: *last_used_at_ms,
        }
    }

    fn line(&self, hash: &[u8; 32]) -> Line {
        Line {
            id: self.id.to_string(),
            hash: BASE32_NOPAD.encode(hash).to_ascii_lowercase(),
            access: self.access,
            context: self.only.map(|context| context.to_string()),
            expires_at: self.expires_at_ms,
            last_used_at: self.last_used_at_ms,
        }
    }
}

impl Line {
    fn known(self) -> Result<([u8; 32], Known), String> {
        let hash = BASE32_NOPAD.decode(self.hash.to_ascii_uppercase().as_bytes());
        let hash = hash.map_err(|why| why.to_string())?;
        let hash = hash.try_into().map_err(|_| "a hash of another length".to_owned())?;
        let only = self.context.map(|text| text.parse().map_err(|why| format!("{text}: {why}")));
        let terms =
            Terms { access: self.access, only: only.transpose()?, expires_at_ms: self.expires_at };
        let mut known = Known::new(self.id.into(), terms);
        known.last_used_at_ms = self.last_used_at;
        Ok((hash, known))
    }
}

fn garbled(path: &Utf8Path, why: String) -> TokensError {
    TokensError::Garbled { path: path.to_owned(), why }
}

fn read(path: &Utf8Path) -> Result<Vec<Line>, TokensError> {
    let failed = |why| TokensError::Disk { path: path.to_owned(), why };
    let bytes = match fs::metadata(path).map(|found| found.len()) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(failed(why)),
        Ok(bytes) if bytes > MOST_BYTES => {
            return Err(garbled(path, format!("it has {bytes} bytes")));
        }
        Ok(_) => fs::read(path).map_err(failed)?,
    };
    serde_json::from_slice(&bytes).map_err(|why| garbled(path, why.to_string()))
}

/// Puts a file in the place of another. Nobody but its owner may read it.
fn replace(path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("part");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
