//! Waiting for what must come about.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::pace::Pace;

/// What `look` finds as soon as it finds it; looks again until then, ever less often.
///
/// # Panics
///
/// When it was not found `within` that time: with what was expected and the last reason why not.
#[track_caller]
pub fn eventually<T, E: Display>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let (began, mut pace) = (Instant::now(), Pace::slowing());
    let mut looks = 0_u64;
    loop {
        looks += 1;
        // The time is taken first: what is found by a look that began in time was there in time.
        let is_late = began.elapsed() >= within;
        match look() {
            Ok(found) => return found,
            Err(why) if is_late => {
                panic!("not within {within:?}: {what}\n  after {looks} looks: {why}")
            }
            Err(_) => pace.wait(),
        }
    }
}
