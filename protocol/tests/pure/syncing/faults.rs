//! One node catches up from several, some of which are slow, faulty or hostile: it gets everything
//! from the others, blames nobody who is honest, and keeps within its room. Every promise is also
//! tested with a fault planted in it.

use std::collections::BTreeSet;

use mangrove_protocol::id::Plane;
use mangrove_protocol::planted::{Bug, Planted};
use mangrove_protocol::replica::Mode;
use mangrove_protocol::sync::desk::{Event, RESCUE_MS, Room, STEP_MS};
use mangrove_protocol::sync::{Link, Offence};

use super::net::{Nature, Net, quiet};
use crate::town::{Town, peer};

/// Deltas that one node lacks and three have.
const COUNT: usize = 1_200;
/// The one that lacks them.
const LEARNER: usize = 0;
/// Time enough for everything.
const LONG_MS: u64 = 300_000;

type Check = Result<(), String>;

fn check(is_so: bool, what: impl FnOnce() -> String) -> Check {
    if is_so { Ok(()) } else { Err(what()) }
}

/// Small, so that there is much to decide.
fn room() -> Room {
    Room {
        bytes: 192 * 1024,
        window: 64 * 1024,
        probe: 8 * 1024,
        places: 128,
        probe_places: 16,
        ..quiet()
    }
}

struct Scene {
    net: Net,
    /// When the learner had everything.
    done_ms: Option<u64>,
}

impl Scene {
    fn new(planted: &Planted) -> Self {
        Self::in_room(planted, room())
    }

    fn in_room(planted: &Planted, room: Room) -> Self {
        let mut town = Town::honest();
        let written: Vec<_> =
            (0..COUNT).flat_map(|at| town.write("ann", &at.to_string())).collect();
        for who in ["owner", "cay"] {
            town.give(who, &written);
        }
        let cranks = ["ben", "ann", "owner", "cay"].map(|who| town.nodes.remove(who).unwrap());
        Self { net: Net::new(cranks.into(), room, planted), done_ms: None }
    }

    fn with(mut self, server: usize, change: impl FnOnce(&mut Nature)) -> Self {
        change(self.net.nature(server, LEARNER));
        self
    }

    fn has_all(&self) -> bool {
        let [learner, server] = [LEARNER, 1].map(|at| self.net.nodes[at].crank.replica.stored());
        learner == server
    }

    /// The learner meets these, and catches up as far as it can.
    fn catch_up(mut self, servers: &[usize]) -> Self {
        for server in servers {
            self.net.meet(LEARNER, *server);
        }
        self.go_on(LONG_MS);
        self
    }

    fn go_on(&mut self, for_ms: u64) {
        for _ in 0..for_ms / 100 {
            self.net.run(100);
            if self.done_ms.is_none() && self.has_all() {
                self.done_ms = Some(self.net.now_ms);
            }
        }
    }

    fn blamed(&self) -> BTreeSet<(usize, Offence)> {
        let entries = self.net.nodes[LEARNER].desk.ledger().entries();
        let node = |peer| (0..4).find(|at| self.net.peer(*at) == peer).unwrap();
        entries.map(|(peer, offence, _)| (node(peer), offence)).collect()
    }

    /// Everything came, nothing is left over, nobody else was blamed, and room was kept.
    fn is_well(&self, blamed: &[(usize, Offence)]) -> Check {
        let learner = &self.net.nodes[LEARNER];
        check(self.done_ms.is_some(), || "not everything came".to_owned())?;
        check(self.blamed() == blamed.iter().copied().collect(), || {
            format!("blamed: {:?}", self.blamed())
        })?;
        let most = room().bytes + room().probe + 1024;
        check(learner.peak <= most, || format!("{} bytes on their way", learner.peak))?;
        self.is_at_rest()
    }

    fn is_at_rest(&self) -> Check {
        for (at, node) in self.net.nodes.iter().enumerate() {
            check(node.desk.fault().is_none(), || format!("{at}: {:?}", node.desk.fault()))?;
            check(node.desk.is_at_rest(), || format!("{at} is not at rest"))?;
        }
        Ok(())
    }
}

fn honest() -> Planted {
    Planted::default()
}

/// A promise holds, and is seen to be broken where it is.
fn proves(promise: impl Fn(&Planted) -> Check, bug: Bug) {
    assert_eq!(promise(&honest()), Ok(()));
    assert!(promise(&Planted::bugs([bug])).is_err(), "{bug:?} goes unnoticed");
}

#[test]
fn several_give_a_part_each_and_nothing_comes_twice() {
    let scene = Scene::new(&honest()).catch_up(&[1, 2, 3]);
    assert_eq!(scene.is_well(&[]), Ok(()));
    let given = [1, 2, 3].map(|server| scene.net.traffic(server, LEARNER).deltas);
    assert_eq!(given.iter().sum::<usize>(), COUNT);
    assert!(given.iter().all(|given| *given > COUNT / 10), "{given:?}");
}

#[test]
fn every_way_to_be_slow_is_borne() {
    let slow: [fn(&mut Nature); 4] = [
        |it| it.first_block_ms = 1_500,
        |it| it.bandwidth = 4,
        |it| it.idle_gap_ms = 700,
        |it| it.slow_from_ms = (400, 2),
    ];
    for (at, slow) in slow.into_iter().enumerate() {
        let scene = Scene::new(&honest()).with(1, slow).catch_up(&[1, 2, 3]);
        assert_eq!(scene.is_well(&[]), Ok(()), "{at}");
        // Alone it is slow, and enough.
        let scene = Scene::new(&honest()).with(1, slow).catch_up(&[1]);
        assert_eq!(scene.is_well(&[]), Ok(()), "{at} alone");
    }
}

#[test]
fn streams_that_end_anywhere_lose_nothing() {
    for drops in [20, 100, 300] {
        let mut scene = Scene::new(&honest());
        for server in 1..4 {
            scene.net.nature(server, LEARNER).drops = drops;
            scene.net.nature(LEARNER, server).drops = drops;
        }
        let mut scene = scene.catch_up(&[1, 2, 3]);
        for server in 1..4 {
            scene.net.nature(server, LEARNER).drops = 0;
            scene.net.nature(LEARNER, server).drops = 0;
        }
        let scene = scene.catch_up(&[1]);
        assert_eq!(scene.is_well(&[]), Ok(()), "{drops}");
    }
}

#[test]
fn what_was_asked_for_is_known_before_it_comes() {
    let promise = |planted: &Planted| Scene::new(planted).catch_up(&[1, 2, 3]).is_well(&[]);
    proves(promise, Bug::ForgetWants);
}

#[test]
fn what_may_be_a_mistake_is_written_down_and_the_connection_lives() {
    let promise = |planted: &Planted| {
        let scene = Scene::new(planted).with(1, |it| it.withheld = Some(5..=9));
        let scene = scene.catch_up(&[1, 2, 3]);
        check(scene.net.ended.is_empty(), || "the connection was ended".to_owned())?;
        scene.is_well(&[(1, Offence::Withheld)])
    };
    proves(promise, Bug::ForgiveAll);
}

#[test]
fn strangers_leave_room_for_members() {
    let mut scene = Scene::new(&honest());
    let learner = &mut scene.net.nodes[LEARNER];
    let links: Vec<_> = (0..20).map(|_| learner.desk.next_link()).collect();
    for (at, link) in links.iter().enumerate() {
        let stranger = crate::make::keys(200 + u8::try_from(at).unwrap()).peer();
        scene.net.happen(LEARNER, Event::Accepted(stranger, *link));
    }
    let before = scene.net.nodes[LEARNER].desk.links().count();
    let (member, link) = (scene.net.peer(1), scene.net.nodes[LEARNER].desk.next_link());
    scene.net.happen(LEARNER, Event::Accepted(member, link));
    let desk = &scene.net.nodes[LEARNER].desk;
    assert!(desk.links().any(|it| it == (link, member)));
    assert_eq!(desk.links().count(), before);
}

#[test]
fn what_ends_with_a_session_waits_again() {
    let promise = |planted: &Planted| {
        let mut scene = Scene::new(planted);
        scene.net.meet(LEARNER, 1);
        scene.net.meet(LEARNER, 2);
        let leased = |scene: &Scene| {
            let desk = &scene.net.nodes[LEARNER].desk;
            let links = desk.links().filter(|(_, it)| *it == scene.net.peer(1));
            links.map(|(link, _)| (desk.leased(link), link)).next().filter(|(count, _)| *count > 0)
        };
        let stuck = (0..200).find_map(|_| {
            scene.net.run(10);
            leased(&scene).map(|(_, link)| link)
        });
        let link = stuck.ok_or("nothing was asked for")?;
        scene.net.cut(LEARNER, link);
        scene.go_on(20_000);
        scene.is_well(&[])
    };
    proves(promise, Bug::DropLease);
}

#[test]
fn the_end_of_an_old_session_touches_no_new_one() {
    let promise = |planted: &Planted| {
        let mut scene = Scene::new(planted);
        scene.net.nature(1, LEARNER).bandwidth = 20;
        scene.net.meet(LEARNER, 1);
        scene.net.run(400);
        let old = scene.net.nodes[LEARNER].desk.links().next().ok_or("no session")?.0;
        // The peer is lost and met again; the old stream is said to have ended only afterwards.
        let them = scene.net.peer(1);
        scene.net.happen(LEARNER, Event::Lost(them));
        scene.net.meet(LEARNER, 1);
        for _ in 0..200 {
            scene.net.run(20);
            let desk = &scene.net.nodes[LEARNER].desk;
            let new = desk.links().next().map(|(link, _)| (link, desk.leased(link)));
            if let Some((new, leased)) = new.filter(|(_, leased)| *leased > 0) {
                check(new != old, || "a number was used again".to_owned())?;
                scene.net.happen(LEARNER, Event::Closed(old));
                let after = scene.net.nodes[LEARNER].desk.leased(new);
                return check(after >= leased, || format!("{leased} places became {after}"));
            }
        }
        Err("nothing was asked for".to_owned())
    };
    proves(promise, Bug::IgnoreGenerations);
}

#[test]
fn who_stops_reading_or_talking_delays_nobody_for_long() {
    let promise = |planted: &Planted| {
        let unhindered = Scene::new(&honest()).catch_up(&[1, 2, 3]).done_ms.ok_or("never")?;
        let silent = Scene::new(planted).with(1, |it| it.silent_from_ms = 350);
        let mut wedged = Scene::new(planted);
        wedged.net.nature(1, LEARNER).wedged_from_ms = 300;
        for scene in [silent, wedged] {
            let scene = scene.catch_up(&[1, 2, 3]);
            let done_ms = scene.done_ms.ok_or("never")?;
            let most_ms = unhindered * 2 + RESCUE_MS + 1_000;
            check(done_ms <= most_ms, || format!("{done_ms} ms and not {most_ms}"))?;
            scene.is_well(&[(1, Offence::Silent)])?;
        }
        Ok(())
    };
    proves(promise, Bug::NoRescue);
}

#[test]
fn who_owes_something_is_not_waited_for_for_ever() {
    let promise = |planted: &Planted| {
        let scene = Scene::new(planted).with(1, |it| it.silent_from_ms = 500);
        let mut scene = scene;
        scene.net.meet(LEARNER, 1);
        scene.go_on(STEP_MS + 3_000);
        let desk = &scene.net.nodes[LEARNER].desk;
        check(desk.links().next().is_none(), || "it still waits".to_owned())?;
        check(scene.net.ended.is_empty(), || "the connection was ended".to_owned())?;
        scene.net.meet(LEARNER, 2);
        scene.go_on(20_000);
        check(scene.done_ms.is_some(), || "not everything came".to_owned())
    };
    proves(promise, Bug::NoDeadline);
}

#[test]
fn who_was_silent_is_left_alone_for_a_while() {
    let promise = |planted: &Planted| {
        let mut scene = Scene::new(planted).with(1, |it| it.silent_from_ms = 500);
        scene.net.meet(LEARNER, 1);
        scene.go_on(STEP_MS + 2_000);
        let (now_ms, them) = (scene.net.now_ms, scene.net.peer(1));
        let desk = &scene.net.nodes[LEARNER].desk;
        check(desk.is_parked(them, now_ms), || "it is not left alone".to_owned())?;
        check(!desk.is_parked(them, now_ms + 600_000), || "for ever".to_owned())?;
        check(scene.net.ended.is_empty(), || "the connection was ended".to_owned())
    };
    proves(promise, Bug::NoParking);
}

#[test]
fn a_peer_is_asked_for_little_until_it_has_given_something() {
    let promise = |planted: &Planted| {
        let mut scene = Scene::new(planted).with(1, |it| it.first_block_ms = 5_000);
        scene.net.meet(LEARNER, 1);
        let mut most = 0;
        for _ in 0..40 {
            scene.net.run(50);
            let desk = &scene.net.nodes[LEARNER].desk;
            most = most.max(desk.links().map(|(link, _)| desk.leased(link)).max().unwrap_or(0));
        }
        check(most == room().probe_places, || format!("asked for {most} places"))
    };
    proves(promise, Bug::NoProbe);
}

#[test]
fn no_more_is_on_its_way_than_there_is_room_for() {
    let promise = |planted: &Planted| Scene::new(planted).catch_up(&[1, 2, 3]).is_well(&[]);
    proves(promise, Bug::UnboundedCredit);
}

#[test]
fn what_this_node_refuses_is_nobody_elses_fault() {
    let promise = |planted: &Planted| {
        let mut town = Town::new(planted.clone());
        town.build("dan", Mode::Full);
        town.node("dan").feed(mangrove_protocol::effect::Input::Tick);
        let cranks = ["owner", "dan"].map(|who| town.nodes.remove(who).unwrap());
        let mut net = Net::new(cranks.into(), room(), planted);
        net.sync(1, 0);
        let ledger = net.nodes[0].desk.ledger();
        check(ledger.is_clean(peer("dan")), || "the stranger is blamed".to_owned())
    };
    proves(promise, Bug::BlameOthers);
}

#[test]
fn who_shows_what_it_does_not_give_is_found_out_and_replaced() {
    let withholds: [fn(&mut Nature); 2] =
        [|it| it.withheld = Some(5..=9), |it| it.withheld = Some(1..=10_000)];
    for withholds in withholds {
        let scene = Scene::new(&honest()).with(1, withholds).catch_up(&[1, 2, 3]);
        assert_eq!(scene.is_well(&[(1, Offence::Withheld)]), Ok(()));
        assert!(scene.net.ended.is_empty(), "it may be a mistake");
    }
}

#[test]
fn ends_that_are_nowhere_lead_nowhere() {
    for lie in [3, 1_000, 1 << 40] {
        let scene = Scene::new(&honest()).with(1, |it| it.lying_have = lie).catch_up(&[1, 2, 3]);
        assert_eq!(scene.is_well(&[(1, Offence::Withheld)]), Ok(()), "{lie}");
    }
}

#[test]
fn who_tells_the_same_again_and_again_is_cut_off() {
    let scene = Scene::new(&honest()).with(1, |it| it.endless_have = true);
    let scene = scene.catch_up(&[1, 2, 3]);
    assert_eq!(scene.is_well(&[(1, Offence::Senseless)]), Ok(()));
    assert_eq!(scene.net.ended, [(LEARNER, 1)]);
}

#[test]
fn what_nobody_asked_for_is_not_taken() {
    let scene = Scene::new(&honest()).with(1, |it| it.unrequested = true);
    let scene = scene.catch_up(&[1, 2, 3]);
    assert!(scene.done_ms.is_some());
    let blamed = scene.blamed();
    assert!(blamed.iter().all(|(who, _)| *who == 1), "{blamed:?}");
    assert_eq!(scene.is_at_rest(), Ok(()));
}

#[test]
fn what_comes_out_of_order_is_no_row() {
    let scene = Scene::new(&honest()).with(1, |it| it.reorder = true).catch_up(&[1, 2, 3]);
    assert!(scene.done_ms.is_some());
    assert!(scene.blamed().iter().all(|(who, _)| *who == 1), "{:?}", scene.blamed());
    assert_eq!(scene.is_at_rest(), Ok(()));
}

#[test]
fn bad_signatures_stick_no_log_and_blame_nobody() {
    // In the middle, at the end of what was asked for at once, across it, and as many as there may be.
    for garbled in [3..=5, 16..=16, 140..=150, 128 + 16 - 3..=128 + 16 + 40, 20..=83] {
        for servers in [&[1][..], &[1, 2, 3]] {
            let mut scene = Scene::new(&honest());
            for server in 1..4 {
                scene.net.nature(server, LEARNER).garbled = Some(garbled.clone());
            }
            let scene = scene.catch_up(servers);
            assert_eq!(scene.is_well(&[]), Ok(()), "{garbled:?} {servers:?}");
        }
    }
}

#[test]
fn a_tail_that_nothing_vouches_for_is_left_and_nobody_blamed() {
    let last = COUNT as u64;
    let mut scene = Scene::new(&honest());
    for server in 1..4 {
        scene.net.nature(server, LEARNER).garbled = Some(last - 3..=last);
    }
    let scene = scene.catch_up(&[1, 2, 3]);
    let stored = scene.net.nodes[LEARNER].crank.replica.stored();
    let data = stored.0.iter().filter(|(log, _)| log.plane == Plane::Data);
    let ends: Vec<_> = data.flat_map(|(_, tips)| tips).map(|(seq, _)| seq.get()).collect();
    assert_eq!(ends, [last - 4]);
    assert!(scene.blamed().is_empty(), "{:?}", scene.blamed());
    assert_eq!(scene.is_at_rest(), Ok(()));
}

#[test]
fn too_many_bad_signatures_in_a_row_are_no_mistake() {
    let scene = Scene::new(&honest()).with(1, |it| it.garbled = Some(20..=200));
    let scene = scene.catch_up(&[1, 2, 3]);
    assert_eq!(scene.is_well(&[(1, Offence::Forged)]), Ok(()));
    assert_eq!(scene.net.ended, [(LEARNER, 1)]);
    // Within one batch, with a good one after it: whoever took that could give it to nobody.
    for (last, is_fault) in [(83, false), (84, true)] {
        let mut scene = Scene::in_room(&honest(), quiet());
        scene.net.nature(1, LEARNER).garbled = Some(20..=last);
        let scene = scene.catch_up(&[1]);
        assert_eq!(scene.blamed().contains(&(1, Offence::Forged)), is_fault, "{last}");
        assert_eq!(scene.done_ms.is_some(), !is_fault);
    }
}

#[test]
fn a_session_is_gone_after_every_end() {
    let ends: [fn(&mut Net, Link); 3] = [
        |net, link| net.cut(LEARNER, link),
        |net, _| {
            let them = net.peer(1);
            net.happen(LEARNER, Event::Lost(them));
        },
        |net, link| {
            let nonsense = vec![1, 200, 3];
            net.happen(LEARNER, Event::Heard(link, nonsense));
        },
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let mut scene = Scene::new(&honest());
        scene.net.nature(1, LEARNER).bandwidth = 20;
        scene.net.meet(LEARNER, 1);
        scene.net.run(1_000);
        let desk = &scene.net.nodes[LEARNER].desk;
        let (link, _) = desk.links().next().unwrap();
        assert!(desk.leased(link) > 0);
        end(&mut scene.net, link);
        scene.net.run(0);
        let desk = &scene.net.nodes[LEARNER].desk;
        assert_eq!(desk.leased(link), 0, "{at}");
        assert!(desk.links().all(|(other, _)| other != link), "{at}");
        assert_eq!(desk.fault(), None);
    }
}
