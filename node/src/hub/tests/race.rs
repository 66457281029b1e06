//! Threads that tell and listen at the same time.

use std::thread;

use tokio::runtime::Runtime;

use super::*;

const ITEMS: u64 = 20_000;
const SUBSCRIBERS: u64 = 8;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Numbers that look like chance and come again with the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    async fn pause(&mut self, most_ms: u64) {
        match self.below(most_ms + 1) {
            0 => {}
            ms => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
    }
}

async fn write_all(mut scribe: Scribe, mut dice: Dice) {
    while scribe.next < ITEMS {
        let count = 1 + dice.below(60);
        scribe.write_and_tell(count.min(ITEMS - scribe.next)).await;
        dice.pause(4).await;
    }
}

/// Listens for a while, goes, comes back with its cursor, now slow and now quick, and now and then does not wait for
/// what it has asked for.
async fn come_and_go(hub: Hub, mut cursor: Cursor, mut dice: Dice, slowness_ms: u64) {
    while cursor.next < ITEMS {
        let mut subscription = hub.subscribe(context(1), Since::After(cursor)).unwrap();
        for _ in 0..dice.below(40) {
            if cursor.next == ITEMS {
                break;
            }
            dice.pause(slowness_ms).await;
            let limit = usize::try_from(1 + dice.below(300)).unwrap();
            let delivery = match dice.below(4) {
                0 => at_once(&mut subscription, limit).map(Result::unwrap),
                _ => Some(next(&mut subscription, limit).await),
            };
            if let Some(delivery) = delivery {
                check(&delivery, &mut cursor, limit);
            }
            assert_eq!(subscription.cursor(), cursor);
        }
    }
}

fn check(delivery: &Delivery, cursor: &mut Cursor, limit: usize) {
    assert_eq!(delivery.gap, None);
    assert!((1..=limit).contains(&delivery.items.len()));
    for (position, told) in &delivery.items {
        assert_eq!((*position, &**told), (cursor.next, &item(cursor.next)));
        cursor.next += 1;
    }
    assert_eq!(delivery.cursor, *cursor);
}

#[test]
fn who_comes_and_goes_while_things_are_told_sees_each_of_them_once() {
    let (house, scribe) = runtime().block_on(House::with(1));
    let first = house.cursor(0);
    thread::scope(|scope| {
        for seed in 1..=SUBSCRIBERS {
            let hub = house.hub.clone();
            // The last one is so slow that the ring is always ahead of it.
            let slowness_ms = if seed == SUBSCRIBERS { 40 } else { seed };
            let listen = come_and_go(hub, first, Dice(seed << 20), slowness_ms);
            let listen = move || runtime().block_on(listen);
            thread::Builder::new().spawn_scoped(scope, listen).unwrap();
        }
        let write = move || runtime().block_on(write_all(scribe, Dice(7)));
        thread::Builder::new().spawn_scoped(scope, write).unwrap();
    });
    let (from_ring, from_store) = house.served();
    assert_eq!(from_ring + from_store, SUBSCRIBERS * ITEMS);
    assert!(from_ring > ITEMS / 10 && from_store > ITEMS / 10, "{from_ring}, {from_store}");
    assert_eq!((house.rings(), house.hub.0.metrics.subscribers.get()), (0, 0));
}

/// Nothing else is told after it: who misses it waits for ever.
#[test]
fn what_is_told_while_somebody_subscribes_is_heard() {
    const ROUNDS: u64 = 2_000;
    let (house, mut scribe) = runtime().block_on(House::with(1));
    let (go, gone) = sync_channel(0);
    let write = move || {
        let runtime = runtime();
        while gone.recv().is_ok() {
            runtime.block_on(scribe.write_and_tell(1));
        }
    };
    let writer = thread::Builder::new().spawn(write).unwrap();
    runtime().block_on(async {
        let mut cursor = house.cursor(1);
        let mut dice = Dice(5);
        for _ in 0..ROUNDS {
            go.send(()).unwrap();
            // A commit takes about as long.
            for _ in 0..dice.below(4_000) {
                std::hint::spin_loop();
            }
            let mut subscription = house.subscribe(Since::After(cursor));
            check(&next(&mut subscription, 10).await, &mut cursor, 10);
        }
    });
    drop(go);
    writer.join().unwrap();
}

/// A ring is taken away when nobody has a seat at it, and never when somebody has.
#[test]
fn who_comes_while_others_leave_is_told() {
    const ROUNDS: u64 = 3_000;
    let (house, mut scribe) = runtime().block_on(House::with(1));
    let is_over = AtomicBool::new(false);
    let come_and_go = || {
        while !is_over.load(Ordering::Acquire) {
            drop(house.subscribe(Since::Now));
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            thread::Builder::new().spawn_scoped(scope, come_and_go).unwrap();
        }
        let _over = Over(&is_over);
        runtime().block_on(async {
            for round in 1..=ROUNDS {
                let mut subscription = house.subscribe(Since::Now);
                scribe.write_and_tell(1).await;
                take(&mut subscription, round + 1, 10).await;
            }
        });
    });
    assert_eq!((house.rings(), house.hub.0.metrics.subscribers.get()), (0, 0));
}

/// Says that it is over when it is dropped, also by a panic: nobody goes on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
