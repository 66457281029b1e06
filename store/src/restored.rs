//! A database that comes from a backup.
//!
//! Others may hold deltas that this node wrote after the backup was taken. If it went on where the backup ends,
//! its logs would fork. So every context goes on in a new log, and with a new feed, since positions of
//! the old one may have been told of other items.

use std::fs;
use std::io;

use camino::Utf8Path;
use mangrove_protocol::view::Owns;
use rocksdb::{WriteBatch, WriteOptions};

use crate::backup::RESTORED;
use crate::contexts::{ContextRow, Contexts};
use crate::db::Db;
use crate::error::ReadError;
use crate::health::Pulse;
use crate::pen::random;
use crate::schema::{Family, Meta};
use crate::snapshot::Snapshot;
use crate::value;

/// Makes a restored database one that goes on anew. Cut short, it is done again at the next start.
pub(crate) fn renew(db: &Db, folder: &Utf8Path) -> Result<(), ReadError> {
    let mark = folder.join(RESTORED);
    if !mark.exists() {
        return Ok(());
    }
    let contexts = Contexts::load(db)?;
    let mut batch = WriteBatch::default();
    for id in contexts.ids() {
        let Some(before) = contexts.get(&id) else { continue };
        let row = ContextRow { generation: random(), ..before };
        let key = Meta::Context(id.as_bytes()).key();
        let value = value::write(&row, &key, db.cipher.as_ref());
        batch.put_cf(db.family(Family::Meta)?, key, value);
        let pulse = Pulse::new();
        if let Some(mut own) = Snapshot::new(db, &pulse, id, before).get::<Owns>(&())? {
            own.incarnation = None;
            let key = before.number().key::<Owns>(&());
            let value = value::write(&own, &key, db.cipher.as_ref());
            batch.put_cf(db.family_of::<Owns>()?, key, value);
        }
    }
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    db.rocks.write_opt(batch, &synced).map_err(|why| ReadError::Disk(why.to_string()))?;
    match fs::remove_file(&mark) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(ReadError::Disk(why.to_string())),
        _ => Ok(()),
    }
}
