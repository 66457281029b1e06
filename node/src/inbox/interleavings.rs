//! The same inbox under a scheduler that tries orders in which threads can meet: nothing is lost, nobody waits
//! for ever, whoever comes first. A lost wake-up shows as a deadlock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Key, OnFull};
use shuttle::future::{block_on, spawn};

use entry::{Entry, Posted};
use queue::{Capacity, Gate};
use shared::Shared;

/// The lock, as the scheduler knows it.
mod lock {
    #[derive(Debug)]
    pub(super) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

#[path = "entry.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "the product uses all of it, elsewhere"
)]
mod entry;
#[path = "queue.rs"]
#[expect(unreachable_pub, clippy::duplicate_mod, reason = "the product uses all of it, elsewhere")]
mod queue;
#[path = "shared.rs"]
#[expect(dead_code, clippy::duplicate_mod, reason = "the product uses all of it, elsewhere")]
mod shared;
#[path = "state.rs"]
#[expect(clippy::duplicate_mod, reason = "the product uses all of it, elsewhere")]
mod state;

/// Waits, or in the gossip lane coalesces.
#[derive(Debug)]
struct Note(Lane, u32);

impl Event for Note {
    fn label(&self) -> &'static str {
        "note"
    }

    fn lane(&self) -> Lane {
        self.0
    }

    fn on_full(&self) -> OnFull {
        match self.0 {
            Lane::Gossip => OnFull::Coalesce(Key::of(self)),
            _ => OnFull::Wait,
        }
    }
}

fn inbox(events: usize) -> Arc<Shared<Note>> {
    Arc::new(Shared::new(Capacity { events, bytes: 100 }, usize::MAX / 16))
}

fn entry(lane: Lane, number: u32) -> Entry<Note> {
    Entry::new(Note(lane, number))
}

/// The next event, as the inbox's owner waits for it.
async fn next(shared: &Shared<Note>) -> Option<Note> {
    loop {
        std::future::poll_fn(|cx| shared.poll_ready(cx, Gate::Open)).await;
        let next = shared.try_next(Gate::Open);
        if next.is_some() || shared.is_spent() {
            return next.map(|entry| entry.event);
        }
    }
}

/// Random orders, and those that reach deep with few changes of thread.
fn explore(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(scenario.clone(), 2_000);
    shuttle::check_pct(scenario, 2_000, 3);
}

async fn send_three(shared: &Arc<Shared<Note>>, sender: u32) {
    let lane = if sender == 0 { Lane::Api } else { Lane::Delta };
    for number in 0..3 {
        shared.send(entry(lane, sender * 10 + number)).await.unwrap();
    }
}

#[test]
fn what_several_send_is_served_once_each_in_the_order_of_each() {
    explore(|| {
        let shared = inbox(1);
        for sender in 0..3 {
            let shared = Arc::clone(&shared);
            shuttle::thread::spawn(move || block_on(send_three(&shared, sender)));
        }
        let served = block_on(async {
            let mut served = Vec::new();
            while served.len() < 9 {
                served.push(next(&shared).await.unwrap().1);
            }
            served
        });
        for sender in 0..3 {
            let of_sender = served.iter().copied().filter(|number| number / 10 == sender);
            assert_eq!(
                of_sender.collect::<Vec<_>>(),
                [sender * 10, sender * 10 + 1, sender * 10 + 2]
            );
        }
    });
}

#[test]
fn sealing_wakes_everybody_and_what_was_taken_is_served() {
    explore(|| {
        let shared = inbox(1);
        let taken = Arc::new(AtomicU32::new(0));
        let senders = (0..3).map(|number| {
            let (shared, taken) = (Arc::clone(&shared), Arc::clone(&taken));
            shuttle::thread::spawn(move || {
                let sent = block_on(shared.send(entry(Lane::Api, number)));
                taken.fetch_add(u32::from(sent.is_ok()), Ordering::Relaxed);
            })
        });
        let senders = senders.collect::<Vec<_>>();
        let sealing = Arc::clone(&shared);
        let sealer = shuttle::thread::spawn(move || sealing.seal());
        let served = block_on(async {
            let mut served = 0;
            while next(&shared).await.is_some() {
                served += 1;
            }
            served
        });
        sealer.join().unwrap();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(served, taken.load(Ordering::Relaxed));
    });
}

#[test]
fn a_sender_that_gives_up_keeps_nobody_waiting() {
    explore(|| {
        let shared = inbox(1);
        assert!(matches!(shared.post(entry(Lane::Api, 0)).0, Posted::Queued));
        let giving_up = Arc::clone(&shared);
        let quitter = shuttle::thread::spawn(move || {
            let sending = giving_up.send(entry(Lane::Api, 1));
            block_on(async {
                let task = spawn(sending);
                shuttle::future::yield_now().await;
                task.abort();
                drop(task.await);
            });
        });
        let staying = Arc::clone(&shared);
        let stayer = shuttle::thread::spawn(move || {
            block_on(staying.send(entry(Lane::Api, 2))).unwrap();
        });
        let served = block_on(async {
            let mut served = Vec::new();
            while served.last() != Some(&2) {
                served.push(next(&shared).await.unwrap().1);
            }
            served
        });
        assert_eq!(served.first(), Some(&0));
        quitter.join().unwrap();
        stayer.join().unwrap();
    });
}

#[test]
fn the_latest_is_served_last_whoever_meets_whom() {
    explore(|| {
        let shared = inbox(1);
        let posting = Arc::clone(&shared);
        let poster = shuttle::thread::spawn(move || {
            for number in 1..=4 {
                let posted = posting.post(entry(Lane::Gossip, number)).0;
                assert!(
                    matches!(posted, Posted::Queued | Posted::Coalesced),
                    "there is only one key"
                );
            }
            posting.seal();
        });
        let served = block_on(async {
            let mut served = Vec::new();
            while let Some(Note(_, number)) = next(&shared).await {
                served.push(number);
            }
            served
        });
        assert!(served.is_sorted() && served.last() == Some(&4), "{served:?}");
        poster.join().unwrap();
    });
}

#[test]
fn through_a_closed_gate_what_has_ended_comes_while_others_wait() {
    explore(|| {
        let shared = inbox(1);
        assert!(matches!(shared.post(entry(Lane::Api, 0)).0, Posted::Queued));
        let sending = Arc::clone(&shared);
        let sender = shuttle::thread::spawn(move || {
            block_on(sending.send(entry(Lane::Control, 1))).unwrap();
        });
        shared.bring_back(entry(Lane::Api, 2));
        let served = block_on(async {
            let mut served = Vec::new();
            while served.len() < 2 {
                std::future::poll_fn(|cx| shared.poll_ready(cx, Gate::Closed)).await;
                served.extend(shared.try_next(Gate::Closed).map(|entry| entry.event.1));
            }
            served
        });
        assert!(!served.contains(&0), "{served:?}");
        assert_eq!(shared.try_next(Gate::Open).map(|entry| entry.event.1), Some(0));
        sender.join().unwrap();
    });
}
