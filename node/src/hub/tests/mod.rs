//! What the hub promises, over a real store.

mod race;
mod relays;

use std::future::Future;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use camino::Utf8Path;
use mangrove_config::store::{Durability, Store as Settings};
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::op::AppEvent;
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::view::{Feed, Memory};
use mangrove_store::feed::Gap;
use mangrove_store::{Pen, Writer, open};
use prometheus_client::encoding::text::encode;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(60);

fn context(number: u8) -> ContextId {
    ContextId::from_bytes([number; 32])
}

/// A store in a folder of its own, and a hub over it.
struct House {
    _folder: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    hub: Hub,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("store");
        let settings =
            Settings { durability: Durability::Buffered, min_free_mib: 0, ..Settings::default() };
        let (writer, reader) = open(&path, &settings, None).unwrap();
        let hub = Hub::new(reader.clone());
        Self { _folder: folder, writer, reader, hub }
    }

    /// The one that writes to a context.
    fn scribe(&self, context: ContextId) -> Scribe {
        Scribe { pen: self.writer.pen(context).unwrap(), hub: self.hub.clone(), next: 0 }
    }

    /// A context whose feed has so many items, of which nobody was told.
    async fn with(stored: u64) -> (Self, Scribe) {
        let house = Self::new();
        let mut scribe = house.scribe(context(1));
        scribe.write(stored).await;
        (house, scribe)
    }

    fn subscribe(&self, since: Since) -> Subscription {
        self.hub.subscribe(context(1), since).unwrap()
    }

    fn cursor(&self, next: u64) -> Cursor {
        let page = self.hub.read(context(1), Since::Start, 0).unwrap();
        Cursor { next, ..page.cursor }
    }

    /// Items that subscribers had from the ring, and from the store.
    fn served(&self) -> (u64, u64) {
        let metrics = &self.hub.0.metrics;
        (metrics.from_ring.get(), metrics.from_store.get())
    }

    fn rings(&self) -> usize {
        self.hub.0.rings.len()
    }
}

/// Writes to a context, and tells of it.
struct Scribe {
    pen: Pen,
    hub: Hub,
    next: u64,
}

impl Scribe {
    /// Writes so many items, durably, and tells nobody.
    async fn write(&mut self, count: u64) {
        let until = self.next + count;
        self.write_all((self.next..until).map(item).collect()).await;
    }

    async fn write_all(&mut self, items: Vec<FeedItem>) {
        let nothing = Memory::default();
        let mut over = Overlay::new(&nothing);
        for item in items {
            over.put::<Feed>(self.next, item);
            self.next += 1;
        }
        self.pen.commit(&over.into_batch(), false).unwrap().await.unwrap();
    }

    /// Tells of these positions, whether or not they are stored.
    fn tell(&self, positions: std::ops::Range<u64>) {
        positions.for_each(|at| self.hub.tell(self.pen.context(), at, item(at)));
    }

    /// As a context does.
    async fn write_and_tell(&mut self, count: u64) {
        let first = self.next;
        self.write(count).await;
        self.tell(first..self.next);
    }
}

/// An item that shows its position.
fn item(position: u64) -> FeedItem {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&position.to_le_bytes());
    FeedItem::Rebuilt { void: vec![DeltaId::from_bytes(id)] }
}

/// An item of so many events of 300 KiB.
fn large(events: usize) -> FeedItem {
    let event = AppEvent { name: "large".to_owned(), data: vec![7; 300 << 10] };
    let (delta, author) = (DeltaId::ZERO, PeerId::from_bytes([1; 32]));
    FeedItem::Change { delta, author, local: true, changes: vec![], emitted: vec![event; events] }
}

fn positions(delivery: &Delivery) -> Vec<u64> {
    delivery.items.iter().map(|(position, _)| *position).collect()
}

async fn next(subscription: &mut Subscription, limit: usize) -> Delivery {
    timeout(SOON, subscription.next(limit)).await.unwrap().unwrap()
}

async fn ended(subscription: &mut Subscription) -> Ended {
    timeout(SOON, subscription.next(10)).await.unwrap().unwrap_err()
}

/// What comes if nobody waits for it.
fn at_once(subscription: &mut Subscription, limit: usize) -> Option<Result<Delivery, Ended>> {
    let next = std::pin::pin!(subscription.next(limit));
    match next.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(next) => Some(next),
        Poll::Pending => None,
    }
}

/// Takes all up to a position; each item has to come once, in order, and be the one of its position.
async fn take(subscription: &mut Subscription, until: u64, limit: usize) {
    let mut at = subscription.cursor().next;
    while at < until {
        let delivery = next(subscription, limit).await;
        assert_eq!(delivery.gap, None);
        assert!(delivery.items.len() <= limit && !delivery.items.is_empty());
        for (position, told) in &delivery.items {
            assert_eq!((*position, &**told), (at, &item(at)));
            at += 1;
        }
        assert_eq!((delivery.cursor, delivery.cursor.next), (subscription.cursor(), at));
    }
}

/// Runs something where pages are read by one thread alone.
fn with_one_that_reads(test: impl Future<Output = ()>) {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(test);
}

/// Keeps that thread from reading until what this returns is dropped.
fn nobody_reads() -> SyncSender<()> {
    let (busy, done) = sync_channel(0);
    drop(tokio::task::spawn_blocking(move || done.recv()));
    busy
}

#[tokio::test]
async fn what_is_told_is_served_from_the_ring_without_a_look_at_the_store() {
    let (house, scribe) = House::with(3).await;
    let mut subscription = house.subscribe(Since::Now);
    assert_eq!(subscription.cursor(), house.cursor(3));
    assert_eq!(at_once(&mut subscription, 10), None);
    // None of it is stored: the ring alone can have it.
    scribe.tell(3..8);
    assert_eq!(positions(&next(&mut subscription, 2).await), [3, 4]);
    take(&mut subscription, 8, 10).await;
    assert_eq!(at_once(&mut subscription, 10), None);
    assert_eq!(house.served(), (5, 0));
}

#[tokio::test]
async fn who_waits_is_woken_by_what_is_told() {
    let (house, mut scribe) = House::with(1).await;
    let mut subscription = house.subscribe(Since::Now);
    let (delivery, ()) = tokio::join!(next(&mut subscription, 10), scribe.write_and_tell(2));
    assert_eq!(delivery.items[0].0, 1);
}

#[tokio::test]
async fn who_falls_behind_reads_what_is_stored_and_comes_back_to_the_ring() {
    let (house, mut scribe) = House::with(1).await;
    let mut subscription = house.subscribe(Since::Start);
    scribe.write_and_tell(1_000).await;
    take(&mut subscription, 1_001, 50).await;
    // Pages of the store, until what the ring begins with has been reached.
    assert_eq!(house.served(), (251, 750));
    scribe.write_and_tell(10).await;
    take(&mut subscription, 1_011, 50).await;
    assert_eq!(house.served(), (261, 750));
    scribe.write_and_tell(300).await;
    take(&mut subscription, 1_311, 500).await;
    assert_eq!(house.served(), (261, 1_050), "a large page has all of it");
}

#[tokio::test]
async fn who_is_stuck_makes_nothing_grow_and_keeps_nobody_waiting() {
    let (house, mut scribe) = House::with(1).await;
    let (mut stuck, mut live) = (house.subscribe(Since::Start), house.subscribe(Since::Now));
    let mut told = Vec::new();
    for _ in 0..50 {
        scribe.write_and_tell(100).await;
        let delivery = next(&mut live, 100).await;
        assert_eq!(delivery.items.len(), 100);
        told.extend(delivery.items.iter().map(|(_, item)| Arc::downgrade(item)));
        drop(delivery);
        let held = told.iter().filter(|item| item.strong_count() > 0).count();
        assert!(held <= 256, "{held} items are held");
    }
    assert_eq!(house.served(), (5_000, 0), "who is live never needs the store");
    take(&mut stuck, 5_001, 1_000).await;
}

#[tokio::test]
async fn what_is_too_large_for_a_ring_is_read_from_the_store_in_its_turn() {
    let (house, mut scribe) = House::with(1).await;
    let mut subscription = house.subscribe(Since::Now);
    // 300 KiB each, but for the one in the middle, which alone is more than a ring or a page holds.
    let events = [1, 1, 1, 1, 5, 1, 1];
    for count in events {
        let (position, item) = (scribe.next, large(count));
        scribe.write_all(vec![item.clone()]).await;
        house.hub.tell(context(1), position, item);
    }
    let mut seen = Vec::new();
    while seen.len() < events.len() {
        let delivery = next(&mut subscription, 100).await;
        let bytes = delivery.items.iter().map(|(_, item)| weight::weight(item));
        assert!(bytes.take(delivery.items.len() - 1).sum::<usize>() < 1 << 20);
        seen.extend(delivery.items);
    }
    let expected = (1..).zip(events.map(large).map(Arc::new)).take(events.len());
    assert!(seen.iter().cloned().eq(expected), "in order, each once");
    assert_eq!(house.served(), (2, 5));
}

#[tokio::test]
async fn what_was_left_out_is_read_from_the_store() {
    let (house, mut scribe) = House::with(2).await;
    let mut subscription = house.subscribe(Since::Start);
    take(&mut subscription, 2, 10).await;
    scribe.write(3).await;
    assert_eq!(at_once(&mut subscription, 10), None, "nobody knows of it");
    scribe.write_and_tell(1).await;
    take(&mut subscription, 6, 10).await;
    scribe.write(2).await;
    assert_eq!(at_once(&mut subscription, 10), None, "nobody knows of it");
    house.hub.reached(context(1), 8);
    take(&mut subscription, 8, 10).await;
    assert_eq!(house.served(), (0, 8));
}

#[tokio::test]
async fn what_was_seen_is_not_told_again() {
    let (house, mut scribe) = House::with(1).await;
    let mut early = house.subscribe(Since::Now);
    scribe.write(3).await;
    // It looks into the store, which knows of more than was told.
    let mut late = house.subscribe(Since::Now);
    take(&mut early, 4, 10).await;
    scribe.tell(1..4);
    scribe.tell(2..4);
    house.hub.reached(context(1), 2);
    assert_eq!(at_once(&mut early, 10), None);
    assert_eq!(at_once(&mut late, 10), None);
    scribe.write_and_tell(1).await;
    take(&mut early, 5, 10).await;
    take(&mut late, 5, 10).await;
}

#[tokio::test]
async fn a_cursor_of_another_feed_or_of_the_future_begins_with_a_gap() {
    let (house, mut scribe) = House::with(2).await;
    let mut other = house.subscribe(Since::Now);
    scribe.write_and_tell(5).await;
    let first = house.cursor(0);
    let generation = first.generation ^ 1;
    for strange in [Cursor { generation, next: 3 }, Cursor { next: 9, ..first }] {
        let mut subscription = house.subscribe(Since::After(strange));
        assert_eq!(subscription.cursor(), strange, "the gap is still to come");
        let delivery = next(&mut subscription, 2).await;
        assert_eq!(delivery.gap, Some(Gap { after: strange, from: first }));
        assert_eq!(positions(&delivery), [0, 1]);
        take(&mut subscription, 7, 10).await;
    }
    take(&mut other, 7, 10).await;
}

#[tokio::test]
async fn a_context_that_begins_anew_has_another_feed() {
    let (house, mut scribe) = House::with(5).await;
    let before = house.cursor(2);
    let mut subscription = house.subscribe(Since::After(before));
    scribe.pen.forget().unwrap().await.unwrap();
    house.hub.close(context(1), Closed::Forgotten);
    assert_eq!(ended(&mut subscription).await, Closed::Forgotten.into());
    scribe = house.scribe(context(1));
    scribe.write(1).await;
    let mut fresh = house.subscribe(Since::Start);
    scribe.write_and_tell(4).await;
    let mut late = house.subscribe(Since::After(before));
    let delivery = next(&mut late, 10).await;
    assert_eq!(delivery.gap, Some(Gap { after: before, from: house.cursor(0) }));
    assert_eq!(positions(&delivery), [0, 1, 2, 3, 4]);
    take(&mut fresh, 5, 10).await;
    assert_eq!(ended(&mut subscription).await, Closed::Forgotten.into(), "it stays so");
}

#[tokio::test]
async fn what_was_trimmed_is_a_gap_to_whoever_comes_for_it() {
    let (house, mut scribe) = House::with(10).await;
    let (mut behind, mut live) = (house.subscribe(Since::Start), house.subscribe(Since::Now));
    scribe.write_and_tell(20).await;
    scribe.pen.trim_feed(20, &house.reader).unwrap().unwrap().await.unwrap();
    let gap = |after| Some(Gap { after: house.cursor(after), from: house.cursor(20) });
    let delivery = next(&mut behind, 3).await;
    assert_eq!((delivery.gap, positions(&delivery)), (gap(0), vec![20, 21, 22]));
    // The ring still has what this one saw coming.
    take(&mut live, 30, 100).await;
    // And this one is told what the store says, though the ring has it as well.
    let mut late = house.subscribe(Since::After(house.cursor(15)));
    let delivery = next(&mut late, 3).await;
    assert_eq!((delivery.gap, positions(&delivery)), (gap(15), vec![20, 21, 22]));
    let mut all = house.subscribe(Since::Start);
    assert_eq!(all.cursor(), house.cursor(20));
    take(&mut all, 30, 100).await;
}

#[tokio::test]
async fn a_gap_with_nothing_after_it_is_told_by_itself() {
    let (house, mut scribe) = House::with(10).await;
    let mut subscription = house.subscribe(Since::Start);
    scribe.pen.trim_feed(10, &house.reader).unwrap().unwrap().await.unwrap();
    let delivery = next(&mut subscription, 5).await;
    assert_eq!(delivery.gap, Some(Gap { after: house.cursor(0), from: house.cursor(10) }));
    assert_eq!((positions(&delivery), delivery.cursor), (vec![], house.cursor(10)));
    scribe.write_and_tell(1).await;
    take(&mut subscription, 11, 5).await;
}

#[test]
fn who_gives_up_waiting_loses_nothing() {
    with_one_that_reads(async {
        let (house, mut scribe) = House::with(5_000).await;
        let mut subscription = house.subscribe(Since::Start);
        let busy = nobody_reads();
        assert_eq!(at_once(&mut subscription, 1_000), None);
        assert!(subscription.reading.is_some(), "the page is read for whoever comes back");
        drop(busy);
        assert_eq!(positions(&next(&mut subscription, 2).await), [0, 1], "no more than asked for");
        take(&mut subscription, 5_000, 1_000).await;
        for _ in 0..3 {
            assert_eq!(at_once(&mut subscription, 10), None);
        }
        scribe.write_and_tell(3).await;
        take(&mut subscription, 5_003, 10).await;
    });
}

#[test]
fn a_page_that_was_given_up_is_not_taken_for_a_later_one() {
    with_one_that_reads(async {
        let (house, mut scribe) = House::with(1).await;
        let mut subscription = house.subscribe(Since::Now);
        scribe.write(400).await;
        house.hub.reached(context(1), 401);
        let busy = nobody_reads();
        assert_eq!(at_once(&mut subscription, 1_000), None);
        assert!(subscription.reading.is_some());
        drop(busy);
        scribe.tell(1..101);
        take(&mut subscription, 101, 100).await;
        scribe.tell(101..401);
        take(&mut subscription, 401, 1_000).await;
    });
}

#[test]
fn closing_ends_those_who_wait_and_those_who_do_not() {
    with_one_that_reads(async {
        let (house, mut scribe) = House::with(400).await;
        scribe.write_and_tell(1).await;
        let mut other_scribe = house.scribe(context(2));
        other_scribe.write(1).await;
        let mut other = house.hub.subscribe(context(2), Since::Now).unwrap();
        let (mut waits, mut behind) = (house.subscribe(Since::Now), house.subscribe(Since::Start));
        let mut reads = house.subscribe(Since::Start);
        let busy = nobody_reads();
        let close = async { house.hub.close(context(1), Closed::Forgotten) };
        let (waited, read, ()) = tokio::join!(ended(&mut waits), ended(&mut reads), close);
        assert_eq!((waited, read), (Closed::Forgotten.into(), Closed::Forgotten.into()));
        assert_eq!(ended(&mut behind).await, Closed::Forgotten.into());
        assert_eq!(at_once(&mut other, 10), None);
        other_scribe.write_and_tell(1).await;
        take(&mut other, 2, 10).await;
        drop(busy);
    });
}

#[tokio::test]
async fn stopping_ends_all_also_those_who_come_later() {
    let (house, scribe) = House::with(3).await;
    let mut waits = house.subscribe(Since::Now);
    let (why, ()) = tokio::join!(ended(&mut waits), async { house.hub.stop() });
    assert_eq!(why, Closed::Stopping.into());
    let mut late = house.subscribe(Since::Start);
    scribe.tell(3..4);
    assert_eq!(ended(&mut late).await, Closed::Stopping.into());
    drop((waits, late));
    assert_eq!(house.rings(), 0);
}

#[tokio::test]
async fn who_reads_a_context_that_is_forgotten_is_told_so() {
    let (house, scribe) = House::with(3).await;
    let mut subscription = house.subscribe(Since::Start);
    scribe.pen.forget().unwrap().await.unwrap();
    assert_eq!(ended(&mut subscription).await, Closed::Forgotten.into());
    let refused = house.hub.subscribe(context(1), Since::Now);
    assert_eq!(refused.unwrap_err(), ReadError::UnknownContext);
    drop(subscription);
    assert_eq!(house.rings(), 0);
}

#[tokio::test]
async fn the_ring_goes_with_the_last_who_listens() {
    let (house, mut scribe) = House::with(1).await;
    scribe.write_and_tell(5).await;
    assert_eq!(house.rings(), 0, "nobody listens");
    let (mut first, second) = (house.subscribe(Since::Now), house.subscribe(Since::Now));
    assert_eq!(house.hub.0.metrics.subscribers.get(), 2);
    scribe.write_and_tell(1).await;
    let told = Arc::downgrade(&next(&mut first, 1).await.items[0].1);
    drop(first);
    assert_eq!((house.rings(), told.strong_count()), (1, 1), "somebody listens");
    drop(second);
    assert_eq!((house.rings(), told.strong_count()), (0, 0));
    assert_eq!(house.hub.0.metrics.subscribers.get(), 0);
    scribe.write_and_tell(1).await;
    assert_eq!(house.rings(), 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_for_a_moment_is_read_again() {
    let (house, mut scribe) = House::with(1).await;
    let mut subscription = house.subscribe(Since::Now);
    assert_eq!(subscription.take(Err(ReadError::Reopening), 10), Ok(None));
    // The feed is said to go on and does not, as far as can be read.
    house.hub.reached(context(1), 2);
    assert_eq!(at_once(&mut subscription, 10), None);
    let (delivery, ()) = tokio::join!(next(&mut subscription, 10), scribe.write(1));
    assert_eq!(positions(&delivery), [1]);
    house.hub.reached(context(1), 3);
    assert_eq!(at_once(&mut subscription, 10), None);
    let (why, ()) = tokio::join!(ended(&mut subscription), async { house.hub.stop() });
    assert_eq!(why, Closed::Stopping.into());
}

#[tokio::test]
async fn a_store_that_cannot_be_read_any_more_ends_it() {
    let (house, _scribe) = House::with(1).await;
    let mut subscription = house.subscribe(Since::Start);
    let House { writer, hub, .. } = house;
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
    assert_eq!(ended(&mut subscription).await, Ended::Unreadable(ReadError::Closed));
    assert_eq!(hub.read(context(1), Since::Now, 1), Err(ReadError::Closed));
}

#[tokio::test]
async fn a_page_is_what_the_store_says_and_no_more_than_is_asked_for() {
    let (house, _scribe) = House::with(1_500).await;
    let page = |since, limit| house.hub.read(context(1), since, limit).unwrap();
    let reading = house.reader.begin().unwrap();
    let stored = reading.context(&context(1)).unwrap();
    for (next, limit) in [(0, 10), (5, 1_000), (1_490, 100), (1_500, 10), (1_501, 7), (3, 0)] {
        let cursor = house.cursor(next);
        assert_eq!(page(Since::After(cursor), limit), stored.feed(cursor, limit).unwrap());
    }
    assert_eq!(page(Since::Now, 10).cursor, house.cursor(1_500));
    assert_eq!(page(Since::Start, 5_000).items.len(), 1_000, "that is the most");
}

#[tokio::test]
async fn what_is_counted_can_be_asked_for() {
    let (house, mut scribe) = House::with(2).await;
    let mut registry = Registry::with_prefix("mangrove");
    house.hub.register(&mut registry);
    let mut subscription = house.subscribe(Since::Start);
    take(&mut subscription, 2, 10).await;
    scribe.write_and_tell(3).await;
    take(&mut subscription, 5, 10).await;
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in ["subscribers 1", "items_from_ring_total 3", "items_from_store_total 2"] {
        assert!(text.contains(&format!("\nmangrove_hub_{line}\n")), "{text}");
    }
}
