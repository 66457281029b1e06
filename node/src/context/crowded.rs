//! Many who write to one context at once: commits are made ahead of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mangrove_config::failpoint;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::op::{Key, Kind};
use mangrove_protocol::request::Written;
use tokio::task::JoinSet;

use crate::directory::State;
use crate::fault::Fault;
use crate::handle::Handle;
use crate::house::{House, put};

/// Enough of them for a step to be made ahead.
const WRITERS: usize = 100;

fn key(writer: usize, at: usize) -> String {
    format!("{writer}/{at}")
}

/// What came of one.
struct End {
    writer: usize,
    written: Vec<Written>,
    refused: Option<Fault>,
}

/// Writes one thing after the other while told to, or until it is refused.
async fn write(
    node: Arc<Handle>,
    context: ContextId,
    (writer, goes_on): (usize, Arc<AtomicBool>),
) -> End {
    let mut written = Vec::new();
    while goes_on.load(Ordering::SeqCst) {
        match node.apply(context, put(&key(writer, written.len()), "v")).await {
            Ok(done) => written.push(done),
            Err(why) => return End { writer, written, refused: Some(why) },
        }
    }
    End { writer, written, refused: None }
}

/// All of them, for as long as something else takes.
fn crowd(house: &House, context: ContextId, meanwhile: impl AsyncFnOnce(&Handle)) -> Vec<End> {
    let goes_on = Arc::new(AtomicBool::new(true));
    let node = Arc::new(house.node.clone());
    house.wait(async {
        let mut set = JoinSet::new();
        for writer in 0..WRITERS {
            set.spawn(write(Arc::clone(&node), context, (writer, Arc::clone(&goes_on))));
        }
        meanwhile(&node).await;
        goes_on.store(false, Ordering::SeqCst);
        set.join_all().await
    })
}

async fn moment() {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}

fn confirmed(ends: &[End]) -> usize {
    ends.iter().map(|end| end.written.len()).sum()
}

/// Who was refused, and why.
fn refusals(ends: &[End]) -> Vec<&Fault> {
    ends.iter().filter_map(|end| end.refused.as_ref()).collect()
}

#[test]
fn what_many_write_at_once_is_all_there_in_the_order_of_each() {
    let house = House::start(1);
    let context = house.wait(house.node.create("crowded")).unwrap();
    let ends = crowd(&house, context, async |_: &Handle| moment().await);
    assert_eq!(refusals(&ends), Vec::<&Fault>::new());
    for End { written, .. } in &ends {
        assert!(!written.is_empty(), "each has had its turn");
        assert!(written.windows(2).all(|two| two[0].seq < two[1].seq), "in order");
    }
    let count = confirmed(&ends) as u64;
    assert_eq!(house.node.look(&context, |look| look.count()), Ok(count));
    let root = house.root(context);
    let house = house.restart();
    assert_eq!(
        (house.root(context), house.node.look(&context, |look| look.count())),
        (root, Ok(count))
    );
}

#[test]
fn of_what_many_write_while_the_disk_fills_up_all_that_was_confirmed_is_there() {
    let house = House::start(1);
    let context = house.wait(house.node.create("crowded")).unwrap();
    let ends = crowd(&house, context, async |_: &Handle| {
        moment().await;
        failpoint::global().set_all("store.no_room=true").unwrap();
        moment().await;
    });
    failpoint::global().set_all("store.no_room").unwrap();
    let refused = refusals(&ends);
    // Those who come while it is loaded again are told that.
    let is_told =
        |why: &&&Fault| matches!(why, Fault::Storage(_) | Fault::Syncing(State::Replaying));
    assert_eq!(refused.iter().filter(is_told).count(), WRITERS, "everybody is told: {refused:?}");
    assert!(refused.iter().any(|why| matches!(why, Fault::Storage(_))));
    let house = house.restart();
    house
        .node
        .look(&context, |look| {
            for End { writer, written, .. } in &ends {
                for at in 0..written.len() {
                    let found = look.entity(Kind::Register, &Key::new(&key(*writer, at)).unwrap());
                    assert!(found.unwrap().is_some(), "{writer}/{at} was confirmed");
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_context_is_forgotten_also_while_many_write_to_it() {
    let house = House::start(1);
    let context = house.wait(house.node.create("crowded")).unwrap();
    let ends = crowd(&house, context, async |node: &Handle| {
        moment().await;
        node.forget(context).await.unwrap();
        // Those who still write are told so.
        moment().await;
    });
    assert!(confirmed(&ends) > 0);
    let (unknown, refused) = (Fault::NoContext(context.to_string()), refusals(&ends));
    assert_eq!(refused, vec![&unknown; WRITERS]);
    assert_eq!(house.node.contexts().len(), 0);
}
