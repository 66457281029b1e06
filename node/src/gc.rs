//! Forgetting what is old, now and then.

use std::time::Duration;

use mangrove_config::feed::Keep;
use tokio::time::sleep;

use crate::context;
use crate::directory::Directory;
use crate::drive::Ended;
use crate::stop::Stop;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);

/// Asks those who work on contexts to forget what is old, now and then, until told to stop.
pub(crate) async fn run((keep, directory): (Keep, Directory), stop: Stop) -> Ended {
    loop {
        tokio::select! {
            biased;
            () = stop.told() => return Ended::Stopped,
            () = sleep(EVERY) => {}
        }
        if keep == Keep::Everything {
            continue;
        }
        for shard in directory.shards() {
            // Where there is no room for it, the next time does.
            drop(shard.post(context::Message::Trim));
        }
    }
}
