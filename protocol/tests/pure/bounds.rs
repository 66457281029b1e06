//! What a node keeps for others is bounded, whoever sends it, and what it had to refuse may come
//! again.

use std::collections::BTreeSet;

use mangrove_protocol::delta::{Delta, seal_and_sign};
use mangrove_protocol::effect::{Effect, Input, Note, Refused};
use mangrove_protocol::governance::Role;
use mangrove_protocol::graph::{Cause, Status};
use mangrove_protocol::id::{ContextId, LogId};
use mangrove_protocol::log::TIPS_PER_LOG;
use mangrove_protocol::overlay::Overlay;
use mangrove_protocol::replica::{Bounds, Config};
use mangrove_protocol::request::Fault;
use mangrove_protocol::view::{Batch, Deltas, Logs, Places, Table, View, Waiting, every};

use crate::crank::{
    Crank, FOUNDING, LAST_MEMBER, NOW_MS, Pen, answers, arrival, boundless, call, chain, config,
    fetched, notes, put, write,
};
use crate::founding::grant;
use crate::make::{NONCE, epoch, id, keys};
use crate::tables;

const NODE: u8 = 50;
/// Bytes of a delta of these tests, more or less.
const DELTA: u64 = 600;

fn bounded(bounds: Bounds) -> Crank {
    Crank::new(Config { bounds, ..config(NODE) })
}

fn refusals(out: &[Effect]) -> Vec<Refused> {
    let why = |note| match note {
        &Note::Refused { why, .. } => Some(why),
        _ => None,
    };
    notes(out).into_iter().filter_map(why).collect()
}

/// Gives deltas one by one, checks the tables after each, and says how many were not taken.
fn give_each(crank: &mut Crank, deltas: &[Delta]) -> usize {
    let mut refused = 0;
    for delta in deltas {
        refused += refusals(&crank.give_one(delta)).len();
    }
    tables::check(crank);
    refused
}

fn is_stored(crank: &Crank, delta: &Delta) -> bool {
    crank.memory.get::<Places>(&delta.id()).is_some()
}

fn is_applied(crank: &Crank, delta: &Delta) -> bool {
    let status = tables::status(&crank.memory, delta.id());
    matches!(status, Some(Status::Applied { .. }))
}

/// Logs of this author, one delta each, that wait for something that never comes.
fn waiting(author: u8, count: u64, of: impl Fn(Pen) -> Pen) -> Vec<Delta> {
    (0..count).map(|life| of(Pen::new(author, 10).life(life).long(200)).write()).collect()
}

fn for_a_parent(pen: Pen) -> Pen {
    let never = Pen::new(60, 5).life(1_000).write();
    pen.citing(&[&never])
}

fn for_a_key(pen: Pen) -> Pen {
    pen.under(2)
}

fn for_a_version(pen: Pen) -> Pen {
    let unknown = [&[99][..], &[0; 200]].concat();
    pen.bytes(unknown)
}

/// Those of later logs are further ahead.
fn for_its_time(pen: Pen) -> Pen {
    let ahead = 100_000 + pen.life;
    pen.at(ahead)
}

const REASONS: [fn(Pen) -> Pen; 4] = [for_a_parent, for_a_key, for_a_version, for_its_time];

#[test]
fn a_flood_of_one_member_fills_its_own_room_only() {
    for reason in REASONS {
        let mut crank = bounded(Bounds {
            parked_bytes_per_member: 4 * DELTA,
            parked_bytes: 100 * DELTA,
            ..boundless()
        });
        let flood = waiting(1, 20, reason);
        let refused = give_each(&mut crank, &flood);
        assert!((12..20).contains(&refused), "{refused} refused");
        assert_eq!(tables::parked(&crank.memory).len(), 20 - refused);
        let other = waiting(2, 3, for_a_parent);
        assert_eq!(give_each(&mut crank, &other), 0, "room for others");
        let good = Pen::new(1, 20).life(999).write();
        assert_eq!(give_each(&mut crank, std::slice::from_ref(&good)), 0);
        assert!(is_applied(&crank, &good), "what can be applied needs no room");
        crank.reboot();
        assert_eq!(give_each(&mut crank, &flood), refused, "a restart makes no room");
    }
}

#[test]
fn a_flood_of_all_members_fills_the_room_of_the_context_and_no_more() {
    for reason in REASONS {
        let mut crank = bounded(Bounds {
            parked_bytes_per_member: 4 * DELTA,
            parked_bytes: 10 * DELTA,
            ..boundless()
        });
        let refused: usize =
            (1..9).map(|author| give_each(&mut crank, &waiting(author, 4, reason))).sum();
        assert!(refused > 10, "{refused} refused");
        let good = Pen::new(9, 20).write();
        give_each(&mut crank, std::slice::from_ref(&good));
        assert!(is_applied(&crank, &good));
    }
}

#[test]
fn what_waits_for_its_time_leaves_first() {
    for reason in [for_a_parent as fn(Pen) -> Pen, for_a_key, for_a_version] {
        let mut crank = bounded(Bounds { parked_bytes: 10 * DELTA, ..boundless() });
        let ahead: Vec<_> = (1..9).flat_map(|author| waiting(author, 3, for_its_time)).collect();
        give_each(&mut crank, &ahead);
        let others = waiting(20, 5, reason);
        assert_eq!(give_each(&mut crank, &others), 0, "room is made for them");
        assert!(others.iter().all(|delta| is_stored(&crank, delta)));
        let stay = ahead.iter().filter(|delta| is_stored(&crank, delta)).count();
        assert!(stay > 0 && stay < ahead.len());
    }
}

#[test]
fn what_is_furthest_ahead_leaves_before_what_is_nearer() {
    let mut crank = bounded(Bounds { parked_bytes: 5 * DELTA, ..boundless() });
    let at = |author, at_ms| Pen::new(author, 0).at(at_ms).long(200).write();
    let far: Vec<_> = (1..20).map(|author| at(author, 500_000 + u64::from(author))).collect();
    let taken = far.len() - give_each(&mut crank, &far);
    let near: Vec<_> = (21..24).map(|author| at(author, 200_000 + u64::from(author))).collect();
    assert_eq!(give_each(&mut crank, &near), 0);
    assert!(far[..taken - 3].iter().all(|delta| is_stored(&crank, delta)));
    assert!(!far[taken - 3..].iter().any(|delta| is_stored(&crank, delta)));
    let further = at(30, 600_000);
    assert_eq!(refusals(&crank.give(&[further])), [Refused::ParkingFull]);
}

#[test]
fn what_had_to_leave_may_come_again() {
    let mut crank = bounded(Bounds { parked_bytes: 5 * DELTA, ..boundless() });
    let ahead = chain(Pen::new(1, 100_000).long(200), 4);
    give_each(&mut crank, &ahead);
    give_each(&mut crank, &waiting(2, 5, for_a_parent));
    assert!(!is_stored(&crank, &ahead[0]), "its chain left with it");
    assert!(!is_stored(&crank, &ahead[3]));
    crank.now_ms += 100_000;
    give_each(&mut crank, &ahead);
    assert!(ahead.iter().all(|delta| is_applied(&crank, delta)));
}

/// A delta never makes room at the cost of what it continues.
#[test]
fn a_chain_is_never_cut_to_make_room_for_its_own_end() {
    for reason in [for_a_parent as fn(Pen) -> Pen, for_a_key, for_a_version, |pen| pen] {
        for count in 2..12 {
            let mut crank = bounded(Bounds { parked_bytes: 5 * DELTA, ..boundless() });
            let first = Pen::new(1, 100_000).long(200);
            let mut ahead = chain(first.clone(), count);
            let last = reason(first.after(ahead.last().unwrap())).at(200_000).write();
            ahead.push(last);
            give_each(&mut crank, &ahead);
            crank.reboot();
            tables::check(&crank);
        }
    }
}

#[test]
fn a_fork_that_had_to_leave_leaves_nothing_behind() {
    let mut crank = bounded(Bounds { parked_bytes: 12 * DELTA, ..boundless() });
    let root = Pen::new(1, 0);
    let base = root.write();
    let branch = |at: u64| chain(root.after(&base).at(100_000 + at).long(200), 3);
    let tree: Vec<_> = (1..4).flat_map(branch).collect();
    give_each(&mut crank, std::slice::from_ref(&base));
    give_each(&mut crank, &tree);
    for reason in REASONS {
        give_each(&mut crank, &waiting(2, 8, reason));
    }
    assert!(is_applied(&crank, &base));
    let row = crank.memory.get::<Logs>(base.log()).unwrap();
    assert_eq!(row.stored, row.applied, "back to where it was");
}

#[test]
fn logs_that_had_to_leave_are_forgotten() {
    let mut crank = bounded(Bounds { parked_bytes: 4 * DELTA, ..boundless() });
    let before = format!("{:?}", crank.replica).len();
    // Each is a bit nearer than the one before, and takes its place.
    let flood: Vec<_> = (0..300)
        .map(|life| Pen::new(1, 0).at(900_000 - life).life(life).long(200).write())
        .collect();
    assert_eq!(give_each(&mut crank, &flood), 0);
    assert!(every::<Logs, _>(&crank.memory).count() < 10);
    let after = format!("{:?}", crank.replica).len();
    assert!(after < before + 10_000, "{before} {after}");
}

#[test]
fn a_delta_that_is_refused_leaves_no_trace_of_what_it_cites() {
    let mut crank = bounded(Bounds { parked_bytes: 2 * DELTA, ..boundless() });
    let citing = |at: u64| {
        let never = Pen::new(60, 5).life(1_000 + at).write();
        Pen::new(1, 10).life(at).long(200).citing(&[&never]).write()
    };
    give_each(&mut crank, &(0..10).map(citing).collect::<Vec<_>>());
    let (logs, commits) = (every::<Logs, _>(&crank.memory).count(), crank.commits);
    assert!(give_each(&mut crank, &(10..50).map(citing).collect::<Vec<_>>()) == 40);
    assert_eq!(every::<Logs, _>(&crank.memory).count(), logs);
    assert_eq!(crank.commits, commits);
}

#[test]
fn strangers_and_strays_leave_nothing() {
    let mut crank = Crank::of(NODE);
    let stranger = Pen::new(LAST_MEMBER + 1, 0).write();
    let stray = {
        let draft = Pen::new(1, 0).draft();
        let draft = mangrove_protocol::delta::Draft { context: ContextId::from(id(1)), ..draft };
        seal_and_sign(draft, Some(&epoch(1)), NONCE, &keys(1)).unwrap()
    };
    let orphan = chain(Pen::new(LAST_MEMBER + 1, 0), 2).remove(1);
    crank.feed(Input::Tick);
    let (before, stored) = (format!("{:?}", crank.replica), crank.memory.clone());
    let out = crank.give(&[stranger, stray, orphan]);
    assert_eq!(refusals(&out), [Refused::Stranger, Refused::WrongContext, Refused::Stranger]);
    assert_eq!(crank.commits, 0);
    assert_eq!(crank.memory, stored);
    let wondered = "wondered: {AuthorityId(ucqkbifa)}";
    let after = format!("{:?}", crank.replica).replace(wondered, "wondered: {}");
    assert_eq!(after, before, "all that is remembered is that somebody should know of them");
}

#[test]
fn what_does_not_continue_its_log_is_no_delta() {
    let mut crank = Crank::of(NODE);
    let (one, other) = (chain(Pen::new(1, 0), 3), chain(Pen::new(2, 0), 3));
    let crossing = Pen::new(1, 0).after(&other[1]).at(9).write();
    let skipping = {
        let mut pen = Pen::new(1, 0).after(&one[1]).at(9);
        pen.prev = pen.prev.map(|tip| mangrove_protocol::id::Tip { seq: tip.seq.next(), ..tip });
        pen.write()
    };
    // Whether what comes before is there already or comes later.
    let out = crank.give_one(&crossing);
    assert_eq!(refusals(&out), []);
    crank.give(&one);
    assert_eq!(refusals(&crank.give(&other)), [Refused::NotContinuing]);
    assert_eq!(refusals(&crank.give(&[skipping, crossing])), [Refused::NotContinuing; 2]);
    tables::check(&crank);
    assert_eq!(tables::applied(&crank.memory).len(), 6);
}

#[test]
fn what_arrives_before_its_chain_is_kept_as_far_as_there_is_room() {
    let deltas = chain(Pen::new(1, 0).long(200), 20);
    let mut crank = bounded(Bounds { loose_bytes: 5 * DELTA, ..boundless() });
    for delta in deltas.iter().skip(1).rev() {
        let out = crank.give_one(delta);
        assert_eq!(fetched(&out), [delta.tip()], "what comes before it is asked for");
        assert_eq!(refusals(&out), []);
    }
    assert_eq!(crank.commits, 0, "in memory alone");
    crank.give(&deltas[..1]);
    let kept = deltas.iter().filter(|delta| is_applied(&crank, delta)).count();
    assert!((3..9).contains(&kept), "the first and the latest that there was room for: {kept}");
    crank.give(&deltas);
    assert!(deltas.iter().all(|delta| is_applied(&crank, delta)));
    // Room again, and no trace.
    let more = chain(Pen::new(2, 0).long(200), 4);
    assert_eq!(refusals(&crank.give(&more[1..])), []);
    crank.reboot();
    crank.give(&more[..1]);
    assert!(!is_applied(&crank, &more[1]), "lost with the process, which costs a fetch");
}

#[test]
fn orphans_that_nothing_will_ever_adopt_do_not_keep_others_out() {
    let mut crank = bounded(Bounds { loose_bytes: 5 * DELTA, ..boundless() });
    for life in 0..40 {
        let orphan = chain(Pen::new(1, life).long(200), 2).remove(1);
        assert_eq!(refusals(&crank.give_one(&orphan)), []);
    }
    let late = chain(Pen::new(2, 0).long(200), 3);
    crank.give(&late[1..]);
    crank.give(&late[..1]);
    assert!(late.iter().all(|delta| is_applied(&crank, delta)));
}

#[test]
fn a_delta_for_which_there_is_never_room_is_refused_and_asked_for() {
    let mut crank = bounded(Bounds { loose_bytes: 10, ..boundless() });
    let two = chain(Pen::new(1, 0).long(200), 2);
    let out = crank.give_one(&two[1]);
    assert_eq!(refusals(&out), [Refused::Loose]);
    assert_eq!(fetched(&out), [two[1].tip()]);
}

#[test]
fn writes_that_wait_are_bounded_in_bytes_and_the_first_always_has_room() {
    let mut crank = bounded(Bounds { write_bytes: 1_000, ..boundless() });
    crank.put(write(0, call(vec![put("in flight", "")])));
    let big = "x".repeat(5_000);
    assert!(crank.put(write(1, call(vec![put("big", &big)]))).is_empty());
    let out = crank.put(write(2, call(vec![put("small", "")])));
    assert_eq!(answers(&out), [(2, &Err(Fault::Busy))]);
    let out = crank.rest();
    let written = answers(&out).into_iter().filter(|(_, answer)| answer.is_ok());
    assert_eq!(written.map(|(to, _)| to).collect::<Vec<_>>(), [0, 1]);
    assert!(crank.ask(call(vec![put("small", "")])).is_ok());
}

#[test]
fn a_crowd_of_arrivals_is_left_to_be_fetched_again() {
    let deltas = chain(Pen::new(1, 0).long(200), 40);
    let mut crank = bounded(Bounds { arrived_bytes: 10 * DELTA, ..boundless() });
    crank.put(write(0, call(vec![put("busy", "")])));
    let out = crank.put(arrival(&deltas));
    let shed = fetched(&out);
    assert!((20..40).contains(&shed.len()));
    crank.rest();
    let missing: Vec<_> = deltas.iter().filter(|delta| !is_stored(&crank, delta)).collect();
    assert_eq!(missing.iter().map(|delta| delta.tip()).collect::<Vec<_>>(), shed);
    while !is_applied(&crank, &deltas[39]) {
        let before = crank.commits;
        let missing: Vec<_> =
            deltas.iter().filter(|delta| !is_stored(&crank, delta)).cloned().collect();
        crank.give(&missing);
        assert!(crank.commits > before);
    }
}

#[test]
fn a_step_takes_as_many_as_it_may() {
    let deltas = chain(Pen::new(1, 0), 20);
    let mut crank = bounded(Bounds { deltas_per_step: 6, ..boundless() });
    crank.give(&deltas);
    assert_eq!(crank.commits, 4);
}

#[test]
fn logs_of_an_authority_are_bounded_unless_others_cite_them() {
    let mut crank = bounded(Bounds { logs_per_authority: 5, ..boundless() });
    let logs: Vec<_> = (0..9).map(|life| Pen::new(1, life).life(life).write()).collect();
    assert_eq!(refusals(&crank.give(&logs)), [Refused::TooManyLogs; 4]);
    let second = Pen::new(1, 50).life(0).after(&logs[0]).write();
    assert_eq!(refusals(&crank.give(&[second])), [], "those that are begun go on");
    let others: Vec<_> = (0..5).map(|life| Pen::new(2, life).life(life).write()).collect();
    assert_eq!(refusals(&crank.give(&others)), [], "others have their own");
    let by_itself = Pen::new(1, 60).life(1).after(&logs[1]).citing(&[&logs[7]]).write();
    crank.give(&[by_itself]);
    assert_eq!(refusals(&crank.give(&logs[7..8])), [Refused::TooManyLogs], "not cited by another");
    let citing = Pen::new(3, 60).citing(&[&logs[8]]).write();
    let out = crank.give_one(&citing);
    assert_eq!(fetched(&out), [logs[8].tip()]);
    assert_eq!(refusals(&crank.give(&logs[8..])), []);
    assert!(is_applied(&crank, &citing));
    crank.reboot();
    assert_eq!(refusals(&crank.give(&logs[7..8])), [Refused::TooManyLogs]);
    tables::check(&crank);
}

#[test]
fn branches_of_a_log_are_bounded_unless_others_cite_them() {
    let mut crank = bounded(boundless());
    let count = TIPS_PER_LOG as u64;
    let branches: Vec<_> = (0..count + 4).map(|at| Pen::new(1, at).write()).collect();
    assert_eq!(refusals(&crank.give(&branches)), [Refused::TooManyTips; 4]);
    let on = Pen::new(1, 50).after(&branches[0]).at(50).write();
    assert_eq!(refusals(&crank.give(&[on])), [], "those that are there go on");
    let citing = Pen::new(3, 60).citing(&[&branches[17], &branches[18]]).write();
    crank.give_one(&citing);
    // Each is asked for in its turn.
    for _ in 0..2 {
        crank.give(&branches[17..19]);
    }
    assert!(is_applied(&crank, &citing));
    assert_eq!(refusals(&crank.give(&branches[19..])), [Refused::TooManyTips]);
    tables::check(&crank);
}

/// A branch may be longer than one delta when it is cited; its beginning is part of it.
#[test]
fn a_branch_that_another_member_cites_is_taken_whole() {
    let mut crank = bounded(boundless());
    let branches: Vec<_> = (0..TIPS_PER_LOG as u64).map(|at| Pen::new(1, at).write()).collect();
    crank.give(&branches);
    let long = chain(Pen::new(1, 100), 4);
    assert_eq!(refusals(&crank.give(&long[..1])), [Refused::TooManyTips]);
    let citing = Pen::new(3, 200).citing(&[&long[3]]).write();
    let wanted = fetched(&crank.give_one(&citing));
    assert_eq!(wanted, [long[3].tip()]);
    // Its beginning alone says nothing; once its end has come, it is asked for again.
    assert!(!fetched(&crank.give(&long)).is_empty());
    crank.give(&long);
    assert!(is_applied(&crank, &citing), "what an accepted delta cites is never out of reach");
    tables::check(&crank);
}

#[test]
fn what_needs_a_later_version_goes_on_with_the_program_that_knows_it() {
    let mut crank = Crank::of(NODE);
    // Some that this program knows all along stand in for those that a later one will.
    let deltas: Vec<_> =
        (0..600).map(|life| Pen::new(1, life).life(life).under(2).write()).collect();
    let unknown: Vec<_> =
        (0..300).map(|life| Pen::new(2, life).life(life).bytes(vec![99]).write()).collect();
    crank.config.bounds = boundless();
    crank.reboot();
    crank.give(&deltas);
    crank.give(&unknown);
    let mut over = Overlay::new(&crank.memory);
    for delta in &deltas {
        let mut place = crank.memory.get::<Places>(&delta.id()).unwrap();
        place.status = Status::Parked { cause: Cause::Version, since_ms: NOW_MS };
        over.put::<Places>(delta.id(), place);
        over.remove::<Waiting>((Cause::Key(epoch(2).id()), delta.id()));
        over.put::<Waiting>((Cause::Version, delta.id()), ());
    }
    let batch = over.into_batch();
    crank.memory.apply(&batch);
    crank.reboot();
    crank.feed(Input::Key(epoch(2)));
    assert!(deltas.iter().all(|delta| is_applied(&crank, delta)));
    assert_eq!(tables::parked(&crank.memory).len(), 300);
    let commits = crank.commits;
    crank.reboot();
    crank.feed(Input::Tick);
    assert_eq!(crank.commits, commits, "looking is not a change");
    tables::check(&crank);
}

fn without(crank: &mut Crank, delta: &Delta) {
    let batch: Batch = {
        let mut over = Overlay::new(&crank.memory);
        over.remove::<Deltas>(delta.id());
        over.into_batch()
    };
    crank.memory.apply(&batch);
}

/// The disk lost what waits: it is reported and asked for again, and nothing else suffers.
#[test]
fn what_waits_and_is_damaged_is_fetched_again() {
    for reason in [for_its_time as fn(Pen) -> Pen, for_a_key, for_a_late_parent] {
        let mut crank = Crank::of(NODE);
        let first = reason(Pen::new(1, 50)).write();
        let second = Pen::new(1, 0).after(&first).at(300_000).write();
        let sound = reason(Pen::new(2, 50)).write();
        crank.give(&[first.clone(), second.clone(), sound.clone()]);
        assert_eq!(tables::parked(&crank.memory).len(), 3);
        without(&mut crank, &first);
        crank.now_ms += 300_000;
        let mut out = crank.feed(Input::Key(epoch(2)));
        out.extend(crank.give(&[late_parent()]));
        assert!(is_applied(&crank, &sound));
        assert_eq!(
            notes(&out).iter().filter(|it| ***it == Note::Damaged { delta: first.id() }).count(),
            1
        );
        assert_eq!(fetched(&out).iter().filter(|it| **it == first.tip()).count(), 1);
        tables::check(&crank);
        crank.give(&[first.clone(), second.clone()]);
        assert!(is_applied(&crank, &first) && is_applied(&crank, &second));
        tables::check(&crank);
    }
}

fn late_parent() -> Delta {
    Pen::new(61, 5).write()
}

fn for_a_late_parent(pen: Pen) -> Pen {
    pen.citing(&[&late_parent()])
}

#[test]
fn every_refusal_is_noted_with_words() {
    let all = [
        Refused::WrongContext,
        Refused::Stranger,
        Refused::NotContinuing,
        Refused::Loose,
        Refused::ParkingFull,
        Refused::TooManyTips,
        Refused::TooManyLogs,
    ];
    let words: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), all.len());
    assert!(words.iter().all(|text| text.len() > 10 && text.is_ascii()));
}

#[test]
fn thousands_that_waited_go_on_at_once() {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
    let key: Vec<_> = chain(Pen::new(1, 0).under(2), 3_000);
    crank.give(&key);
    let ahead: Vec<_> =
        (0..3_000).map(|life| Pen::new(2, 100_000 + life).life(life).write()).collect();
    crank.give(&ahead);
    let base = Pen::new(3, 0).write();
    let behind: Vec<_> =
        (0..3_000).map(|life| Pen::new(4, 9).life(life).citing(&[&base]).write()).collect();
    crank.give(&behind);
    assert_eq!(tables::parked(&crank.memory).len(), 9_000);
    crank.give(&[base]);
    crank.feed(Input::Key(epoch(2)));
    crank.now_ms += 200_000;
    crank.feed(Input::Tick);
    assert_eq!(tables::parked(&crank.memory).len(), 0);
    assert_eq!(tables::applied(&crank.memory).len(), 9_001);
}

#[test]
fn what_was_confirmed_here_makes_room_for_nobody() {
    let bounds = Bounds { parked_bytes: 2_000, parked_bytes_per_member: 2_000, ..boundless() };
    let mut crank = Crank::new(Config { bounds, ..config(NODE) });
    // Its clock was wrong when it wrote, and was put right later.
    crank.now_ms += 150_000;
    let own = crank.edit(vec![put("own", "word")]).delta;
    crank.now_ms -= 150_000;
    crank.reboot();
    crank.feed(Input::Rebuild);
    assert!(tables::parked(&crank.memory).contains_key(&own), "it has to wait again");
    for life in 0..20 {
        crank.give(&[for_a_late_parent(Pen::new(1, 9).life(life)).long(300).write()]);
    }
    assert!(Deltas::rows(&crank.memory).contains_key(&own));
}

#[test]
fn what_waits_for_a_key_waits_for_a_parent_that_comes_to_count() {
    let mut crank = Crank::new(Config { bounds: boundless(), ..config(NODE) });
    let grant = FOUNDING.next().write(FOUNDING.context, &grant(LAST_MEMBER + 1, Role::Writer));
    let log = LogId { authority: grant.id().into(), ..Pen::new(LAST_MEMBER + 1, 0).log() };
    let parent = Pen::new(LAST_MEMBER + 1, 0).write_as(log, None);
    let delta = Pen::new(1, 9).under(2).citing(&[&parent]).write();
    crank.give_one(&delta);
    let cause = |crank: &Crank| {
        let found = Waiting::rows(&crank.memory).keys().find(|(_, id)| *id == delta.id());
        found.map(|(cause, _)| *cause)
    };
    assert_eq!(cause(&crank), Some(Cause::Parent(parent.id())));
    // Nobody knows by which right the parent was written, so it is not waited for.
    crank.feed(Input::Agreed { with: keys(2).peer() });
    assert_eq!(cause(&crank), Some(Cause::Key(epoch(2).id())));
    crank.give_one(&grant);
    assert_eq!(cause(&crank), Some(Cause::Parent(parent.id())));
    crank.give_one(&parent);
    assert_eq!(cause(&crank), Some(Cause::Key(epoch(2).id())));
}
