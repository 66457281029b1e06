//! From one format of the database to the next.

use crate::db::Db;
use crate::error::ReadError;
use crate::schema::FORMAT;

type Step = fn(&Db) -> Result<(), ReadError>;

/// A step from the format at its place (the first is 1) to the next. Each is written so that it can be ended
/// anywhere and begun again, and ends by writing down the format it has reached.
const STEPS: [Step; FORMAT as usize - 1] = [];

/// Brings a database of an older format to the one of this program.
pub(crate) fn migrate(db: &Db, found: u32) -> Result<(), ReadError> {
    let done = usize::try_from(found).unwrap_or(usize::MAX).saturating_sub(1);
    for (at, step) in STEPS.iter().enumerate().skip(done) {
        tracing::info!(from = at + 1, to = at + 2, "the store is brought to a newer format");
        step(db)?;
    }
    Ok(())
}
