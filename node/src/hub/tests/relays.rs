//! Who wakes whom.

use tokio::task::JoinSet;

use super::*;

impl House {
    /// How many are woken by whoever tells of the context.
    fn woken(&self) -> usize {
        self.hub.0.rings.get(&context(1)).map_or(0, |listened| listened.ring.receiver_count())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn those_who_wait_on_one_runtime_are_woken_by_one() {
    let (house, mut scribe) = House::with(1).await;
    let mut many = (0..50).map(|_| house.subscribe(Since::Now)).collect::<Vec<_>>();
    assert_eq!(house.woken(), 0, "nobody waits yet");
    for at in 1..4 {
        let mut waiting = JoinSet::new();
        for mut one in many.drain(..) {
            waiting.spawn(async move { (positions(&next(&mut one, 10).await), one) });
        }
        // All of them have their turn, and wait.
        tokio::task::yield_now().await;
        assert_eq!(house.woken(), 1);
        scribe.write_and_tell(1).await;
        let (heard, again): (Vec<_>, Vec<_>) = waiting.join_all().await.into_iter().unzip();
        assert!(heard.iter().all(|heard| *heard == [at]));
        many = again;
    }
    drop(many);
    assert_eq!(house.rings(), 0);
}

#[test]
fn each_runtime_where_somebody_waits_is_woken_once() {
    let (first, second) = (runtime(), runtime());
    let (house, _scribe) = first.block_on(House::with(1));
    let mut many = (0..6).map(|_| house.subscribe(Since::Now)).collect::<Vec<_>>();
    for (at, one) in many.iter_mut().enumerate() {
        let here = if at % 2 == 0 { &first } else { &second };
        here.block_on(async { assert_eq!(at_once(one, 10), None) });
    }
    assert_eq!(house.woken(), 2);
}

#[test]
fn who_goes_on_on_another_runtime_is_woken_there() {
    let first = runtime();
    let (house, mut scribe) = first.block_on(House::with(1));
    let mut subscription = house.subscribe(Since::Now);
    first.block_on(async { assert_eq!(at_once(&mut subscription, 10), None) });
    drop(first);
    let delivery = runtime().block_on(async {
        let delivery = next(&mut subscription, 10);
        tokio::join!(delivery, scribe.write_and_tell(1)).0
    });
    assert_eq!(positions(&delivery), [1]);
}
