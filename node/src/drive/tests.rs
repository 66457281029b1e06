//! What driving a machine promises, whoever drives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, OnFull, Turn, Verdict};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::*;
use crate::error::Unanswered;
use crate::inbox::{self, Capacity, Outlet, Posted, Reply};
use crate::testing::Log;

const SOON: Duration = Duration::from_secs(10);

/// What can happen to a ledger.
#[derive(Debug)]
enum Entry {
    /// Something is to be booked, on this lane; booking takes a while.
    Book(Lane, u32),
    /// It was.
    Booked(u32),
    /// It was not: booking panicked.
    Lost(u32),
    /// Somebody wants to know what was booked.
    Ask(Reply<Vec<u32>>),
    /// Something goes wrong.
    Break(Breakage),
}

#[derive(Debug, Clone, Copy)]
enum Breakage {
    Panic,
    Quarantine,
    Fatal,
}

impl Event for Entry {
    fn label(&self) -> &'static str {
        match self {
            Self::Book(..) => "book",
            Self::Booked(_) => "booked",
            Self::Lost(_) => "lost",
            Self::Ask(_) => "ask",
            Self::Break(_) => "break",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Book(lane, _) => *lane,
            Self::Ask(_) => Lane::Api,
            Self::Break(_) => Lane::Delta,
            Self::Booked(_) | Self::Lost(_) => Lane::Done,
        }
    }

    fn on_full(&self) -> OnFull {
        match self {
            Self::Ask(_) => OnFull::Shed,
            _ => OnFull::Wait,
        }
    }
}

/// A machine that books, elsewhere.
#[derive(Debug, Default)]
struct Ledger {
    /// What happened, in order.
    seen: Vec<String>,
    booked: Vec<u32>,
    every_ms: Option<u64>,
    due_ms: u64,
    woken: u32,
    held: Vec<Reply<Vec<u32>>>,
}

impl Machine for Ledger {
    type Event = Entry;
    type Effect = u32;

    fn on(&mut self, event: Entry, turn: &mut Turn<'_, u32>) -> Verdict {
        self.seen.push(match &event {
            Entry::Book(lane, number) => format!("book {number} on {lane}"),
            Entry::Booked(number) => format!("booked {number}"),
            Entry::Lost(number) => format!("lost {number}"),
            Entry::Ask(_) | Entry::Break(_) => event.label().to_owned(),
        });
        match event {
            Entry::Book(_, number) => turn.want(number),
            Entry::Booked(number) => self.booked.push(number),
            Entry::Lost(_) => {}
            Entry::Ask(reply) if self.booked.is_empty() => self.held.push(reply),
            Entry::Ask(reply) => reply.send(self.booked.clone()),
            Entry::Break(Breakage::Panic) => panic!("planted"),
            Entry::Break(Breakage::Quarantine) => return Verdict::Quarantine("planted".into()),
            Entry::Break(Breakage::Fatal) => {
                turn.want(0);
                return Verdict::Fatal("planted".into());
            }
        }
        Verdict::Go
    }

    fn deadline_ms(&self) -> Option<u64> {
        self.every_ms.map(|_| self.due_ms)
    }

    fn on_deadline(&mut self, turn: &mut Turn<'_, u32>) -> Verdict {
        self.woken += 1;
        self.due_ms = turn.now_ms() + self.every_ms.unwrap_or_default();
        self.seen.push("woken".to_owned());
        Verdict::Go
    }
}

/// Hands that book when they are let, panic at thirteen, and remember what they were asked for.
#[derive(Debug, Clone)]
struct Clerk {
    leave: Arc<Semaphore>,
    asked: Arc<Mutex<Vec<u32>>>,
    /// What was the ancestor of what it did, by its number.
    causes: Arc<Mutex<BTreeMap<u32, Option<crate::EventId>>>>,
}

impl Clerk {
    fn new(leave: usize) -> Self {
        let leave = Arc::new(Semaphore::new(leave));
        Self { leave, asked: Arc::default(), causes: Arc::default() }
    }
}

impl Hands<Ledger> for Clerk {
    fn carry_out(&mut self, number: u32) -> Option<Begun<Entry>> {
        self.asked.lock().push(number);
        let clerk = self.clone();
        let work = async move {
            clerk.leave.acquire().await.unwrap().forget();
            assert_ne!(number, 13, "planted");
            clerk.causes.lock().insert(number, crate::EventId::current());
            Entry::Booked(number)
        };
        Some(Begun::new("booking", work, Entry::Lost(number)))
    }
}

fn config(things: usize) -> Config {
    Config {
        name: "ledger".into(),
        in_flight: things,
        in_flight_bytes: 1_000,
        slow: SOON,
        clock: Clock::system(),
    }
}

fn inbox_of(events: usize) -> (Outlet<Entry>, Inbox<Entry>) {
    let capacity = Capacity { events, bytes: 1_000 };
    inbox::inbox(inbox::Config { name: "ledger".into(), capacity, quiet: 1_000 })
}

fn cranked(clerk: &Clerk, things: usize) -> (Outlet<Entry>, Crank<Ledger, Clerk>) {
    let (outlet, inbox) = inbox_of(1_000);
    let crank = Crank::new((Ledger::default(), clerk.clone()), inbox, config(things), 1_000);
    (outlet, crank)
}

fn book(outlet: &Outlet<Entry>, lane: Lane, number: u32) {
    assert!(matches!(outlet.post(Entry::Book(lane, number)), Posted::Queued));
}

fn driver(machine: Ledger, clerk: &Clerk) -> Driver<Ledger, Clerk> {
    Driver::new(machine, clerk.clone(), config(8), &Metrics::default())
}

#[tokio::test]
async fn an_end_is_served_on_the_lane_of_its_cause_before_what_was_sent_there() {
    let clerk = Clerk::new(0);
    let (outlet, mut crank) = cranked(&clerk, 8);
    book(&outlet, Lane::Gossip, 1);
    assert_eq!(crank.try_crank(), Stepped::Event("book"));
    for number in 2..5 {
        book(&outlet, Lane::Gossip, number);
    }
    // The end of the first is there, and three wait on the same lane.
    clerk.leave.add_permits(1);
    while clerk.causes.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    crank.crank_until(|ledger| ledger.booked == [1], SOON).await.unwrap();
    assert_eq!(crank.machine().seen, ["book 1 on gossip", "booked 1"]);
    let waiting = outlet.view()[Lane::Gossip.index()];
    assert_eq!(
        (waiting.depth, waiting.counts.served),
        (3, 2),
        "it was served on the lane of its cause"
    );
}

#[tokio::test]
async fn what_work_does_is_on_account_of_the_event_that_began_it() {
    let clerk = Clerk::new(10);
    let (outlet, mut crank) = cranked(&clerk, 8);
    book(&outlet, Lane::Api, 7);
    let cause = outlet.dump().waiting().next().unwrap().id;
    crank.crank_until(|ledger| !ledger.booked.is_empty(), SOON).await.unwrap();
    assert_eq!(clerk.causes.lock().get(&7), Some(&Some(cause)));
}

#[tokio::test]
async fn no_more_is_begun_than_may_be_in_flight() {
    let clerk = Clerk::new(0);
    let (outlet, mut crank) = cranked(&clerk, 2);
    for number in 0..6 {
        book(&outlet, Lane::Api, number);
    }
    crank.settle(50, SOON).await.unwrap();
    assert_eq!(*clerk.asked.lock(), [0, 1], "the others wait in the inbox");
    assert_eq!(outlet.view()[Lane::Api.index()].depth, 4);
    clerk.leave.add_permits(1);
    crank.crank_until(|ledger| ledger.booked.len() == 1, SOON).await.unwrap();
    crank.settle(50, SOON).await.unwrap();
    assert_eq!(*clerk.asked.lock(), [0, 1, 2], "one end made room for one");
    clerk.leave.add_permits(5);
    crank.crank_until(|ledger| ledger.booked.len() == 6, SOON).await.unwrap();
}

#[tokio::test]
async fn work_that_panics_ends_as_an_event_and_nothing_else_is_hurt() {
    let log = Log::of(tracing::Level::ERROR);
    let clerk = Clerk::new(10);
    let (outlet, mut crank) = cranked(&clerk, 2);
    for number in [12, 13, 14] {
        book(&outlet, Lane::Api, number);
    }
    let all = |ledger: &Ledger| ledger.seen.len() == 6;
    crank.crank_until(all, SOON).await.unwrap();
    assert_eq!(crank.machine().booked, [12, 14]);
    assert!(crank.machine().seen.contains(&"lost 13".to_owned()));
    assert_eq!(log.lines("work panicked").len(), 1);
}

#[tokio::test]
async fn a_machine_that_panics_ends_and_what_waits_is_served_by_the_next() {
    let (outlet, mut inbox) = inbox_of(10);
    let clerk = Clerk::new(0);
    book(&outlet, Lane::Api, 1);
    assert!(matches!(outlet.post(Entry::Break(Breakage::Panic)), Posted::Queued));
    let held = outlet.ask(Entry::Ask).unwrap();
    let ended = driver(Ledger::default(), &clerk).run(&mut inbox, Stop::new()).await;
    assert_eq!(ended, Ended::Panicked("planted".into()));
    assert_eq!(held.await, Err(Unanswered::Dropped), "what it held is told so");

    book(&outlet, Lane::Delta, 2);
    clerk.leave.add_permits(10);
    let asked = outlet.ask(Entry::Ask).unwrap();
    let stop = Stop::new();
    stop.tell();
    let mut next = Ledger::default();
    next.booked.push(0);
    let ended = driver(next, &clerk).run(&mut inbox, stop).await;
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(asked.await, Ok(vec![0]), "what waited is served");
    assert_eq!(*clerk.asked.lock(), [1, 2]);
}

#[tokio::test]
async fn while_work_needs_the_clock_to_go_on_a_crank_lets_time_pass() {
    let (outlet, inbox) = inbox_of(10);
    // The next deadline is always near, and never lets the clock stand.
    let ledger = Ledger { every_ms: Some(3), due_ms: 1_003, ..Ledger::default() };
    let clerk = Clerk::new(0);
    let mut crank = Crank::new((ledger, clerk), inbox, config(8), 1_000);
    book(&outlet, Lane::Api, 1);
    let passed = crank.crank_until(|ledger| ledger.woken >= 100, SOON).await;
    assert_eq!(passed, Ok(()));
    assert!(crank.now_ms() > 1_100);
}

#[tokio::test]
async fn what_a_machine_began_is_no_business_of_the_next() {
    let (outlet, mut inbox) = inbox_of(10);
    let clerk = Clerk::new(10);
    book(&outlet, Lane::Api, 1);
    let mut first = driver(Ledger::default(), &clerk);
    let stop = Stop::new();
    assert_eq!(first.step(&mut inbox, &stop), Stepped::Event("book"));
    tokio::task::yield_now().await;
    assert_eq!(first.step(&mut inbox, &stop), Stepped::Landed);
    drop(first);
    stop.tell();
    let asked = outlet.ask(Entry::Ask);
    let ended = driver(Ledger::default(), &clerk).run(&mut inbox, stop).await;
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(asked.unwrap().await, Err(Unanswered::Dropped), "nothing is booked in it");
}

#[tokio::test]
async fn a_verdict_ends_the_loop_and_after_a_fatal_one_nothing_is_done() {
    let check = async |breakage, expect| {
        let (outlet, mut inbox) = inbox_of(10);
        let clerk = Clerk::new(10);
        assert!(matches!(outlet.post(Entry::Break(breakage)), Posted::Queued));
        let ended = driver(Ledger::default(), &clerk).run(&mut inbox, Stop::new()).await;
        assert_eq!(ended, expect);
        assert_eq!(*clerk.asked.lock(), [0; 0]);
    };
    check(Breakage::Quarantine, Ended::Quarantined("planted".into())).await;
    check(Breakage::Fatal, Ended::Fatal("planted".into())).await;
}

#[tokio::test]
async fn who_is_told_to_stop_between_looking_and_waiting_hears_of_it() {
    let (_outlet, mut inbox) = inbox_of(10);
    let mut driver = driver(Ledger::default(), &Clerk::new(0));
    let stop = Stop::new();
    assert_eq!(driver.step(&mut inbox, &stop), Stepped::Nothing);
    stop.tell();
    timeout(SOON, driver.wait(&mut inbox, &stop)).await.unwrap();
    assert_eq!(driver.step(&mut inbox, &stop), Stepped::Ended(Ended::Stopped));
}

#[tokio::test]
async fn whose_inbox_is_sealed_between_looking_and_waiting_hears_of_it() {
    let (outlet, mut inbox) = inbox_of(10);
    let mut driver = driver(Ledger::default(), &Clerk::new(0));
    let stop = Stop::new();
    assert_eq!(driver.step(&mut inbox, &stop), Stepped::Nothing);
    outlet.seal();
    timeout(SOON, driver.wait(&mut inbox, &stop)).await.unwrap();
    assert_eq!(driver.step(&mut inbox, &stop), Stepped::Ended(Ended::Stopped));
}

#[tokio::test]
async fn who_is_told_to_stop_serves_what_it_took_and_awaits_what_it_began() {
    let (outlet, mut inbox) = inbox_of(100);
    // The last eight are in hand, and nothing waits any more.
    let clerk = Clerk::new(42);
    for number in 101..=150 {
        book(&outlet, Lane::Api, number);
    }
    let stop = Stop::new();
    stop.tell();
    let mut driver = driver(Ledger::default(), &clerk);
    let run = async {
        for _ in 0..1_000 {
            assert_ne!(driver.step(&mut inbox, &stop), Stepped::Ended(Ended::Stopped));
            tokio::task::yield_now().await;
        }
        assert_eq!(driver.machine().booked.len(), 42);
        clerk.leave.add_permits(8);
        while driver.step(&mut inbox, &stop) != Stepped::Ended(Ended::Stopped) {
            tokio::task::yield_now().await;
        }
        driver.machine().booked.len()
    };
    assert_eq!(run.await, 50);
    assert!(matches!(outlet.post(Entry::Book(Lane::Api, 51)), Posted::Sealed(_)));
}

#[tokio::test]
async fn who_is_forced_to_stop_drops_what_it_has_and_says_so() {
    let log = Log::of(tracing::Level::WARN);
    let (outlet, mut inbox) = inbox_of(100);
    let clerk = Clerk::new(0);
    for number in 1..=20 {
        book(&outlet, Lane::Api, number);
    }
    let asked = outlet.ask(Entry::Ask).unwrap();
    let stop = Stop::new();
    let running = driver(Ledger::default(), &clerk).run(&mut inbox, stop.clone());
    let forcing = async {
        stop.tell();
        tokio::task::yield_now().await;
        stop.force();
    };
    let (ended, ()) = tokio::join!(running, forcing);
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(asked.await, Err(Unanswered::Stopping));
    assert!(inbox.is_spent());
    assert_eq!(log.lines("dropped what was in hand").len(), 1);
}

#[tokio::test]
async fn a_deadline_is_kept_under_load_and_keeps_no_event_from_its_turn() {
    let clerk = Clerk::new(1_000);
    let (outlet, inbox) = inbox_of(1_000);
    let ledger = Ledger { every_ms: Some(0), ..Ledger::default() };
    let mut crank = Crank::new((ledger, clerk), inbox, config(8), 1_000);
    for _ in 0..100 {
        assert!(outlet.ask(Entry::Ask).is_ok());
    }
    // It is always due: then it is woken once between any two events.
    for _ in 0..10 {
        assert_eq!(crank.try_crank(), Stepped::Deadline);
        assert_eq!(crank.try_crank(), Stepped::Event("ask"));
    }
}

#[tokio::test]
async fn an_event_that_takes_long_is_said_by_its_name() {
    let log = Log::of(tracing::Level::WARN);
    let (outlet, inbox) = inbox_of(10);
    let slow = Config { slow: Duration::ZERO, ..config(8) };
    let mut crank = Crank::new((Ledger::default(), Clerk::new(10)), inbox, slow, 0);
    book(&outlet, Lane::Sync, 1);
    assert_eq!(crank.step(SOON).await, Ok("book"));
    let line = log.lines("an event took long to handle").remove(0);
    for part in ["label=\"book\"", "lane=\"sync\"", "took_ms=", "ev="] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[tokio::test]
async fn a_crank_does_one_thing_at_a_time_and_says_what_stopped_it() {
    let clerk = Clerk::new(10);
    let (outlet, mut crank) = cranked(&clerk, 8);
    assert_eq!(crank.try_crank(), Stepped::Nothing);
    assert_eq!(crank.step(Duration::from_millis(1)).await, Err(NotReached::TimedOut));
    book(&outlet, Lane::Api, 1);
    book(&outlet, Lane::Api, 2);
    assert_eq!(crank.step(SOON).await, Ok("book"));
    assert_eq!(crank.machine().seen, ["book 1 on api"]);
    let never = crank.crank_until(|ledger| ledger.booked.len() > 2, Duration::from_millis(50));
    assert_eq!(never.await, Err(NotReached::TimedOut));
    crank.stop().tell();
    let ended = crank.crank_until(|_| false, SOON).await;
    assert_eq!(ended, Err(NotReached::Ended(Ended::Stopped)));
    assert_eq!(crank.try_crank(), Stepped::Ended(Ended::Stopped));
}

#[tokio::test]
async fn while_nothing_happens_the_clock_of_a_crank_goes_on() {
    let (_outlet, inbox) = inbox_of(10);
    let ledger = Ledger { every_ms: Some(60_000), due_ms: 61_000, ..Ledger::default() };
    let mut crank = Crank::new((ledger, Clerk::new(0)), inbox, config(8), 1_000);
    crank.crank_until(|ledger| ledger.woken == 3, SOON).await.unwrap();
    assert!((181_000..181_100).contains(&crank.now_ms()), "{}", crank.now_ms());
    let before = crank.now_ms();
    crank.settle(1_000, SOON).await.unwrap();
    assert!((before + 1_000..before + 1_100).contains(&crank.now_ms()));
}
