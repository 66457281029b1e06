//! The tests, tested: every bug that can be planted turns a check red, and without it the same check
//! is green.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mangrove_protocol::delta::{Draft, seal_and_sign};
use mangrove_protocol::effect::Input;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::planted::{Bug, Planted};
use mangrove_protocol::replica::Config;
use mangrove_protocol::view::{Places, View};

use crate::crank::{Crank, Pen, config, published, put};
use crate::make::{NONCE, epoch, id, key, keys, value};
use crate::tables;
use crate::town::Town;

const NODE: u8 = 50;

fn node(planted: Planted) -> Crank {
    Crank::new(Config { planted, ..config(NODE) })
}

/// What must hold, and does not where the bug is.
fn promise(bug: Bug, planted: Planted) {
    let mut crank = node(planted.clone());
    match bug {
        Bug::SkipParentCheck => {
            let parent = Pen::new(1, 0).write();
            let child = Pen::new(2, 1).citing(&[&parent]).write();
            crank.give(&[child, parent]);
            tables::check(&crank);
        }
        Bug::TieByArrival => {
            let write = |author, text| {
                let put = mangrove_protocol::op::Op::Put { key: key("k"), value: value(text) };
                Pen::new(author, 0).saying(vec![put]).write()
            };
            let mut other = crank.copy();
            let (one, two) = (write(1, "one"), write(2, "two"));
            crank.give(&[one.clone(), two.clone()]);
            other.give(&[two, one]);
            assert_eq!(tables::visible(&crank.memory), tables::visible(&other.memory));
        }
        Bug::ForgetOutbox => {
            let delta = crank.edit(vec![put("k", "v")]).delta;
            crank.reboot();
            let out = crank.put(Input::Tick);
            assert_eq!(published(&out).iter().map(|it| it.id()).collect::<Vec<_>>(), [delta]);
        }
        Bug::StaleRoot => {
            crank.give(&[Pen::new(1, 0).write()]);
            tables::check(&crank);
        }
        Bug::WrongContext => {
            let draft = Pen::new(1, 0).draft();
            let draft = Draft { context: ContextId::from(id(1)), ..draft };
            let stray = seal_and_sign(draft, Some(&epoch(1)), NONCE, &keys(1)).unwrap();
            crank.give_one(&stray);
            assert_eq!(crank.memory.get::<Places>(&stray.id()), None);
        }
        Bug::ReuseIncarnation => {
            crank.edit(vec![put("k", "v")]);
            let mut wiped = crank.wiped();
            wiped.edit(vec![put("k", "w")]);
            assert_ne!(crank.own_incarnation(), wiped.own_incarnation());
        }
        bug => promise_of_governance(bug, planted),
    }
}

/// The same of the bugs of who may do what.
fn promise_of_governance(bug: Bug, planted: Planted) {
    let mut town = Town::new(planted);
    match bug {
        Bug::IgnoreCutOffs | Bug::SkipRebuild => {
            let lost = town.write("ann", "lost");
            town.decide("owner", town.remove("ann"));
            town.deliver_all(&["owner", "ann"]);
            town.give("ben", &lost);
            town.share("owner", "ben");
            assert_eq!(town.read("ben", "lost"), None);
        }
        Bug::AwaitBeyond => {
            let lost = town.write("ann", "lost");
            town.give("ben", &lost);
            town.write("ben", "later");
            town.decide("owner", town.remove("ann"));
            town.share("owner", "ben");
            town.deliver_all(&["owner", "ben"]);
            assert!(town.read("owner", "later").is_some());
        }
        Bug::SealToRemoved | Bug::WriteToAnybody => {
            town.decide("cay", mangrove_protocol::governance::Command::Leave);
            town.share("cay", "ben");
            town.write("ben", "secret");
            town.share("ben", "cay");
            assert!(!town.can_open("cay", "ben", "secret"));
        }
        Bug::KeepAuthority => {
            town.write("ben", "one");
            town.decide("owner", town.set_role("ben", mangrove_protocol::governance::Role::Admin));
            town.deliver_all(&["owner", "ben"]);
            town.write("ben", "two");
            let logs = town.logs_of("ben");
            assert_eq!(logs.len(), 2, "another role, another log");
        }
        _ => panic!("{bug:?} has no promise"),
    }
}

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        promise(bug, Planted::default());
        let broken = catch_unwind(AssertUnwindSafe(|| promise(bug, Planted::bugs([bug])))).is_err();
        assert_eq!(broken, cfg!(debug_assertions), "{bug:?}");
    }
}
