//! Where messages are judged, and what becomes of deltas for which there is no room.

use std::sync::Arc;

use camino::Utf8Path;
use mangrove_config::store::Store as Settings;
use mangrove_network::{Heard, Judge};
use mangrove_protocol::delta::Delta;
use mangrove_protocol::gossip::{Message as Gossip, Topic};
use mangrove_protocol::graph::{Place, Status};
use mangrove_protocol::id::{ContextId, PeerId};
use mangrove_protocol::keys::NodeKeys;
use mangrove_protocol::machine::{Machine, Turn, Verdict};
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::found;
use mangrove_protocol::view::{Memory, Places};

use super::Intake;
use super::check::Bench;
use super::ingress::Message as Told;
use super::intake::{ALONE_BYTES, Want};
use super::recent::Recent;
use crate::context::Message;
use crate::directory::Directory;
use crate::drive::Clock;
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

/// Something that was heard of a context, for whose judgement nobody waits.
fn heard(context: ContextId, bytes: Vec<u8>) -> Heard {
    let from = PeerId::from_bytes([5; 32]);
    Heard { topic: Topic::of(context), from, bytes, judge: Judge::idle() }
}

#[test]
fn one_short_message_in_a_millisecond_is_judged_in_passing() {
    let house = House::start(1);
    let (mut intake, _inbox) = intake(&house, 1);
    let context = ContextId::from_bytes([1; 32]);
    let mut tell = |now_ms, message| {
        let mut entropy = |_: &mut [u8]| {};
        let mut turn = Turn::new(now_ms, &mut entropy);
        assert_eq!(intake.on(message, &mut turn), Verdict::Go);
        let wants = turn.into_effects().into_iter().map(|want| match want {
            Want::JudgeAlone(_) => "alone".to_owned(),
            Want::Judge(heard) => format!("{} elsewhere", heard.len()),
        });
        wants.collect::<Vec<_>>()
    };
    let said = |bytes: usize| Told::Heard(heard(context, vec![0; bytes]));
    let judged = || Told::Judged(Vec::new());
    assert_eq!(tell(5, said(ALONE_BYTES)), ["alone"]);
    assert_eq!(tell(6, said(1)), ["1 elsewhere"], "the one before is not judged yet");
    assert_eq!(tell(6, said(1)), [""; 0], "so many at a time");
    assert_eq!(tell(6, said(1)), [""; 0]);
    assert_eq!(tell(6, judged()), ["2 elsewhere"]);
    assert_eq!([tell(6, judged()), tell(6, judged())], [[""; 0]; 2]);
    assert_eq!(tell(7, said(ALONE_BYTES + 1)), ["1 elsewhere"], "it is long");
    assert_eq!(tell(7, judged()), [""; 0]);
    assert_eq!(tell(7, said(1)), ["alone"]);
    assert_eq!(tell(7, judged()), [""; 0]);
    assert_eq!(tell(7, said(1)), ["1 elsewhere"], "others have their turn as well");
}

#[test]
fn a_message_is_found_to_be_the_same_wherever_it_is_judged() {
    let (folder, settings) =
        (tempfile::tempdir().unwrap(), Settings { min_free_mib: 0, ..Settings::default() });
    let path = Utf8Path::from_path(folder.path()).unwrap().join("store");
    let (delta, keys) = (deltas().remove(0), NodeKeys::from_bytes(&[1; 64]));
    let context = delta.context();
    let directory = Directory::new(keys.peer(), Vec::new());
    directory.enter(context);
    let bench = |reader| Bench {
        directory: directory.clone(),
        reader,
        recent: Arc::new(Recent::default()),
        invites: Topic::invites(),
        clock: Clock::system(),
    };
    let message = || Gossip::of(&delta, &keys).encode();
    let found = |bench: &Bench, bytes: Vec<u8>| {
        let judged = bench.judge(vec![heard(context, bytes.clone())]);
        let at_hand = bench.judge_at_hand(heard(context, bytes)).unwrap();
        let [elsewhere, at_hand] =
            [judged.into_iter().next(), at_hand].map(|one| one.unwrap().found);
        assert_eq!(format!("{at_hand:?}"), format!("{elsewhere:?}"));
        format!("{at_hand:?}")
    };
    let (writer, reader) = mangrove_store::open(&path, &settings, None).unwrap();
    let pen = writer.pen(context).unwrap();
    let here = bench(reader);
    assert!(found(&here, message()).contains("Accept"));
    let mut broken = message();
    *broken.last_mut().unwrap() ^= 1;
    assert!(found(&here, broken).contains("Reject"));
    assert!(found(&here, vec![7; 40]).contains("Ignore"), "of a later version");
    let nothing = Memory::default();
    let mut over = Overlay::new(&nothing);
    let header = delta.header();
    let place = Place {
        log: header.log,
        seq: header.seq,
        prev: header.prev,
        hlc: header.hlc,
        bytes: 1,
        told: false,
        status: Status::Applied { order: 0 },
    };
    over.put::<Places>(delta.id(), place);
    pen.commit(&over.into_batch(), true).unwrap().wait().unwrap();
    assert!(found(&here, message()).contains("Duplicate"), "it is stored");
    drop((pen, here));
    writer.close();
    let (writer, reader) = mangrove_store::open(&path, &settings, None).unwrap();
    let here = bench(reader);
    let back = here.judge_at_hand(heard(context, message())).unwrap_err();
    assert_eq!(back.bytes, message(), "only the disk knows that it is stored");
    assert!(found(&here, message()).contains("Duplicate"));
    drop(here);
    writer.close();
}
