//! The full fold: state made anew from the log, for when what is kept is in doubt or out of date.

use super::{Origin, Table, apply};
use crate::graph::Status;
use crate::id::{DeltaId, EpochId, Plane};
use crate::op::{Payload, Undecodable};
use crate::root::Root;
use crate::seal::{self, OpenError};
use crate::view::{Deltas, History, Keys, Places, View, every};

/// Why state cannot be made anew: the log no longer holds what was applied once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfoldable {
    /// A delta that was applied is gone, or no longer reads as one.
    #[error("delta {delta} is missing or damaged")]
    Missing {
        /// Which one.
        delta: DeltaId,
    },
    /// The key is missing under which a delta was applied.
    #[error("the key of epoch {epoch}, under which delta {delta} is sealed, is missing")]
    NoKey {
        /// Which one.
        delta: DeltaId,
        /// Whose key.
        epoch: EpochId,
    },
    /// A delta that was applied does not open any more.
    #[error("delta {delta}: {why}")]
    Closed {
        /// Which one.
        delta: DeltaId,
        /// Why.
        why: OpenError,
    },
    /// A delta that was applied opens to something else than it did.
    #[error("delta {delta}: {why}")]
    Unreadable {
        /// Which one.
        delta: DeltaId,
        /// Why.
        why: Undecodable,
    },
}

/// Folds every applied delta anew, in the order of this node's history, into a table and its root.
///
/// Which deltas count is read from their places and not judged again. A table and a root that were
/// kept up to date are equal to these, row by row.
pub fn refold(view: &impl View) -> Result<(Table, Root), Unfoldable> {
    let (mut table, mut root) = (Table::default(), Root::empty());
    for (_, id) in every::<History, _>(view) {
        if let Some((origin, payload)) = opened(view, id)? {
            apply(&mut table, &mut root, &origin, &payload);
        }
    }
    Ok((table, root))
}

/// The payload of a delta of the history, and where it comes from; `None` if it counts for nothing.
fn opened(view: &impl View, id: DeltaId) -> Result<Option<(Origin, Payload)>, Unfoldable> {
    let missing = Unfoldable::Missing { delta: id };
    let place = view.get::<Places>(&id).ok_or_else(|| missing.clone())?;
    if !matches!(place.status, Status::Applied { .. }) || place.log.plane == Plane::Governance {
        return Ok(None);
    }
    let delta = view.get::<Deltas>(&id).ok_or(missing)?;
    let epoch = delta.header().seal.epoch().unwrap_or(EpochId::ZERO);
    let key = view.get::<Keys>(&epoch).ok_or(Unfoldable::NoKey { delta: id, epoch })?;
    let bytes = seal::open(&delta, &key).map_err(|why| Unfoldable::Closed { delta: id, why })?;
    let payload = Payload::decode(&bytes);
    let payload = payload.map_err(|why| Unfoldable::Unreadable { delta: id, why })?;
    let header = delta.header();
    Ok(Some((Origin { delta: id, author: header.log.author, hlc: header.hlc }, payload)))
}
