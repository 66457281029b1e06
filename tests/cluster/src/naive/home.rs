//! The deltas of a node that does not run.

use std::fs;
use std::ops::Bound;

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_protocol::delta::Delta;
use mangrove_protocol::graph::Status;
use mangrove_protocol::id::{EpochId, Plane};
use mangrove_protocol::op::Payload;
use mangrove_protocol::seal;
use mangrove_protocol::view::{Deltas, Keys, Places, Table};
use mangrove_store::{Direction, Snapshot};

use super::Written;
use crate::wrong::Wrong;

/// What was found of a context.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The data deltas that count.
    pub written: Vec<Written>,
    /// Governance deltas, whatever becomes of them.
    pub governance: usize,
    /// Data deltas that count for nothing.
    pub void: usize,
    /// Data deltas that wait.
    pub parked: usize,
}

/// Reads the deltas of a context from a home that is not in use and not encrypted. The home is copied first
/// and stays as it is.
///
/// Which deltas count is taken from where they stand; what they say comes from their payloads alone.
pub fn read(home: &Utf8Path, context: &str) -> Result<Found, Wrong> {
    look(home, context, deltas)
}

/// Looks at what a home that is not in use and not encrypted has of a context. The home is copied first and
/// stays as it is.
pub(crate) fn look<T>(
    home: &Utf8Path,
    context: &str,
    read: impl FnOnce(&Snapshot<'_>) -> Result<T, String>,
) -> Result<T, Wrong> {
    found(home, context, read).map_err(|why| format!("{home}: {why}").into())
}

fn found<T>(
    home: &Utf8Path,
    context: &str,
    read: impl FnOnce(&Snapshot<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let copy = tempfile::tempdir().map_err(|why| why.to_string())?;
    let copied = Utf8Path::from_path(copy.path()).ok_or("its path is not UTF-8")?.join("store");
    self::copy(&home.join("store"), &copied).map_err(|why| format!("cannot be copied: {why}"))?;
    let opened = mangrove_store::open(&copied, &Settings::default(), None);
    let (writer, reader) = opened.map_err(|why| why.to_string())?;
    let context = context.parse().map_err(|why| format!("{context}: {why}"))?;
    let reading = reader.begin().map_err(|why| why.to_string())?;
    let snapshot = reading.context(&context).map_err(|why| why.to_string())?;
    let found = read(&snapshot);
    snapshot.finish().map_err(|why| why.to_string())?;
    drop(reading);
    writer.close();
    found
}

/// Copies a folder with everything in it. Made for a few files.
fn copy(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

fn deltas(snapshot: &Snapshot<'_>) -> Result<Found, String> {
    let mut found = Found::default();
    let all = (Bound::Unbounded, Bound::Unbounded);
    for row in snapshot.rows::<Deltas>(all, Direction::Forward) {
        let (id, delta) = row.map_err(|why| why.to_string())?;
        if delta.header().log.plane == Plane::Governance {
            found.governance += 1;
            continue;
        }
        match get::<Places>(snapshot, &id)?.status {
            Status::Applied { .. } => found.written.push(written(snapshot, &delta)?),
            Status::Void { .. } => found.void += 1,
            Status::Parked { .. } => found.parked += 1,
        }
    }
    Ok(found)
}

fn written(snapshot: &Snapshot<'_>, delta: &Delta) -> Result<Written, String> {
    let (header, id) = (delta.header(), delta.id());
    let key = get::<Keys>(snapshot, &header.seal.epoch().unwrap_or(EpochId::ZERO))?;
    let payload = seal::open(delta, &key).map_err(|why| format!("delta {id}: {why}"))?;
    let payload = Payload::decode(&payload).map_err(|why| format!("delta {id}: {why}"))?;
    let ops = payload.transactions().iter().flat_map(|it| it.ops.clone()).collect();
    Ok(Written { delta: id, author: header.log.author, hlc: header.hlc, ops })
}

fn get<T: Table>(snapshot: &Snapshot<'_>, key: &T::Key) -> Result<T::Row, String> {
    let row = snapshot.get::<T>(key).map_err(|why| why.to_string())?;
    row.ok_or_else(|| format!("{key:?} is missing in {}", T::NAME))
}
