//! What becomes of deltas for which there is no room.

use std::sync::Arc;

use mangrove_protocol::delta::Delta;
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::machine::{Machine, Turn, Verdict};
use mangrove_protocol::replica::found;

use super::Intake;
use crate::context::Message;
use crate::directory::Directory;
use crate::house::House;
use crate::inbox::{Capacity, Config, Gate, Inbox, inbox};
use crate::metrics::Intake as Metrics;

/// The first deltas of a context.
fn deltas() -> Vec<Delta> {
    let mut entropy = |bytes: &mut [u8]| bytes.fill(1);
    found(&NodeKeys::from_bytes(&[1; 64]), "shared", 1, &mut entropy).unwrap()
}

/// An intake, and the inbox of whoever works on contexts, with room for so many events of a kind.
fn intake(house: &House, events: usize) -> (Intake, Inbox<Message>) {
    let capacity = Capacity { events, bytes: 1 << 20 };
    let (outlet, inbox) = inbox(Config { name: Arc::from("test"), capacity, quiet: 100 });
    let directory = Directory::new(house.node.peer(), vec![outlet]);
    (Intake::new(directory, house.node.reader.clone(), (None, Metrics::default())).0, inbox)
}

/// What waits for whoever works on contexts.
fn waiting(inbox: &mut Inbox<Message>) -> Vec<String> {
    let served = std::iter::from_fn(|| inbox.try_next(Gate::Open));
    let said = served.map(|entry| match entry.event {
        Message::Deltas(_, _, deltas) => format!("{} deltas", deltas.len()),
        Message::Missing(_, from) => format!("missing, {}", from.unwrap()),
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// The time has come that it waits for.
fn wake(intake: &mut Intake) {
    let now_ms = intake.deadline_ms().unwrap();
    let mut entropy = |_: &mut [u8]| {};
    assert_eq!(intake.on_deadline(&mut Turn::new(now_ms, &mut entropy)), Verdict::Go);
}

#[test]
fn what_there_is_no_room_for_is_compared_for_with_whoever_has_it() {
    let house = House::start(1);
    let (context, from) = (ContextId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
    let (mut intake, mut inbox) = intake(&house, 1);
    let deltas = deltas();
    intake.hand_on(context, from, deltas.clone());
    assert!(deltas.iter().all(|delta| intake.recent.took(delta.id())));
    intake.hand_on(context, from, deltas.clone());
    intake.tell(0);
    let count = format!("{} deltas", deltas.len());
    assert_eq!(waiting(&mut inbox), [count, format!("missing, {from}")]);
    let is_news = |delta: &Delta| !intake.recent.holds(&delta.id());
    assert!(deltas.iter().all(is_news), "the next copy is taken");
    assert_eq!(intake.deadline_ms(), None, "it is told once");
}

#[test]
fn who_has_no_room_to_be_told_of_it_is_told_later() {
    let house = House::start(1);
    let contexts = [1, 2].map(|it| ContextId::from_bytes([it; 32]));
    let peers = [3, 4].map(|it| PeerId::from_bytes([it; 32]));
    let (mut intake, mut inbox) = intake(&house, 1);
    intake.hand_on(contexts[0], peers[0], deltas());
    for (context, from) in contexts.into_iter().zip(peers) {
        intake.hand_on(context, from, deltas());
    }
    intake.tell(0);
    assert_eq!(waiting(&mut inbox).len(), 2, "the deltas, and one of those that lack some");
    wake(&mut intake);
    assert_eq!(waiting(&mut inbox), [format!("missing, {}", peers[1])]);
    assert_eq!(intake.deadline_ms(), None);
}
