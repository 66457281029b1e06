//! Forgetting what is old, and letting go of memory that nobody needs, now and then.

use std::time::Duration;

use mangrove_config::feed::Keep;
use mangrove_store::Pens;
use tokio::time::sleep;

use crate::context;
use crate::directory::Directory;
use crate::drive::Ended;
use crate::stop::Stop;

/// How often it is looked whether it is quiet.
const REST: Duration = Duration::from_secs(15);
/// After how many of those looks it is looked for what is old.
const FORGET: u32 = 4;

/// Asks the store to let go of memory when it is quiet, and those who work on contexts to forget what is old, now
/// and then, until told to stop.
pub(crate) async fn run((keep, directory, pens): (Keep, Directory, Pens), stop: Stop) -> Ended {
    let mut looks = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.told() => return Ended::Stopped,
            () = sleep(REST) => {}
        }
        pens.rest();
        looks = (looks + 1) % FORGET;
        if keep == Keep::Everything || looks > 0 {
            continue;
        }
        for shard in directory.shards() {
            // Where there is no room for it, the next time does.
            drop(shard.post(context::Message::Trim));
        }
    }
}
