//! What a replica notes down, as it is logged and counted.

use mangrove_protocol::effect::Note;
use mangrove_protocol::id::ContextId;

use super::outside::Outside;

/// Logs a note, and counts it.
pub(super) fn take_down(context: ContextId, note: &Note, outside: &Outside) {
    match note {
        Note::Refused { from, delta, why } => {
            outside.metrics.refused();
            tracing::debug!(%context, %from, %delta, %why, "a delta was not taken");
        }
        Note::Forked { tip } => {
            tracing::warn!(%context, author = %tip.log.author, delta = %tip.id, "a log has branched: its author wrote twice after the same delta");
        }
        Note::Parked { delta, cause } => {
            tracing::debug!(%context, %delta, reason = cause.name(), "a delta waits");
        }
        Note::Incarnation { why, .. } => {
            tracing::info!(%context, ?why, "this node goes on in a new log");
        }
        Note::Epoch { new } => tracing::info!(%context, epoch = %new, "writing under another key"),
        Note::Damaged { delta } => {
            tracing::error!(%context, %delta, "a stored delta does not read as what was stored");
        }
        Note::NotHandedOn { why } => {
            tracing::debug!(%context, %why, "keys were not handed on");
        }
        // Sorted out before.
        Note::Diverged { .. } => {}
    }
}
