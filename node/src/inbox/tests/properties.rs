//! Whatever is done to an inbox, each event goes its way.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// What somebody does to an inbox.
#[derive(Debug, Clone)]
enum Act {
    Post(Policy, u64),
    Serve,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let policy = prop_oneof![
        Just(Policy::Wait),
        Just(Policy::Shed),
        (0_u8..4).prop_map(Policy::Coalesce),
        Just(Policy::Park),
    ];
    let act = prop_oneof![
        3 => (policy, 0_u64..8).prop_map(|(policy, bytes)| Act::Post(policy, bytes)),
        2 => Just(Act::Serve),
    ];
    proptest::collection::vec(act, 1..200)
}

proptest! {
    #[test]
    fn what_is_sent_by_waiting_is_served_once_and_in_the_order_of_each_sender(
        events in 1_usize..4,
        bytes in 1_u64..6,
        sends in proptest::collection::vec((0_usize..3, 0_u64..4, 0..Lane::ALL.len()), 1..60),
    ) {
        let (outlet, mut inbox) = of(events, bytes);
        let mut expect = BTreeMap::<(usize, usize), Vec<u32>>::new();
        let mut of_sender = vec![Vec::new(); 3];
        for (number, (sender, bytes, lane)) in (0..).zip(sends.iter().copied()) {
            expect.entry((sender, lane)).or_default().push(number);
            of_sender[sender].push(Note { bytes, ..note(Lane::ALL[lane], Policy::Wait, number) });
        }
        let served = pollster(async {
            let mut tasks = tokio::task::JoinSet::new();
            for notes in of_sender {
                let outlet = outlet.clone();
                tasks.spawn(async move {
                    for note in notes {
                        outlet.send(note).await.unwrap();
                    }
                });
            }
            let sealing = async {
                tasks.join_all().await;
                outlet.seal();
            };
            let serving = async {
                let mut served = Vec::new();
                while let Some(entry) = inbox.next(Gate::Open).await {
                    served.push(entry.event);
                    tokio::task::yield_now().await;
                }
                served
            };
            tokio::join!(sealing, serving).1
        });
        let mut found = BTreeMap::<(usize, usize), Vec<u32>>::new();
        for note in served {
            let (sender, ..) = sends[note.number as usize];
            found.entry((sender, note.lane.index())).or_default().push(note.number);
        }
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn whatever_happens_each_event_goes_the_way_of_its_policy(
        acts in acts(),
        events in 1_usize..6,
        bytes in 1_u64..20,
    ) {
        let (outlet, mut inbox) = of(events, bytes);
        // What has to be served, in order; and of what coalesces, what was said last.
        let mut owed = VecDeque::<u32>::new();
        let mut latest = BTreeMap::<u8, (u32, u32)>::new();
        let mut expect = Counts::default();
        for (number, act) in (0_u32..).zip(acts) {
            match act {
                Act::Post(policy, bytes) => {
                    let event = Note { bytes, ..note(Lane::Delta, policy, number) };
                    match (outlet.post(event.clone()), policy) {
                        (Posted::Queued, policy) => {
                            expect.posted += 1;
                            owed.push_back(number);
                            if let Policy::Coalesce(key) = policy {
                                prop_assert!(latest.insert(key, (number, number)).is_none());
                            }
                        }
                        (Posted::Coalesced, Policy::Coalesce(key)) => {
                            expect.coalesced += 1;
                            latest.get_mut(&key).unwrap().1 = number;
                        }
                        (Posted::Shed(back), Policy::Shed | Policy::Coalesce(_)) => {
                            expect.shed += 1;
                            prop_assert_eq!(back, event);
                        }
                        (Posted::Parked(back), Policy::Park) => {
                            expect.parked += 1;
                            prop_assert_eq!(back, event);
                        }
                        (Posted::Full(back), Policy::Wait) => prop_assert_eq!(back, event),
                        (posted, policy) => prop_assert!(false, "{policy:?}: {posted:?}"),
                    }
                }
                Act::Serve => {
                    let served = inbox.try_next(Gate::Open).map(|entry| entry.event);
                    let owed = owed.pop_front();
                    prop_assert_eq!(served.is_some(), owed.is_some());
                    let (Some(served), Some(owed)) = (served, owed) else { continue };
                    expect.served += 1;
                    let last = match served.policy {
                        Policy::Coalesce(key) => latest.remove(&key).unwrap(),
                        _ => (owed, owed),
                    };
                    prop_assert_eq!((owed, served.number), last);
                }
            }
        }
        prop_assert_eq!(counts(&outlet, Lane::Delta), expect);
        let view = outlet.view()[Lane::Delta.index()];
        prop_assert_eq!(view.depth, owed.len());
        prop_assert!(view.peak <= events, "the room is {events}, and {} were in it", view.peak);
        prop_assert_eq!(numbers(&mut inbox).len(), owed.len());
        prop_assert_eq!(outlet.view()[Lane::Delta.index()].bytes, 0);
    }
}
