//! What the warden promises to the node, and to whoever stops it.

use std::sync::atomic::{AtomicU32, Ordering};

use actix::{Arbiter, System};
use mangrove_config::failpoint;
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Event, Machine, OnFull, Turn, Verdict};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::*;
use crate::Arbiters;
use crate::drive::{self, Begun, Clock};
use crate::inbox::{self, Capacity, Outlet, Posted, Reply};
use crate::testing::Log;

const SOON: Duration = Duration::from_secs(20);
const DRAIN: Duration = Duration::from_secs(5);

/// Signals that a test sends.
struct Given(mpsc::Receiver<Signal>);

impl Signals for Given {
    async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// Runs a scenario where actors can live: a warden to be filled, and a way to send signals.
fn scenario<T, F: Future<Output = T>>(
    drain: Duration,
    play: impl FnOnce(Warden, mpsc::Sender<Signal>, Given) -> F,
) -> T {
    System::new().block_on(async {
        let warden = Warden::new(drain, &mut Registry::default());
        let (send, signals) = mpsc::channel(8);
        timeout(SOON, play(warden, send, Given(signals))).await.unwrap()
    })
}

/// What a counter can be told.
enum Tell {
    Count,
    Ask(Reply<u32>),
    Panic,
    Quarantine,
    Fatal,
}

impl Event for Tell {
    fn label(&self) -> &'static str {
        "tell"
    }

    fn lane(&self) -> Lane {
        Lane::Api
    }

    fn on_full(&self) -> OnFull {
        OnFull::Wait
    }
}

struct Counter(u32);

impl Machine for Counter {
    type Event = Tell;
    type Effect = ();

    fn on(&mut self, event: Tell, _turn: &mut Turn<'_, ()>) -> Verdict {
        match event {
            Tell::Count => self.0 += 1,
            Tell::Ask(reply) => reply.send(self.0),
            Tell::Panic => panic!("planted"),
            Tell::Quarantine => return Verdict::Quarantine("planted".into()),
            Tell::Fatal => return Verdict::Fatal("planted".into()),
        }
        Verdict::Go
    }
}

fn no_hands(_: ()) -> Option<Begun<Tell>> {
    None
}

/// A counter on an arbiter of its own that begins at ten each time, and how often it was made.
fn counter(name: &str) -> (Outlet<Tell>, Actor, Arc<AtomicU32>) {
    let capacity = Capacity { events: 100, bytes: 100 };
    let (outlet, inbox) = inbox::inbox(inbox::Config { name: name.into(), capacity, quiet: 1_000 });
    let config = drive::Config {
        name: name.into(),
        in_flight: 8,
        in_flight_bytes: 8,
        slow: SOON,
        clock: Clock::system(),
    };
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let make = move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok((Counter(10), no_hands as fn(()) -> Option<Begun<Tell>>)) }
    };
    let arbiter = Arbiter::new().handle();
    let actor = Actor::driven(arbiter, inbox, (config, drive::Metrics::default()), make);
    (outlet, actor, made)
}

async fn ask(outlet: &Outlet<Tell>) -> u32 {
    outlet.ask(Tell::Ask).unwrap().await.unwrap()
}

fn tell(outlet: &Outlet<Tell>, event: Tell) {
    assert!(matches!(outlet.post(event), Posted::Queued));
}

#[test]
fn an_actor_that_panics_is_made_anew_and_serves_what_waited() {
    let (outlets, exit) = scenario(DRAIN, async |mut warden, send, signals| {
        let (outlet, actor, made) = counter("a");
        let (other, bystander, _) = counter("b");
        warden.begin("actors", 1, [actor, bystander]);
        let standing = warden.standing();
        let play = async {
            tell(&other, Tell::Count);
            tell(&outlet, Tell::Count);
            assert_eq!(ask(&outlet).await, 11);
            tell(&outlet, Tell::Panic);
            tell(&outlet, Tell::Count);
            assert_eq!(ask(&outlet).await, 11, "one count since it was made anew");
            assert_eq!(made.load(Ordering::Relaxed), 2);
            assert_eq!(ask(&other).await, 11, "nobody else was touched");
            send.send(Signal::Terminate).await.unwrap();
        };
        let (exit, ()) = tokio::join!(warden.run(signals), play);
        let restarts = standing.actors().into_iter().map(|actor| actor.restarts);
        (restarts.collect::<Vec<_>>(), exit)
    });
    assert_eq!(outlets, [1, 0]);
    assert_eq!(exit, Exit::Signal(Signal::Terminate));
}

#[test]
fn an_actor_that_panics_too_often_ends_the_node() {
    let exit = scenario(DRAIN, async |mut warden, _send, signals| {
        let (outlet, actor, made) = counter("a");
        warden.begin("actors", 1, [actor]);
        for _ in 0..10 {
            tell(&outlet, Tell::Panic);
        }
        let exit = warden.run(signals).await;
        assert_eq!(made.load(Ordering::Relaxed), 4);
        exit
    });
    let Exit::Fatal(why) = &exit else { panic!("{exit:?}") };
    assert_eq!(why, "a: it panicked 4 times in 60 s, at last: planted");
    assert_eq!(exit.code(), 101);
}

#[test]
fn a_verdict_reaches_as_far_as_it_says_and_no_further() {
    let (conditions, exit) = scenario(DRAIN, async |mut warden, send, signals| {
        let (outlet, actor, made) = counter("a");
        let (other, bystander, _) = counter("b");
        warden.begin("actors", 1, [actor, bystander]);
        let standing = warden.standing();
        tell(&outlet, Tell::Quarantine);
        let play = async {
            while standing.actors()[0].condition == Condition::Running {
                tokio::task::yield_now().await;
            }
            assert_eq!(ask(&other).await, 10);
            let quarantined = standing.actors()[0].condition.clone();
            tell(&other, Tell::Fatal);
            quarantined
        };
        let (exit, quarantined) = tokio::join!(warden.run(signals), play);
        assert_eq!(made.load(Ordering::Relaxed), 1, "it is not begun again");
        drop(send);
        (quarantined, exit)
    });
    assert_eq!(conditions, Condition::Quarantined("planted".into()));
    assert_eq!(exit, Exit::Fatal("b: planted".into()));
}

#[test]
fn a_panic_of_a_loop_itself_is_contained_as_well() {
    let exit = scenario(DRAIN, async |mut warden, send, signals| {
        let begun = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&begun);
        let actor = Actor::new("loop", Arbiter::new().handle(), move |stop| {
            let life = count.fetch_add(1, Ordering::Relaxed);
            assert_ne!(life, 0, "planted: it does not even begin");
            Box::pin(async move {
                tokio::task::yield_now().await;
                assert_ne!(life, 1, "planted: it falls while it runs");
                stop.told().await;
                Ended::Stopped
            })
        });
        warden.begin("actors", 1, [actor]);
        let play = async {
            while begun.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            send.send(Signal::Interrupt).await.unwrap();
        };
        tokio::join!(warden.run(signals), play).0
    });
    assert_eq!(exit.code(), 130);
}

#[test]
fn what_the_node_cannot_do_without_ends_it_by_ending() {
    let check = |begin: fn(Stop) -> Loop, expect: &str| {
        let exit = scenario(DRAIN, async |mut warden, _send, signals| {
            let vital = Actor::once("vital", Arbiter::new().handle(), begin);
            warden.begin("vital", 1, [vital]);
            warden.run(signals).await
        });
        assert_eq!(exit, Exit::Fatal(expect.to_owned().into()));
    };
    check(|_| Box::pin(async { Ended::Stopped }), "vital: it ended by itself");
    check(|_| Box::pin(async { panic!("planted") }), "vital: it panicked: planted");
}

/// Stages that note how they were stopped.
fn noted(warden: &mut Warden, names: &[&'static str]) -> Arc<Mutex<Vec<(&'static str, Manner)>>> {
    let notes = Arc::new(Mutex::new(Vec::new()));
    for &name in names {
        let notes = Arc::clone(&notes);
        warden.on_stop(name, 1, move |manner| {
            notes.lock().push((name, manner));
            async { Ok(()) }
        });
    }
    notes
}

#[test]
fn stages_are_stopped_in_the_opposite_order() {
    let (notes, exit) = scenario(DRAIN, async |mut warden, _send, signals| {
        let notes = noted(&mut warden, &["store", "network", "api"]);
        warden.standing().stop();
        (notes, warden.run(signals).await)
    });
    let order = ["api", "network", "store"].map(|name| (name, Manner::Drain));
    assert_eq!(*notes.lock(), order);
    assert_eq!(exit, Exit::Done);
}

#[test]
fn when_the_node_must_not_go_on_nothing_is_finished_any_more() {
    let (notes, exit) = scenario(DRAIN, async |mut warden, _send, signals| {
        let notes = noted(&mut warden, &["store"]);
        let forced = Arc::clone(&notes);
        let actor = Actor::new("patient", Arbiter::new().handle(), move |stop| {
            let forced = Arc::clone(&forced);
            Box::pin(async move {
                stop.told().await;
                let manner = if stop.is_forced() { Manner::Cut } else { Manner::Drain };
                forced.lock().push(("actor", manner));
                Ended::Stopped
            })
        });
        warden.begin("actors", 1, [actor]);
        warden.alarm(std::future::pending());
        warden.alarm(async { "the store has failed".into() });
        (notes, warden.run(signals).await)
    });
    assert_eq!(*notes.lock(), [("actor", Manner::Cut), ("store", Manner::Cut)]);
    assert_eq!(exit, Exit::Fatal("the store has failed".into()));
}

#[test]
fn a_stuck_stage_is_forced_on_after_its_share_of_the_time_and_that_is_said() {
    let log = Log::of(tracing::Level::ERROR);
    failpoint::global().set_all("node.stop_hangs,sub:network=true").unwrap();
    let began = Instant::now();
    let (notes, exit) = scenario(Duration::from_millis(800), async |mut warden, send, signals| {
        let notes = noted(&mut warden, &["store", "network", "disk", "api"]);
        send.send(Signal::Terminate).await.unwrap();
        (notes, warden.run(signals).await)
    });
    failpoint::global().set_all("node.stop_hangs,sub:network").unwrap();
    let took = began.elapsed();
    let stopped = notes.lock().clone();
    let (drain, cut) = (Manner::Drain, Manner::Cut);
    let expect = [("api", drain), ("disk", drain), ("network", cut)];
    assert_eq!(stopped, [&expect[..], &[("store", drain)]].concat());
    assert_eq!(exit.code(), 143, "how it was asked to stop stands");
    assert!((Duration::from_millis(600)..DRAIN).contains(&took), "three of four shares: {took:?}");
    let said = log.lines("did not stop in time");
    assert!(said.len() == 1 && said[0].contains("stage=\"network\""), "{said:?}");
}

#[test]
fn an_actor_that_does_not_listen_is_left_behind() {
    let log = Log::of(tracing::Level::ERROR);
    let exit = scenario(Duration::from_millis(300), async |mut warden, send, signals| {
        let deaf =
            Actor::new("deaf", Arbiter::new().handle(), |_| Box::pin(std::future::pending()));
        warden.begin("actors", 1, [deaf]);
        send.send(Signal::Quit).await.unwrap();
        warden.run(signals).await
    });
    assert_eq!(exit.code(), 131);
    let said = log.lines("is stuck, and left behind");
    assert!(said.len() == 1 && said[0].contains("deaf"), "{said:?}");
}

#[test]
fn who_asks_again_is_not_kept_waiting() {
    let (cut, took) = scenario(Duration::from_secs(600), async |mut warden, send, signals| {
        let notes = noted(&mut warden, &["store"]);
        warden.on_stop("api", 99, |_| std::future::pending());
        let began = Instant::now();
        let ask = async {
            send.send(Signal::Interrupt).await.unwrap();
            // The same signal, as some tools send it: twice.
            send.send(Signal::Interrupt).await.unwrap();
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert_eq!(notes.lock().len(), 0, "nobody is impatient yet");
            send.send(Signal::Interrupt).await.unwrap();
        };
        let (exit, ()) = tokio::join!(warden.run(signals), ask);
        assert_eq!(exit.code(), 130);
        (notes, began.elapsed())
    });
    assert_eq!(*cut.lock(), [("store", Manner::Cut)]);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn what_is_left_undone_shows_in_the_end() {
    let exit = scenario(DRAIN, async |mut warden, send, signals| {
        warden.on_stop("store", 1, async |_| Err("the disk is gone".into()));
        send.send(Signal::Terminate).await.unwrap();
        warden.run(signals).await
    });
    assert_eq!(exit, Exit::Fatal("the disk is gone".into()));
}

#[test]
fn what_must_not_go_on_while_the_node_stops_cuts_that_short() {
    let (notes, exit) = scenario(DRAIN, async |mut warden, send, signals| {
        let notes = noted(&mut warden, &["store", "network"]);
        let (fail, failing) = tokio::sync::oneshot::channel::<()>();
        warden.alarm(async {
            failing.await.ok();
            "the store has failed".into()
        });
        let mut fail = Some(fail);
        warden.on_stop("api", 1, move |_| {
            drop(fail.take());
            std::future::pending()
        });
        send.send(Signal::Terminate).await.unwrap();
        (notes, warden.run(signals).await)
    });
    assert_eq!(*notes.lock(), [("network", Manner::Cut), ("store", Manner::Cut)]);
    assert_eq!(exit, Exit::Fatal("the store has failed".into()));
}

#[test]
fn who_was_left_behind_and_ends_later_changes_nothing() {
    let exit = scenario(Duration::from_millis(600), async |mut warden, send, signals| {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        warden.on_stop("store", 1, {
            let mut tell = Some(tell);
            move |_| {
                drop(tell.take());
                async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(())
                }
            }
        });
        let slow = Actor::once("slow", Arbiter::new().handle(), |_| {
            Box::pin(async {
                told.await.ok();
                Ended::Stopped
            })
        });
        warden.begin("network", 1, [slow]);
        send.send(Signal::Terminate).await.unwrap();
        warden.run(signals).await
    });
    assert_eq!(exit, Exit::Signal(Signal::Terminate));
}

#[test]
fn the_first_cause_stands() {
    let exit = scenario(DRAIN, async |mut warden, _send, signals| {
        warden.on_stop("store", 1, async |_| Err("and the disk as well".into()));
        warden.alarm(async { "the mesh is gone".into() });
        warden.run(signals).await
    });
    assert_eq!(exit, Exit::Fatal("the mesh is gone".into()));
}

#[test]
fn an_actor_that_panics_while_the_node_stops_is_made_anew_and_finishes() {
    let answer = scenario(DRAIN, async |mut warden, send, signals| {
        let (outlet, actor, made) = counter("a");
        warden.begin("actors", 1, [actor]);
        tell(&outlet, Tell::Panic);
        tell(&outlet, Tell::Count);
        let asked = outlet.ask(Tell::Ask).unwrap();
        warden.on_stop("api", 1, |_| async { Ok(()) });
        send.send(Signal::Terminate).await.unwrap();
        assert_eq!(warden.run(signals).await.code(), 143);
        assert_eq!(made.load(Ordering::Relaxed), 2);
        asked.await
    });
    assert_eq!(answer, Ok(11), "what was accepted is answered");
}

#[test]
fn who_asks_an_actor_that_is_quarantined_is_told_so() {
    scenario(DRAIN, async |mut warden, send, signals| {
        let (outlet, actor, _) = counter("a");
        tell(&outlet, Tell::Quarantine);
        let waiting = outlet.ask(Tell::Ask).unwrap();
        warden.begin("actors", 1, [actor]);
        let play = async {
            assert_eq!(waiting.await, Err(crate::Unanswered::Stopping));
            assert_eq!(outlet.ask(Tell::Ask).err(), Some(crate::Refused::Stopping));
            assert!(outlet.send(Tell::Count).await.is_err());
            send.send(Signal::Terminate).await.unwrap();
        };
        tokio::join!(warden.run(signals), play).0
    });
}

#[test]
fn an_idle_node_notices_a_signal_at_once() {
    let took = scenario(DRAIN, async |mut warden, send, signals| {
        let (_outlet, actor, _) = counter("a");
        warden.begin("actors", 1, [actor]);
        let began = Instant::now();
        send.send(Signal::Terminate).await.unwrap();
        assert_eq!(warden.run(signals).await, Exit::Signal(Signal::Terminate));
        began.elapsed()
    });
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn arbiters_have_the_names_of_what_runs_on_them() {
    let names = System::new().block_on(async {
        let arbiters = Arbiters::start(2).unwrap();
        assert_eq!(arbiters.contexts(), 2);
        let mut names = Vec::new();
        for name in ["arb-network", "arb-delta", "arb-sync", "arb-context-0", "arb-context-1"] {
            let (tell, told) = tokio::sync::oneshot::channel();
            arbiters.get(name).unwrap().spawn_fn(move || {
                let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
                tell.send(comm.trim().to_owned()).unwrap();
            });
            names.push((name, told.await.unwrap()));
        }
        arbiters.stop();
        names
    });
    // The kernel keeps fifteen bytes of a name.
    for (name, found) in names {
        assert_eq!(found, name.chars().take(15).collect::<String>());
    }
}
