//! About how many bytes an item of a feed takes.

use mangrove_protocol::fold::{Change, Visible};
use mangrove_protocol::id::DeltaId;
use mangrove_protocol::op::{AppEvent, Value};
use mangrove_protocol::replica::feed::FeedItem;

/// About how many bytes an item of a feed takes in memory. What it says counts in full; what holds that together,
/// nearly.
pub(super) fn weight(item: &FeedItem) -> usize {
    let said = match item {
        FeedItem::Change { changes, emitted, .. } => {
            let changes = changes.iter().map(of_change).sum::<usize>();
            changes + emitted.iter().map(of_event).sum::<usize>()
        }
        FeedItem::Member { .. } => 0,
        FeedItem::Rebuilt { void } => void.len() * size_of::<DeltaId>(),
    };
    size_of::<FeedItem>() + said
}

fn of_change(change: &Change) -> usize {
    let became = match &change.became {
        Visible::Value(value) => value.as_ref().map_or(0, |value| value.as_bytes().len()),
        Visible::Count(_) => 0,
        Visible::Items { added, removed } => {
            let of = |value: &Value| size_of_val(value) + value.as_bytes().len();
            added.iter().chain(removed).map(of).sum()
        }
    };
    size_of::<Change>() + change.key.as_str().len() + became
}

const fn of_event(event: &AppEvent) -> usize {
    size_of::<AppEvent>() + event.name.len() + event.data.len()
}
