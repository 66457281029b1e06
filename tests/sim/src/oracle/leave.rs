//! What is looked at when something leaves a node: it must derive from what is durable there.

use mangrove_protocol::delta::Delta;
use mangrove_protocol::replica::beat::Heartbeat;
use mangrove_protocol::replica::feed::FeedItem;
use mangrove_protocol::request::Written;
use mangrove_protocol::view::{Deltas, Feed, Keys, Outbox, Owns, Places, Roots, Table};

use super::image;
use super::law::Law;
use crate::node::Spot;
use crate::verdict::Violation;
use crate::world::World;

type Checked = Result<(), Violation>;

fn early(what: String) -> Checked {
    Err(Violation::new("S8", what))
}

/// A delta goes to the mesh.
pub(crate) fn publish(world: &mut World, spot: Spot, delta: &Delta) -> Checked {
    let stored = world.image(spot).is_some_and(|it| Deltas::rows(it).contains_key(&delta.id()));
    world.ledger.publish(spot, delta.id());
    world.ledger.leave(spot.context, delta)?;
    if !stored {
        return early(format!("{delta:?} goes out before it is durable"));
    }
    Ok(())
}

/// A delta goes to a peer who lacks it.
pub(crate) fn serve(world: &mut World, spot: Spot, delta: &Delta) -> Checked {
    world.ledger.leave(spot.context, delta)
}

/// Subscribers are told.
pub(crate) fn notify(world: &mut World, spot: Spot, position: u64, item: &FeedItem) -> Checked {
    let stored = world.image(spot).and_then(|image| Feed::rows(image).get(&position));
    if stored != Some(item) {
        return early(format!("feed item {position} is told before it is durable"));
    }
    world.tally.hit("feed items told");
    if let FeedItem::Rebuilt { .. } = item {
        world.tally.hit("states made anew");
    }
    let Some(cell) = world.nodes.get_mut(spot.node).and_then(|it| it.cell(spot.context)) else {
        return Ok(());
    };
    let expected = cell.feed;
    cell.feed += 1;
    if position != expected {
        return Err(Violation::new("S9", format!("told {position} where {expected} is next")));
    }
    Ok(())
}

/// A caller is told that it happened.
pub(crate) fn reply(world: &World, spot: Spot, written: &Written) -> Checked {
    let place = world.image(spot).and_then(|image| Places::rows(image).get(&written.delta));
    match place {
        // What was confirmed before may have to wait again since.
        Some(place) if place.seq == written.seq && written.duplicate => Ok(()),
        Some(place) if place.seq == written.seq && place.status.is_settled() => Ok(()),
        Some(place) => Err(Violation::new("S9", format!("confirmed what is {place:?}"))),
        None => early(format!("{:?} is confirmed before it is durable", written.delta)),
    }
}

/// A node says where it stands.
pub(crate) fn beat(world: &World, spot: Spot, beat: &Heartbeat) -> Checked {
    let Some(image) = world.image(spot) else { return Ok(()) };
    let own = Owns::rows(image).get(&()).cloned().unwrap_or_default();
    if own.rebuild.is_some() {
        let blank = beat.root.is_none();
        return if blank { Ok(()) } else { early("a root is told while it is made anew".into()) };
    }
    let law = Law::of(world.cast.context(spot.context), image);
    let (stored, applied) = (law.stored().digest(), law.applied().digest());
    let same = (beat.stored == stored, beat.applied == applied, beat.deltas == own.settled);
    if same != (true, true, true) {
        let process = world.nodes.get(spot.node).and_then(|node| node.running());
        if let Some(cell) = process.and_then(|it| it.cells.get(spot.context)) {
            image::ends_agree("kept", &cell.replica.stored(), &law.stored(), &law)?;
            image::ends_agree("counted", &cell.replica.applied(), &law.applied(), &law)?;
        }
        return early(format!("a heartbeat tells of what is not durable: {same:?}"));
    }
    let root = Roots::rows(image).get(&()).cloned().unwrap_or_default().digest();
    let Some(sealed) = beat.root else { return Ok(()) };
    let Some(key) = Keys::rows(image).get(&sealed.epoch) else {
        return early("a root is sealed under a key that is not durable".to_owned());
    };
    let secret = blake3::derive_key("mangrove 2026 sealed root v1", key.as_bytes());
    let mut hasher = blake3::Hasher::new_keyed(&secret);
    hasher.update(&root).update(&beat.nonce.to_le_bytes());
    if *hasher.finalize().as_bytes() != sealed.tag {
        return early("a heartbeat tells of a root that is not durable".to_owned());
    }
    Ok(())
}

/// B4: a node that starts has published all it wrote, or does so with its first step.
pub(crate) fn nothing_forgotten(world: &mut World, spot: Spot) -> Checked {
    let Some(image) = world.image(spot) else { return Ok(()) };
    let authored = world.ledger.authored.get(&spot).into_iter().flatten();
    let mut kept = authored.filter(|id| Deltas::rows(image).contains_key(id));
    if let Some(forgotten) = kept.find(|id| !world.ledger.is_published(spot, **id)) {
        return Err(Violation::new("B4", format!("{forgotten:?} will never be published")));
    }
    let again = Outbox::rows(image).len() as u64;
    world.tally.add("published again after a start", again);
    Ok(())
}
