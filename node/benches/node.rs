//! What an event costs: in a bare bounded channel, in an inbox, and with a machine that is driven.
//!
//! All in one run, medians of eleven rounds of 200,000 events each. Run it in release: `cargo bench -p mangrove-node`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench reports to whoever runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mangrove_node::Stop;
use mangrove_node::drive::{self, Begun, Clock, Driver, Ended};
use mangrove_node::inbox::{self, Capacity, Gate, Inbox, Outlet, Posted};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Machine, OnFull, Turn, Verdict};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

const EVENTS: u64 = 200_000;
const ROUNDS: usize = 11;
const ROOM: usize = 1_024;

/// About as large as what actors are told.
struct Told(u64, [u64; 15]);

impl Event for Told {
    fn label(&self) -> &'static str {
        "told"
    }

    fn lane(&self) -> Lane {
        match self.0 % 4 {
            0 => Lane::Api,
            1 => Lane::Gossip,
            _ => Lane::Delta,
        }
    }

    fn on_full(&self) -> OnFull {
        OnFull::Wait
    }

    fn bytes(&self) -> u64 {
        128
    }
}

fn told(number: u64) -> Told {
    Told(number, [number; 15])
}

struct Sum(u64);

impl Machine for Sum {
    type Event = Told;
    type Effect = ();

    fn on(&mut self, event: Told, _turn: &mut Turn<'_, ()>) -> Verdict {
        self.0 = self.0.wrapping_add(event.0 ^ event.1[7]);
        Verdict::Go
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn made() -> (Outlet<Told>, Inbox<Told>) {
    let capacity = Capacity { events: ROOM, bytes: u64::MAX };
    inbox::inbox(inbox::Config { name: "bench".into(), capacity, quiet: usize::MAX / 16 })
}

fn configured() -> drive::Config {
    drive::Config {
        name: "bench".into(),
        in_flight: 64,
        in_flight_bytes: u64::MAX,
        slow: Duration::from_secs(1),
        clock: Clock::system(),
    }
}

/// Sends from another thread, as actors do, while this one receives.
fn across<F: Future<Output = ()>>(
    send: impl AsyncFnOnce() + Send + 'static,
    receive: impl FnOnce() -> F,
) -> Duration {
    let begun = Instant::now();
    let thread = std::thread::Builder::new();
    let sender = thread.spawn(move || runtime().block_on(send())).unwrap();
    runtime().block_on(receive());
    sender.join().unwrap();
    begun.elapsed()
}

fn channel_across() -> Duration {
    let (send, mut receive) = mpsc::channel(ROOM);
    let sending = async move || {
        for number in 0..EVENTS {
            send.send(told(number)).await.ok().unwrap();
        }
    };
    across(sending, async move || {
        while let Some(event) = receive.recv().await {
            black_box(event.1);
        }
    })
}

fn inbox_across() -> Duration {
    let (outlet, mut inbox) = made();
    let sending = async move || {
        for number in 0..EVENTS {
            outlet.send(told(number)).await.ok().unwrap();
        }
        outlet.seal();
    };
    across(sending, async move || {
        while let Some(entry) = inbox.next(Gate::Open).await {
            black_box(entry.event.1);
        }
    })
}

fn driver_across() -> Duration {
    let (outlet, mut inbox) = made();
    let sending = async move || {
        for number in 0..EVENTS {
            outlet.send(told(number)).await.ok().unwrap();
        }
        outlet.seal();
    };
    across(sending, async move || {
        let hands: fn(()) -> Option<Begun<Told>> = |()| None;
        let metrics = drive::Metrics::default();
        let driver = Driver::new(Sum(0), hands, configured(), &metrics);
        assert_eq!(driver.run(&mut inbox, Stop::new()).await, Ended::Stopped);
    })
}

/// Sends and receives in turn on one thread: what an event costs when nobody waits for anybody.
fn channel_alone() -> Duration {
    let (send, mut receive) = mpsc::channel(ROOM);
    let begun = Instant::now();
    for number in 0..EVENTS {
        send.try_send(told(number)).ok().unwrap();
        black_box(receive.try_recv().unwrap().1);
    }
    begun.elapsed()
}

fn inbox_alone() -> Duration {
    let (outlet, mut inbox) = made();
    let begun = Instant::now();
    for number in 0..EVENTS {
        assert!(matches!(outlet.post(told(number)), Posted::Queued));
        black_box(inbox.try_next(Gate::Open).unwrap().event.1);
    }
    begun.elapsed()
}

fn driver_alone() -> Duration {
    let (outlet, mut inbox) = made();
    let hands: fn(()) -> Option<Begun<Told>> = |()| None;
    let mut driver = Driver::new(Sum(0), hands, configured(), &drive::Metrics::default());
    let stop = Stop::new();
    runtime().block_on(async {
        let begun = Instant::now();
        for number in 0..EVENTS {
            assert!(matches!(outlet.post(told(number)), Posted::Queued));
            black_box(driver.step(&mut inbox, &stop));
        }
        begun.elapsed()
    })
}

fn nanos(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9 / EVENTS as f64
}

type Round = fn() -> Duration;

fn main() {
    let kinds: [(&str, [Round; 3]); 2] = [
        ("on one thread", [channel_alone, inbox_alone, driver_alone]),
        ("between two threads", [channel_across, inbox_across, driver_across]),
    ];
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>22}",
        "ns an event", "channel", "inbox", "driver", "inbox over channel"
    );
    for (name, runs) in kinds {
        let mut rounds = [(); 3].map(|()| Vec::new());
        for _ in 0..ROUNDS {
            for (run, took) in runs.iter().zip(&mut rounds) {
                took.push(nanos(run()));
            }
        }
        let [channel, inbox, driver] = rounds.map(|mut took| {
            took.sort_by(f64::total_cmp);
            took.get(ROUNDS / 2).copied().unwrap_or_default()
        });
        println!(
            "{name:<22} {channel:>9.0} {inbox:>9.0} {driver:>9.0} {:>19.0} ns",
            inbox - channel
        );
    }
}
