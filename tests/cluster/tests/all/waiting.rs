//! Waiting for what must come about.

use std::time::{Duration, Instant};

use mangrove_cluster::eventually;

#[test]
fn what_comes_about_is_found_soon_after() {
    let mut looks = 0;
    let began = Instant::now();
    let found = eventually("the fourth look", Duration::from_secs(20), || {
        looks += 1;
        if looks == 4 { Ok("found") } else { Err(format!("look {looks}")) }
    });
    assert_eq!((found, looks), ("found", 4));
    assert!(began.elapsed() >= Duration::from_millis(2 + 4 + 8), "it looks ever less often");
}

#[test]
#[should_panic(expected = "not within 10ms: the impossible")]
fn what_does_not_come_about_is_told() {
    let () = eventually("the impossible", Duration::from_millis(10), || Err("never"));
}

#[test]
fn it_is_looked_at_least_once() {
    let mut looks = 0;
    eventually("a look", Duration::ZERO, || {
        looks += 1;
        Ok::<_, String>(())
    });
    assert_eq!(looks, 1);
}
