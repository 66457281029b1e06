//! What outlives the process: the peers it knew, and those it turns away for good.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use mangrove_protocol::id::PeerId;
use serde_json::{Value, json};

use crate::peers::Remembered;

/// The version that is written.
const VERSION: u64 = 1;

/// Neither file is ever longer.
const MOST_BYTES: u64 = 1 << 20;

/// Why what outlives the process was not read or not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotebookError {
    /// The disk refuses. Look at its state and the permissions.
    #[error("{path} cannot be read or written: {why}")]
    Disk {
        /// Which file.
        path: Utf8PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The file is not what is written there. Ask the user to mend it: nothing else knows what it
    /// should say.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// Which file.
        path: Utf8PathBuf,
        /// What gives it away.
        why: String,
    },
    /// A later version of the program wrote it. Use that version.
    #[error("{path} is in version {found}, this program reads version {VERSION}")]
    Newer {
        /// Which file.
        path: Utf8PathBuf,
        /// The version it is in.
        found: u64,
    },
    /// It would become longer than is ever read. Leave something out.
    #[error("{path} would become longer than {MOST_BYTES} bytes")]
    TooLong {
        /// Which file.
        path: Utf8PathBuf,
    },
}

impl NotebookError {
    /// What the user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "look at the disk and at the permissions of the file",
            Self::Damaged { .. } => {
                "mend it or put back a copy; if it is deleted nobody is banned, and those who were \
                 have to be banned anew"
            }
            Self::Newer { .. } => "use the version of the program that wrote it",
            Self::TooLong { .. } => "take peers off the list that need not be on it",
        }
    }
}

/// Why the peers of a cache, or some of them, were left out. That costs time, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Omission {
    /// It is in this version, which is unknown here.
    Version(u64),
    /// It is damaged in this way.
    Damaged(String),
    /// So many of its entries say nothing that is understood.
    Entries(usize),
}

/// What was found in a cache of peers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cache {
    /// The peers, in the order in which they were written.
    pub(crate) peers: Vec<Remembered>,
    /// What was left out, if anything.
    pub(crate) omission: Option<Omission>,
}

/// Reads a cache of peers, as far as it is understood. One that does not exist is empty.
pub(crate) fn read_cache(path: &Utf8Path) -> Result<Cache, NotebookError> {
    let Some(text) = read(path)? else { return Ok(Cache::default()) };
    let omission = match parse(&text, "peers") {
        Ok(entries) => return Ok(understand(&entries)),
        Err(Unfit::Version(found)) => Omission::Version(found),
        Err(Unfit::Damaged(why)) => Omission::Damaged(why),
    };
    Ok(Cache { peers: Vec::new(), omission: Some(omission) })
}

/// Writes a cache of peers, in place of the one that is there. What is more than is ever remembered
/// is left out.
pub(crate) fn write_cache(path: &Utf8Path, peers: &[Remembered]) -> Result<(), NotebookError> {
    let text = |it: &Remembered| {
        let addresses = it.addresses.iter().take(Remembered::MOST_ADDRESSES);
        let addresses: Vec<_> = addresses.map(ToString::to_string).collect();
        json!({ "peer": it.peer.to_string(), "addresses": addresses })
    };
    let peers: Vec<_> = peers.iter().take(Remembered::MOST_PEERS).map(text).collect();
    write(path, &json!({ "version": VERSION, "peers": peers }))
}

/// Reads who is banned. A list that does not exist is empty; one that is not understood to the last
/// entry is an error, for a peer that is left out would be let in.
pub(crate) fn read_bans(path: &Utf8Path) -> Result<BTreeSet<PeerId>, NotebookError> {
    let Some(text) = read(path)? else { return Ok(BTreeSet::new()) };
    let entries = parse(&text, "banned").map_err(|unfit| unfit.of(path))?;
    let peer = |entry: &Value| {
        let peer = entry.as_str().and_then(|text| text.parse().ok());
        peer.ok_or_else(|| Unfit::Damaged(format!("{entry} is not a peer")).of(path))
    };
    entries.iter().map(peer).collect()
}

/// Writes who is banned, in place of what is there.
pub(crate) fn write_bans(path: &Utf8Path, bans: &BTreeSet<PeerId>) -> Result<(), NotebookError> {
    let bans: Vec<_> = bans.iter().map(ToString::to_string).collect();
    write(path, &json!({ "version": VERSION, "banned": bans }))
}

/// Why a text is not understood.
enum Unfit {
    Version(u64),
    Damaged(String),
}

impl Unfit {
    fn of(self, path: &Utf8Path) -> NotebookError {
        let path = path.to_owned();
        match self {
            Self::Version(found) => NotebookError::Newer { path, found },
            Self::Damaged(why) => NotebookError::Damaged { path, why },
        }
    }
}

/// The entries under `key`.
fn parse(text: &[u8], key: &str) -> Result<Vec<Value>, Unfit> {
    let damaged = |why: String| Unfit::Damaged(why);
    if text.len() as u64 > MOST_BYTES {
        return Err(damaged(format!("it is longer than {MOST_BYTES} bytes")));
    }
    let mut value: Value = serde_json::from_slice(text).map_err(|why| damaged(why.to_string()))?;
    let version = value.get("version").and_then(Value::as_u64);
    match version {
        None => return Err(damaged("it names no version".to_owned())),
        Some(VERSION) => {}
        Some(found) => return Err(Unfit::Version(found)),
    }
    match value.get_mut(key).map(Value::take) {
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err(damaged(format!("it has no list called `{key}`"))),
    }
}

fn understand(entries: &[Value]) -> Cache {
    let peers: Vec<_> = entries.iter().filter_map(remembered).collect();
    let left_out = entries.len() - peers.len();
    let omission = (left_out > 0).then_some(Omission::Entries(left_out));
    Cache { peers: peers.into_iter().take(Remembered::MOST_PEERS).collect(), omission }
}

/// A peer with those of its addresses that are understood, if there are any.
fn remembered(entry: &Value) -> Option<Remembered> {
    let peer = entry.get("peer")?.as_str()?.parse().ok()?;
    let addresses = entry.get("addresses")?.as_array()?.iter();
    let addresses = addresses.filter_map(|it| it.as_str()?.parse().ok());
    let addresses: Vec<_> = addresses.take(Remembered::MOST_ADDRESSES).collect();
    (!addresses.is_empty()).then_some(Remembered { peer, addresses })
}

/// What the file says, and one byte more than it may if it is too long. `None` if there is none.
fn read(path: &Utf8Path) -> Result<Option<Vec<u8>>, NotebookError> {
    match read_bounded(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(NotebookError::Disk { path: path.to_owned(), why }),
    }
}

fn read_bounded(path: &Utf8Path) -> io::Result<Vec<u8>> {
    // A device has no end, and a pipe may have no beginning.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Utf8Path, value: &Value) -> Result<(), NotebookError> {
    let text = format!("{value}\n");
    if text.len() as u64 > MOST_BYTES {
        return Err(NotebookError::TooLong { path: path.to_owned() });
    }
    replace(path, &text).map_err(|why| NotebookError::Disk { path: path.to_owned(), why })
}

/// Puts a text in the place of the file, whole or not at all, for nobody but its owner to read.
fn replace(path: &Utf8Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|it| *it != "").unwrap_or_else(|| Utf8Path::new("."));
    let draft = folder.join(format!(".{}.draft", path.file_name().unwrap_or_default()));
    // What an earlier life has left there, if it ended on the way.
    fs::remove_file(&draft).ok();
    let replaced = write_draft(&draft, text).and_then(|()| fs::rename(&draft, path));
    if replaced.is_err() {
        // The draft is litter then; that it cannot be removed is not worth a second error.
        fs::remove_file(&draft).ok();
    }
    replaced?;
    fs::File::open(folder)?.sync_all()
}

fn write_draft(draft: &Utf8Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("notes.json")).unwrap();
        (folder, path)
    }

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    fn remembered(n: u8) -> Remembered {
        let address = format!("/ip4/10.0.0.{n}/tcp/4001").parse().unwrap();
        Remembered { peer: peer(n), addresses: vec![address] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (_folder, path) = folder();
        let peers: Vec<_> = [3, 1, 2].map(remembered).into();
        write_cache(&path, &peers).unwrap();
        assert_eq!(read_cache(&path).unwrap(), Cache { peers, omission: None });
        let bans = BTreeSet::from([peer(1), peer(9)]);
        write_bans(&path, &bans).unwrap();
        assert_eq!(read_bans(&path).unwrap(), bans);
    }

    #[test]
    fn a_file_that_does_not_exist_is_empty() {
        let (_folder, path) = folder();
        assert_eq!(read_cache(&path).unwrap(), Cache::default());
        assert_eq!(read_bans(&path).unwrap(), BTreeSet::new());
    }

    #[test]
    fn the_format_is_the_documented_one() {
        let (_folder, path) = folder();
        write_cache(&path, &[remembered(1)]).unwrap();
        let one = peer(1);
        let text = format!(
            r#"{{"peers":[{{"addresses":["/ip4/10.0.0.1/tcp/4001"],"peer":"{one}"}}],"version":1}}"#
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n"));
        fs::write(&path, format!(r#"{{"version":1,"banned":["{one}"]}}"#)).unwrap();
        assert_eq!(read_bans(&path).unwrap(), BTreeSet::from([one]));
    }

    #[test]
    fn only_the_owner_reads_it_and_nothing_lies_beside_it() {
        let (folder, path) = folder();
        fs::write(folder.path().join(".notes.json.draft"), "litter").unwrap();
        fs::write(&path, "old").unwrap();
        write_bans(&path, &BTreeSet::new()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_list_that_cannot_be_replaced_stays_and_no_draft_is_left() {
        let (folder, path) = folder();
        fs::create_dir(&path).unwrap();
        assert!(matches!(
            write_bans(&path, &BTreeSet::new()),
            Err(NotebookError::Disk { path: named, .. }) if named == path
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(read_bans(&path), Err(NotebookError::Disk { .. })));
    }

    #[test]
    fn a_cache_is_read_as_far_as_it_is_understood() {
        let check = |text: &str, count: usize, omission: Option<Omission>| {
            let (_folder, path) = folder();
            fs::write(&path, text).unwrap();
            let cache = read_cache(&path).unwrap();
            assert_eq!((cache.peers.len(), cache.omission), (count, omission), "{text}");
        };
        let good = format!(r#"{{"peer":"{}","addresses":["/ip4/10.0.0.1/tcp/1","?"]}}"#, peer(1));
        check(&format!(r#"{{"version":1,"peers":[{good}]}}"#), 1, None);
        let with_bad = format!(r#"{{"version":1,"peers":[7,{good},{{"peer":"who"}}]}}"#);
        check(&with_bad, 1, Some(Omission::Entries(2)));
        check(r#"{"version":2,"peers":[]}"#, 0, Some(Omission::Version(2)));
        for damaged in ["", "{", "[]", r#"{"version":1}"#, r#"{"version":1,"peers":7}"#] {
            let (_folder, path) = folder();
            fs::write(&path, damaged).unwrap();
            let cache = read_cache(&path).unwrap();
            assert!(matches!(cache.omission, Some(Omission::Damaged(_))), "{damaged}");
        }
    }

    #[test]
    fn a_damaged_ban_list_is_an_error_that_names_the_file() {
        let (_folder, path) = folder();
        let half = format!(r#"{{"version":1,"banned":["{}","12D3KooWho"]}}"#, peer(1));
        for text in ["", "[]", r#"{"version":1}"#, r#"{"version":1,"banned":[7]}"#, &half] {
            fs::write(&path, text).unwrap();
            let error = read_bans(&path).unwrap_err();
            assert!(matches!(error, NotebookError::Damaged { .. }), "{text}");
            assert!(error.to_string().contains(path.as_str()));
            assert!(error.hint().contains("mend it"));
        }
        fs::write(&path, r#"{"version":2,"banned":[]}"#).unwrap();
        assert!(matches!(read_bans(&path), Err(NotebookError::Newer { found: 2, .. })));
    }

    #[test]
    fn a_file_that_is_too_long_is_neither_read_nor_written() {
        let (_folder, path) = folder();
        let length = usize::try_from(MOST_BYTES).unwrap();
        let text = format!(r#"{{"version":1,"banned":[]}}{}"#, " ".repeat(length));
        fs::write(&path, &text).unwrap();
        assert!(matches!(read_bans(&path), Err(NotebookError::Damaged { .. })));
        fs::write(&path, text.get(..length).unwrap()).unwrap();
        assert_eq!(read_bans(&path).unwrap(), BTreeSet::new());
        let many = (0..20_000_u16).map(|n| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_le_bytes());
            PeerId::from_bytes(bytes)
        });
        let written = write_bans(&path, &many.collect());
        assert!(matches!(written, Err(NotebookError::TooLong { .. })));
        assert_eq!(read_bans(&path).unwrap(), BTreeSet::new());
    }

    #[test]
    fn a_cache_keeps_no_more_than_is_remembered() {
        let (_folder, path) = folder();
        write_cache(&path, &vec![remembered(1); Remembered::MOST_PEERS + 9]).unwrap();
        assert_eq!(read_cache(&path).unwrap().peers.len(), Remembered::MOST_PEERS);
    }

    /// Any bytes, and text that is nearly right.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "1",
            "\"",
            "\\u0000",
            "null",
            "\"version\":1",
            "\"peers\":",
            "\"banned\":",
            "\"peer\":",
            "\"addresses\":",
            "/ip4/1.2.3.4/tcp/1",
            "/dns/",
            "/p2p/12D3",
        ]);
        let text = prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes());
        prop_oneof![prop::collection::vec(any::<u8>(), 0..200), text]
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in bytes()) {
            let (_folder, path) = folder();
            fs::write(&path, &bytes).unwrap();
            read_cache(&path).unwrap();
            let is_disk = matches!(read_bans(&path), Err(NotebookError::Disk { .. }));
            prop_assert!(!is_disk);
        }

        #[test]
        fn no_entry_makes_it_panic(
            peer in ".{0,60}",
            address in "(/(ip4|tcp|dns|p2p|udp|[a-z]+|.{0,9})){0,6}",
        ) {
            let (_folder, path) = folder();
            let entry = json!({ "peer": peer, "addresses": [address] });
            let text = json!({ "version": 1, "peers": [entry], "banned": [peer] }).to_string();
            fs::write(&path, text).unwrap();
            read_cache(&path).unwrap();
            prop_assert_eq!(read_bans(&path).is_ok(), peer.parse::<PeerId>().is_ok());
            let known = json!({ "peer": self::peer(1).to_string(), "addresses": [address] });
            fs::write(&path, json!({ "version": 1, "peers": [known] }).to_string()).unwrap();
            read_cache(&path).unwrap();
        }
    }
}
