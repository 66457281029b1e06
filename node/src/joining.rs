//! Coming into contexts by tickets that were given at the start.

use std::time::Duration;

use tokio::time::sleep;

use crate::drive::Ended;
use crate::fault::Fault;
use crate::handle::Handle;
use crate::stop::Stop;

/// How long it is waited for a context to be there, before the next one is joined.
const THERE: Duration = Duration::from_secs(10);
/// After how long it is tried again to reach somebody.
const AGAIN: Duration = Duration::from_secs(5);

/// Joins by each ticket, for as long as that may help, until told to stop. A ticket whose context this node has a
/// role in already is of no matter.
pub(crate) async fn run(node: Handle, tickets: Vec<String>, stop: Stop) -> Ended {
    let joining = async {
        for ticket in &tickets {
            join(&node, ticket).await;
        }
    };
    tokio::select! {
        () = stop.told() => {}
        () = joining => {}
    }
    Ended::Stopped
}

async fn join(node: &Handle, ticket: &str) {
    loop {
        match node.join(ticket, None, THERE).await {
            Ok(joined) => {
                tracing::info!(context = %joined.context, synced = joined.is_synced, "joined");
                return;
            }
            Err(why @ (Fault::Unreachable(_) | Fault::Busy | Fault::Storage(_))) => {
                tracing::warn!(%why, "not joined yet: trying again");
                sleep(AGAIN).await;
            }
            Err(why) => {
                tracing::error!(%why, "not joined");
                return;
            }
        }
    }
}
