//! What a context does when something goes wrong with it, in a node that lives.

use std::sync::Arc;
use std::time::Duration;

use mangrove_config::failpoint;
use mangrove_config::store::Store as StoreSettings;
use mangrove_protocol::clock::Hlc;
use mangrove_protocol::fold::{Register, Stamp};
use mangrove_protocol::governance::Command;
use mangrove_protocol::id::{ContextId, DeltaId, PeerId};
use mangrove_protocol::lane::Lane;
use mangrove_protocol::machine::Event;
use mangrove_protocol::op::{Key, Kind, Value};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::beat::Heartbeat;
use mangrove_protocol::request::{self, Edit, Request};
use mangrove_protocol::view::{Memory, Registers, Roots};

use super::{Ask, Beginning, Given, Message};
use crate::directory::{MOST_CONTEXTS, State};
use crate::fault::Fault;
use crate::handle::Shown;
use crate::house::{House, eventually, put, settings, share};
use crate::inbox::{Capacity, Config, Gate, Posted, inbox, reply};

const SOON: Duration = Duration::from_secs(20);

fn state(house: &House, context: ContextId) -> State {
    house.node.find(&context.to_string()).unwrap().facts().state
}

fn until(house: &House, context: ContextId, expect: State) {
    eventually("the state", SOON, || match state(house, context) {
        found if found == expect => Ok(()),
        found => Err(format!("{found:?}, not {expect:?}")),
    });
}

fn panic_of(context: ContextId, how: &str) {
    failpoint::global().set_all(&format!("node.context_panics,sub:{context}{how}")).unwrap();
}

#[test]
fn a_context_that_panics_is_loaded_again_and_others_are_not_touched() {
    let house = House::start(1);
    let [frail, sound] =
        ["frail", "sound"].map(|name| house.wait(house.node.create(name)).unwrap());
    house.put(frail, "a", "1").unwrap();
    panic_of(frail, ",once=true");
    let answer = house.put(frail, "a", "2");
    assert_eq!(answer, Err(Fault::Fallen), "who asked is told");
    assert_eq!(house.put(sound, "a", "1").map(drop), Ok(()));
    eventually("it is taken again", SOON, || {
        house.put(frail, "a", "3").map(drop).map_err(|why| why.to_string())
    });
    let seen = house.node.look(&frail, |look| look.entity(Kind::Register, &Key::new("a").unwrap()));
    assert_eq!(seen.unwrap().unwrap().shown, Shown::Value(Value::new(b"\"3\"").unwrap()));
    // Whoever works on both has gone on all the while.
    let again = house.node.standing.actors().into_iter().filter(|actor| actor.restarts > 0);
    assert_eq!(again.map(|actor| actor.name).collect::<Vec<_>>(), Vec::<Arc<str>>::new());
}

#[test]
fn the_third_panic_puts_a_context_out_of_use_and_nothing_else() {
    let house = House::start(1);
    let [frail, sound] =
        ["frail", "sound"].map(|name| house.wait(house.node.create(name)).unwrap());
    house.put(frail, "a", "1").unwrap();
    panic_of(frail, "=true");
    for _ in 0..3 {
        assert_eq!(house.put(frail, "a", "2"), Err(Fault::Fallen));
        eventually("loaded, or out of use", SOON, || match state(&house, frail) {
            State::Replaying => Err("loading".to_owned()),
            _ => Ok(()),
        });
    }
    panic_of(frail, "");
    assert_eq!(state(&house, frail), State::Quarantined);
    let refused = house.put(frail, "a", "2");
    assert!(
        matches!(&refused, Err(Fault::Quarantined(why)) if why.contains("3 times")),
        "{refused:?}"
    );
    // What it holds can be read, and everything else goes on.
    assert_eq!(house.node.look(&frail, |look| look.count()), Ok(1));
    house.put(sound, "a", "1").unwrap();
    assert!(house.node.readiness().is_ready());
}

#[test]
fn while_the_disk_is_full_writes_are_refused_and_then_taken_again() {
    let house = House::start(1);
    let context = house.wait(house.node.create("full")).unwrap();
    house.put(context, "a", "1").unwrap();
    failpoint::global().set_all("store.no_room=true").unwrap();
    let refused = house.put(context, "a", "2");
    assert!(matches!(refused, Err(Fault::Storage(_))), "{refused:?}");
    // Reading goes on.
    assert_eq!(house.node.look(&context, |look| look.count()), Ok(1));
    failpoint::global().set_all("store.no_room").unwrap();
    eventually("it is taken again", SOON, || {
        house.put(context, "a", "3").map(drop).map_err(|why| why.to_string())
    });
}

#[test]
fn what_changes_nothing_is_answered_all_the_same() {
    let house = House::start(1);
    let context = house.wait(house.node.create("still")).unwrap();
    let key = Key::new("absent").unwrap();
    let edits = vec![
        Edit::Delete(Kind::Counter, key.clone()),
        Edit::Remove(key, Value::new(b"1").unwrap()),
    ];
    let nothing = Request { id: None, edits, conditions: vec![] };
    let written = house.wait(house.node.apply(context, nothing)).unwrap();
    assert_eq!(written.versions.len(), 2);
}

#[test]
fn who_has_joined_and_knows_nothing_yet_is_told_so() {
    let house = House::start(1);
    let (context, inviter) = (ContextId::from_bytes([9; 32]), PeerId::from_bytes([8; 32]));
    let shard = house.node.directory.shard(context).unwrap().clone();
    let begin = |reply| {
        let given = Given { alias: Some("new".into()), ..Given::default() };
        Message::Asked(context, Ask::Begin(Beginning::Joined(inviter), given, reply))
    };
    house.wait(shard.ask(begin).unwrap()).unwrap().unwrap();
    until(&house, context, State::Joining);
    assert_eq!(house.put(context, "a", "1"), Err(Fault::Syncing(State::Joining)));
    // It is remembered, with the name that it was given here.
    let house = house.restart();
    assert_eq!(house.node.find("new").unwrap().context(), context);
    assert_eq!(state(&house, context), State::Joining);
}

#[test]
fn what_was_begun_before_a_stop_is_finished_before_anything_is_taken() {
    let mut house = House::start(1);
    let context = house.wait(house.node.create("long")).unwrap();
    for batch in 0..40 {
        let edits = (0..100).map(|at| {
            Edit::Put(Key::new(&format!("{batch}/{at}")).unwrap(), Value::new(b"1").unwrap())
        });
        let request = Request { id: None, edits: edits.collect(), conditions: vec![] };
        house.wait(house.node.apply(context, request)).unwrap();
    }
    let root = house.root(context);
    // Making state anew takes many steps; the stop comes in the middle.
    house.wait(house.node.rebuild(context)).unwrap();
    house.stop();
    let house = house.again(false);
    // Until all of it is done, nothing is taken.
    let mut refused = 0;
    let entry = house.node.find("long").or_else(|_| house.node.find(&context.to_string())).unwrap();
    while entry.facts().state == State::Replaying {
        match house.put(context, "late", "1") {
            Err(Fault::Syncing(State::Replaying)) => refused += 1,
            taken => {
                assert_ne!(entry.facts().state, State::Replaying, "{taken:?}");
                break;
            }
        }
    }
    assert!(refused > 0, "it was over before anybody looked");
    until(&house, context, State::Ready);
    let keys = house.node.look(&context, |look| look.count()).unwrap();
    assert!(keys >= 4_000, "{keys}");
    if keys == 4_000 {
        assert_eq!(house.root(context), root);
    }
}

#[test]
fn a_context_that_is_forgotten_is_gone_also_after_a_restart() {
    let house = House::start(1);
    let [gone, kept] = ["gone", "kept"].map(|name| house.wait(house.node.create(name)).unwrap());
    house.put(gone, "a", "1").unwrap();
    house.put(kept, "a", "1").unwrap();
    house.wait(house.node.forget(gone)).unwrap();
    let unknown = Err(Fault::NoContext(gone.to_string()));
    assert_eq!(house.put(gone, "a", "2").map(drop), unknown);
    assert_eq!(house.node.look(&gone, |look| look.count()).map(drop), unknown);
    let house = house.restart();
    assert_eq!(house.node.contexts().len(), 1);
    assert_eq!(house.node.look(&kept, |look| look.count()), Ok(1));
}

#[test]
fn who_has_left_can_read_and_not_write() {
    let houses = [House::start(1), House::start(2)];
    let (first, second) = (&houses[0], &houses[1]);
    let context = share(&houses);
    second.put(context, "a", "1").unwrap();
    second.wait(second.node.decide(context, Command::Leave)).unwrap();
    until(second, context, State::Left);
    assert!(matches!(second.put(context, "a", "2"), Err(Fault::Unwritten(_))));
    assert_eq!(second.node.look(&context, |look| look.count()), Ok(1));
    eventually("the other knows", SOON, || {
        match first.node.find("shared").unwrap().facts().roster.members().len() {
            1 => Ok(()),
            members => Err(format!("{members} members")),
        }
    });
}

/// Writes into the store of a node that does not run what was never written by it: the value of a register, and a
/// root to match.
fn damage(house: &House, context: ContextId, key: &str) {
    let (writer, reader) =
        mangrove_store::open(&house.store(), &StoreSettings::default(), None).unwrap();
    let pen = writer.pen(context).unwrap();
    let key = Key::new(key).unwrap();
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    {
        let reading = reader.begin().unwrap();
        let seen = reading.context(&context).unwrap();
        let before: Register = seen.get::<Registers>(&key).unwrap().unwrap();
        let value = Some(Value::new(b"\"damaged\"").unwrap());
        let after = Register { value, stamp: before.stamp, author: before.author };
        let mut root = seen.get::<Roots>(&()).unwrap().unwrap();
        root.replace(before.leaf(&key), after.leaf(&key));
        over.put::<Registers>(key, after);
        over.put::<Roots>((), root);
    }
    pen.commit(&over.into_batch(), true).unwrap().wait().unwrap();
    drop(pen);
    writer.close();
}

#[test]
fn a_state_that_was_damaged_is_found_by_a_peer_and_made_anew() {
    let mut houses = vec![House::start(1), House::start(2)];
    let context = share(&houses);
    houses[0].put(context, "a", "sound").unwrap();
    let same = |houses: &[House]| houses[0].root(context) == houses[1].root(context);
    eventually("equal", SOON, || same(&houses).then_some(()).ok_or_else(|| "not yet".to_owned()));
    let mut second = houses.pop().unwrap();
    second.stop();
    damage(&second, context, "a");
    houses.push(second.again(true));
    assert!(!same(&houses), "nothing was damaged");
    // Their heartbeats tell.
    eventually("mended", Duration::from_secs(40), || {
        same(&houses).then_some(()).ok_or_else(|| "not yet".to_owned())
    });
    let seen =
        houses[1].node.look(&context, |look| look.entity(Kind::Register, &Key::new("a").unwrap()));
    assert_eq!(seen.unwrap().unwrap().shown, Shown::Value(Value::new(b"\"sound\"").unwrap()));
    assert!(houses[1].node.metrics().contains("mangrove_context_repairs_total 1"));
}

fn beat(nonce: u64) -> Box<Heartbeat> {
    Box::new(Heartbeat {
        stored: [0; 32],
        applied: [0; 32],
        root: None,
        fold_version: 1,
        deltas: 0,
        time_ms: 0,
        nonce,
    })
}

#[test]
fn of_announcements_the_latest_counts() {
    let capacity = Capacity { events: 10, bytes: 1 << 20 };
    let config = Config { name: Arc::from("test"), capacity, quiet: 100 };
    let (outlet, mut inbox) = inbox(config);
    let (context, peers) =
        (ContextId::from_bytes([1; 32]), [2, 3].map(|it| PeerId::from_bytes([it; 32])));
    for nonce in 0..5 {
        for peer in peers {
            let posted = outlet.post(Message::Beat(context, peer, beat(nonce)));
            assert_eq!(matches!(posted, Posted::Coalesced), nonce > 0);
        }
    }
    let served = std::iter::from_fn(|| inbox.try_next(Gate::Open));
    let nonces = served.map(|entry| match entry.event {
        Message::Beat(_, _, beat) => beat.nonce,
        other => panic!("{other:?}"),
    });
    assert_eq!(nonces.collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn each_message_waits_where_it_belongs() {
    let (context, peer) = (ContextId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
    let ask = Message::Asked(context, Ask::Compare(reply().0));
    let all = [
        (ask, Lane::Api, "compare"),
        (Message::Deltas(context, peer, vec![]), Lane::Delta, "deltas"),
        (Message::Beat(context, peer, beat(0)), Lane::Gossip, "beat"),
        (Message::Reach(context, peer, true), Lane::Control, "reach"),
        (Message::Missing(context, None), Lane::Sync, "missing"),
        (Message::Trim, Lane::Idle, "trim"),
    ];
    for (message, lane, label) in all {
        assert_eq!((message.lane(), message.label()), (lane, label));
    }
}

#[test]
fn a_stamp_is_what_an_entity_shows() {
    let house = House::start_with(1, settings());
    let context = house.wait(house.node.create("stamped")).unwrap();
    let written = house.wait(house.node.apply(context, put("a", "1"))).unwrap();
    let key = Key::new("a").unwrap();
    let seen =
        house.node.look(&context, |look| look.entity(Kind::Register, &key)).unwrap().unwrap();
    let Stamp { hlc, delta, op } = seen.stamp;
    assert_eq!((delta, op), (written.delta, 0));
    assert!(hlc > Hlc::ZERO && delta != DeltaId::ZERO);
    assert_eq!(Some(seen.version), written.versions[0]);
}

#[test]
fn what_was_settled_stays_settled_also_after_a_panic_and_a_restart() {
    let mut house = House::start(1);
    let context = house.wait(house.node.create("high")).unwrap();
    let height = |house: &House| house.node.look(&context, |look| look.summary()).unwrap().deltas;
    let mut before = height(&house);
    assert!(before > 0);
    for round in 0..3 {
        for number in 0..5 {
            house.put(context, &number.to_string(), "x").unwrap();
            let now = height(&house);
            assert_eq!(now, before + 1, "each delta counts once");
            before = now;
        }
        if round == 0 {
            panic_of(context, ",once=true");
            assert_eq!(house.put(context, "a", "1"), Err(Fault::Fallen));
            assert_eq!(height(&house), before);
            until(&house, context, State::Ready);
            eventually("loaded", SOON, || {
                house.put(context, "a", "1").map(drop).map_err(|why| why.to_string())
            });
            before = height(&house);
        } else {
            house = house.restart();
            assert_eq!(height(&house), before);
        }
    }
}

#[test]
fn nothing_is_acknowledged_that_the_disk_did_not_take() {
    let mut house = House::start(1);
    let context = house.wait(house.node.create("hard")).unwrap();
    house.put(context, "a", "1").unwrap();
    failpoint::global().set_all("store.sync_fails=error").unwrap();
    for number in 0..5 {
        let answer = house.put(context, &format!("late/{number}"), "1");
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(house.end().code(), 101, "a node that cannot sync does not go on");
}

#[test]
fn members_see_who_is_present_until_that_is_long_ago() {
    let houses = [House::start(1), House::start(2)];
    let context = share(&houses);
    eventually("the other sees it", SOON, || {
        // Said again until it is heard, as applications do: the mesh promises nothing.
        let said = houses[0].wait(houses[0].node.present(context, b"typing".to_vec()));
        said.map_err(|why| why.to_string())?;
        let seen = houses[1].wait(houses[1].node.presence(context)).unwrap();
        let is_there =
            seen.iter().any(|it| it.member == houses[0].node.peer() && it.state == b"typing");
        is_there.then_some(()).ok_or_else(|| format!("{seen:?}"))
    });
    let too_long = houses[0].wait(houses[0].node.present(context, vec![0; 17 * 1024]));
    let limit = request::Fault::TooLarge { limit: "presenceBytes" };
    assert_eq!(too_long, Err(Fault::Unwritten(limit)));
}

#[test]
fn a_context_whose_beginning_the_disk_did_not_take_is_not_there() {
    let house = House::start(1);
    failpoint::global().set_all("store.no_room=true").unwrap();
    let refused = house.wait(house.node.create("unborn"));
    assert!(matches!(refused, Err(Fault::Storage(_))), "{refused:?}");
    assert_eq!(house.node.contexts().len(), 0, "nobody has begun anything");
    failpoint::global().set_all("store.no_room").unwrap();
    eventually("it begins", SOON, || {
        house.wait(house.node.create("born")).map(drop).map_err(|why| why.to_string())
    });
    assert_eq!(house.node.contexts().len(), 1);
}

#[test]
fn a_node_takes_no_more_contexts_than_there_are_topics_for() {
    let house = House::start(1);
    let kept = house.wait(house.node.create("kept")).unwrap();
    let directory = &house.node.directory;
    let id = |number: usize| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
        ContextId::from_bytes(bytes)
    };
    (1..MOST_CONTEXTS).for_each(|number| drop(directory.enter(id(number))));
    let refused = house.wait(house.node.create("one more"));
    assert_eq!(refused, Err(Fault::TooMany { most: MOST_CONTEXTS }));
    house.put(kept, "a", "1").unwrap();
    directory.strike(id(1));
    house.wait(house.node.create("one more")).unwrap();
}
