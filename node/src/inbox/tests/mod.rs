//! What an inbox promises to those who send to it and to the one that serves it.

use std::time::Duration;

use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::{Key, OnFull};
use serde_json::Value;
use tokio::time::timeout;

use super::*;
use crate::error::Unanswered;

mod properties;

/// An event that is whatever a test wants it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    lane: Lane,
    policy: Policy,
    number: u32,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Wait,
    Shed,
    Coalesce(u8),
    Park,
}

const LABELS: [&str; 4] = ["a", "b", "c", "d"];

impl Event for Note {
    fn label(&self) -> &'static str {
        match self.policy {
            Policy::Coalesce(key) => LABELS[usize::from(key)],
            _ => "note",
        }
    }

    fn lane(&self) -> Lane {
        self.lane
    }

    fn on_full(&self) -> OnFull {
        match self.policy {
            Policy::Wait => OnFull::Wait,
            Policy::Shed => OnFull::Shed,
            Policy::Coalesce(_) => OnFull::Coalesce(Key::of(self)),
            Policy::Park => OnFull::Park,
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn note(lane: Lane, policy: Policy, number: u32) -> Note {
    Note { lane, policy, number, bytes: 1 }
}

fn waits(number: u32) -> Note {
    note(Lane::Api, Policy::Wait, number)
}

fn of(events: usize, bytes: u64) -> (Outlet<Note>, Inbox<Note>) {
    let capacity = Capacity { events, bytes };
    inbox(Config { name: "test".into(), capacity, quiet: usize::MAX / 16 })
}

fn numbers(inbox: &mut Inbox<Note>) -> Vec<u32> {
    std::iter::from_fn(|| inbox.try_next(Gate::Open)).map(|entry| entry.event.number).collect()
}

fn counts(outlet: &Outlet<Note>, lane: Lane) -> Counts {
    outlet.view()[lane.index()].counts
}

#[test]
fn each_lane_is_served_in_the_order_of_sending() {
    let (outlet, mut inbox) = of(100, 100);
    for number in 0..50 {
        for lane in Lane::ALL {
            assert_eq!(outlet.post(note(lane, Policy::Wait, number)), Posted::Queued);
        }
    }
    let mut next = [0; Lane::ALL.len()];
    while let Some(Entry { event, .. }) = inbox.try_next(Gate::Open) {
        let expect = &mut next[event.lane.index()];
        assert_eq!(event.number, *expect);
        *expect += 1;
    }
    assert_eq!(next, [50; Lane::ALL.len()]);
}

#[test]
fn under_saturation_each_round_serves_lanes_by_weight() {
    let (outlet, mut inbox) = of(40, 40);
    let fill = || {
        for lane in Lane::ALL {
            while outlet.post(note(lane, Policy::Shed, 0)) == Posted::Queued {}
        }
    };
    let round = Lane::WEIGHTS.iter().sum::<u32>();
    for _ in 0..10 {
        let mut served = [0; Lane::ALL.len()];
        for _ in 0..round {
            fill();
            served[inbox.try_next(Gate::Open).unwrap().meta.lane.index()] += 1;
        }
        assert_eq!(served, Lane::WEIGHTS);
    }
}

#[test]
fn an_api_event_waits_for_no_more_than_a_round_of_the_others() {
    let (outlet, mut inbox) = of(100, 100);
    let of_others = Lane::WEIGHTS.iter().sum::<u32>() - Lane::WEIGHTS[Lane::Api.index()];
    for before in 0..of_others {
        for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Api) {
            while outlet.post(note(lane, Policy::Shed, 0)) == Posted::Queued {}
        }
        for _ in 0..before {
            assert!(inbox.try_next(Gate::Open).is_some());
        }
        assert_eq!(outlet.post(waits(7)), Posted::Queued);
        let served = std::iter::from_fn(|| {
            for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Api) {
                while outlet.post(note(lane, Policy::Shed, 0)) == Posted::Queued {}
            }
            inbox.try_next(Gate::Open)
        });
        let served = served.take(of_others as usize + 1);
        let waited = served.take_while(|entry| entry.meta.lane != Lane::Api).count();
        assert!(waited <= of_others as usize, "{waited} went before");
    }
}

#[test]
fn what_does_not_fit_goes_the_way_of_its_policy() {
    let check = |policy, expect: fn(Note) -> Posted<Note>| {
        let (outlet, mut inbox) = of(2, 100);
        let send = |number| outlet.post(note(Lane::Delta, policy, number));
        assert_eq!((send(1), send(2)), (Posted::Queued, Posted::Queued));
        assert_eq!(send(3), expect(note(Lane::Delta, policy, 3)));
        assert_eq!(numbers(&mut inbox), [1, 2]);
    };
    check(Policy::Wait, Posted::Full);
    check(Policy::Shed, Posted::Shed);
    check(Policy::Park, Posted::Parked);
}

#[test]
fn only_the_latest_of_what_coalesces_counts_and_it_keeps_its_turn() {
    let (outlet, mut inbox) = of(3, 100);
    let send = |key, number| outlet.post(note(Lane::Gossip, Policy::Coalesce(key), number));
    assert_eq!(
        (send(0, 1), send(1, 2), send(2, 3)),
        (Posted::Queued, Posted::Queued, Posted::Queued)
    );
    assert_eq!(send(1, 4), Posted::Coalesced);
    assert_eq!(send(3, 5), Posted::Shed(note(Lane::Gossip, Policy::Coalesce(3), 5)));
    assert_eq!(numbers(&mut inbox), [1, 4, 3]);
    assert_eq!(send(1, 6), Posted::Queued, "what was served stands for nothing any more");
    assert_eq!(numbers(&mut inbox), [6]);
    let counted = counts(&outlet, Lane::Gossip);
    assert_eq!((counted.posted, counted.coalesced, counted.shed, counted.served), (4, 1, 1, 4));
}

#[test]
fn bytes_are_bounded_but_what_is_too_large_is_taken_alone() {
    let (outlet, mut inbox) = of(100, 10);
    let send =
        |number, bytes| outlet.post(Note { bytes, ..note(Lane::Sync, Policy::Shed, number) });
    assert_eq!(send(1, 6), Posted::Queued);
    assert!(matches!(send(2, 5), Posted::Shed(_)));
    assert_eq!(send(3, 4), Posted::Queued);
    assert_eq!(numbers(&mut inbox), [1, 3]);
    assert_eq!(send(4, 1_000), Posted::Queued);
    assert!(matches!(send(5, 0), Posted::Shed(_)));
    assert_eq!(numbers(&mut inbox), [4]);
}

#[test]
fn a_closed_gate_lets_through_control_and_what_has_ended() {
    let (outlet, mut inbox) = of(10, 10);
    assert_eq!(outlet.post(waits(1)), Posted::Queued);
    assert_eq!(outlet.post(note(Lane::Control, Policy::Wait, 2)), Posted::Queued);
    inbox.bring_back(Entry::new(waits(3)));
    let served = std::iter::from_fn(|| inbox.try_next(Gate::Closed));
    let mut served = served.map(|entry| entry.event.number).collect::<Vec<_>>();
    served.sort_unstable();
    assert_eq!(served, [2, 3]);
    assert_eq!(numbers(&mut inbox), [1]);
}

#[test]
fn what_has_ended_goes_before_what_was_sent_and_needs_no_room() {
    let (outlet, mut inbox) = of(2, 2);
    for number in [1, 2] {
        assert_eq!(outlet.post(waits(number)), Posted::Queued);
    }
    inbox.bring_back(Entry::new(waits(3)));
    inbox.bring_back(Entry::new(waits(4)));
    assert_eq!(numbers(&mut inbox), [3, 4, 1, 2]);
}

#[test]
fn a_sealed_inbox_takes_nothing_and_serves_what_it_took() {
    let (outlet, mut inbox) = of(10, 10);
    assert_eq!(outlet.post(waits(1)), Posted::Queued);
    assert_eq!(outlet.post(waits(2)), Posted::Queued);
    inbox.seal();
    assert_eq!(outlet.post(waits(3)), Posted::Sealed(waits(3)));
    assert_eq!(outlet.view()[Lane::Api.index()].depth, 2, "what is refused does not count");
    assert!(!inbox.is_spent());
    assert_eq!(numbers(&mut inbox), [1, 2]);
    assert!(inbox.is_spent());
}

#[tokio::test]
async fn draining_leaves_nothing_and_says_each_thing_it_dropped() {
    let log = crate::testing::Log::of(tracing::Level::DEBUG);
    let (outlet, mut inbox) = of(10, 10);
    for lane in Lane::ALL {
        assert_eq!(outlet.post(note(lane, Policy::Wait, 0)), Posted::Queued);
    }
    assert_eq!(inbox.drain(), Lane::ALL.len());
    assert!(outlet.view().iter().all(|lane| lane.depth == 0));
    assert_eq!(log.lines("dropped unserved").len(), Lane::ALL.len());
    assert_eq!(inbox.next(Gate::Open).await.map(|entry| entry.event), None);
}

#[tokio::test]
async fn who_waits_for_room_is_served_in_turn_and_nobody_overtakes() {
    let (outlet, mut inbox) = of(1, 10);
    assert_eq!(outlet.post(waits(0)), Posted::Queued);
    let sending = |number| {
        let outlet = outlet.clone();
        async move { outlet.send(waits(number)).await }
    };
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=5 {
        tasks.spawn(sending(number));
        tokio::task::yield_now().await;
    }
    let mut served = Vec::new();
    for _ in 0..6 {
        served.push(inbox.next(Gate::Open).await.unwrap().event.number);
        assert_eq!(outlet.post(waits(9)), Posted::Full(waits(9)), "there is a row");
        if served.len() == 6 {
            break;
        }
        // The first of the row takes the room that was made.
        tokio::task::yield_now().await;
        if served.len() == 5 {
            break;
        }
    }
    assert_eq!(served, [0, 1, 2, 3, 4]);
    assert_eq!(inbox.next(Gate::Open).await.unwrap().event.number, 5);
    assert!(tasks.join_all().await.into_iter().all(|sent| sent.is_ok()));
    assert_eq!(counts(&outlet, Lane::Api).waited, 5);
}

#[tokio::test]
async fn who_gives_up_waiting_makes_way_for_the_next() {
    let (outlet, mut inbox) = of(1, 10);
    assert_eq!(outlet.post(waits(0)), Posted::Queued);
    let mut first = Box::pin(outlet.send(waits(1)));
    let mut second = Box::pin(outlet.send(waits(2)));
    let moment = Duration::from_millis(1);
    assert!(timeout(moment, &mut first).await.is_err());
    assert!(timeout(moment, &mut second).await.is_err());
    assert_eq!(inbox.next(Gate::Open).await.unwrap().event.number, 0);
    // It is the first one's turn, and it goes without taking it.
    drop(first);
    second.await.unwrap();
    assert_eq!(numbers(&mut inbox), [2]);
}

#[tokio::test]
async fn who_waits_for_room_in_a_sealed_inbox_gets_its_event_back() {
    let (outlet, mut inbox) = of(1, 10);
    assert_eq!(outlet.post(waits(0)), Posted::Queued);
    let mut sending = Box::pin(outlet.send(waits(1)));
    assert!(timeout(Duration::from_millis(1), &mut sending).await.is_err());
    inbox.seal();
    assert_eq!(sending.await, Err(waits(1)));
    assert_eq!(numbers(&mut inbox), [0]);
}

#[test]
fn it_is_said_once_that_more_waits_than_ever_by_a_tenth() {
    let log = crate::testing::Log::of(tracing::Level::WARN);
    let capacity = Capacity { events: 1_000, bytes: 1_000 };
    let (outlet, mut inbox) = inbox(Config { name: "test".into(), capacity, quiet: 100 });
    let said = || log.lines("more events wait than ever before").len();
    let send = |count: usize| {
        for _ in 0..count {
            assert_eq!(outlet.post(waits(0)), Posted::Queued);
        }
    };
    send(110);
    assert_eq!(said(), 0, "110 is not more than a tenth above 100");
    send(1);
    assert_eq!(said(), 1);
    send(11);
    assert_eq!(said(), 1, "122 is not more than a tenth above 111");
    numbers(&mut inbox);
    send(122);
    assert_eq!(said(), 1, "nor is it the second time");
    send(1);
    assert_eq!(said(), 2);
    assert!(log.lines("more events wait")[0].contains(r#"{"api":111}"#));
}

#[test]
fn a_dump_reads_as_json_names_lanes_in_order_and_tells_ancestors() {
    let (outlet, mut inbox) = of(10, 10);
    assert_eq!(outlet.post(waits(1)), Posted::Queued);
    let cause = inbox.try_next(Gate::Open).unwrap().meta.id;
    cause.during(&tracing::Span::none(), || {
        assert_eq!(outlet.post(waits(2)), Posted::Queued);
        assert_eq!(outlet.post(note(Lane::Idle, Policy::Shed, 3)), Posted::Queued);
    });
    assert_eq!(outlet.post(waits(4)), Posted::Queued);
    let gauges = Gauges::default();
    gauges.add(&outlet);
    let json = gauges.dump().json().to_string().parse::<Value>().unwrap();
    let lanes = json["queues"].as_array().unwrap();
    let names = lanes.iter().map(|lane| lane["lane"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(names, Lane::ALL.map(Lane::name));
    let api = &lanes[Lane::Api.index()];
    assert_eq!((&api["depth"], &api["capacity"], &api["peak"]), (&2.into(), &10.into(), &2.into()));
    assert_eq!(api["events"][0]["ancestor"], cause.get());
    assert_eq!(api["events"][1]["ancestor"], Value::Null);
    assert_eq!(lanes[Lane::Idle.index()]["events"][0]["ancestor"], cause.get());
    let text = gauges.dump().text();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains(&format!("from {cause}")), "{text}");
}

#[test]
fn a_dropped_request_reaches_whoever_asked_as_an_error() {
    let log = crate::testing::Log::of(tracing::Level::ERROR);
    let (reply, answer) = reply::pair::<u32>();
    drop(reply);
    assert_eq!(pollster(answer), Err(Unanswered::Dropped));
    assert_eq!(log.lines("dropped without an answer").len(), 1);
    let (reply, answer) = reply::pair::<u32>();
    reply::drop_unserved(reply);
    assert_eq!(pollster(answer), Err(Unanswered::Stopping), "it was never served");
    let (reply, answer) = reply::pair();
    assert!(!reply.is_abandoned());
    reply.send(7);
    assert_eq!(pollster(answer), Ok(7));
    let (reply, answer) = reply::pair::<u32>();
    drop(answer);
    assert!(reply.is_abandoned());
    drop(reply);
    assert_eq!(log.lines("dropped without an answer").len(), 1, "nobody waited any more");
}

fn pollster<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// An event that wants an answer.
struct Question(Reply<u32>);

impl Event for Question {
    fn label(&self) -> &'static str {
        "question"
    }

    fn lane(&self) -> Lane {
        Lane::Api
    }

    fn on_full(&self) -> OnFull {
        OnFull::Shed
    }
}

#[tokio::test]
async fn a_question_for_which_there_is_no_room_is_refused_and_not_dropped() {
    let log = crate::testing::Log::of(tracing::Level::ERROR);
    let capacity = Capacity { events: 1, bytes: 10 };
    let (outlet, mut inbox) = inbox(Config { name: "test".into(), capacity, quiet: 100 });
    let first = outlet.ask(Question).unwrap();
    assert_eq!(outlet.ask(Question).err(), Some(Refused::Busy));
    inbox.try_next(Gate::Open).unwrap().event.0.send(3);
    assert_eq!(first.await, Ok(3));
    let waiting = outlet.ask(Question).unwrap();
    inbox.drain();
    assert_eq!(waiting.await, Err(Unanswered::Stopping));
    assert_eq!(outlet.ask(Question).err(), Some(Refused::Stopping));
    assert_eq!(log.lines("dropped without").len(), 0);
}

#[test]
fn metrics_show_each_lane_that_was_used() {
    let (outlet, _inbox) = of(2, 100);
    for number in 0..3 {
        assert_eq!(
            matches!(outlet.post(note(Lane::Delta, Policy::Shed, number)), Posted::Queued),
            number < 2
        );
    }
    let gauges = Gauges::default();
    gauges.add(&outlet);
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(Box::new(gauges));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"node_queue_depth{queue="test",lane="delta"} 2"#,
        r#"node_queue_peak{queue="test",lane="delta"} 2"#,
        r#"node_queue_events_total{queue="test",lane="delta",outcome="queued"} 2"#,
        r#"node_queue_events_total{queue="test",lane="delta",outcome="shed"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("gossip"), "a lane that nobody used is noise");
}

#[test]
fn under_load_each_dump_is_one_moment_of_the_inbox_and_keeps_nobody_from_it() {
    let (outlet, mut inbox) = of(64, 10_000);
    let sending = (0..2).map(|sender| {
        let outlet = outlet.clone();
        let send = move || {
            let cause = crate::EventId::next();
            let send = async {
                for number in 0..20_000 {
                    let lane = Lane::ALL[(number as usize + sender) % Lane::ALL.len()];
                    outlet.send(note(lane, Policy::Wait, number)).await.unwrap();
                }
            };
            cause.during(&tracing::Span::none(), || pollster(send));
            cause.get()
        };
        std::thread::Builder::new().spawn(send).unwrap()
    });
    let sending = sending.collect::<Vec<_>>();
    let gauges = Gauges::default();
    gauges.add(&outlet);
    let asking = std::thread::Builder::new().spawn(move || {
        let mut ancestors = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let dump = gauges.dump().json().to_string().parse::<Value>().unwrap();
            let lanes = dump["queues"].as_array().unwrap();
            assert_eq!(lanes.len(), Lane::ALL.len());
            for lane in lanes {
                let events = lane["events"].as_array().unwrap();
                assert_eq!(lane["depth"], events.len(), "depth and events are of one moment");
                let ids = events.iter().map(|it| it["id"].as_u64().unwrap()).collect::<Vec<_>>();
                assert!(ids.len() <= 64);
                ancestors.extend(events.iter().filter_map(|it| it["ancestor"].as_u64()));
            }
        }
        ancestors
    });
    let served = pollster(async {
        let mut served = 0;
        while served < 40_000 {
            inbox.next(Gate::Open).await.unwrap();
            served += 1;
        }
        served
    });
    assert_eq!(served, 40_000);
    let causes = sending.into_iter().map(|sender| sender.join().unwrap());
    let causes = causes.collect::<std::collections::BTreeSet<_>>();
    assert_eq!(asking.unwrap().join().unwrap(), causes, "all who sent were seen, and nobody else");
}

#[tokio::test]
async fn who_waits_with_what_coalesces_takes_the_place_of_an_earlier_one() {
    let (outlet, mut inbox) = of(1, 10);
    assert_eq!(outlet.post(note(Lane::Gossip, Policy::Coalesce(0), 1)), Posted::Queued);
    let moment = Duration::from_millis(1);
    let mut other = Box::pin(outlet.send(note(Lane::Gossip, Policy::Coalesce(1), 2)));
    let mut same = Box::pin(outlet.send(note(Lane::Gossip, Policy::Coalesce(1), 3)));
    assert!(timeout(moment, &mut other).await.is_err());
    assert!(timeout(moment, &mut same).await.is_err());
    assert_eq!(inbox.next(Gate::Open).await.unwrap().event.number, 1);
    other.await.unwrap();
    same.await.unwrap();
    assert_eq!(numbers(&mut inbox), [3], "only the latest counts");
}

#[tokio::test]
async fn the_latest_counts_also_when_an_earlier_one_waits_for_room() {
    let (outlet, mut inbox) = of(1, 10);
    let number = |number| note(Lane::Gossip, Policy::Coalesce(0), number);
    assert_eq!(outlet.post(waits(0)), Posted::Queued);
    assert_eq!(outlet.post(note(Lane::Gossip, Policy::Wait, 0)), Posted::Queued);
    let moment = Duration::from_millis(1);
    let mut first = Box::pin(outlet.send(number(1)));
    let mut second = Box::pin(outlet.send(number(2)));
    assert!(timeout(moment, &mut first).await.is_err());
    assert!(timeout(moment, &mut second).await.is_err());
    assert_eq!(numbers(&mut inbox), [0, 0]);
    first.await.unwrap();
    assert_eq!(outlet.post(number(3)), Posted::Shed(number(3)), "it would go before the second");
    second.await.unwrap();
    assert_eq!(outlet.post(number(4)), Posted::Coalesced);
    assert_eq!(numbers(&mut inbox), [4]);
}

#[test]
fn bytes_of_what_has_ended_are_shown_and_take_no_room() {
    let (outlet, mut inbox) = of(10, 10);
    inbox.bring_back(Entry::new(Note { bytes: 100, ..waits(1) }));
    let bytes = || outlet.view()[Lane::Api.index()].bytes;
    assert_eq!(bytes(), 100);
    assert_eq!(outlet.post(Note { bytes: 10, ..waits(2) }), Posted::Queued);
    assert_eq!(bytes(), 110);
    assert_eq!(numbers(&mut inbox), [1, 2]);
    inbox.bring_back(Entry::new(Note { bytes: 100, ..waits(3) }));
    inbox.forget_returned();
    assert_eq!(bytes(), 0);
}
