//! Whether the tables of a context agree with each other.

use std::ops::Bound;

use mangrove_protocol::graph::{Place, Status};
use mangrove_protocol::id::{DeltaId, LogId, Plane, Seq};
use mangrove_protocol::log::LogRow;
use mangrove_protocol::replica::rebuild::Rebuild;
use mangrove_protocol::view::{
    Deltas, Entries, Feed, GovHeads, Heads, History, Logs, Outbox, Owns, Places, RequestAges,
    Requests, Table, Waiting,
};

use crate::snapshot::{Direction, Snapshot};

/// Takes down a table and what is wrong in it.
pub(super) type Find<'f> = dyn FnMut(&'static str, String) + 'f;

/// Every row was readable just before; one that no longer is shows as missing.
pub(super) fn rows<'s, T: Table>(
    snapshot: &'s Snapshot<'_>,
) -> impl Iterator<Item = (T::Key, T::Row)> + 's {
    let all = (Bound::Unbounded, Bound::Unbounded);
    snapshot.rows::<T>(all, Direction::Forward).map_while(Result::ok)
}

fn get<T: Table>(snapshot: &Snapshot<'_>, key: &T::Key) -> Option<T::Row> {
    snapshot.get::<T>(key).ok().flatten()
}

pub(super) fn agree(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    deltas(snapshot, find);
    places(snapshot, find);
    logs(snapshot, find);
    waiting(snapshot, find);
    order(snapshot, find);
    own(snapshot, find);
}

/// Every delta has a place, which says of it what it says of itself.
fn deltas(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    for (id, delta) in rows::<Deltas>(snapshot) {
        let header = delta.header();
        let said = (header.log, header.seq, header.prev, header.hlc);
        let place = get::<Places>(snapshot, &id);
        let placed = place.map(|it| ((it.log, it.seq, it.prev, it.hlc), it.bytes));
        if placed != Some((said, delta.bytes().len() as u64)) {
            find(Places::NAME, format!("what is said of delta {id} is not what it says"));
        }
    }
}

/// Every place is that of a delta which is held, as the one before it is, and is listed in its log.
fn places(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    let (mut places, mut entries) = (0_u64, 0_u64);
    for (id, place) in rows::<Places>(snapshot) {
        places += 1;
        if get::<Entries>(snapshot, &(place.log, place.seq, id)).is_none() {
            find(Entries::NAME, format!("delta {id} is not listed in its log"));
        }
        if get::<Deltas>(snapshot, &id).is_none() {
            find(Deltas::NAME, format!("delta {id} is missing"));
        }
        if let Some(before) = place.seq.prev() {
            let prev = get::<Places>(snapshot, &place.prev);
            if prev.is_none_or(|prev| (prev.log, prev.seq) != (place.log, before)) {
                find(Places::NAME, format!("the delta before {id} is missing"));
            }
        }
        if get::<Logs>(snapshot, &place.log).is_none() {
            find(Logs::NAME, format!("the log of delta {id} is missing"));
        }
    }
    entries += rows::<Entries>(snapshot).count() as u64;
    if entries > places {
        find(Entries::NAME, format!("{} deltas are listed that are not held", entries - places));
    }
}

/// Logs end where they are said to.
fn logs(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    let own = get::<Owns>(snapshot, &()).unwrap_or_default();
    // What had its turn has it again: until then the data is as if it had had none.
    let is_under_way = own.rebuild.is_some_and(|rebuild| rebuild != Rebuild::Due);
    for (log, row) in rows::<Logs>(snapshot) {
        let LogRow { stored, applied, .. } = ends(snapshot, &log);
        let is_moving = is_under_way && log.plane == Plane::Data;
        if stored != row.stored || (applied != row.applied && !is_moving) {
            find(Logs::NAME, format!("the log of {} does not end where it is said to", log.author));
        }
    }
}

/// Where a log ends, by its entries. Those at one place are followed by those at the next.
fn ends(snapshot: &Snapshot<'_>, log: &LogId) -> LogRow {
    let first = (*log, Seq::FIRST, DeltaId::ZERO);
    let from = (Bound::Included(&first), Bound::Unbounded);
    let entries = snapshot.rows::<Entries>(from, Direction::Forward).map_while(Result::ok);
    let mut ends = LogRow::default();
    for ((_, seq, id), ()) in entries.take_while(|((of, ..), ())| of == log) {
        let Some(place) = get::<Places>(snapshot, &id) else { continue };
        ends.stored.extend(place.prev, seq, id);
        if place.status.is_settled() {
            ends.applied.extend(place.prev, seq, id);
        }
    }
    ends
}

/// What is parked waits, and nothing else does.
fn waiting(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    let parked = |place: &Place| match place.status {
        Status::Parked { cause, .. } => Some(cause),
        Status::Applied { .. } | Status::Void { .. } => None,
    };
    let mut count = 0_u64;
    for (id, place) in rows::<Places>(snapshot) {
        let Some(cause) = parked(&place) else { continue };
        count += 1;
        if get::<Waiting>(snapshot, &(cause, id)).is_none() {
            find(Waiting::NAME, format!("delta {id} is parked and waits for nothing"));
        }
    }
    if rows::<Waiting>(snapshot).count() as u64 != count {
        find(Waiting::NAME, "something waits that is not parked".to_owned());
    }
}

/// History has no gaps and is that of the places, unless it is being made anew.
fn order(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    let own = get::<Owns>(snapshot, &()).unwrap_or_default();
    if own.rebuild.is_some() {
        return;
    }
    let mut next = 0;
    for (order, id) in rows::<History>(snapshot) {
        if order != next {
            return find(History::NAME, format!("it goes from {next} to {order}"));
        }
        let place = get::<Places>(snapshot, &id);
        if place.and_then(|place| place.status.order()) != Some(order) {
            find(History::NAME, format!("delta {id} was not applied as the one numbered {order}"));
        }
        next += 1;
    }
    if next != own.settled {
        find(History::NAME, format!("it ends at {next}, not at {}", own.settled));
    }
    let settled = rows::<Places>(snapshot).filter(|(_, place)| place.status.is_settled()).count();
    if settled as u64 != own.settled {
        find(Places::NAME, format!("{settled} deltas had their turn, not {}", own.settled));
    }
}

/// What the node remembers of itself.
fn own(snapshot: &Snapshot<'_>, find: &mut Find<'_>) {
    let own = get::<Owns>(snapshot, &()).unwrap_or_default();
    let Ok(start) = snapshot.feed_start() else {
        return find(Feed::NAME, "where it begins cannot be read".to_owned());
    };
    let mut next = start.next;
    for (position, _) in rows::<Feed>(snapshot) {
        if position != next {
            find(Feed::NAME, format!("it goes from {next} to {position}"));
        }
        next = position + 1;
    }
    if next != own.feed {
        find(Feed::NAME, format!("it ends at {next}, not at {}", own.feed));
    }
    let heads = rows::<Heads>(snapshot).chain(rows::<GovHeads>(snapshot));
    for (id, _) in heads.filter(|_| own.rebuild.is_none()) {
        if get::<Places>(snapshot, &id).is_none_or(|place| !place.status.is_settled()) {
            find(Heads::NAME, format!("delta {id} is a head and had no turn"));
        }
    }
    for (id, ()) in rows::<Outbox>(snapshot) {
        if get::<Deltas>(snapshot, &id).is_none() {
            find(Outbox::NAME, format!("delta {id} is to be published and missing"));
        }
    }
    for (id, remembered) in rows::<Requests>(snapshot) {
        if get::<RequestAges>(snapshot, &(remembered.at_ms, id)).is_none() {
            find(Requests::NAME, "an answer would never be forgotten".to_owned());
        }
    }
}
